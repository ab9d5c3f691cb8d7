// The middle of a product in tiles: a workgroup of 256 = 16 × 16 invocations computes 64 × 64 elements of C, each
// invocation 4 × 4 of them in registers. Sixteen columns of A and rows of B at a time lie in shared memory, so every value
// that is fetched serves 64 multiplications instead of one. Who fills the tiles decides what A and B are: matrices, or a
// convolution's weights and pixels.
// Included by other shaders; nothing to run by itself.

const TILE: u32 = 64u;  // rows and columns of C
const DEPTH: u32 = 16u; // terms of the inner sum
const PITCH: u32 = 68u; // from row to row of a tile; four words more, so that a column is spread over the memory's banks

var<workgroup> a_tile: array<f32, 1088>; // [DEPTH][PITCH]
var<workgroup> b_tile: array<f32, 1088>; // [DEPTH][PITCH]

fn four_of_a(at: u32) -> vec4f {
    return vec4f(a_tile[at], a_tile[at + 1u], a_tile[at + 2u], a_tile[at + 3u]);
}

fn four_of_b(at: u32) -> vec4f {
    return vec4f(b_tile[at], b_tile[at + 1u], b_tile[at + 2u], b_tile[at + 3u]);
}

// First row and column, within the tile, of the 4 × 4 elements of an invocation.
fn corner(lane: u32) -> vec2u {
    return vec2u(lane / 16u * 4u, lane % 16u * 4u);
}

// ANCHOR: sums
// The sums of an invocation's 4 × 4 elements, continued by the terms in the tiles; vector r holds row r.
fn continued(sums: mat4x4f, lane: u32) -> mat4x4f {
    let at = corner(lane);
    var result = sums;
    for (var l = 0u; l < DEPTH; l += 1u) {
        let a4 = four_of_a(l * PITCH + at.x);
        let b4 = four_of_b(l * PITCH + at.y);
        result += mat4x4f(a4.x * b4, a4.y * b4, a4.z * b4, a4.w * b4);
    }
    return result;
}
// ANCHOR_END: sums
