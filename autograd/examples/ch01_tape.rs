//! Chapter 1: derivatives by tape. What is recorded on the way forward, and in which order the gradients arrive on the way
//! back.
//!
//! `cargo run -p autograd --example ch01_tape`

use autograd::{Tape, Tensor, Var, record};
use std::process::ExitCode;

mod course;

/// A number as a tensor without axes.
fn number(x: f64) -> Tensor<f64> {
    Tensor::scalar(x)
}

fn show(x: &Tensor<f64>) -> f64 {
    x.as_slice()[0]
}

// ANCHOR: watch
/// x itself, as an operation of its own whose backward pass tells what arrives there: y = x, dx = dy.
fn watch(name: &'static str, x: &Var<f64>) -> Var<f64> {
    println!("   {name} = {}", show(x.value()));
    record("watch", x.value().clone(), &[x], move |dy, sink| {
        println!("   d{name} = {}", show(dy));
        sink.add(0, || dy.clone());
    })
}
// ANCHOR_END: watch

fn lesson() {
    println!("forward: L = (x·w + x)² at x = 3, w = 4");
    // ANCHOR: lesson
    let tape = Tape::new();
    let (x, w) = (tape.leaf(number(3.0)), tape.leaf(number(4.0)));
    let (x_seen, w_seen) = (watch("x", &x), watch("w", &w));
    let y = watch("y", &x_seen.mul(&w_seen));
    let z = watch("z", &y.add(&x_seen));
    let l = watch("L", &z.mul(&z));
    println!("the tape: {}", tape.names().join(", "));
    println!("backward:");
    let grads = l.backward();
    // ANCHOR_END: lesson
    for (name, leaf) in [("x", &x), ("w", &w)] {
        println!("dL/d{name} = {}", show(grads.of(leaf).expect("L depends on both")));
    }
}

/// The gradients of (x·w)·x + w at x = 3, w = 4.
fn truth() -> Vec<f64> {
    let tape = Tape::new();
    let (x, w) = (tape.leaf(number(3.0)), tape.leaf(number(4.0)));
    let grads = x.mul(&w).mul(&x).add(&w).backward();
    [x, w].iter().map(|leaf| show(grads.of(leaf).expect("both are used"))).collect()
}

fn main() -> ExitCode {
    course::run(
        lesson,
        "L = (x·w)·x + w at x = 3, w = 4. What are dL/dx and dL/dw?",
        truth,
        "Both x and w are used twice, and every use adds its share.",
    )
}
