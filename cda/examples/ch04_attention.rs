//! Chapter 4: softmax and attention.
//!
//! `cargo run -p cda --example ch04_attention`

use autograd::random::{Key, site};
use autograd::{Tape, Tensor, Var};
use std::process::ExitCode;

#[path = "../../autograd/examples/course/mod.rs"]
mod course;

fn random(name: &str, shape: &[usize]) -> Tensor<f64> {
    Tensor::randn(shape, Key::default(), site(name))
}

/// Largest difference of two elements.
fn distance(a: &Tensor<f64>, b: &Tensor<f64>) -> f64 {
    a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn row(x: &[f64]) -> String {
    x.iter().map(|x| format!("{x:7.3}")).collect()
}

// ANCHOR: softmax
/// dx of y = softmax(x) for one row, from the matrix of all derivatives ∂yᵢ/∂xⱼ = yᵢ·(δᵢⱼ − yⱼ).
fn softmax_gradient(y: &[f64], dy: &[f64]) -> Vec<f64> {
    let derivative = |i: usize, j: usize| y[i] * (f64::from(u8::from(i == j)) - y[j]);
    (0..y.len()).map(|j| (0..y.len()).map(|i| dy[i] * derivative(i, j)).sum()).collect()
}
// ANCHOR_END: softmax

fn softmax() {
    let tape = Tape::new();
    let x = tape.leaf(Tensor::from_vec(vec![1.0, 2.0, 3.0, 0.0], &[4]));
    let dy = [1.0, 0.0, -1.0, 0.5];
    let y = x.softmax(-1);
    let value = y.value().clone();
    let grads = y.backward_with(Tensor::from_vec(dy.to_vec(), &[4]));
    println!("x                    {}", row(x.value().as_slice()));
    println!("y = softmax(x)       {}", row(value.as_slice()));
    println!("dy                   {}", row(&dy));
    println!("dx by tape           {}", row(grads.of(&x).expect("y depends on x").as_slice()));
    println!("dx by all ∂yᵢ/∂xⱼ    {}", row(&softmax_gradient(value.as_slice(), &dy)));
}

fn attention() {
    // ANCHOR: attention
    let [q, k, v] = ["q", "k", "v"].map(|name| Var::constant(random(name, &[4, 8]))); // N = 4, d = 8
    let p = q.attention_map(&k, None); // softmax(Q·Kᵀ/√d) [4, 4]
    let o = p.matmul(&v); // [4, 8]
    let fused = q.scaled_dot_product_attention(&k, &v, None);
    // ANCHOR_END: attention
    println!("\nP = softmax(Q·Kᵀ/√d)         row sum");
    for p in p.value().as_slice().chunks(4) {
        println!("{} {:7.3}", row(p), p.iter().sum::<f64>());
    }
    let agree = distance(o.value(), fused.value()) < 1e-14;
    let verdict = if agree { "equal up to rounding" } else { "DIFFERENT" };
    println!("P·V, and the fused op that never forms P: {verdict}");
}

fn scale() {
    println!("\nlargest weight of a row of P, mean over 64 rows");
    println!("channels d   Q·Kᵀ/√d    Q·Kᵀ");
    for d in [4, 16, 64, 256] {
        let [q, k] = ["q", "k"].map(|name| Var::constant(random(&format!("{name}{d}"), &[64, d])));
        let largest = |scale| q.attention_map(&k, scale).amax(&[-1], false).mean_all().value().as_slice()[0];
        println!("{d:10} {:10.2} {:7.2}", largest(None), largest(Some(1.0)));
    }
}

fn lesson() {
    softmax();
    attention();
    scale();
}

/// dx of softmax at x = (0, ln 3) for dy = (1, 0).
fn truth() -> Vec<f64> {
    let tape = Tape::new();
    let x = tape.leaf(Tensor::from_vec(vec![0.0, 3f64.ln()], &[2]));
    let grads = x.softmax(-1).backward_with(Tensor::from_vec(vec![1.0, 0.0], &[2]));
    grads.of(&x).expect("y depends on x").as_slice().to_vec()
}

fn main() -> ExitCode {
    course::run(
        lesson,
        "y = softmax(x) at x = (0, ln 3), and dy = (1, 0) arrives. What is dx, both numbers?",
        truth,
        "y = (1/4, 3/4). First Σ y·dy, then dx = y·(dy − Σ y·dy).",
    )
}
