//! Chapter 2: how a gradient is known to be right. Central differences, the step that suits them, and wrong gradients, one
//! of which hides until the check stands in the middle of a graph.
//!
//! `cargo run -p autograd --example ch02_gradcheck`

use autograd::gradcheck::GradcheckError;
use autograd::{GradcheckOptions, Tape, Tensor, Var, gradcheck, record};
use std::process::ExitCode;

mod course;

fn cube(x: f64) -> f64 {
    x * x * x
}

// ANCHOR: difference
/// The slope of `f` at x by a central difference with step h.
fn central_difference(f: impl Fn(f64) -> f64, x: f64, h: f64) -> f64 {
    (f(x + h) - f(x - h)) / (2.0 * h)
}
// ANCHOR_END: difference

fn steps() {
    println!("x³ at x = 1.5: error of the central difference");
    for h in [1e-2, 1e-4, 1e-5, 1e-6, 1e-8, 1e-10, 1e-12] {
        let error = (central_difference(cube, 1.5, h) - 3.0 * 1.5 * 1.5).abs();
        println!("   h = {h:.0e}   {error:.0e}");
    }
}

// ANCHOR: squares
/// y = x², with a backward pass of your choice: dx from x and dy.
fn square(x: &Var<f64>, dx: fn(&Tensor<f64>, &Tensor<f64>) -> Tensor<f64>) -> Var<f64> {
    let saved = x.value().clone();
    record("square", saved.mul(&saved), &[x], move |dy, sink| sink.add(0, || dx(&saved, dy)))
}

fn right(x: &Tensor<f64>, dy: &Tensor<f64>) -> Tensor<f64> {
    x.scale(2.0).mul(dy)
}

fn forgets_the_two(x: &Tensor<f64>, dy: &Tensor<f64>) -> Tensor<f64> {
    x.mul(dy)
}

fn forgets_dy(x: &Tensor<f64>, _: &Tensor<f64>) -> Tensor<f64> {
    x.scale(2.0)
}

fn off_by_little(x: &Tensor<f64>, dy: &Tensor<f64>) -> Tensor<f64> {
    x.scale(2.00001).mul(dy)
}
// ANCHOR_END: squares

// ANCHOR: naive
/// The check one writes first: the op is the last but the sum, so that every dy it ever sees is 1.
fn passes_as_a_loss(f: impl Fn(&Var<f64>) -> Var<f64>, x: &Tensor<f64>) -> bool {
    let tape = Tape::new();
    let leaf = tape.leaf(x.clone());
    let grads = f(&leaf).sum_all().backward();
    let ours = grads.of(&leaf).expect("f uses it").as_slice();
    x.as_slice().iter().zip(ours).all(|(&x, &dx)| {
        let at = |x: f64| f(&Var::constant(Tensor::scalar(x))).value().as_slice()[0];
        (central_difference(at, x, 1e-5) - dx).abs() < 1e-6 * dx.abs()
    })
}
// ANCHOR_END: naive

fn wrong_gradients() {
    let x = [Tensor::from_vec(vec![0.3, -1.2, 2.0], &[3])];
    println!("\nbackward pass of x²       as the loss   mid-graph");
    type Rule = fn(&Tensor<f64>, &Tensor<f64>) -> Tensor<f64>;
    let rules: [(&str, Rule); 4] =
        [("2·x·dy", right), ("x·dy", forgets_the_two), ("2·x", forgets_dy), ("2.00001·x·dy", off_by_little)];
    for (name, rule) in rules {
        let naive = if passes_as_a_loss(|x| square(x, rule), &x[0]) { "passes" } else { "caught" };
        // ANCHOR: check
        let checked = gradcheck(|x| square(&x[0], rule), &x, GradcheckOptions::default());
        // ANCHOR_END: check
        let verdict = match checked {
            Ok(report) => format!("passes: {} derivatives", report.checked),
            Err(GradcheckError::Differs { worst, .. }) => {
                format!("caught: {:.5} against {:.5}", worst.analytic, worst.numeric)
            }
            Err(other) => other.to_string(),
        };
        println!("   {name:<22} {naive:<13} {verdict}");
    }
}

fn lesson() {
    steps();
    wrong_gradients();
}

/// What the central difference of x³ at x = 2 with h = 0.1 has too much, against the gradient by tape.
fn truth() -> Vec<f64> {
    let tape = Tape::new();
    let x = tape.leaf(Tensor::scalar(2.0));
    let exact = x.mul(&x).mul(&x).backward().of(&x).expect("x is used").as_slice()[0];
    vec![central_difference(cube, 2.0, 0.1) - exact]
}

fn main() -> ExitCode {
    course::run(
        lesson,
        "by how much does the central difference of x³ at x = 2 with h = 0.1 exceed the derivative?",
        truth,
        "Expand (x + h)³ and (x − h)³; in their difference every even power of h is gone.",
    )
}
