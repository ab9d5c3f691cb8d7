//! Attention without matrices against attention with matrices, and what it costs in memory.

use super::{device, download, noise, upload};
use crate::attention::Map;
use crate::gpu::Gpu;
use crate::memory::Block;
use autograd::device::{AttentionSizes, CdaSizes};

/// One head, with channels `dim` of q and k and `value_dim` of x.
fn sizes(queries: usize, keys: usize, dim: usize, value_dim: usize) -> AttentionSizes {
    AttentionSizes { heads: 1, queries, keys, dim, value_dim, scale: 0.4, transposed: false }
}

/// Around the tile of 64 × 32 weights, 64 channels of results and 8 of inner products, and far from it.
fn cases() -> [AttentionSizes; 9] {
    [
        sizes(1, 1, 1, 1),
        AttentionSizes { heads: 3, ..sizes(5, 7, 3, 2) },
        AttentionSizes { heads: 2, ..sizes(64, 32, 8, 64) },
        AttentionSizes { heads: 2, ..sizes(65, 33, 9, 65) },
        AttentionSizes { heads: 2, ..sizes(63, 31, 7, 63) },
        AttentionSizes { scale: 6.0, ..sizes(130, 70, 16, 20) }, // peaked rows
        sizes(40, 100, 128, 128),
        sizes(33, 65, 200, 3),
        sizes(3, 150, 5, 300),
    ]
}

struct Inputs {
    q: Vec<f32>,
    k: Vec<f32>,
    /// A row for each key, and one for each query.
    of_keys: Vec<f32>,
    of_queries: Vec<f32>,
}

fn inputs(z: AttentionSizes) -> Inputs {
    Inputs {
        q: noise(z.heads * z.queries * z.dim, 1),
        k: noise(z.heads * z.keys * z.dim, 2),
        of_keys: noise(z.heads * z.keys * z.value_dim, 3),
        of_queries: noise(z.heads * z.queries * z.value_dim, 4),
    }
}

/// P of every head, `[heads, queries, keys]`, in `f64`.
fn probabilities(z: AttentionSizes, q: &[f32], k: &[f32]) -> Vec<f64> {
    let mut p = Vec::new();
    for row in 0..z.heads * z.queries {
        let first_key = row / z.queries * z.keys;
        let score = |key: usize| {
            let dot = |l: usize| f64::from(q[row * z.dim + l]) * f64::from(k[(first_key + key) * z.dim + l]);
            f64::from(z.scale as f32) * (0..z.dim).map(dot).sum::<f64>()
        };
        let scores: Vec<f64> = (0..z.keys).map(score).collect();
        let largest = scores.iter().copied().fold(f64::MIN, f64::max);
        let sum: f64 = scores.iter().map(|s| (s - largest).exp()).sum();
        p.extend(scores.iter().map(|s| (s - largest).exp() / sum));
    }
    p
}

/// P·x or Pᵀ·x with P at hand.
fn with_matrix(z: AttentionSizes, p: &[f64], x: &[f32]) -> Vec<f64> {
    let (rows, cols) = if z.transposed { (z.keys, z.queries) } else { (z.queries, z.keys) };
    let element = |e: usize| {
        let (h, i, c) = (e / z.value_dim / rows, e / z.value_dim % rows, e % z.value_dim);
        let weight = |j: usize| {
            let (query, key) = if z.transposed { (j, i) } else { (i, j) };
            p[(h * z.queries + query) * z.keys + key]
        };
        (0..cols).map(|j| weight(j) * f64::from(x[(h * cols + j) * z.value_dim + c])).sum()
    };
    (0..z.heads * rows * z.value_dim).map(element).collect()
}

/// Equal up to the rounding of `f32` in sums of a few hundred terms.
fn assert_close(what: &str, found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1e-3, |max: f64, x| max.max(x.abs()));
    for (e, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((f64::from(*a) - b).abs() <= 1e-5 * largest, "{what}: element {e} is {a}, not {b}");
    }
}

#[test]
fn both_versions_of_attention_equal_the_product_with_the_matrix() {
    let Some(gpu) = device(true) else { return };
    for z in cases() {
        let Inputs { q, k, of_keys, .. } = inputs(z);
        let expected = with_matrix(z, &probabilities(z, &q, &k), &of_keys);
        let [q, k, x] = [&q, &k, &of_keys].map(|values| upload(&gpu, values));
        let [simple, tiled] = [false, true].map(|tiled| {
            let (y, stats) = gpu.attention_by(tiled, z, &q, &k, &x).unwrap();
            assert_close(&format!("{z:?}, tiled: {tiled}"), &download(&gpu, &y), &expected);
            download(&gpu, &stats).into_iter().map(f64::from).collect::<Vec<f64>>()
        });
        let found: Vec<f32> = tiled.iter().map(|&x| x as f32).collect();
        assert_close(&format!("statistics, {z:?}"), &found, &simple);
    }
}

