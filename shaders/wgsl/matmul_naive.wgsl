// C[b][i][j] = alpha·Σ A[b][i][l]·B[b][l][j] + bias[j], one invocation per element of C: the definition, and what small
// products use. Transposes are strides; a batch stride of 0 uses one matrix for all products.

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

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    for (var e = id.x; e < p.batch * p.m * p.n; e += groups.x * 256u) {
        let j = e % p.n;
        let i = e / p.n % p.m;
        let item = e / p.n / p.m;
        let a_first = item * p.a_batch + i * p.a_row;
        let b_first = item * p.b_batch + j * p.b_col;
        var sum = 0.0;
        for (var l = 0u; l < p.k; l += 1u) {
            sum += a[a_first + l * p.a_col] * b[b_first + l * p.b_row];
        }
        sum *= p.alpha;
        if p.has_bias != 0u {
            sum += bias[j];
        }
        c[e] = sum;
    }
}
