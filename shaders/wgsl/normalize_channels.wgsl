// y = (x − mean)/√(var + eps)·w + b per channel of [batch, channels, inner], then ReLU if RELU.
// One version. To run it beside the host: cargo test -p tests vulkan::every_row

override RELU: u32;

struct Params { len: u32, channels: u32, inner: u32, eps: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> means: array<f32>;
@group(0) @binding(3) var<storage, read> vars: array<f32>;
@group(0) @binding(4) var<storage, read> w: array<f32>;
@group(0) @binding(5) var<storage, read> b: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    for (var i = id.x; i < p.len; i += groups.x * 256u) {
        let c = i / p.inner % p.channels;
        let value = (x[i] - means[c]) / sqrt(vars[c] + p.eps) * w[c] + b[c];
        if RELU != 0u {
            y[i] = select(value, 0.0, value <= 0.0);
        } else {
            y[i] = value;
        }
    }
}
