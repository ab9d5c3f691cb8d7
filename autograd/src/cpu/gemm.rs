//! Matrix products: matrixmultiply's kernels (through `ndarray`), cut into panels for rayon.

use crate::device::MatMul;
use crate::real::Real;
use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2, Axis, ShapeBuilder};
use rayon::prelude::*;

/// Multiply-adds below which a product is not worth a second task.
const TASK: usize = 1 << 20;
/// Most panels one product is cut into; more would pack B too often.
const MAX_PANELS: usize = 8;

/// `C[b] = alpha · op(A[b]) · op(B[b]) (+ bias)`; see [`MatMul`]. Cost 2·batch·m·k·n FLOP.
pub(crate) fn matmul<T: Real>(p: MatMul, a: &[T], b: &[T], bias: Option<&[T]>) -> Vec<T> {
    let MatMul { batch, m, k, n, .. } = p;
    let mut c = vec![T::zero(); batch * m * n];
    if c.is_empty() {
        return c;
    }
    if let Some(bias) = bias {
        c.par_chunks_exact_mut(n).for_each(|row| row.copy_from_slice(bias));
    }
    // With a bias the product is added to it; without one beta = 0 spares reading C.
    let beta = if bias.is_some() { T::one() } else { T::zero() };
    let alpha = T::of(p.alpha);
    let product = |i: usize, c: &mut [T], panels: usize| {
        let a = matrix(pick(a, p.a_batched, m * k, i), m, k, p.trans_a);
        let b = matrix(pick(b, p.b_batched, k * n, i), k, n, p.trans_b);
        let c = ArrayViewMut2::from_shape((m, n), c).expect("c has m·n elements");
        panelled(alpha, a, b, beta, c, panels);
    };
    let work = m * k * n;
    if batch == 1 {
        product(0, &mut c, (work / TASK).clamp(1, MAX_PANELS));
    } else if batch * work < TASK {
        c.chunks_exact_mut(m * n).enumerate().for_each(|(i, c)| product(i, c, 1));
    } else {
        c.par_chunks_exact_mut(m * n).enumerate().for_each(|(i, c)| product(i, c, 1));
    }
    c
}

/// Matrix `i` of a batch, or the only one there is.
fn pick<T>(values: &[T], batched: bool, size: usize, i: usize) -> &[T] {
    if batched { &values[i * size..(i + 1) * size] } else { values }
}

/// `rows × cols` over stored values; a transposed matrix is stored `[cols, rows]`.
pub(crate) fn matrix<T>(values: &[T], rows: usize, cols: usize, transposed: bool) -> ArrayView2<'_, T> {
    let strides = if transposed { (1, rows) } else { (cols, 1) };
    ArrayView2::from_shape((rows, cols).strides(strides), values).expect("the matrix has rows·cols elements")
}

/// C = alpha·A·B + beta·C, cut along the longer side of C.
fn panelled<T: Real>(
    alpha: T,
    a: ArrayView2<T>,
    b: ArrayView2<T>,
    beta: T,
    mut c: ArrayViewMut2<T>,
    panels: usize,
) {
    let (m, n) = c.dim();
    if panels == 1 {
        general_mat_mul(alpha, &a, &b, beta, &mut c);
    } else if m >= n {
        let rows = m.div_ceil(panels);
        c.axis_chunks_iter_mut(Axis(0), rows)
            .into_par_iter()
            .zip(a.axis_chunks_iter(Axis(0), rows))
            .for_each(|(mut c, a)| general_mat_mul(alpha, &a, &b, beta, &mut c));
    } else {
        let cols = n.div_ceil(panels);
        c.axis_chunks_iter_mut(Axis(1), cols)
            .into_par_iter()
            .zip(b.axis_chunks_iter(Axis(1), cols))
            .for_each(|(mut c, b)| general_mat_mul(alpha, &a, &b, beta, &mut c));
    }
}
