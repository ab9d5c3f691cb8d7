// The same product as matmul_naive (which lists the versions and how to run them), in tiles of 64 × 64 elements of C; see
// tile.wgsl. Memory is read value by value, so rows may have any length.

alias Element = f32;

// Where an invocation's load number `e` goes: (along TILE, along DEPTH), so that neighbours read neighbours in memory.
fn place(e: u32, depth_is_contiguous: bool) -> vec2u {
    if depth_is_contiguous {
        return vec2u(e / DEPTH, e % DEPTH);
    }
    return vec2u(e % TILE, e / TILE);
}

fn load_tiles(lane: u32, item: u32, top: u32, left: u32, depth: u32) {
    let end = terms(item);
    for (var e = lane; e < TILE * DEPTH; e += 256u) {
        let at_a = place(e, p.a_col == 1u);
        let i = top + at_a.x;
        let la = depth + at_a.y;
        var value = 0.0;
        if i < p.m && la < end {
            value = a[item * p.a_batch + i * p.a_row + la * p.a_col];
        }
        a_tile[at_a.y * PITCH + at_a.x] = value;

        let at_b = place(e, p.b_row == 1u);
        let j = left + at_b.x;
        let lb = depth + at_b.y;
        value = 0.0;
        if j < p.n && lb < end {
            value = b[item * p.b_batch + lb * p.b_row + j * p.b_col];
        }
        b_tile[at_b.y * PITCH + at_b.x] = value;
    }
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let tiles_down = (p.m + TILE - 1u) / TILE;
    let tiles_across = (p.n + TILE - 1u) / TILE;
    for (var tile = group.x; tile < p.batch * tiles_down * tiles_across; tile += groups.x) {
        let left = tile % tiles_across * TILE;
        let top = tile / tiles_across % tiles_down * TILE;
        let item = tile / tiles_across / tiles_down;
        // ANCHOR: depths
        var sums = mat4x4f();
        for (var depth = 0u; depth < terms(item); depth += DEPTH) {
            load_tiles(lane, item, top, left, depth);
            workgroupBarrier();
            sums = continued(sums, lane);
            workgroupBarrier();
        }
        // ANCHOR_END: depths
        let at = corner(lane);
        for (var e = 0u; e < 16u; e += 1u) {
            store(item, top + at.x + e / 4u, left + at.y + e % 4u, sums[e / 4u][e % 4u]);
        }
    }
}
