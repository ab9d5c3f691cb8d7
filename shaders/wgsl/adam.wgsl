// One Adam or AdamW update: m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; w ← shrink·w − step_size·m/(√v/root + eps), where
// step_size and root carry the bias corrections, shrink the decoupled decay and penalty the coupled one.
// One version. To run it beside the host: cargo test -p tests vulkan::statistics

struct Params {
    len: u32, beta1: f32, beta2: f32, rest1: f32, rest2: f32,
    eps: f32, step_size: f32, root: f32, shrink: f32, penalty: f32,
}
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> w_new: array<f32>;
@group(0) @binding(1) var<storage, read_write> m_new: array<f32>;
@group(0) @binding(2) var<storage, read_write> v_new: array<f32>;
@group(0) @binding(3) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read> dw: array<f32>;
@group(0) @binding(5) var<storage, read> m: array<f32>;
@group(0) @binding(6) var<storage, read> v: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    for (var i = id.x; i < p.len; i += groups.x * 256u) {
        let g = dw[i] + p.penalty * w[i];
        let first = p.beta1 * m[i] + p.rest1 * g;
        let second = p.beta2 * v[i] + p.rest2 * g * g;
        m_new[i] = first;
        v_new[i] = second;
        w_new[i] = w[i] * p.shrink - p.step_size * first / (sqrt(second) / p.root + p.eps);
    }
}
