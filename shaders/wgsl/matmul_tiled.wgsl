// The same product as matmul_naive, in tiles: a workgroup of 16 × 16 invocations computes 64 × 64 elements of C, each
// invocation 4 × 4 of them in registers. Sixteen columns of A and rows of B at a time go through shared memory, so
// every value that is fetched serves 64 multiplications instead of one.

struct Params {
    batch: u32, m: u32, k: u32, n: u32,
    a_batch: u32, a_row: u32, a_col: u32,
    b_batch: u32, b_row: u32, b_col: u32,
    alpha: f32, has_bias: u32,
}
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> c: array<f32>;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;

const TILE: u32 = 64u;  // rows and columns of C
const DEPTH: u32 = 16u; // terms of the inner sum

var<workgroup> a_tile: array<f32, 1024>; // [DEPTH][TILE]
var<workgroup> b_tile: array<f32, 1024>; // [DEPTH][TILE]

// Where an invocation's load number `e` goes: (along TILE, along DEPTH), so that neighbours read neighbours in memory.
fn place(e: u32, depth_is_contiguous: bool) -> vec2u {
    if depth_is_contiguous {
        return vec2u(e / DEPTH, e % DEPTH);
    }
    return vec2u(e % TILE, e / TILE);
}

fn load_tiles(lane: u32, item: u32, top: u32, left: u32, depth: u32) {
    for (var e = lane; e < TILE * DEPTH; e += 256u) {
        let at_a = place(e, p.a_col == 1u);
        let i = top + at_a.x;
        let la = depth + at_a.y;
        var value = 0.0;
        if i < p.m && la < p.k {
            value = a[item * p.a_batch + i * p.a_row + la * p.a_col];
        }
        a_tile[at_a.y * TILE + at_a.x] = value;

        let at_b = place(e, p.b_row == 1u);
        let j = left + at_b.x;
        let lb = depth + at_b.y;
        value = 0.0;
        if j < p.n && lb < p.k {
            value = b[item * p.b_batch + lb * p.b_row + j * p.b_col];
        }
        b_tile[at_b.y * TILE + at_b.x] = value;
    }
}

fn four(tile: u32, first: u32) -> vec4f {
    if tile == 0u {
        return vec4f(a_tile[first], a_tile[first + 1u], a_tile[first + 2u], a_tile[first + 3u]);
    }
    return vec4f(b_tile[first], b_tile[first + 1u], b_tile[first + 2u], b_tile[first + 3u]);
}

fn store(item: u32, i: u32, left: u32, sums: vec4f) {
    if i >= p.m {
        return;
    }
    for (var e = 0u; e < 4u; e += 1u) {
        let j = left + e;
        if j < p.n {
            var sum = p.alpha * sums[e];
            if p.has_bias != 0u {
                sum += bias[j];
            }
            c[(item * p.m + i) * p.n + j] = sum;
        }
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
    let row = lane / 16u * 4u;
    let col = lane % 16u * 4u;
    for (var tile = group.x; tile < p.batch * tiles_down * tiles_across; tile += groups.x) {
        let left = tile % tiles_across * TILE;
        let top = tile / tiles_across % tiles_down * TILE;
        let item = tile / tiles_across / tiles_down;
        var sums = array<vec4f, 4>();
        for (var depth = 0u; depth < p.k; depth += DEPTH) {
            load_tiles(lane, item, top, left, depth);
            workgroupBarrier();
            for (var l = 0u; l < DEPTH; l += 1u) {
                let a4 = four(0u, l * TILE + row);
                let b4 = four(1u, l * TILE + col);
                sums[0] += a4.x * b4;
                sums[1] += a4.y * b4;
                sums[2] += a4.z * b4;
                sums[3] += a4.w * b4;
            }
            workgroupBarrier();
        }
        store(item, top + row, left + col, sums[0]);
        store(item, top + row + 1u, left + col, sums[1]);
        store(item, top + row + 2u, left + col, sums[2]);
        store(item, top + row + 3u, left + col, sums[3]);
    }
}
