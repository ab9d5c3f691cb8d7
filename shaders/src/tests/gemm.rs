//! Every version of the matrix product against the naive one, and the rule that chooses.

use super::{device, download, noise, upload};
use crate::gpu::Gpu;
use crate::linear::{BUSY, Gemm, plan};
use crate::memory::Block;
use autograd::device::{Epilogue, MatMul};

/// `batch · m · k · n`: whole tiles, one more and one less, a dimension of one, of four, and empty sums.
const SIZES: [[usize; 4]; 10] = [
    [1, 64, 16, 64],
    [2, 65, 17, 63],
    [1, 130, 3, 200],
    [3, 20, 100, 68],
    [1, 1, 1, 1],
    [1, 132, 36, 128],
    [2, 36, 44, 124],
    [1, 4, 4, 260],
    [1, 68, 0, 8],
    [2, 128, 40, 136],
];

fn product([batch, m, k, n]: [usize; 4], flags: usize) -> MatMul {
    let [trans_a, trans_b, a_batched, b_batched] = [1, 2, 4, 8].map(|bit| flags & bit != 0);
    MatMul { batch, m, k, n, a_batched, b_batched, trans_a, trans_b, alpha: 0.7 }
}

/// A, B, a bias and a D for a product.
fn operands(gpu: &Gpu, p: &MatMul) -> [Block; 4] {
    let count = |batched: bool| if batched { p.batch } else { 1 };
    let (a, b) = (count(p.a_batched) * p.m * p.k, count(p.b_batched) * p.k * p.n);
    [(a, 1), (b, 2), (p.n, 3), (p.batch * p.m * p.n, 4)].map(|(len, seed)| upload(gpu, &noise(len, seed)))
}

fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (e, (a, b)) in found.iter().zip(expected).enumerate() {
        let close = (a - b).abs() < 1e-5; // a NaN is not
        assert!(close, "{what}: element {e} is {a} instead of {b}");
    }
}

#[test]
fn every_version_equals_the_naive_product_with_every_epilogue() {
    let Some(gpu) = device(true) else { return };
    let mut compared = 0;
    for p in SIZES.iter().flat_map(|&size| (0..16).map(move |flags| product(size, flags))) {
        let [a, b, bias, d] = operands(&gpu, &p);
        for version in Gemm::ALL.into_iter().skip(1).filter(|version| version.takes(&p)) {
            for epilogue in [Epilogue::None, Epilogue::Bias(&bias), Epilogue::Add(-0.3, &d)] {
                let run = |version| download(&gpu, &gpu.matmul_by(version, p, &a, &b, epilogue).unwrap());
                assert_close(&format!("{version}: {p:?}"), &run(version), &run(Gemm::Naive));
                compared += 1;
            }
        }
    }
    assert!(compared > 900, "only {compared} products were compared");
}

/// The naive shader is the referee of the others; three loops in `f64` are its own.
#[test]
fn the_naive_product_is_the_definition() {
    let Some(gpu) = device(true) else { return };
    for flags in 0..16 {
        let p = product([3, 5, 7, 6], flags);
        let [a, b, bias, d] = operands(&gpu, &p);
        let [a_host, b_host, bias_host, d_host] = [&a, &b, &bias, &d].map(|x| download(&gpu, x));
        let run = |epilogue| download(&gpu, &gpu.matmul_by(Gemm::Naive, p, &a, &b, epilogue).unwrap());
        let results = [Epilogue::None, Epilogue::Bias(&bias), Epilogue::Add(-0.3, &d)].map(run);
        for e in 0..p.batch * p.m * p.n {
            let (item, i, j) = (e / p.n / p.m, e / p.n % p.m, e % p.n);
            let at_a = |l: usize| if p.trans_a { l * p.m + i } else { i * p.k + l };
            let at_b = |l: usize| if p.trans_b { j * p.k + l } else { l * p.n + j };
            let a_of = |l| a_host[if p.a_batched { item * p.m * p.k } else { 0 } + at_a(l)];
            let b_of = |l| b_host[if p.b_batched { item * p.k * p.n } else { 0 } + at_b(l)];
            let sum: f64 = (0..p.k).map(|l| f64::from(a_of(l)) * f64::from(b_of(l))).sum();
            let added = [0.0, f64::from(bias_host[j]), -0.3 * f64::from(d_host[e])];
            for (result, added) in results.iter().zip(added) {
                let expected = 0.7 * sum + added;
                assert!((f64::from(result[e]) - expected).abs() < 1e-5, "{p:?}: {} {expected}", result[e]);
            }
        }
    }
}

