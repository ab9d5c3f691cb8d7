// One SGD update: g = dw + decay·w; m ← momentum·m + g; w ← w − lr·(g + momentum·m if nesterov, else m). A first step has
// no m yet (`has_momentum` 0). Without momentum, m is g.
// One version. To run it beside the host: cargo test -p tests vulkan::statistics

struct Params { len: u32, lr: f32, momentum: f32, decay: f32, nesterov: u32, has_momentum: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> w_new: array<f32>;
@group(0) @binding(1) var<storage, read_write> m_new: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> dw: array<f32>;
@group(0) @binding(4) var<storage, read> m: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    for (var i = id.x; i < p.len; i += groups.x * 256u) {
        let g = dw[i] + p.decay * w[i];
        var momentum = g;
        if p.has_momentum != 0u {
            momentum += p.momentum * m[i];
        }
        var direction = momentum;
        if p.nesterov != 0u {
            direction = g + p.momentum * momentum;
        }
        m_new[i] = momentum;
        w_new[i] = w[i] - p.lr * direction;
    }
}
