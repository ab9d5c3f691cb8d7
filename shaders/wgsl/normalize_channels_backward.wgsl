// dx of normalize_channels, given dw and db: with rstd = 1/√(var + eps), dx = w·rstd·(dy − db/n − x̂·dw/n) over the n
// elements of a channel if OWN (mean and variance are those of x), w·rstd·dy otherwise.
// One version. To run it beside the host: cargo test -p tests vulkan::every_row

override RELU: u32;
override OWN: u32;

struct Params { len: u32, batch: u32, channels: u32, inner: u32, eps: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> dx: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> means: array<f32>;
@group(0) @binding(3) var<storage, read> vars: array<f32>;
@group(0) @binding(4) var<storage, read> w: array<f32>;
@group(0) @binding(5) var<storage, read> y: array<f32>;
@group(0) @binding(6) var<storage, read> dy: array<f32>;
@group(0) @binding(7) var<storage, read> dw: array<f32>;
@group(0) @binding(8) var<storage, read> db: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let count = f32(p.batch * p.inner);
    for (var i = id.x; i < p.len; i += groups.x * 256u) {
        let c = i / p.inner % p.channels;
        let rstd = 1.0 / sqrt(vars[c] + p.eps);
        var d = dy[i];
        if RELU != 0u {
            d = select(0.0, d, y[i] > 0.0);
        }
        if OWN != 0u {
            d -= db[c] / count + (x[i] - means[c]) * rstd * dw[c] / count;
        }
        dx[i] = w[c] * rstd * d;
    }
}