#[test]
fn a_layer_with_gelu_is_the_product_and_its_gelu_in_every_version() {
    let Some(gpu) = device(true) else { return };
    for p in SIZES.map(|size| product(size, 2 + 4 + 8)) {
        let [a, b, bias, _] = operands(&gpu, &p);
        let h = gpu.matmul_by(Gemm::Naive, p, &a, &b, Epilogue::Bias(&bias)).unwrap();
        let y = gpu.unary(autograd::device::Unary::Gelu, &h).unwrap();
        for version in Gemm::ALL.into_iter().filter(|version| version.takes(&p)) {
            let (found_y, found_h) = gpu.matmul_gelu_by(version, p, &a, &b, &bias).unwrap();
            assert_close(&format!("{version}: {p:?}: y"), &download(&gpu, &found_y), &download(&gpu, &y));
            assert_close(&format!("{version}: {p:?}: h"), &download(&gpu, &found_h), &download(&gpu, &h));
        }
    }
}

#[test]
fn long_sums_in_pieces_are_the_sum_and_repeat_their_bits() {
    let Some(gpu) = device(true) else { return };
    for (size, pieces) in [([1, 12, 1000, 20], 7), ([1, 36, 1023, 33], 5), ([1, 8, 260, 8], 64)] {
        for flags in 0..4 {
            let p = MatMul { alpha: 0.05, ..product(size, flags + 12) };
            let [a, b, ..] = operands(&gpu, &p);
            let whole = download(&gpu, &gpu.matmul_by(Gemm::Naive, p, &a, &b, Epilogue::None).unwrap());
            for version in Gemm::ALL.into_iter().filter(|version| version.takes(&p)) {
                let run = || download(&gpu, &gpu.matmul_in_pieces(version, pieces, p, &a, &b).unwrap());
                let found = run();
                assert_close(&format!("{version} in {pieces} pieces: {p:?}"), &found, &whole);
                assert_eq!(found, run(), "bits repeat");
            }
        }
    }
}

#[test]
fn the_rule_takes_large_tiles_where_they_are_full_and_many() {
    let chosen = |size, flags, may_cut| plan(&product(size, flags), may_cut);
    assert_eq!(chosen([1, 4096, 512, 4096], 12, false), (Gemm::Vec4 { size: 2 }, 1));
    assert_eq!(chosen([1, 1024, 512, 1024], 12, false), (Gemm::Vec4 { size: 1 }, 1));
    assert_eq!(chosen([1, 196, 64, 196], 12, false), (Gemm::Vec4 { size: 0 }, 1));
    assert_eq!(chosen([96, 196, 64, 196], 12, false), (Gemm::Vec4 { size: 2 }, 1));
    assert_eq!(chosen([1, 197, 197, 197], 12, false), (Gemm::Tiled, 1));
    assert_eq!(chosen([1, 3, 512, 4096], 12, false), (Gemm::Naive, 1));
    assert_eq!(chosen([1, 512, 3, 512], 12, false), (Gemm::Naive, 1));
    // A gradient of weights: dW [384, 384] over 12,544 tokens.
    let (version, pieces) = chosen([1, 384, 12_544, 384], 13, true);
    assert_eq!(version, Gemm::Vec4 { size: 2 });
    assert!(9 * pieces >= BUSY && 9 * (pieces - 1) < BUSY, "{pieces} pieces");
}
