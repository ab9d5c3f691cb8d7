// Gradient of softmax given y: dx = y·(dy − Σ y·dy); of its logarithm if LOG: dx = dy − eʸ·Σ dy. One workgroup per row.

override LOG: u32;

struct Params { rows: u32, n: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> dx: array<f32>;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;

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
            let e = first + j;
            if LOG != 0u {
                sum += dy[e];
            } else {
                sum += y[e] * dy[e];
            }
        }
        sum = group_sum(sum, lane);
        for (var j = lane; j < p.n; j += WIDTH) {
            let e = first + j;
            if LOG != 0u {
                dx[e] = dy[e] - exp(y[e]) * sum;
            } else {
                dx[e] = y[e] * (dy[e] - sum);
            }
        }
    }
}
