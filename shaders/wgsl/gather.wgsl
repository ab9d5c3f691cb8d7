// Rows of [_, inner] picked by number: y[i] = x[rows[i]].
// One version. To run it beside the host: cargo test -p tests vulkan::every_row

struct Params { len: u32, inner: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> rows: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    for (var i = id.x; i < p.len; i += groups.x * 256u) {
        y[i] = x[rows[i / p.inner] * p.inner + i % p.inner];
    }
}
