// The transpose of gather: dx[t] = Σ dy[i] over the i with rows[i] = t, in the order of i. `lists` has for every t where
// its list starts (and one entry more, the end of the last), then the lists of i. No atomics: the sum's order is fixed.
// One version. To run it beside the host: cargo test -p tests vulkan::every_row

struct Params { len: u32, inner: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> dx: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> lists: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    for (var e = id.x; e < p.len; e += groups.x * 256u) {
        let target_row = e / p.inner;
        var sum = 0.0;
        for (var l = lists[target_row]; l < lists[target_row + 1u]; l += 1u) {
            sum += dy[lists[l] * p.inner + e % p.inner];
        }
        dx[e] = sum;
    }
}
