// The same as conv2d_dw for one group, as a product in tiles (tile.wgsl) of dy and of all windows of the pictures:
//   dw[o, (i, ky, kx)] = Σ dy[o, (b, oy, ox)] · window[(i, ky, kx), (b, oy, ox)]
// The weights are few and the sums long, so the sums are cut into pieces: dw is [pieces, out, in·kh·kw], and its sum over
// the first axis is the gradient.
// conv2d.wgsl lists the versions and how to run them.

@group(0) @binding(0) var<storage, read_write> dw: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;

// Column j of a tile: (channel, row, column) of the first pixel of x that it multiplies. Rows and columns in the padding
// wrap around to huge numbers; further pixels bring them back.
var<workgroup> columns: array<vec3u, 64>;

fn column(j: u32) -> vec3u {
    let ky = j / p.kw % p.kh;
    let kx = j % p.kw;
    return vec3u(j / (p.kh * p.kw), ky * p.dilation_y - p.pad_y, kx * p.dilation_x - p.pad_x);
}

fn load_tiles(lane: u32, top: u32, depth: u32, end: u32) {
    // An invocation stays in its row of the tiles: one output pixel.
    let l = depth + lane % DEPTH;
    let b = l / p.ow / p.oh;
    let oy = l / p.ow % p.oh;
    let ox = l % p.ow;
    for (var r = lane / DEPTH; r < TILE; r += 256u / DEPTH) {
        let o = top + r;
        var value = 0.0;
        if o < p.outs && l < end {
            value = dy[((b * p.outs + o) * p.oh + oy) * p.ow + ox];
        }
        a_tile[lane % DEPTH * PITCH + r] = value;

        let first = columns[r];
        let row = oy * p.stride_y + first.y;
        let col = ox * p.stride_x + first.z;
        value = 0.0;
        if first.x < p.ins && row < p.h && col < p.w && l < end {
            value = x[((b * p.ins + first.x) * p.h + row) * p.w + col];
        }
        b_tile[lane % DEPTH * PITCH + r] = value;
    }
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let taps = p.ins * p.kh * p.kw;
    let terms = p.batch * p.oh * p.ow;
    let pieces = (terms + p.piece - 1u) / p.piece;
    let tiles_down = (p.outs + TILE - 1u) / TILE;
    let tiles_across = (taps + TILE - 1u) / TILE;
    for (var tile = group.x; tile < pieces * tiles_down * tiles_across; tile += groups.x) {
        let left = tile % tiles_across * TILE;
        let top = tile / tiles_across % tiles_down * TILE;
        let piece = tile / tiles_across / tiles_down;
        let end = min((piece + 1u) * p.piece, terms);
        if lane < TILE {
            columns[lane] = column(left + lane);
        }
        workgroupBarrier();
        var sums = mat4x4f();
        for (var depth = piece * p.piece; depth < end; depth += DEPTH) {
            load_tiles(lane, top, depth, end);
            workgroupBarrier();
            sums = continued(sums, lane);
            workgroupBarrier();
        }
        for (var e = 0u; e < 16u; e += 1u) {
            let o = top + corner(lane).x + e / 4u;
            let j = left + corner(lane).y + e % 4u;
            if o < p.outs && j < taps {
                dw[(piece * p.outs + o) * taps + j] = sums[e / 4u][e % 4u];
            }
        }
    }
}
