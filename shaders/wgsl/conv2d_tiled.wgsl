// The same as conv2d for one group, as a product in tiles (tile.wgsl) of the weights and of all windows of the pictures:
//   y[o, (b, oy, ox)] = Σ weight[o, (i, ky, kx)] · window[(i, ky, kx), (b, oy, ox)]
// No matrix of windows exists ("implicit GEMM"): its elements are looked up in x when a tile is filled.
// conv2d.wgsl lists the versions and how to run them.

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;

// Column j of the product: (picture, row, column) of an output pixel.
fn pixel(j: u32) -> vec3u {
    return vec3u(j / p.ow / p.oh, j / p.ow % p.oh, j % p.ow);
}

// Row l of the matrix of windows at an output pixel; 0 in the padding, and outside the matrix.
fn window(l: u32, at: vec3u) -> f32 {
    let i = l / (p.kh * p.kw);
    let row = at.y * p.stride_y + l / p.kw % p.kh * p.dilation_y - p.pad_y;
    let col = at.z * p.stride_x + l % p.kw * p.dilation_x - p.pad_x;
    if at.x < p.batch && i < p.ins && row < p.h && col < p.w {
        return x[((at.x * p.ins + i) * p.h + row) * p.w + col];
    }
    return 0.0;
}

fn load_tiles(lane: u32, top: u32, depth: u32, at: vec3u) {
    let terms = p.ins * p.kh * p.kw;
    for (var e = lane; e < TILE * DEPTH; e += 256u) {
        let o = top + e / DEPTH;
        let l = depth + e % DEPTH;
        var value = 0.0;
        if o < p.outs && l < terms {
            value = weight[o * terms + l];
        }
        a_tile[e % DEPTH * PITCH + e / DEPTH] = value;
        // An invocation stays in its column: its pixel has been looked up once for all.
        b_tile[e / TILE * PITCH + e % TILE] = window(depth + e / TILE, at);
    }
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let tiles_down = (p.outs + TILE - 1u) / TILE;
    let tiles_across = (p.batch * p.oh * p.ow + TILE - 1u) / TILE;
    for (var tile = group.x; tile < tiles_down * tiles_across; tile += groups.x) {
        let left = tile % tiles_across * TILE;
        let top = tile / tiles_across * TILE;
        let at = pixel(left + lane % TILE);
        var sums = mat4x4f();
        for (var depth = 0u; depth < p.ins * p.kh * p.kw; depth += DEPTH) {
            load_tiles(lane, top, depth, at);
            workgroupBarrier();
            sums = continued(sums, lane);
            workgroupBarrier();
        }
        for (var e = 0u; e < 16u; e += 1u) {
            let o = top + corner(lane).x + e / 4u;
            let to = pixel(left + corner(lane).y + e % 4u);
            if o < p.outs && to.x < p.batch {
                y[((to.x * p.outs + o) * p.oh + to.y) * p.ow + to.z] = sums[e / 4u][e % 4u];
            }
        }
    }
}
