// Sums over a workgroup of 128 invocations by halving: 128 values, 64, 32, … in a fixed order.
// Included by other shaders; nothing to run by itself.

const WIDTH: u32 = 128u;

var<workgroup> partial: array<f32, 128>;

// The sum of every invocation's value; all invocations of the group must call it together.
fn group_sum(value: f32, lane: u32) -> f32 {
    partial[lane] = value;
    workgroupBarrier();
    for (var half = WIDTH / 2u; half > 0u; half /= 2u) {
        if lane < half {
            partial[lane] += partial[lane + half];
        }
        workgroupBarrier();
    }
    let total = partial[0];
    workgroupBarrier(); // before the next call writes
    return total;
}
