// Transpose of resize2d, one invocation per input pixel: Σ weight·dy over the outputs that read it. `lists` says which:
// for rows 0..H and columns 0..W where their list starts (one entry more than there are, each), then pairs of an output
// row or column and its weight (a float's bits). Starts count words from the beginning of `lists`.
// One version. To run it beside the host: cargo test -p tests vulkan::every_row

struct Params { planes: u32, h: u32, w: u32, oh: u32, ow: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> dx: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> lists: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    for (var e = id.x; e < p.planes * p.h * p.w; e += groups.x * 256u) {
        let col = p.h + 1u + e % p.w;
        let row = e / p.w % p.h;
        let plane = e / p.w / p.h * p.oh;
        var sum = 0.0;
        for (var r = lists[row]; r < lists[row + 1u]; r += 2u) {
            var line = 0.0;
            for (var c = lists[col]; c < lists[col + 1u]; c += 2u) {
                line += bitcast<f32>(lists[c + 1u]) * dy[(plane + lists[r]) * p.ow + lists[c]];
            }
            sum += bitcast<f32>(lists[r + 1u]) * line;
        }
        dx[e] = sum;
    }
}
