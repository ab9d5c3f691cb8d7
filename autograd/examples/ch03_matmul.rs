//! Chapter 3: a matrix product and its two gradients, which are matrix products.
//!
//! `cargo run -p autograd --example ch03_matmul`

use autograd::{Tape, Tensor, Var};
use std::process::ExitCode;

mod course;

/// A `[2, 3]`, B `[3, 2]`, and the gradient dC `[2, 2]` that arrives for C = A·B.
fn matrices() -> [Tensor<f64>; 3] {
    [
        Tensor::from_vec(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]),
        Tensor::from_vec(vec![1.0, -1.0, 0.0, 2.0, 3.0, 1.0], &[3, 2]),
        Tensor::from_vec(vec![1.0, 0.0, -2.0, 1.0], &[2, 2]),
    ]
}

fn print_matrix(name: &str, x: &Tensor<f64>) {
    let (mut name, columns) = (name, x.size(-1));
    for row in x.as_slice().chunks(columns) {
        let cells: Vec<String> = row.iter().map(|x| format!("{x:4}")).collect();
        println!("{name:<14}{}", cells.join(""));
        name = "";
    }
}

// ANCHOR: loops
/// dA and dB element by element, from C_ij = Σ_l A_il·B_lj: every product A_il·B_lj hands dC_ij on to both factors.
fn gradients_by_loops(a: &Tensor<f64>, b: &Tensor<f64>, dc: &Tensor<f64>) -> [Tensor<f64>; 2] {
    let (m, k, n) = (a.size(0), a.size(1), b.size(1));
    let (a, b, dc) = (a.as_slice(), b.as_slice(), dc.as_slice());
    let (mut da, mut db) = (vec![0.0; m * k], vec![0.0; k * n]);
    for i in 0..m {
        for j in 0..n {
            for l in 0..k {
                da[i * k + l] += dc[i * n + j] * b[l * n + j];
                db[l * n + j] += dc[i * n + j] * a[i * k + l];
            }
        }
    }
    [Tensor::from_vec(da, &[m, k]), Tensor::from_vec(db, &[k, n])]
}
// ANCHOR_END: loops

// ANCHOR: tape
/// C, dA and dB by tape.
fn by_tape(a: &Tensor<f64>, b: &Tensor<f64>, dc: &Tensor<f64>) -> [Tensor<f64>; 3] {
    let tape = Tape::new();
    let (a, b) = (tape.leaf(a.clone()), tape.leaf(b.clone()));
    let c = a.matmul(&b);
    let value = c.value().clone();
    let grads = c.backward_with(dc.clone());
    let of = |leaf: &Var<f64>| grads.of(leaf).expect("C depends on both").clone();
    [value, of(&a), of(&b)]
}
// ANCHOR_END: tape

fn lesson() {
    let [a, b, dc] = matrices();
    let [c, da, db] = by_tape(&a, &b, &dc);
    for (name, x) in
        [("A", &a), ("B", &b), ("C = A·B", &c), ("dC", &dc), ("dA, tape", &da), ("dB, tape", &db)]
    {
        print_matrix(name, x);
    }
    // ANCHOR: products
    let products = [dc.matmul(false, &b, true, 1.0), a.matmul(true, &dc, false, 1.0)]; // dC·Bᵀ, Aᵀ·dC
    // ANCHOR_END: products
    for (way, [da2, db2]) in [("dC·Bᵀ and Aᵀ·dC", products), ("three loops", gradients_by_loops(&a, &b, &dc))]
    {
        let same = da2.as_slice() == da.as_slice() && db2.as_slice() == db.as_slice();
        println!("{way}: {}", if same { "the same numbers" } else { "DIFFERENT" });
    }

    println!("\none W [2, 3] for a batch of four rows x: dW sums over the batch");
    let tape = Tape::new();
    let x = Tensor::from_fn(&[4, 3], |e| e as f64);
    print_matrix("x", &x);
    let w = tape.leaf(a);
    let grads = Var::constant(x).matmul_t(&w).sum_all().backward(); // y = x·Wᵀ [4, 2], dy = 1
    print_matrix("dW", grads.of(&w).expect("y depends on W"));
}

/// dL/dB₂₁ for L = C₀₁ + 2·C₁₁: dC has a 1 and a 2 in its second column.
fn truth() -> Vec<f64> {
    let [a, b, _] = matrices();
    let [_, _, db] = by_tape(&a, &b, &Tensor::from_vec(vec![0.0, 1.0, 0.0, 2.0], &[2, 2]));
    vec![db.as_slice()[2 * 2 + 1]]
}

fn main() -> ExitCode {
    course::run(
        lesson,
        "L = C₀₁ + 2·C₁₁ with the same A and B (counted from 0). What is dL/dB₂₁?",
        truth,
        "Row 2 of Aᵀ is column 2 of A; take its dot product with column 1 of dC.",
    )
}
