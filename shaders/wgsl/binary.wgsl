// y = f(a, b) over a shape, each operand walked by its strides; a stride of 0 repeats (broadcasting).
// One version. To run it beside the host: cargo test -p tests vulkan::every_row

override KIND: u32;

struct Params {
    len: u32,
    rank: u32,
    shape: array<u32, 8>,
    a_strides: array<i32, 8>,
    b_strides: array<i32, 8>,
}
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;

fn value(a: f32, b: f32) -> f32 {
    switch KIND {
        case 0u: { return a + b; }
        case 1u: { return a - b; }
        case 2u: { return a * b; }
        case 3u: { return a / b; }
        default: { return select(0.0, 1.0, a == b); }
    }
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    for (var i = id.x; i < p.len; i += groups.x * 256u) {
        // The index along every axis, the last one first.
        var rest = i;
        var at_a = 0;
        var at_b = 0;
        for (var axis = p.rank; axis > 0u; axis -= 1u) {
            let index = i32(rest % p.shape[axis - 1u]);
            rest /= p.shape[axis - 1u];
            at_a += index * p.a_strides[axis - 1u];
            at_b += index * p.b_strides[axis - 1u];
        }
        y[i] = value(a[at_a], b[at_b]);
    }
}
