// Softmax of the rows of [rows, n], or its logarithm if LOG: y = e^(x − max) / Σ e^(x − max). One workgroup per row.

override LOG: u32;

struct Params { rows: u32, n: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;

// As group_sum, for the largest value.
fn group_max(value: f32, lane: u32) -> f32 {
    partial[lane] = value;
    workgroupBarrier();
    for (var half = WIDTH / 2u; half > 0u; half /= 2u) {
        if lane < half {
            partial[lane] = max(partial[lane], partial[lane + half]);
        }
        workgroupBarrier();
    }
    let largest = partial[0];
    workgroupBarrier();
    return largest;
}

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    for (var row = group.x; row < p.rows; row += groups.x) {
        let first = row * p.n;
        var largest = x[first + min(lane, p.n - 1u)];
        for (var j = lane + WIDTH; j < p.n; j += WIDTH) {
            largest = max(largest, x[first + j]);
        }
        largest = group_max(largest, lane);
        var sum = 0.0;
        for (var j = lane; j < p.n; j += WIDTH) {
            sum += exp(x[first + j] - largest);
        }
        sum = group_sum(sum, lane);
        for (var j = lane; j < p.n; j += WIDTH) {
            let centred = x[first + j] - largest;
            if LOG != 0u {
                y[first + j] = centred - log(sum);
            } else {
                y[first + j] = exp(centred) / sum;
            }
        }
    }
}
