// Softmax of the rows of [rows, n], or its logarithm if LOG: y = e^(x − max) / Σ e^(x − max).
// `rows_by_group` and `rows_by_subgroup` say who works on which row.
// Two versions; beside each other: cargo test -p shaders rows_by, beside the host: cargo test -p tests vulkan::every_row

override LOG: u32;

struct Params { rows: u32, n: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;

@compute @workgroup_size(128)
fn main(at: Place) {
    let team = join(at);
    for (var row = team.row; row < p.rows; row += team.step) {
        let first = row * p.n;
        var largest = x[first + min(team.lane, p.n - 1u)];
        for (var j = team.lane + team.lanes; j < p.n; j += team.lanes) {
            largest = max(largest, x[first + j]);
        }
        largest = row_max(largest, team.lane);
        var sum = 0.0;
        for (var j = team.lane; j < p.n; j += team.lanes) {
            sum += exp(x[first + j] - largest);
        }
        sum = row_sum(sum, team.lane);
        for (var j = team.lane; j < p.n; j += team.lanes) {
            let centred = x[first + j] - largest;
            if LOG != 0u {
                y[first + j] = centred - log(sum);
            } else {
                y[first + j] = exp(centred) / sum;
            }
        }
    }
}
