// Y = W·X for weights W that are computed again, tile by tile, from the statistics of a forward pass, and forgotten.
//
// With P = softmax(scale·Q·Kᵀ), W is
//   P, or Pᵀ if TRANSPOSED      applied to anything: attention backwards, transposed attention
//   scale·dS, or its transpose  if GRADIENT, with dS = P∘(dP − D): dQ = scale·dS·K and dK = scale·dSᵀ·Q
// where dP = A·Bᵀ, A with a row for each query and B with one for each key, and D holds the row sums of P∘dP.
//
// Rows of W are queries, or keys if TRANSPOSED: either way a workgroup owns its rows of Y and walks over the columns, so that
// nothing is added up by two of them, and sums have one order. The naive version would be the product of matrices in
// `matmul_naive.wgsl` after `softmax.wgsl`. `Gpu::apply` runs this one.
// To run it beside products of matrices: cargo test -p shaders attention; timed: `mutualformer bench block --device vulkan`

override TRANSPOSED: u32;
override GRADIENT: u32;

// `dim` channels of Q and K, `depth` of A and B, `channels` of X and Y.
struct Params { heads: u32, rows: u32, cols: u32, dim: u32, depth: u32, channels: u32, scale: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> y: array<f32>;      // [heads, rows, channels]
@group(0) @binding(1) var<storage, read> of_rows: array<f32>;      // Q, or K if TRANSPOSED
@group(0) @binding(2) var<storage, read> of_cols: array<f32>;      // K, or Q
@group(0) @binding(3) var<storage, read> stats: array<f32>;        // [heads, queries, 2]: maximum and 1/Σ
@group(0) @binding(4) var<storage, read> x: array<f32>;            // [heads, cols, channels]
@group(0) @binding(5) var<storage, read> grad_of_rows: array<f32>; // A, or B if TRANSPOSED
@group(0) @binding(6) var<storage, read> grad_of_cols: array<f32>; // B, or A
@group(0) @binding(7) var<storage, read> dots: array<f32>;         // D [heads, queries]

const SCORES: u32 = 0u;    // products of Q and K
const GRADIENTS: u32 = 1u; // of A and B

var<private> head: u32; // that the workgroup is at

fn left(what: u32, i: u32, l: u32) -> f32 {
    let at = head * p.rows + i;
    if what == SCORES && i < p.rows && l < p.dim {
        return of_rows[at * p.dim + l];
    }
    if what == GRADIENTS && i < p.rows && l < p.depth {
        return grad_of_rows[at * p.depth + l];
    }
    return 0.0;
}

fn right(what: u32, j: u32, l: u32) -> f32 {
    let at = head * p.cols + j;
    if what == SCORES && j < p.cols && l < p.dim {
        return of_cols[at * p.dim + l];
    }
    if what == GRADIENTS && j < p.cols && l < p.depth {
        return grad_of_cols[at * p.depth + l];
    }
    return 0.0;
}

fn value(j: u32, c: u32) -> f32 {
    if j < p.cols && c < p.channels {
        return x[(head * p.cols + j) * p.channels + c];
    }
    return 0.0;
}

// Where the statistics of rows i..i + 4 in column j are: of those rows, or of that column.
fn queries(i: u32, j: u32) -> vec4u {
    if TRANSPOSED != 0u {
        return vec4u(head * p.cols + j);
    }
    return head * p.rows + min(vec4u(i, i + 1u, i + 2u, i + 3u), vec4u(p.rows - 1u));
}

// W in rows i..i + 4 of column j, from their inner products.
fn weights(i: u32, j: u32, scores: vec4f, gradients: vec4f) -> vec4f {
    let at = queries(i, j);
    let largest = vec4f(stats[2u * at.x], stats[2u * at.y], stats[2u * at.z], stats[2u * at.w]);
    let inverse =
        vec4f(stats[2u * at.x + 1u], stats[2u * at.y + 1u], stats[2u * at.z + 1u], stats[2u * at.w + 1u]);
    let probabilities = exp(p.scale * scores - largest) * inverse;
    if GRADIENT == 0u {
        return probabilities;
    }
    return p.scale * probabilities * (gradients - vec4f(dots[at.x], dots[at.y], dots[at.z], dots[at.w]));
}

fn store(i: u32, channel: u32, values: vec4f) {
    for (var c = 0u; c < 4u; c += 1u) {
        if i < p.rows && channel + c < p.channels {
            y[(head * p.rows + i) * p.channels + channel + c] = values[c];
        }
    }
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let tiles = (p.rows + ROWS - 1u) / ROWS;
    let blocks = (p.channels + CHANNELS - 1u) / CHANNELS;
    for (var job = group.x; job < p.heads * tiles * blocks; job += groups.x) {
        let channel = job % blocks * CHANNELS;
        let row = job / blocks % tiles * ROWS;
        head = job / blocks / tiles;
        let i = row + own_row(lane);
        var sums = mat4x4f();
        for (var col = 0u; col < p.cols; col += COLS) {
            let scores = products(SCORES, row, col, p.dim, lane);
            var gradients = mat2x4f();
            if GRADIENT != 0u {
                gradients = products(GRADIENTS, row, col, p.depth, lane);
            }
            for (var c = 0u; c < 2u; c += 1u) {
                let j = col + own_col(lane) + c;
                if j < p.cols {
                    put(j - col, weights(i, j, scores[c], gradients[c]), lane);
                } else {
                    put(j - col, vec4f(0.0), lane);
                }
            }
            sums += weighted_values(col, channel, lane); // its first barrier is behind the weights
        }
        store(i, channel + own_channel(lane), sums[0]);
        store(i + 1u, channel + own_channel(lane), sums[1]);
        store(i + 2u, channel + own_channel(lane), sums[2]);
        store(i + 3u, channel + own_channel(lane), sums[3]);
    }
}
