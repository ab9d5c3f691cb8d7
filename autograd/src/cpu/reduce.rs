//! Reductions over one (possibly merged) axis: `[outer, len, inner]` to `[outer, inner]`.

use super::{CHUNK, for_chunks};
use crate::device::Reduce;
use crate::real::Real;
use rayon::prelude::*;

/// Rows of one partial sum when there is a single outer block; fixed, so that the order of additions is fixed.
const ROWS_PER_PARTIAL: usize = 256;

/// Dispatches on the kind of reduction.
pub(crate) fn reduce<T: Real>(kind: Reduce, x: &[T], size: (usize, usize, usize)) -> Vec<T> {
    match kind {
        Reduce::Sum => fold(x, size, T::zero(), |a, b| a + b),
        // A comparison with NaN is false, so each branch is written to let NaN win.
        Reduce::Max => fold(x, size, T::neg_infinity(), |a, b| if a > b || a.is_nan() { a } else { b }),
        Reduce::Min => fold(x, size, T::infinity(), |a, b| if a < b || a.is_nan() { a } else { b }),
    }
}

fn fold<T: Real>(
    x: &[T],
    (outer, len, inner): (usize, usize, usize),
    start: T,
    f: impl Fn(T, T) -> T + Sync + Send + Copy,
) -> Vec<T> {
    let mut y = vec![start; outer * inner];
    if len == 0 || y.is_empty() {
        return y;
    }
    if inner == 1 && outer > 1 {
        for_chunks(&mut y, super::rows_per_chunk(len), |first, chunk| {
            chunk
                .iter_mut()
                .enumerate()
                .for_each(|(i, y)| *y = fold_row(&x[(first + i) * len..][..len], start, f));
        });
    } else if inner == 1 {
        let partials: Vec<T> = x.par_chunks(CHUNK).map(|part| fold_row(part, start, f)).collect();
        y[0] = partials.into_iter().fold(start, f);
    } else if outer == 1 {
        let partials: Vec<Vec<T>> =
            x.par_chunks(ROWS_PER_PARTIAL * inner).map(|part| fold_rows(part, inner, start, f)).collect();
        for part in partials {
            y.iter_mut().zip(part).for_each(|(y, x)| *y = f(*y, x));
        }
    } else {
        let blocks = super::rows_per_chunk(len * inner);
        for_chunks(&mut y, blocks * inner, |first, chunk| {
            for (i, y) in chunk.chunks_mut(inner).enumerate() {
                let block = &x[(first / inner + i) * len * inner..][..len * inner];
                y.copy_from_slice(&fold_rows(block, inner, start, f));
            }
        });
    }
    y
}

/// Folds neighbouring values in eight lanes: vectorises, and loses less to rounding than one long chain.
fn fold_row<T: Real>(x: &[T], start: T, f: impl Fn(T, T) -> T) -> T {
    const LANES: usize = 8;
    let mut lanes = [start; LANES];
    let chunks = x.chunks_exact(LANES);
    let tail = chunks.remainder();
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, &x)| *lane = f(*lane, x));
    }
    lanes.into_iter().chain(tail.iter().copied()).fold(start, &f)
}

/// Folds rows of `inner` values into one row, in partial sums of `ROWS_PER_PARTIAL` rows.
fn fold_rows<T: Real>(x: &[T], inner: usize, start: T, f: impl Fn(T, T) -> T) -> Vec<T> {
    let mut y = vec![start; inner];
    let mut part = vec![start; inner];
    for rows in x.chunks(ROWS_PER_PARTIAL * inner) {
        part.fill(start);
        for row in rows.chunks_exact(inner) {
            part.iter_mut().zip(row).for_each(|(y, &x)| *y = f(*y, x));
        }
        y.iter_mut().zip(&part).for_each(|(y, &x)| *y = f(*y, x));
    }
    y
}
