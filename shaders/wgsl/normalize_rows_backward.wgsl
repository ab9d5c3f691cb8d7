// dx of normalize_rows: with x̂ = (x − μ)/σ and dx̂ = dy·w, dx = (dx̂ − mean(dx̂) − x̂·mean(x̂·dx̂))/σ.
// `rows_by_group` and `rows_by_subgroup` say who works on which row.
// Two versions; beside each other: cargo test -p shaders rows_by, beside the host: cargo test -p tests vulkan::every_row

override AFFINE: u32;

struct Params { rows: u32, n: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> dx: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> means: array<f32>;
@group(0) @binding(3) var<storage, read> rstds: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read> w: array<f32>;

fn dxhat(first: u32, j: u32) -> f32 {
    if AFFINE != 0u {
        return dy[first + j] * w[j];
    }
    return dy[first + j];
}

@compute @workgroup_size(128)
fn main(at: Place) {
    let team = join(at);
    for (var row = team.row; row < p.rows; row += team.step) {
        let first = row * p.n;
        let mean = means[row];
        let rstd = rstds[row];
        var sum = 0.0;
        var slope = 0.0;
        for (var j = team.lane; j < p.n; j += team.lanes) {
            let d = dxhat(first, j);
            sum += d;
            slope += d * (x[first + j] - mean) * rstd;
        }
        let mean_d = row_sum(sum, team.lane) / f32(p.n);
        let mean_slope = row_sum(slope, team.lane) / f32(p.n);
        for (var j = team.lane; j < p.n; j += team.lanes) {
            let xhat = (x[first + j] - mean) * rstd;
            dx[first + j] = rstd * (dxhat(first, j) - mean_d - xhat * mean_slope);
        }
    }
}