#[test]
fn transposed_attention_equals_the_product_with_the_transposed_matrix() {
    let Some(gpu) = device(true) else { return };
    for z in cases() {
        let z = AttentionSizes { transposed: true, ..z };
        let Inputs { q, k, of_queries, .. } = inputs(z);
        let expected = with_matrix(z, &probabilities(z, &q, &k), &of_queries);
        let [q, k, x] = [&q, &k, &of_queries].map(|values| upload(&gpu, values));
        let (y, stats) = gpu.attention(z, &q, &k, &x).unwrap();
        assert_close(&format!("{z:?}"), &download(&gpu, &y), &expected);
        let direct = AttentionSizes { transposed: false, ..z };
        let of_keys = upload(&gpu, &noise(z.heads * z.keys * z.value_dim, 3));
        let (_, simple) = gpu.attention_by(false, direct, &q, &k, &of_keys).unwrap();
        let simple: Vec<f64> = download(&gpu, &simple).into_iter().map(f64::from).collect();
        assert_close(&format!("statistics, {z:?}"), &download(&gpu, &stats), &simple);
    }
}

/// dq, dk and dx from the matrices of the definition.
fn gradients_with_matrix(z: AttentionSizes, x: &Inputs) -> [Vec<f64>; 3] {
    let p = probabilities(z, &x.q, &x.k);
    let mut ds = p.clone();
    for (row, ds) in ds.chunks_mut(z.keys).enumerate() {
        let p = ds.to_vec();
        let dp = |key: usize| -> f64 {
            let at_key = (row / z.queries * z.keys + key) * z.value_dim;
            let product =
                |c: usize| f64::from(x.of_queries[row * z.value_dim + c]) * f64::from(x.of_keys[at_key + c]);
            (0..z.value_dim).map(product).sum()
        };
        let sum: f64 = (0..z.keys).map(|key| p[key] * dp(key)).sum();
        let scale = f64::from(z.scale as f32);
        ds.iter_mut().enumerate().for_each(|(key, ds)| *ds *= scale * (dp(key) - sum));
    }
    let of_scores = AttentionSizes { value_dim: z.dim, ..z };
    let dq = with_matrix(AttentionSizes { transposed: false, ..of_scores }, &ds, &x.k);
    let dk = with_matrix(AttentionSizes { transposed: true, ..of_scores }, &ds, &x.q);
    // x and dy have a row for each key and for each query, or the other way round.
    let dy = if z.transposed { &x.of_keys } else { &x.of_queries };
    [dq, dk, with_matrix(AttentionSizes { transposed: !z.transposed, ..z }, &p, dy)]
}

#[test]
fn gradients_equal_those_of_the_matrices_in_both_directions() {
    let Some(gpu) = device(true) else { return };
    for z in cases().into_iter().flat_map(|z| [z, AttentionSizes { transposed: true, ..z }]) {
        let host = inputs(z);
        let expected = gradients_with_matrix(z, &host);
        let Inputs { q, k, of_keys, of_queries } = host;
        let [q, k, of_keys, of_queries] = [q, k, of_keys, of_queries].map(|values| upload(&gpu, &values));
        let (x, dy) = if z.transposed { (&of_queries, &of_keys) } else { (&of_keys, &of_queries) };
        let (y, stats) = gpu.attention(z, &q, &k, x).unwrap();
        let found = gpu.attention_backward(z, [&q, &k, x], &y, &stats, dy).unwrap();
        for (name, (found, expected)) in ["dq", "dk", "dx"].into_iter().zip(found.iter().zip(&expected)) {
            assert_close(&format!("{name}, {z:?}"), &download(&gpu, found), expected);
        }
    }
}

#[test]
fn results_are_the_same_bits_from_run_to_run() {
    let Some(gpu) = device(false) else { return };
    let z = AttentionSizes { heads: 2, ..sizes(150, 90, 20, 70) };
    let Inputs { q, k, of_keys, of_queries } = inputs(z);
    let [q, k, x, dy] = [q, k, of_keys, of_queries].map(|values| upload(&gpu, &values));
    let run = || {
        let (y, stats) = gpu.attention(z, &q, &k, &x).unwrap();
        let gradients = gpu.attention_backward(z, [&q, &k, &x], &y, &stats, &dy).unwrap();
        [download(&gpu, &y), gradients.iter().flat_map(|g| download(&gpu, g)).collect()]
    };
    assert_eq!(run(), run());
}

