//! Chapter 8: from N³ to N². The same products in another order, counted and timed.
//!
//! `cargo run -p cda --example ch08_associativity`

use autograd::random::{Key, site};
use autograd::{Tensor, Var};
use cda::{CdaConfig, Qkv, cross_diffusion_attention, matrix_free};
use std::process::ExitCode;
use std::time::Instant;

#[path = "../../autograd/examples/course/mod.rs"]
mod course;

/// Channels of the one head.
const D: usize = 32;

fn random(name: &str, shape: &[usize]) -> Tensor<f64> {
    Tensor::randn(shape, Key::default(), site(name))
}

fn modality(name: &str, n: usize) -> Qkv<f64> {
    let part = |what: &str| Var::constant(random(&format!("{name}.{what}"), &[1, 1, n, D]));
    Qkv { q: part("q"), k: part("k"), v: part("v") }
}

// ANCHOR: flop
/// FLOP of a product of `[m, k]` with `[k, n]`: a multiplication and an addition for each of its m·k·n terms.
fn product(m: usize, k: usize, n: usize) -> f64 {
    2.0 * m as f64 * k as f64 * n as f64
}

/// FLOP of (A·B)·V and of A·(B·V), for A and B `[n, n]` and V `[n, d]`.
fn chain(n: usize, d: usize) -> [f64; 2] {
    [product(n, n, n) + product(n, n, d), product(n, n, d) + product(n, n, d)]
}

/// FLOP of the products in CDA, one head, both directions: maps, S_r·S_dᵀ and S_d·S_rᵀ, and four times a map times
/// values; or, without N×N products, maps and six times a map times values.
fn cda(n: usize, d: usize) -> [f64; 2] {
    let maps = 2.0 * product(n, d, n);
    [maps + 2.0 * product(n, n, n) + 4.0 * product(n, n, d), maps + 6.0 * product(n, n, d)]
}
// ANCHOR_END: flop

/// Largest difference of two elements.
fn distance(a: &Tensor<f64>, b: &Tensor<f64>) -> f64 {
    a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// The result of `f` and the milliseconds it takes, at best of three runs.
fn timed<R>(f: impl Fn() -> R) -> (R, f64) {
    let run = || {
        let start = Instant::now();
        let result = f();
        (result, start.elapsed().as_secs_f64() * 1e3)
    };
    let runs = [run(), run(), run()];
    runs.into_iter().min_by(|(_, a), (_, b)| a.total_cmp(b)).expect("three runs")
}

/// Counts, times and compares the two ways to the same values.
fn compare(n: usize, flop: [f64; 2], plain: impl Fn() -> Tensor<f64>, fast: impl Fn() -> Tensor<f64>) {
    let ((plain, plain_ms), (fast, fast_ms)) = (timed(plain), timed(fast));
    let [mega_plain, mega_fast] = flop.map(|flop| flop / 1e6);
    let ratio = mega_plain / mega_fast;
    println!("N = {n:4}  {mega_plain:9.1} MFLOP against {mega_fast:6.1}, {ratio:4.1} times fewer");
    println!("          {plain_ms:9.2} ms against {fast_ms:6.2} ms, {:.1} times as fast", plain_ms / fast_ms);
    let agree = distance(&plain, &fast) < 1e-11;
    println!("          the values {}", if agree { "agree to 1e-11" } else { "DIFFER" });
}

fn lesson() {
    println!("(A·B)·V against A·(B·V):");
    for n in [64, 256, 1024] {
        // ANCHOR: chain
        let (a, b, v) = (random("a", &[n, n]), random("b", &[n, n]), random("v", &[n, D]));
        let (a, b) = (a.scale(1.0 / n as f64), b.scale(1.0 / n as f64));
        let times = |a: &Tensor<f64>, b: &Tensor<f64>| a.matmul(false, b, false, 1.0);
        compare(n, chain(n, D), || times(&times(&a, &b), &v), || times(&a, &times(&b, &v)));
        // ANCHOR_END: chain
    }
    println!("\nCross-Diffusion Attention, with N×N matrices against without (U_rd):");
    for n in [64, 256, 1024] {
        // ANCHOR: cda
        let (r, d, config) = (modality("r", n), modality("d", n), CdaConfig::default());
        let plain = || cross_diffusion_attention(&r, &d, &config, Var::clone).u_rd.value().clone();
        let fast = || matrix_free::cross_diffusion_attention(&r, &d, &config).u_rd.value().clone();
        compare(n, cda(n, D), plain, fast);
        // ANCHOR_END: cda
    }
}

/// How many times fewer FLOP A·(B·V) takes than (A·B)·V for 1000 tokens and 50 channels.
fn truth() -> Vec<f64> {
    let [left_first, right_first] = chain(1000, 50);
    vec![left_first / right_first]
}

fn main() -> ExitCode {
    course::run(
        lesson,
        "A and B are 1000 × 1000, V is 1000 × 50. How many times fewer FLOP does A·(B·V) take than (A·B)·V?",
        truth,
        "A product of [m, k] with [k, n] takes 2·m·k·n FLOP, and each way is two products.",
    )
}
