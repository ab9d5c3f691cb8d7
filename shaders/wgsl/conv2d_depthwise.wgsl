// The same as conv2d where every input channel is a group of its own. A workgroup takes 64 pixels of one plane of y, so its
// invocations share their weights and the rows of x that they read, and only two indices are divided.
// conv2d.wgsl lists the versions and how to run them.

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let patches = (p.oh * p.ow + 63u) / 64u;
    for (var patch_of_plane = group.x; patch_of_plane < p.batch * p.outs * patches; patch_of_plane += groups.x) {
        let plane = patch_of_plane / patches;
        let pixel = patch_of_plane % patches * 64u + lane;
        if pixel >= p.oh * p.ow {
            continue;
        }
        let o = plane % p.outs;
        let first_row = (plane / p.outs * p.ins + o / (p.outs / p.ins)) * p.h; // of the input's plane
        let top = pixel / p.ow * p.stride_y - p.pad_y;
        let left = pixel % p.ow * p.stride_x - p.pad_x;
        var sum = 0.0;
        for (var ky = 0u; ky < p.kh; ky += 1u) {
            // Rows in the padding above wrap around to huge numbers, and so fail the test like those below.
            let row = top + ky * p.dilation_y;
            if row >= p.h {
                continue;
            }
            for (var kx = 0u; kx < p.kw; kx += 1u) {
                let col = left + kx * p.dilation_x;
                if col < p.w {
                    sum += x[(first_row + row) * p.w + col] * weight[(o * p.kh + ky) * p.kw + kx];
                }
            }
        }
        y[plane * p.oh * p.ow + pixel] = sum;
    }
}
