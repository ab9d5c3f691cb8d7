// The same as conv2d_dx for one group, as a product in tiles (tile.wgsl) of the weights and of the outputs that read a pixel:
//   dx[c, (b, row, col)] = Σ weight[(o, ky, kx), c] · reader[(o, ky, kx), (b, row, col)]
// The elements of `reader` are looked up in dy when a tile is filled. With a stride s all but one in s² of them are 0.
// conv2d.wgsl lists the versions and how to run them.

@group(0) @binding(0) var<storage, read_write> dx: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;

// Column j of the product: (picture, row, column) of an input pixel.
fn pixel(j: u32) -> vec3u {
    return vec3u(j / p.w / p.h, j / p.w % p.h, j % p.w);
}

// dy of the output that read a pixel through element l of the weights; 0 where there is none.
fn reader(l: u32, at: vec3u) -> f32 {
    let o = l / (p.kh * p.kw);
    let oy = source(at.y, l / p.kw % p.kh, p.pad_y, p.dilation_y, p.stride_y, p.oh);
    let ox = source(at.z, l % p.kw, p.pad_x, p.dilation_x, p.stride_x, p.ow);
    if at.x < p.batch && o < p.outs && oy < p.oh && ox < p.ow {
        return dy[((at.x * p.outs + o) * p.oh + oy) * p.ow + ox];
    }
    return 0.0;
}

fn load_tiles(lane: u32, top: u32, depth: u32, at: vec3u) {
    let taps = p.kh * p.kw;
    for (var e = lane; e < TILE * DEPTH; e += 256u) {
        let c = top + e / DEPTH;
        let l = depth + e % DEPTH;
        var value = 0.0;
        if c < p.ins && l < p.outs * taps {
            value = weight[(l / taps * p.ins + c) * taps + l % taps];
        }
        a_tile[e % DEPTH * PITCH + e / DEPTH] = value;
        // An invocation stays in its column: its pixel has been looked up once for all.
        b_tile[e / TILE * PITCH + e % TILE] = reader(depth + e / TILE, at);
    }
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let tiles_down = (p.ins + TILE - 1u) / TILE;
    let tiles_across = (p.batch * p.h * p.w + TILE - 1u) / TILE;
    for (var tile = group.x; tile < tiles_down * tiles_across; tile += groups.x) {
        let left = tile % tiles_across * TILE;
        let top = tile / tiles_across * TILE;
        let at = pixel(left + lane % TILE);
        var sums = mat4x4f();
        for (var depth = 0u; depth < p.outs * p.kh * p.kw; depth += DEPTH) {
            load_tiles(lane, top, depth, at);
            workgroupBarrier();
            sums = continued(sums, lane);
            workgroupBarrier();
        }
        for (var e = 0u; e < 16u; e += 1u) {
            let c = top + corner(lane).x + e / 4u;
            let to = pixel(left + corner(lane).y + e % 4u);
            if c < p.ins && to.x < p.batch {
                dx[((to.x * p.ins + c) * p.h + to.y) * p.w + to.z] = sums[e / 4u][e % 4u];
            }
        }
    }
}
