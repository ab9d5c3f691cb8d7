// Rows of [rows, n] brought to mean 0 and variance 1, times w plus b if AFFINE; keeps μ and 1/σ.
// `rows_by_group` and `rows_by_subgroup` say who works on which row.
// Two versions; beside each other: cargo test -p shaders rows_by, beside the host: cargo test -p tests vulkan::every_row

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
fn main(at: Place) {
    let team = join(at);
    for (var row = team.row; row < p.rows; row += team.step) {
        let first = row * p.n;
        var sum = 0.0;
        for (var j = team.lane; j < p.n; j += team.lanes) {
            sum += x[first + j];
        }
        let mean = row_sum(sum, team.lane) / f32(p.n);
        var squares = 0.0;
        for (var j = team.lane; j < p.n; j += team.lanes) {
            let centred = x[first + j] - mean;
            squares += centred * centred;
        }
        let rstd = 1.0 / sqrt(row_sum(squares, team.lane) / f32(p.n) + p.eps);
        for (var j = team.lane; j < p.n; j += team.lanes) {
            var value = (x[first + j] - mean) * rstd;
            if AFFINE != 0u {
                value = value * w[j] + b[j];
            }
            y[first + j] = value;
        }
        if team.lane == 0u {
            means[row] = mean;
            rstds[row] = rstd;
        }
    }
}
