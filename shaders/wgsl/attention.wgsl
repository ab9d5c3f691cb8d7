// Y = softmax(scale·Q·Kᵀ)·X without the matrix, and the statistics of its rows: the online softmax of `attention_simple.wgsl`,
// which explains it, tile by tile. If APPLY is 0, the statistics alone.
//
// A workgroup takes 64 queries and walks over the keys, 32 at a time: inner products, the new maxima (an invocation for each
// row), exponentials, and their products with X on top of the shrunken sums so far. It computes 64 channels of Y; if there are
// more, other workgroups compute the same scores for the next 64.
//
// Versions: `attention_simple.wgsl`, this one. `Gpu::attention_by` runs either; to run both beside the product with the matrix:
//   cargo test -p shaders both_versions_of_attention
// `products`, `put`, `weighted_values` and the tile's constants come from `attention_tile.wgsl`, which asks for the functions
// `left`, `right` and `value` below; a shader with products of two kinds tells them apart by `what`, here there is one.

override APPLY: u32;

struct Params { heads: u32, queries: u32, keys: u32, dim: u32, channels: u32, scale: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read_write> stats: array<f32>;
@group(0) @binding(2) var<storage, read> q: array<f32>;
@group(0) @binding(3) var<storage, read> k: array<f32>;
@group(0) @binding(4) var<storage, read> x: array<f32>;

const LOWEST: f32 = -3.4028234e38;

var<private> head: u32; // that the workgroup is at
var<workgroup> largest: array<f32, 64>; // score of every row so far
var<workgroup> factors: array<f32, 64>; // on every row's sums so far; in the end on its result

fn left(what: u32, i: u32, l: u32) -> f32 {
    if i < p.queries && l < p.dim {
        return q[(head * p.queries + i) * p.dim + l];
    }
    return 0.0;
}

fn right(what: u32, j: u32, l: u32) -> f32 {
    if j < p.keys && l < p.dim {
        return k[(head * p.keys + j) * p.dim + l];
    }
    return 0.0;
}

fn value(j: u32, c: u32) -> f32 {
    if j < p.keys && c < p.channels {
        return x[(head * p.keys + j) * p.channels + c];
    }
    return 0.0;
}

// Numbers of the invocation's four rows.
fn of_rows(lane: u32, factor: bool) -> vec4f {
    let i = own_row(lane);
    if factor {
        return vec4f(factors[i], factors[i + 1u], factors[i + 2u], factors[i + 3u]);
    }
    return vec4f(largest[i], largest[i + 1u], largest[i + 2u], largest[i + 3u]);
}

fn scale_rows(sums: mat4x4f, factor: vec4f) -> mat4x4f {
    return mat4x4f(sums[0] * factor.x, sums[1] * factor.y, sums[2] * factor.z, sums[3] * factor.w);
}

fn store(i: u32, channel: u32, values: vec4f) {
    for (var c = 0u; c < 4u; c += 1u) {
        if i < p.queries && channel + c < p.channels {
            y[(head * p.queries + i) * p.channels + channel + c] = values[c];
        }
    }
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let tiles = (p.queries + ROWS - 1u) / ROWS;
    let blocks = select((p.channels + CHANNELS - 1u) / CHANNELS, 1u, APPLY == 0u);
    for (var job = group.x; job < p.heads * tiles * blocks; job += groups.x) {
        let channel = job % blocks * CHANNELS;
        let row = job / blocks % tiles * ROWS;
        head = job / blocks / tiles;
        var sums = mat4x4f();
        var total = 0.0; // of row number `lane`
        if lane < ROWS {
            largest[lane] = LOWEST;
        }
        for (var col = 0u; col < p.keys; col += COLS) {
            let scores = p.scale * products(0u, row, col, p.dim, lane);
            for (var c = 0u; c < 2u; c += 1u) {
                let j = own_col(lane) + c;
                put(j, select(vec4f(LOWEST), scores[c], col + j < p.keys), lane);
            }
            workgroupBarrier();
            if lane < ROWS {
                let before = largest[lane];
                for (var j = 0u; j < COLS; j += 1u) {
                    largest[lane] = max(largest[lane], tile[j * ROWS + lane]);
                }
                factors[lane] = exp(before - largest[lane]);
            }
            workgroupBarrier();
            for (var c = 0u; c < 2u; c += 1u) {
                let j = own_col(lane) + c;
                let weights = exp(scores[c] - of_rows(lane, false));
                put(j, select(vec4f(0.0), weights, col + j < p.keys), lane);
            }
            workgroupBarrier();
            if lane < ROWS {
                total *= factors[lane];
                for (var j = 0u; j < COLS; j += 1u) {
                    total += tile[j * ROWS + lane];
                }
            }
            if APPLY != 0u {
                sums = scale_rows(sums, of_rows(lane, true)) + weighted_values(col, channel, lane);
            } else {
                workgroupBarrier();
            }
        }
        if lane < ROWS {
            factors[lane] = 1.0 / total;
            let i = row + lane;
            if channel == 0u && i < p.queries {
                stats[2u * (head * p.queries + i)] = largest[lane];
                stats[2u * (head * p.queries + i) + 1u] = 1.0 / total;
            }
        }
        workgroupBarrier();
        if APPLY != 0u {
            sums = scale_rows(sums, of_rows(lane, true));
            let i = row + own_row(lane);
            store(i, channel + own_channel(lane), sums[0]);
            store(i + 1u, channel + own_channel(lane), sums[1]);
            store(i + 2u, channel + own_channel(lane), sums[2]);
            store(i + 3u, channel + own_channel(lane), sums[3]);
        }
        workgroupBarrier(); // before the next job's maxima
    }
}
