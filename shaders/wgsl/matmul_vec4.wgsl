// The same product as matmul_naive (which lists the versions and how to run them), in tiles of three sizes, with memory and
// shared memory read four values at a time. For matrices whose contiguous axes are multiples of four.
//
// SIZE 0, 1, 2: a workgroup of 8 × 8, 16 × 16, 16 × 16 invocations computes 32 × 32, 64 × 64, 128 × 128 elements of C. An
// invocation sums 4 × 4 elements, or in the largest size four such blocks, one in each quarter of the tile: four vectors
// fetched from shared memory for 64 multiplications, where 4 × 4 elements take two for 16.

alias Element = vec4f;

override SIZE: u32;
override TILE: u32 = 32u << SIZE;                  // rows and columns of C
override SIDE: u32 = min(8u << SIZE, 16u);         // invocations along a side
override QUADS: u32 = TILE / 4u;                   // vectors along a side
override DEPTH: u32 = 8u * SIDE * SIDE / TILE;     // terms: 16, 32, 16; each invocation loads one block of 4 × 4 values
override LANES: u32 = SIDE * SIDE;

var<workgroup> a_tile: array<vec4f, DEPTH * QUADS>; // [DEPTH][TILE], 8 KiB at most
var<workgroup> b_tile: array<vec4f, DEPTH * QUADS>; // [DEPTH][TILE], 8 KiB at most

// Four neighbours of A in memory from (i, l) on; zeros outside. Along a contiguous axis all four are inside, or none.
fn four_of_a(first: u32, i: u32, l: u32, end: u32) -> vec4f {
    if i < p.m && l < end {
        return a[(first + i * p.a_row + l * p.a_col) / 4u];
    }
    return vec4f();
}

// Rows i.. and columns l.. of op(A), four of each; vector c holds column c.
fn block_of_a(item: u32, i: u32, l: u32, end: u32) -> mat4x4f {
    let first = item * p.a_batch;
    if p.a_col == 1u {
        return transpose(mat4x4f(
            four_of_a(first, i, l, end), four_of_a(first, i + 1u, l, end),
            four_of_a(first, i + 2u, l, end), four_of_a(first, i + 3u, l, end),
        ));
    }
    return mat4x4f(
        four_of_a(first, i, l, end), four_of_a(first, i, l + 1u, end),
        four_of_a(first, i, l + 2u, end), four_of_a(first, i, l + 3u, end),
    );
}

// Four neighbours of B in memory from (l, j) on; zeros outside.
fn four_of_b(first: u32, l: u32, j: u32, end: u32) -> vec4f {
    if j < p.n && l < end {
        return b[(first + l * p.b_row + j * p.b_col) / 4u];
    }
    return vec4f();
}

// Rows l.. and columns j.. of op(B), four of each; vector r holds row r.
fn block_of_b(item: u32, l: u32, j: u32, end: u32) -> mat4x4f {
    let first = item * p.b_batch;
    if p.b_row == 1u {
        return transpose(mat4x4f(
            four_of_b(first, l, j, end), four_of_b(first, l, j + 1u, end),
            four_of_b(first, l, j + 2u, end), four_of_b(first, l, j + 3u, end),
        ));
    }
    return mat4x4f(
        four_of_b(first, l, j, end), four_of_b(first, l + 1u, j, end),
        four_of_b(first, l + 2u, j, end), four_of_b(first, l + 3u, j, end),
    );
}

// Which block of a tile number `e` is: (along TILE, along DEPTH), in vectors, so that neighbours read neighbours in memory.
fn place(e: u32, depth_is_contiguous: bool) -> vec2u {
    if depth_is_contiguous {
        return vec2u(e / (DEPTH / 4u), e % (DEPTH / 4u));
    }
    return vec2u(e % QUADS, e / QUADS);
}

// The first half of the invocations load blocks of A, the second half blocks of B.
fn load_tiles(lane: u32, item: u32, top: u32, left: u32, depth: u32) {
    let end = terms(item);
    if lane < LANES / 2u {
        let at = place(lane, p.a_col == 1u);
        let block = block_of_a(item, top + 4u * at.x, depth + 4u * at.y, end);
        let to = 4u * at.y * QUADS + at.x;
        a_tile[to] = block[0];
        a_tile[to + QUADS] = block[1];
        a_tile[to + 2u * QUADS] = block[2];
        a_tile[to + 3u * QUADS] = block[3];
    } else {
        let at = place(lane - LANES / 2u, p.b_row == 1u);
        let block = block_of_b(item, depth + 4u * at.y, left + 4u * at.x, end);
        let to = 4u * at.y * QUADS + at.x;
        b_tile[to] = block[0];
        b_tile[to + QUADS] = block[1];
        b_tile[to + 2u * QUADS] = block[2];
        b_tile[to + 3u * QUADS] = block[3];
    }
}

// All products of a column of four and a row of four.
fn outer(column: vec4f, row: vec4f) -> mat4x4f {
    return mat4x4f(column.x * row, column.y * row, column.z * row, column.w * row);
}

fn store_block(item: u32, i: u32, j: u32, sums: mat4x4f) {
    for (var e = 0u; e < 16u; e += 1u) {
        store(item, i + e / 4u, j + e % 4u, sums[e / 4u][e % 4u]);
    }
}

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let tiles_down = (p.m + TILE - 1u) / TILE;
    let tiles_across = (p.n + TILE - 1u) / TILE;
    let row = lane / SIDE;
    let col = lane % SIDE;
    for (var tile = group.x; tile < p.batch * tiles_down * tiles_across; tile += groups.x) {
        let left = tile % tiles_across * TILE;
        let top = tile / tiles_across % tiles_down * TILE;
        let item = tile / tiles_across / tiles_down;
        var upper_left = mat4x4f();
        var upper_right = mat4x4f();
        var lower_left = mat4x4f();
        var lower_right = mat4x4f();
        for (var depth = 0u; depth < terms(item); depth += DEPTH) {
            load_tiles(lane, item, top, left, depth);
            workgroupBarrier();
            // ANCHOR: quarters
            for (var l = 0u; l < DEPTH; l += 1u) {
                let upper = a_tile[l * QUADS + row];
                let at_left = b_tile[l * QUADS + col];
                upper_left += outer(upper, at_left);
                if SIZE == 2u {
                    let lower = a_tile[l * QUADS + SIDE + row];
                    let at_right = b_tile[l * QUADS + SIDE + col];
                    upper_right += outer(upper, at_right);
                    lower_left += outer(lower, at_left);
                    lower_right += outer(lower, at_right);
                }
            }
            // ANCHOR_END: quarters
            workgroupBarrier();
        }
        store_block(item, top + 4u * row, left + 4u * col, upper_left);
        if SIZE == 2u {
            store_block(item, top + 4u * row, left + 64u + 4u * col, upper_right);
            store_block(item, top + 64u + 4u * row, left + 4u * col, lower_left);
            store_block(item, top + 64u + 4u * row, left + 64u + 4u * col, lower_right);
        }
    }
}
