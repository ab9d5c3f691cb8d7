// dw = Σ dy·x̂ and db = Σ dy per channel of [batch, channels, inner], where dy counts only where y > 0 if RELU. One
// workgroup per channel.
// One version. To run it beside the host: cargo test -p tests vulkan::every_row

override RELU: u32;

struct Params { batch: u32, channels: u32, inner: u32, eps: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> dw: array<f32>;
@group(0) @binding(1) var<storage, read_write> db: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> means: array<f32>;
@group(0) @binding(4) var<storage, read> vars: array<f32>;
@group(0) @binding(5) var<storage, read> y: array<f32>;
@group(0) @binding(6) var<storage, read> dy: array<f32>;

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let count = p.batch * p.inner;
    for (var channel = group.x; channel < p.channels; channel += groups.x) {
        let mean = means[channel];
        let rstd = 1.0 / sqrt(vars[channel] + p.eps);
        var sum_w = 0.0;
        var sum_b = 0.0;
        for (var e = lane; e < count; e += WIDTH) {
            let at = (e / p.inner * p.channels + channel) * p.inner + e % p.inner;
            var d = dy[at];
            if RELU != 0u {
                d = select(0.0, d, y[at] > 0.0);
            }
            sum_w += d * (x[at] - mean) * rstd;
            sum_b += d;
        }
        sum_w = group_sum(sum_w, lane);
        sum_b = group_sum(sum_b, lane);
        if lane == 0u {
            dw[channel] = sum_w;
            db[channel] = sum_b;
        }
    }
}
