// Separable resampling of [planes, H, W]: every output row and column is a weighted sum of two input ones. `taps` holds
// low, high and the weight of high (a float's bits), first of the rows, then of the columns.
// One version. To run it beside the host: cargo test -p tests vulkan::every_row

struct Params { planes: u32, h: u32, w: u32, oh: u32, ow: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> taps: array<u32>;

// Input row `row` of a plane at output column `ox`.
fn across(row: u32, ox: u32) -> f32 {
    let tap = 3u * (p.oh + ox);
    let share = bitcast<f32>(taps[tap + 2u]);
    return (1.0 - share) * x[row * p.w + taps[tap]] + share * x[row * p.w + taps[tap + 1u]];
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    for (var e = id.x; e < p.planes * p.oh * p.ow; e += groups.x * 256u) {
        let ox = e % p.ow;
        let tap = 3u * (e / p.ow % p.oh);
        let plane = e / p.ow / p.oh * p.h;
        let share = bitcast<f32>(taps[tap + 2u]);
        y[e] = (1.0 - share) * across(plane + taps[tap], ox) + share * across(plane + taps[tap + 1u], ox);
    }
}
