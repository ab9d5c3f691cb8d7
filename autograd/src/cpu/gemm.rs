//! Matrix products: the `gemm` crate's kernels, cut into panels for rayon.
//!
//! `gemm` picks its instruction set (SSE2, AVX2, AVX-512, NEON) at run time. Panels depend on the shapes alone and each
//! is computed by one thread, so results do not depend on the number of threads.

use crate::device::MatMul;
use crate::real::Real;
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
    if k == 0 {
        return c; // sums without terms
    }
    // With a bias the product is added to it; without one beta = 0 spares reading C.
    let beta = if bias.is_some() { T::one() } else { T::zero() };
    let alpha = T::of(p.alpha);
    let one = |i: usize, c: &mut [T], panels: usize| {
        let a = matrix(pick(a, p.a_batched, m * k, i), m, k, p.trans_a);
        let b = matrix(pick(b, p.b_batched, k * n, i), k, n, p.trans_b);
        let c = ArrayViewMut2::from_shape((m, n), c).expect("c has m·n elements");
        panelled(alpha, a, b, beta, c, panels);
    };
    let work = m * k * n;
    if batch == 1 {
        one(0, &mut c, (work / TASK).clamp(1, MAX_PANELS));
    } else if batch * work < TASK {
        c.chunks_exact_mut(m * n).enumerate().for_each(|(i, c)| one(i, c, 1));
    } else {
        c.par_chunks_exact_mut(m * n).enumerate().for_each(|(i, c)| one(i, c, 1));
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
        product(alpha, a, b, beta, &mut c);
    } else if m >= n {
        let rows = m.div_ceil(panels);
        c.axis_chunks_iter_mut(Axis(0), rows)
            .into_par_iter()
            .zip(a.axis_chunks_iter(Axis(0), rows))
            .for_each(|(mut c, a)| product(alpha, a, b, beta, &mut c));
    } else {
        let cols = n.div_ceil(panels);
        c.axis_chunks_iter_mut(Axis(1), cols)
            .into_par_iter()
            .zip(b.axis_chunks_iter(Axis(1), cols))
            .for_each(|(mut c, b)| product(alpha, a, b, beta, &mut c));
    }
}

/// C = alpha·A·B + beta·C on the calling thread, for any strides; with beta = 0 the old C is not read.
#[allow(unsafe_code)]
pub(super) fn product<T: Real>(
    alpha: T,
    a: ArrayView2<T>,
    b: ArrayView2<T>,
    beta: T,
    c: &mut ArrayViewMut2<T>,
) {
    let ((m, n), k) = (c.dim(), a.dim().1);
    assert!(
        a.dim() == (m, k) && b.dim() == (k, n),
        "product: sizes {:?}, {:?}, {:?}",
        a.dim(),
        b.dim(),
        c.dim()
    );
    let strides = |s: &[isize]| (s[1], s[0]); // (between columns, between rows)
    let (a_cs, a_rs) = strides(a.strides());
    let (b_cs, b_rs) = strides(b.strides());
    let (c_cs, c_rs) = strides(c.strides());
    let read_c = beta != T::zero();
    // SAFETY: the pointers and strides are those of live ndarray views whose sizes were just checked, so every element
    // that `gemm` addresses (row < m, column < n, depth < k) lies inside its view; C is borrowed mutably, so it overlaps
    // neither A nor B; T is f32 or f64, types that `gemm` knows.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            c_cs,
            c_rs,
            read_c,
            a.as_ptr(),
            a_cs,
            a_rs,
            b.as_ptr(),
            b_cs,
            b_rs,
            beta,
            alpha,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
