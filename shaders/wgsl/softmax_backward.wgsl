// Gradient of softmax given y: dx = y·(dy − Σ y·dy); of its logarithm if LOG: dx = dy − eʸ·Σ dy.
// `rows_by_group` and `rows_by_subgroup` say who works on which row.
// Two versions; beside each other: cargo test -p shaders rows_by, beside the host: cargo test -p tests vulkan::every_row

override LOG: u32;

struct Params { rows: u32, n: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> dx: array<f32>;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;

@compute @workgroup_size(128)
fn main(at: Place) {
    let team = join(at);
    for (var row = team.row; row < p.rows; row += team.step) {
        let first = row * p.n;
        var sum = 0.0;
        for (var j = team.lane; j < p.n; j += team.lanes) {
            let e = first + j;
            if LOG != 0u {
                sum += dy[e];
            } else {
                sum += y[e] * dy[e];
            }
        }
        sum = row_sum(sum, team.lane);
        for (var j = team.lane; j < p.n; j += team.lanes) {
            let e = first + j;
            if LOG != 0u {
                dx[e] = dy[e] - exp(y[e]) * sum;
            } else {
                dx[e] = y[e] * (dy[e] - sum);
            }
        }
    }
}
