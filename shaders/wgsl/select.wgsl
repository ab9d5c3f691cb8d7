// y = a where the condition holds, else b; the condition comes as bits, 32 to a word.
// One version. To run it beside the host: cargo test -p tests vulkan::every_row

struct Params { len: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> bits: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    for (var i = id.x; i < p.len; i += groups.x * 256u) {
        let holds = ((bits[i / 32u] >> (i % 32u)) & 1u) != 0u;
        if holds {
            y[i] = a[i];
        } else {
            y[i] = b[i];
        }
    }
}
