// [outer, len, inner] to [outer, chunks, inner]: chunk c takes elements c, c + chunks, c + 2·chunks, … of the axis, so
// that neighbouring invocations read neighbouring elements. A long axis is reduced in several such passes, the last with
// one chunk, which keeps many invocations busy and sums short. KIND: 0 sum, 1 max, 2 min; NaN wins.
// One version. To run it beside the host: cargo test -p tests vulkan::every_row

override KIND: u32;

struct Params { total: u32, len: u32, inner: u32, chunks: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;

fn combine(a: f32, b: f32) -> f32 {
    switch KIND {
        case 0u: { return a + b; }
        case 1u: { return select(b, a, a > b || is_nan(a)); }
        default: { return select(b, a, a < b || is_nan(a)); }
    }
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    for (var i = id.x; i < p.total; i += groups.x * 256u) {
        let column = i % p.inner;
        let chunk = i / p.inner % p.chunks;
        let first = i / p.inner / p.chunks * p.len * p.inner + column;
        var result = x[first + chunk * p.inner];
        for (var l = chunk + p.chunks; l < p.len; l += p.chunks) {
            result = combine(result, x[first + l * p.inner]);
        }
        y[i] = result;
    }
}
