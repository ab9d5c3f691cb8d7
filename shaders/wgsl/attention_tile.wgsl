// What the attention shaders share: 64 × 32 weights at a time, and what they are multiplied with.
//
// A workgroup of 16 × 16 invocations computes 64 rows and 64 channels of a result W·X, each invocation 4 × 4 of them. It
// walks over the columns of W, 32 at a time: that tile lies in shared memory (8 KiB; 15,360 bytes in all), and no more of W
// ever exists. The elements of a tile are made of inner products of channels, 4 × 2 for each invocation.
//
// The shader that includes this says where numbers come from; outside of their matrices they are 0:
//   left(what, i, l), right(what, j, l)   channel l of row i or j, whose inner products products(what, ..) are
//   value(j, c)                           channel c of row j of X

const ROWS: u32 = 64u;     // rows of a tile
const COLS: u32 = 32u;     // columns of a tile
const CHANNELS: u32 = 64u; // channels of the result
const DEPTH: u32 = 8u;     // channels of inner products that are fetched at a time
const SLICE: u32 = 16u;    // rows of X that are fetched at a time

var<workgroup> tile: array<f32, 2048>;     // [COLS][ROWS]
var<workgroup> lefts: array<f32, 512>;     // [DEPTH][ROWS]
var<workgroup> rights: array<f32, 256>;    // [DEPTH][COLS]
var<workgroup> x_slice: array<f32, 1024>;  // [SLICE][CHANNELS]

// The first of an invocation's four rows, and of its four channels.
fn own_row(lane: u32) -> u32 {
    return lane / 16u * 4u;
}

fn own_channel(lane: u32) -> u32 {
    return lane % 16u * 4u;
}

// Column of the tile that is column 0 or 1 of what `products` returns.
fn own_col(lane: u32) -> u32 {
    return lane % 16u * 2u;
}

// Σ_l left(what, row + i, l)·right(what, col + j, l): two columns of the four rows of the invocation. All invocations of
// the group must call it together.
fn products(what: u32, row: u32, col: u32, channels: u32, lane: u32) -> mat2x4f {
    let first_row = own_row(lane);
    let first_col = own_col(lane);
    var sums = mat2x4f();
    for (var first = 0u; first < channels; first += DEPTH) {
        for (var e = lane; e < ROWS * DEPTH; e += 256u) {
            lefts[e % DEPTH * ROWS + e / DEPTH] = left(what, row + e / DEPTH, first + e % DEPTH);
        }
        // COLS·DEPTH is 256: one for each invocation.
        rights[lane % DEPTH * COLS + lane / DEPTH] = right(what, col + lane / DEPTH, first + lane % DEPTH);
        workgroupBarrier();
        for (var l = 0u; l < DEPTH; l += 1u) {
            let at = l * ROWS + first_row;
            let a = vec4f(lefts[at], lefts[at + 1u], lefts[at + 2u], lefts[at + 3u]);
            sums[0] += a * rights[l * COLS + first_col];
            sums[1] += a * rights[l * COLS + first_col + 1u];
        }
        workgroupBarrier();
    }
    return sums;
}

// Puts a column of the invocation's four rows into the tile.
fn put(col: u32, weights: vec4f, lane: u32) {
    let at = col * ROWS + own_row(lane);
    tile[at] = weights.x;
    tile[at + 1u] = weights.y;
    tile[at + 2u] = weights.z;
    tile[at + 3u] = weights.w;
}

// The tile's part of the result: column r holds the invocation's four channels, from `channel` + own_channel on, of its row
// number r. The tile's columns belong to the rows of X from `col` on. All invocations must call it together; before it they
// have put their weights, after it they may put the next.
fn weighted_values(col: u32, channel: u32, lane: u32) -> mat4x4f {
    var sums = mat4x4f();
    for (var slice = 0u; slice < COLS; slice += SLICE) {
        for (var e = lane; e < SLICE * CHANNELS; e += 256u) {
            x_slice[e] = value(col + slice + e / CHANNELS, channel + e % CHANNELS);
        }
        workgroupBarrier();
        for (var j = 0u; j < SLICE; j += 1u) {
            let at_w = (slice + j) * ROWS + own_row(lane);
            let at_x = j * CHANNELS + own_channel(lane);
            let x = vec4f(x_slice[at_x], x_slice[at_x + 1u], x_slice[at_x + 2u], x_slice[at_x + 3u]);
            sums[0] += tile[at_w] * x;
            sums[1] += tile[at_w + 1u] * x;
            sums[2] += tile[at_w + 2u] * x;
            sums[3] += tile[at_w + 3u] * x;
        }
        workgroupBarrier();
    }
    return sums;
}
