// C[b][i][j] = alpha·Σ A[b][i][l]·B[b][l][j], and what `store` adds: one invocation per element of C.
//
// The versions, from teaching to fast; each is kept, and gives the same numbers up to the rounding of its sums:
//   matmul_naive    the definition, and what small products use: two values fetched for every multiplication
//   matmul_tiled    64 × 64 elements of C a workgroup, operands through shared memory: for rows of any length
//   matmul_vec4     32 × 32, 64 × 64 or 128 × 128 elements, four values at a time: for rows in multiples of four
// `shaders/src/linear.rs` says which product takes which. To see them all on one product, with time and GFLOP/s:
//   cargo run --release -p shaders --example gemm -- 512 512 512
// To check them against each other on odd sizes: cargo test -p shaders gemm
//
// Before each stand matmul_sizes (p, terms) and matmul_store or matmul_store_gelu (a, b, c, store).

alias Element = f32;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    for (var e = id.x; e < p.batch * p.m * p.n; e += groups.x * 256u) {
        let j = e % p.n;
        let i = e / p.n % p.m;
        let item = e / p.n / p.m;
        let a_first = item * p.a_batch + i * p.a_row;
        let b_first = item * p.b_batch + j * p.b_col;
        // ANCHOR: sum
        var sum = 0.0;
        for (var l = 0u; l < terms(item); l += 1u) {
            sum += a[a_first + l * p.a_col] * b[b_first + l * p.b_row];
        }
        // ANCHOR_END: sum
        store(item, i, j, sum);
    }
}
