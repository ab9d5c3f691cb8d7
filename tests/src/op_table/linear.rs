//! Matrix products, linear layers.

use super::{Row, normal};
use autograd::{Real, Var};

pub(super) fn rows<T: Real>() -> Vec<Row<T>> {
    let mut rows = products();
    rows.extend(flags());
    rows.extend(sums_with_products());
    rows.extend(layers());
    rows
}

fn products<T: Real>() -> Vec<Row<T>> {
    vec![
        Row::new("matmul", vec![normal(&[3, 4]), normal(&[4, 2])], |x| x[0].matmul(&x[1])),
        Row::new("matmul: one by one", vec![normal(&[1, 1]), normal(&[1, 1])], |x| x[0].matmul(&x[1])),
        Row::new("matmul: row times column", vec![normal(&[1, 5]), normal(&[5, 1])], |x| x[0].matmul(&x[1])),
        Row::new("matmul: column times row", vec![normal(&[5, 1]), normal(&[1, 3])], |x| x[0].matmul(&x[1])),
        Row::new("matmul: batch", vec![normal(&[3, 2, 4]), normal(&[3, 4, 5])], |x| x[0].matmul(&x[1])),
        Row::new("matmul: two batch axes", vec![normal(&[2, 3, 2, 4]), normal(&[2, 3, 4, 3])], |x| {
            x[0].matmul(&x[1])
        }),
        Row::new("matmul: batches repeat", vec![normal(&[2, 1, 3, 4]), normal(&[3, 4, 2])], |x| {
            x[0].matmul(&x[1])
        }),
        Row::new("matmul: a batch of one", vec![normal(&[1, 3, 4]), normal(&[5, 4, 2])], |x| {
            x[0].matmul(&x[1])
        }),
        Row::new(
            "matmul: one matrix for a batch on the right",
            vec![normal(&[3, 2, 4]), normal(&[4, 5])],
            |x| x[0].matmul(&x[1]),
        ),
        Row::new(
            "matmul: one matrix for a batch on the left",
            vec![normal(&[2, 4]), normal(&[3, 4, 5])],
            |x| x[0].matmul(&x[1]),
        ),
        Row::new("matmul: by itself", vec![normal(&[3, 3])], |x| x[0].matmul(&x[0])),
        Row::new("matmul_t", vec![normal(&[3, 4]), normal(&[2, 4])], |x| x[0].matmul_t(&x[1])),
        Row::new("matmul_t: by itself", vec![normal(&[2, 3, 4])], |x| x[0].matmul_t(&x[0])),
        Row::new("matmul_t: one matrix for a batch", vec![normal(&[3, 2, 4]), normal(&[5, 4])], |x| {
            x[0].matmul_t(&x[1])
        }),
    ]
}

/// Transposition flags and the factor, with and without batches.
fn flags<T: Real>() -> Vec<Row<T>> {
    vec![
        Row::new("matmul_with: factor", vec![normal(&[3, 4]), normal(&[4, 2])], |x| {
            x[0].matmul_with(false, &x[1], false, -0.5)
        }),
        Row::new("matmul_with: Aᵀ", vec![normal(&[4, 3]), normal(&[4, 2])], |x| {
            x[0].matmul_with(true, &x[1], false, 1.5)
        }),
        Row::new("matmul_with: Bᵀ", vec![normal(&[3, 4]), normal(&[2, 4])], |x| {
            x[0].matmul_with(false, &x[1], true, 1.5)
        }),
        Row::new("matmul_with: AᵀBᵀ", vec![normal(&[4, 3]), normal(&[2, 4])], |x| {
            x[0].matmul_with(true, &x[1], true, 1.5)
        }),
        Row::new("matmul_with: Aᵀ in a batch", vec![normal(&[2, 4, 3]), normal(&[2, 4, 2])], |x| {
            x[0].matmul_with(true, &x[1], false, 0.3)
        }),
        Row::new("matmul_with: Bᵀ in a batch", vec![normal(&[2, 3, 4]), normal(&[2, 2, 4])], |x| {
            x[0].matmul_with(false, &x[1], true, 0.3)
        }),
        Row::new("matmul_with: AᵀBᵀ in a batch", vec![normal(&[2, 4, 3]), normal(&[2, 2, 4])], |x| {
            x[0].matmul_with(true, &x[1], true, 0.3)
        }),
        Row::new("matmul_with: Aᵀ, batches repeat", vec![normal(&[3, 1, 4, 2]), normal(&[2, 4, 3])], |x| {
            x[0].matmul_with(true, &x[1], false, 2.0)
        }),
        Row::new("matmul_with: Bᵀ, batches repeat", vec![normal(&[1, 3, 4]), normal(&[2, 2, 4])], |x| {
            x[0].matmul_with(false, &x[1], true, 2.0)
        }),
        Row::new(
            "matmul_with: Aᵀ, one matrix for a batch",
            vec![normal(&[3, 4, 2]), normal(&[4, 3])],
            |x| x[0].matmul_with(true, &x[1], false, 2.0),
        ),
        Row::new(
            "matmul_with: AᵀBᵀ, one matrix for a batch",
            vec![normal(&[3, 4, 2]), normal(&[3, 4])],
            |x| x[0].matmul_with(true, &x[1], true, 2.0),
        ),
        Row::new(
            "matmul_with: Aᵀ, one matrix on the left",
            vec![normal(&[4, 2]), normal(&[3, 4, 5])],
            |x| x[0].matmul_with(true, &x[1], false, 2.0),
        ),
    ]
}

