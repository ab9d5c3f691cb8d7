// Element (i₀, i₁, …) of a shape goes from offset Σ iₐ·from[a] in src to offset Σ iₐ·to[a] in dst: permute, slice, flip,
// expand, pad, concatenate. Adds instead of replacing if asked. What no element reaches in dst stays as it was.
// One version. To run it beside the host: cargo test -p tests vulkan::every_row

struct Params {
    len: u32,
    rank: u32,
    from_offset: i32,
    to_offset: i32,
    accumulate: u32,
    shape: array<u32, 8>,
    from_strides: array<i32, 8>,
    to_strides: array<i32, 8>,
}
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> dst: array<f32>;
@group(0) @binding(1) var<storage, read> src: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    for (var i = id.x; i < p.len; i += groups.x * 256u) {
        var rest = i;
        var from_at = p.from_offset;
        var to_at = p.to_offset;
        for (var axis = p.rank; axis > 0u; axis -= 1u) {
            let index = i32(rest % p.shape[axis - 1u]);
            rest /= p.shape[axis - 1u];
            from_at += index * p.from_strides[axis - 1u];
            to_at += index * p.to_strides[axis - 1u];
        }
        if p.accumulate != 0u {
            dst[to_at] += src[from_at];
        } else {
            dst[to_at] = src[from_at];
        }
    }
}
