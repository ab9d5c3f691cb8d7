//! Chapter 7: diffusion without end. The steps converge, whatever they start from; the limit solves an equation, and so
//! does its gradient.
//!
//! `cargo run -p cda --example ch07_fixed_point`

use autograd::random::{Key, site};
use autograd::{Tape, Tensor, Var};
use cda::fixed_point::fixed_point;
use cda::{CdaConfig, Qkv, Start, Steps, affinity, cross_diffusion};
use std::process::ExitCode;

#[path = "../../autograd/examples/course/mod.rs"]
mod course;

/// Tokens.
const N: usize = 16;

/// Random numbers, `[1, 1, N, columns]`.
fn random(name: &str, columns: usize) -> Tensor<f64> {
    Tensor::randn(&[1, 1, N, columns], Key::default(), site(name))
}

/// Q_r, K_r, Q_d and K_d, `[1, 1, N, 4]` each.
fn inputs() -> [Tensor<f64>; 4] {
    ["q_r", "k_r", "q_d", "k_d"].map(|name| random(name, 4))
}

/// X_rd of these queries and keys, `[1, 1, N, N]`.
fn x_rd(inputs: &[Var<f64>; 4], init: Start, steps: Steps) -> Var<f64> {
    let [q_r, k_r, q_d, k_d] = inputs.clone();
    let r = Qkv { v: q_r.clone(), q: q_r, k: k_r }; // values play no part in X
    let d = Qkv { v: q_d.clone(), q: q_d, k: k_d };
    let config = CdaConfig { init, steps, ..CdaConfig::default() };
    cross_diffusion((&affinity(&r), &affinity(&d)), (&r, &d), &config).rd
}

/// A distance to one digit, unless it is the rounding of `f64` that is left.
fn shown(distance: f64) -> String {
    if distance < 1e-13 { "rounding".to_owned() } else { format!("{distance:.0e}") }
}

/// Largest difference of two elements.
fn distance(a: &Tensor<f64>, b: &Tensor<f64>) -> f64 {
    a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn convergence() {
    let inputs = inputs().map(Var::constant);
    let limit = x_rd(&inputs, Start::Identity, Steps::Infinite);
    println!("steps T    0.6^T      distance to the limit, from X = I    from X = Y");
    for steps in [1, 2, 5, 10, 20, 40] {
        let after = |init| shown(distance(x_rd(&inputs, init, Steps::Finite(steps)).value(), limit.value()));
        let (identity, affinity) = (after(Start::Identity), after(Start::Affinity));
        println!("{steps:7}    {:.0e} {identity:>26} {affinity:>25}", 0.6f64.powi(steps as i32));
    }
}

// ANCHOR: gradient
/// Gradients of Σ c·X_rd with random c with respect to all four inputs, and how many lines the tape has.
fn gradients(steps: Steps) -> (Vec<Tensor<f64>>, usize) {
    let tape = Tape::new();
    let leaves = inputs().map(|x| tape.leaf(x));
    let x = x_rd(&leaves, Start::Identity, steps);
    let lines = tape.names().len();
    let grads = x.backward_with(random("c", N));
    (leaves.iter().map(|leaf| grads.of(leaf).expect("X depends on it").clone()).collect(), lines)
}
// ANCHOR_END: gradient

fn implicit_gradient() {
    let (implicit, lines) = gradients(Steps::Infinite);
    println!("\ngradient                         lines on the tape    distance to the implicit gradient");
    println!("of the limit, implicit           {lines:17}");
    for steps in [5, 10, 20, 40] {
        let (unrolled, lines) = gradients(Steps::Finite(steps));
        let worst = implicit.iter().zip(&unrolled).map(|(a, b)| distance(a, b)).fold(0.0, f64::max);
        println!("through {steps:2} steps                 {lines:17} {worst:36.0e}");
    }
}

fn lesson() {
    convergence();
    implicit_gradient();
}

/// x = α·s·x + (1 − α)·y for single numbers, α = 0.6, s = 1, y = 2: x and dx/ds.
fn truth() -> Vec<f64> {
    let tape = Tape::new();
    let number = |x: f64| Tensor::full(&[1, 1], x);
    let (s, one, y) = (tape.leaf(number(1.0)), Var::constant(number(1.0)), Var::constant(number(2.0)));
    let x = fixed_point(&s, &one, &y, 0.6, false);
    vec![x.value().as_slice()[0], x.backward().of(&s).expect("x depends on s").as_slice()[0]]
}

fn main() -> ExitCode {
    course::run(
        lesson,
        "x = 0.6·s·x + 0.4·y for single numbers, with s = 1 and y = 2. What are x and dx/ds?",
        truth,
        "Solve for x first. Then change s a little on both sides: δx = 0.6·(δs·x + s·δx).",
    )
}