/// beta·D + alpha·op(A)·op(B), with D of the product's shape and broadcast to it.
fn sums_with_products<T: Real>() -> Vec<Row<T>> {
    let row = |name: &'static str, d: &[usize], a: &[usize], b: &[usize], trans: [bool; 2]| {
        Row::new(name, vec![normal(d), normal(a), normal(b)], move |x: &[Var<T>]| {
            x[0].baddbmm(0.4, (&x[1], trans[0]), (&x[2], trans[1]), -0.6)
        })
    };
    vec![
        row("baddbmm", &[2, 3, 5], &[2, 3, 4], &[2, 4, 5], [false, false]),
        row("baddbmm: matrices", &[3, 5], &[3, 4], &[4, 5], [false, false]),
        row("baddbmm: Aᵀ", &[2, 3, 5], &[2, 4, 3], &[2, 4, 5], [true, false]),
        row("baddbmm: Bᵀ", &[2, 3, 5], &[2, 3, 4], &[2, 5, 4], [false, true]),
        row("baddbmm: AᵀBᵀ", &[2, 3, 5], &[2, 4, 3], &[2, 5, 4], [true, true]),
        row("baddbmm: one matrix on the left", &[2, 3, 5], &[3, 4], &[2, 4, 5], [false, false]),
        row("baddbmm: one matrix on the right", &[2, 3, 5], &[2, 3, 4], &[5, 4], [false, true]),
        row("baddbmm: batches repeat", &[2, 3, 2, 4], &[2, 1, 2, 3], &[3, 3, 4], [false, false]),
        row("baddbmm: a row is repeated", &[5], &[2, 3, 4], &[2, 4, 5], [false, false]),
        row("baddbmm: a column is repeated", &[3, 1], &[2, 3, 4], &[2, 4, 5], [false, false]),
        row("baddbmm: one by one", &[1, 1], &[1, 1], &[1, 1], [false, false]),
        Row::new("baddbmm: factors 1", vec![normal(&[3, 5]), normal(&[3, 4]), normal(&[4, 5])], |x| {
            x[0].baddbmm(1.0, (&x[1], false), (&x[2], false), 1.0)
        }),
        Row::new("baddbmm: all the same", vec![normal(&[3, 3])], |x| {
            x[0].baddbmm(0.5, (&x[0], true), (&x[0], false), 2.0)
        }),
    ]
}

fn layers<T: Real>() -> Vec<Row<T>> {
    vec![
        Row::new("linear", vec![normal(&[3, 4]), normal(&[5, 4]), normal(&[5])], |x| {
            x[0].linear(&x[1], Some(&x[2]))
        }),
        Row::new("linear: without bias", vec![normal(&[3, 4]), normal(&[5, 4])], |x| {
            x[0].linear(&x[1], None)
        }),
        Row::new("linear: three axes", vec![normal(&[2, 3, 4]), normal(&[5, 4]), normal(&[5])], |x| {
            x[0].linear(&x[1], Some(&x[2]))
        }),
        Row::new("linear: one axis", vec![normal(&[4]), normal(&[3, 4]), normal(&[3])], |x| {
            x[0].linear(&x[1], Some(&x[2]))
        }),
        Row::new("linear: one in, one out", vec![normal(&[3, 1]), normal(&[1, 1]), normal(&[1])], |x| {
            x[0].linear(&x[1], Some(&x[2]))
        }),
        Row::new("linear_gelu", vec![normal(&[3, 4]), normal(&[5, 4]), normal(&[5])], |x| {
            x[0].linear_gelu(&x[1], &x[2])
        }),
        Row::new("linear_gelu: three axes", vec![normal(&[2, 3, 4]), normal(&[5, 4]), normal(&[5])], |x| {
            x[0].linear_gelu(&x[1], &x[2])
        }),
        Row::new("linear_gelu: one axis", vec![normal(&[4]), normal(&[3, 4]), normal(&[3])], |x| {
            x[0].linear_gelu(&x[1], &x[2])
        }),
    ]
}
