//! Matrix products: who computes which part of C. The arithmetic is in `kernel`, the blocking in `product`.
//!
//! Each part is computed by one thread. Where parts are cut depends on the number of threads; the bits do not, because an
//! element of C is one sum over k wherever it is computed.

mod kernel;
mod product;
#[cfg(test)]
mod tests;

pub(crate) use kernel::{Kernels, with_scratch};
pub(crate) use product::{Panels, Start, matrix, packed_len, packed_product, panel_cols, product};

use super::recycle::stale;
use crate::device::{Epilogue, MatMul};
use crate::real::Real;
use ndarray::{ArrayView2, ArrayViewMut2, Axis, s};
use rayon::prelude::*;

/// Multiply-adds below which a part is not worth a task.
const TASK: usize = 1 << 20;
/// Elements of C that are worth a task where something is only added to them.
const ADD_TASK: usize = 1 << 15;
/// Rows of a part that pay for its own copy of B.
const PART_ROWS: usize = 512;
/// Rows of a part at least: with fewer, columns are shared out as well.
const FEW_ROWS: usize = 56;
/// From this many products on, a batch is shared out product by product.
const BATCH: usize = 8;

/// `C[b] = alpha · op(A[b]) · op(B[b]) + epilogue`; see [`MatMul`] and [`Epilogue`]. Cost 2·batch·m·k·n FLOP.
pub(crate) fn matmul<T: Real>(p: MatMul, a: &[T], b: &[T], epilogue: Epilogue<&[T]>) -> Vec<T> {
    match epilogue {
        Epilogue::None => products(p, a, b, None),
        Epilogue::Bias(bias) => products(p, a, b, Some(bias)),
        Epilogue::Add(beta, d) => {
            // Added when the sums are complete, so that it rounds as the sum of a product and a scaled matrix does.
            let mut c = products(p, a, b, None);
            add_scaled(T::of(beta), d, &mut c);
            c
        }
    }
}

/// c += beta·d.
fn add_scaled<T: Real>(beta: T, d: &[T], c: &mut [T]) {
    assert!(c.len() == d.len(), "matmul: {} elements are added to a product of {}", d.len(), c.len());
    let add = |(c, d): (&mut [T], &[T])| c.iter_mut().zip(d).for_each(|(c, &d)| *c += beta * d);
    c.par_chunks_mut(ADD_TASK).zip(d.par_chunks(ADD_TASK)).for_each(add);
}

/// The products, their sums started from a bias if there is one.
fn products<T: Real>(p: MatMul, a: &[T], b: &[T], bias: Option<&[T]>) -> Vec<T> {
    let MatMul { batch, m, k, n, .. } = p;
    let mut c = stale(batch * m * n);
    if c.is_empty() {
        return c;
    }
    if k == 0 {
        // Sums without terms.
        match bias {
            Some(bias) => c.chunks_exact_mut(n).for_each(|row| row.copy_from_slice(bias)),
            None => c.fill(T::zero()),
        }
        return c;
    }
    let alpha = T::of(p.alpha);
    let start = bias.map_or(Start::Zero, Start::Bias);
    let one = |i: usize, c: &mut [T], parallel: bool| {
        let a = matrix(pick(a, p.a_batched, m * k, i), m, k, p.trans_a);
        let b = matrix(pick(b, p.b_batched, k * n, i), k, n, p.trans_b);
        let mut c = ArrayViewMut2::from_shape((m, n), c).expect("c has m·n elements");
        if parallel { shared_product(alpha, a, b, start, c) } else { product(alpha, a, b, start, &mut c) }
    };
    let work = m * k * n;
    if batch < BATCH || batch * work < TASK {
        c.chunks_exact_mut(m * n).enumerate().for_each(|(i, c)| one(i, c, work >= 2 * TASK));
    } else {
        c.par_chunks_exact_mut(m * n).enumerate().for_each(|(i, c)| one(i, c, false));
    }
    c
}

/// Matrix `i` of a batch, or the only one there is.
fn pick<T>(values: &[T], batched: bool, size: usize, i: usize) -> &[T] {
    if batched { &values[i * size..(i + 1) * size] } else { values }
}

/// C = alpha·A·B + start by all threads. Every task lays out the part of B it needs in its own core's cache: shared panels
/// are slower, because each line has to travel when another core wrote it last. For the same reason rows are shared out
/// before columns: two cores that write next to each other in every row exchange a line for every row.
///
/// The cut depends on the number of threads, the bits do not: an element of C is one sum over k, wherever it is computed.
fn shared_product<T: Real>(
    alpha: T,
    a: ArrayView2<T>,
    b: ArrayView2<T>,
    start: Start<T>,
    c: ArrayViewMut2<T>,
) {
    let (m, n) = c.dim();
    let threads = rayon::current_num_threads();
    let parts = threads * (m / (PART_ROWS * threads)).clamp(1, 4);
    // Cuts between register tiles: every element is in a tile of the same kind as without them.
    let rows = m.div_ceil(parts).max(FEW_ROWS).next_multiple_of(T::kernel().rows);
    let columns = n.div_ceil(parts.div_ceil(m.div_ceil(rows))).next_multiple_of(panel_cols::<T>());
    let mut tasks = Vec::new();
    let mut below = c;
    for i in (0..m).step_by(rows) {
        let (mut right, rest) = below.split_at(Axis(0), rows.min(m - i));
        below = rest;
        for j in (0..n).step_by(columns) {
            let (c, rest) = right.split_at(Axis(1), columns.min(n - j));
            right = rest;
            tasks.push((i, j, c));
        }
    }
    tasks.into_par_iter().for_each(|(i, j, mut c)| {
        let (height, width) = c.dim();
        let start = match start {
            Start::Bias(bias) => Start::Bias(&bias[j..j + width]),
            other => other,
        };
        product(alpha, a.slice(s![i..i + height, ..]), b.slice(s![.., j..j + width]), start, &mut c);
    });
}