/// A query that is not a number spoils its row, a key that is not spoils everything, as on the host.
#[test]
fn what_is_not_a_number_stays_so_and_goes_no_further() {
    let Some(gpu) = device(false) else { return };
    let z = sizes(70, 40, 4, 3);
    let Inputs { mut q, mut k, of_keys, .. } = inputs(z);
    q[66 * z.dim + 1] = f32::NAN;
    let [there, k_there, x] = [&q, &k, &of_keys].map(|values| upload(&gpu, values));
    k[37 * z.dim] = f32::NAN;
    let k_spoilt = upload(&gpu, &k);
    for tiled in [false, true] {
        let (y, _) = gpu.attention_by(tiled, z, &there, &k_there, &x).unwrap();
        for (row, values) in download(&gpu, &y).chunks(z.value_dim).enumerate() {
            assert!(
                values.iter().all(|y| y.is_nan() == (row == 66)),
                "row {row}, tiled: {tiled}: {values:?}"
            );
        }
        let (y, _) = gpu.attention_by(tiled, z, &there, &k_spoilt, &x).unwrap();
        assert!(download(&gpu, &y).iter().all(|y| y.is_nan()), "tiled: {tiled}");
    }
}

/// The most bytes in use at a time in the forward and backward pass of an attention of one head, plain and transposed.
fn peak_of_attention(tokens: usize) -> Option<u64> {
    let gpu = device(false)?;
    for transposed in [false, true] {
        let z = AttentionSizes { transposed, ..sizes(tokens, tokens, 8, 8) };
        let [q, k, x, dy] = [1, 2, 3, 4].map(|seed| upload(&gpu, &noise(tokens * 8, seed)));
        let (y, stats) = gpu.attention(z, &q, &k, &x).unwrap();
        gpu.attention_backward(z, [&q, &k, &x], &y, &stats, &dy).unwrap();
    }
    gpu.wait().unwrap();
    Some(gpu.statistics().peak_bytes)
}

/// The same of Cross-Diffusion Attention.
fn peak_of_cda(tokens: usize) -> Option<u64> {
    let gpu = device(false)?;
    let z = CdaSizes { heads: 1, tokens, dim: 8, scale: 0.4, alpha: 0.6 };
    let ten: Vec<Block> = (0..10).map(|seed| upload(&gpu, &noise(tokens * 8, seed))).collect();
    let [r, d] = [[&ten[0], &ten[1], &ten[2]], [&ten[3], &ten[4], &ten[5]]];
    let ([o_r, o_d, ..], [stats_r, stats_d]) = gpu.cda(z, r, d).unwrap();
    let dy = [&ten[6], &ten[7], &ten[8], &ten[9]];
    gpu.cda_backward(z, [r, d], [&o_r, &o_d], [&stats_r, &stats_d], dy).unwrap();
    gpu.wait().unwrap();
    Some(gpu.statistics().peak_bytes)
}

#[test]
fn memory_grows_with_the_tokens_and_stays_far_below_a_matrix() {
    let matrix = 4 * 1024 * 1024; // bytes of P of 1024 tokens, of which Cross-Diffusion Attention has two
    for (what, peaks, share) in
        [("attention", [512, 1024].map(peak_of_attention), 10), ("cda", [512, 1024].map(peak_of_cda), 3)]
    {
        let [Some(half), Some(whole)] = peaks else { return };
        println!("{what}: {half} bytes for 512 tokens, {whole} for 1024; one matrix has {matrix}");
        assert!(whole * share < matrix, "{what}: {whole} bytes beside a matrix of {matrix}");
        assert!(whole <= 2 * half, "{what}: {half} bytes for 512 tokens, {whole} for 1024");
    }
}

/// Applying P as it is stored agrees with the forward pass that stored it.
#[test]
fn the_statistics_bring_back_the_same_weights() {
    let Some(gpu) = device(true) else { return };
    for z in cases() {
        let Inputs { q, k, of_keys, .. } = inputs(z);
        let [q, k, x] = [&q, &k, &of_keys].map(|values| upload(&gpu, values));
        let (y, stats) = gpu.attention(z, &q, &k, &x).unwrap();
        let again = apply(&gpu, z, [&q, &k, &stats], &x);
        let y: Vec<f64> = download(&gpu, &y).into_iter().map(f64::from).collect();
        assert_close(&format!("{z:?}"), &download(&gpu, &again), &y);
    }
}

fn apply(gpu: &Gpu, z: AttentionSizes, [q, k, stats]: [&Block; 3], x: &Block) -> Block {
    let AttentionSizes { heads, queries, keys, dim, scale, .. } = z;
    let map = Map { heads, queries, keys, dim, scale, q, k, stats };
    gpu.apply(&map, false, None, x, z.value_dim).unwrap()
}
