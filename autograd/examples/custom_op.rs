//! An operation of one's own: value, gradient, and a check of the gradient against finite differences.
//!
//! `cargo run -p autograd --example custom_op`

use autograd::{Tape, Tensor, Var, record};

/// The swish function y = x·σ(x), with σ(x) = 1/(1 + e⁻ˣ).
///
/// dy/dx = σ(x) + x·σ(x)·(1 − σ(x)) = σ(x) + y·(1 − σ(x))
fn swish(x: &Var<f64>) -> Var<f64> {
    let sigma = Tensor::from_fn(x.shape(), |i| 1.0 / (1.0 + (-x.value().as_slice()[i]).exp()));
    let y = x.value().mul(&sigma);
    let saved = y.clone(); // what the backward pass needs is captured by its closure
    record("swish", y, &[x], move |dy, sink| {
        sink.add(0, || {
            let slope = sigma.add(&saved.mul(&sigma.scale(-1.0).shift(1.0)));
            dy.mul(&slope)
        });
    })
}

/// A number that depends on every element of swish(x) in its own way: L = Σ (k + 1)·swish(x)ₖ².
fn loss(x: &Var<f64>) -> Var<f64> {
    let y = swish(x);
    let weights = Var::constant(Tensor::from_fn(x.shape(), |k| k as f64 + 1.0));
    y.mul(&y).mul(&weights).sum_all()
}

fn main() {
    let values = vec![-3.0, -1.0, -0.2, 0.0, 0.5, 2.0];
    let tape = Tape::new();
    let x = tape.leaf(Tensor::from_vec(values.clone(), &[6]));
    let l = loss(&x);
    println!("the tape: {}", tape.names().join(", "));
    let grads = l.backward();

    println!("      x    dL/dx by the tape    (L(x + h) − L(x − h)) / 2h");
    let h = 1e-5;
    for (i, (&x_i, &ours)) in values.iter().zip(grads.of(&x).expect("L depends on x").as_slice()).enumerate()
    {
        let shifted = |by: f64| {
            let mut moved = values.clone();
            moved[i] += by;
            // A constant is on no tape: nothing is recorded.
            loss(&Var::constant(Tensor::from_vec(moved, &[6]))).value().as_slice()[0]
        };
        let numeric = (shifted(h) - shifted(-h)) / (2.0 * h);
        println!("{x_i:7.2} {ours:20.12} {numeric:20.12}");
        assert!((ours - numeric).abs() < 1e-8, "the gradient is wrong");
    }
}
