//! Matrix products, linear layers.

use super::{Row, normal};
use autograd::Real;

pub(super) fn rows<T: Real>() -> Vec<Row<T>> {
    let mut rows = products();
    rows.extend(flags());
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
    ]
}
