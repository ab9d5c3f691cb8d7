// Rows of [rows, n] brought to mean 0 and variance 1, times w plus b if AFFINE; keeps μ and 1/σ. One workgroup per row.

override AFFINE: u32;

struct Params { rows: u32, n: u32, eps: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read_write> means: array<f32>;
@group(0) @binding(2) var<storage, read_write> rstds: array<f32>;
@group(0) @binding(3) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read> w: array<f32>;
@group(0) @binding(5) var<storage, read> b: array<f32>;

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    for (var row = group.x; row < p.rows; row += groups.x) {
        let first = row * p.n;
        var sum = 0.0;
        for (var j = lane; j < p.n; j += WIDTH) {
            sum += x[first + j];
        }
        let mean = group_sum(sum, lane) / f32(p.n);
        var squares = 0.0;
        for (var j = lane; j < p.n; j += WIDTH) {
            let centred = x[first + j] - mean;
            squares += centred * centred;
        }
        let rstd = 1.0 / sqrt(group_sum(squares, lane) / f32(p.n) + p.eps);
        for (var j = lane; j < p.n; j += WIDTH) {
            var value = (x[first + j] - mean) * rstd;
            if AFFINE != 0u {
                value = value * w[j] + b[j];
            }
            y[first + j] = value;
        }
        if lane == 0u {
            means[row] = mean;
            rstds[row] = rstd;
        }
    }
}
