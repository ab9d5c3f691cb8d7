// The same as conv2d_dx where every input channel is a group of its own. A workgroup takes 64 pixels of one plane of dx, so
// its invocations share their weights and the rows of dy that they read.
// conv2d.wgsl lists the versions and how to run them.

@group(0) @binding(0) var<storage, read_write> dx: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;

// What the pixel (row, col) gets from plane `plane` of dy, which is output channel o.
fn given_back(plane: u32, o: u32, row: u32, col: u32) -> f32 {
    var sum = 0.0;
    for (var ky = 0u; ky < p.kh; ky += 1u) {
        let oy = source(row, ky, p.pad_y, p.dilation_y, p.stride_y, p.oh);
        if oy >= p.oh {
            continue;
        }
        for (var kx = 0u; kx < p.kw; kx += 1u) {
            let ox = source(col, kx, p.pad_x, p.dilation_x, p.stride_x, p.ow);
            if ox < p.ow {
                sum += dy[(plane * p.oh + oy) * p.ow + ox] * weight[(o * p.kh + ky) * p.kw + kx];
            }
        }
    }
    return sum;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let patches = (p.h * p.w + 63u) / 64u;
    let outs_per_in = p.outs / p.ins;
    for (var patch_of_plane = group.x; patch_of_plane < p.batch * p.ins * patches; patch_of_plane += groups.x) {
        let plane = patch_of_plane / patches;
        let pixel = patch_of_plane % patches * 64u + lane;
        if pixel >= p.h * p.w {
            continue;
        }
        var sum = 0.0;
        for (var e = 0u; e < outs_per_in; e += 1u) {
            let o = plane % p.ins * outs_per_in + e;
            sum += given_back(plane / p.ins * p.outs + o, o, pixel / p.w, pixel % p.w);
        }
        dx[plane * p.h * p.w + pixel] = sum;
    }
}
