//! Reductions over one (possibly merged) axis: `[outer, len, inner]` to `[outer, inner]`.

use super::simd::{Kernel, widest};
use super::{CHUNK, for_chunks, lanes, rows_per_chunk};
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
        for_chunks(&mut y, rows_per_chunk(len), |first, y| {
            widest(Rows { y, x: &x[first * len..], len, start, f });
        });
    } else if inner == 1 {
        let mut partials = vec![start; len.div_ceil(CHUNK)];
        for_chunks(&mut partials, 1, |i, y| {
            let x = &x[i * CHUNK..len.min((i + 1) * CHUNK)];
            widest(Rows { y, x, len: x.len(), start, f });
        });
        y[0] = partials.into_iter().fold(start, f);
    } else if outer == 1 && len <= ROWS_PER_PARTIAL {
        // Few rows: cut along the columns.
        for_chunks(&mut y, CHUNK, |first, y| {
            widest(Columns { y, x: &x[first..], rows: len, inner, f });
        });
    } else if outer == 1 {
        let partials: Vec<Vec<T>> =
            x.par_chunks(ROWS_PER_PARTIAL * inner).map(|part| columns(part, inner, start, f)).collect();
        for part in partials {
            widest(Columns { y: &mut y, x: &part, rows: 1, inner, f });
        }
    } else {
        for_chunks(&mut y, rows_per_chunk(len * inner) * inner, |first, chunk| {
            for (i, y) in chunk.chunks_mut(inner).enumerate() {
                let block = &x[(first / inner + i) * len * inner..][..len * inner];
                for part in block.chunks(ROWS_PER_PARTIAL * inner) {
                    let part = columns(part, inner, start, f);
                    widest(Columns { y, x: &part, rows: 1, inner, f });
                }
            }
        });
    }
    y
}

/// Folds the rows of `x` into one row of `inner` values.
fn columns<T: Real>(x: &[T], inner: usize, start: T, f: impl Fn(T, T) -> T) -> Vec<T> {
    let mut y = vec![start; inner];
    widest(Columns { y: &mut y, x, rows: x.len() / inner, inner, f });
    y
}

/// Each `y` becomes the fold of a row of `len` neighbouring values.
struct Rows<'a, T, F> {
    y: &'a mut [T],
    x: &'a [T],
    len: usize,
    start: T,
    f: F,
}

impl<T: Real, F: Fn(T, T) -> T> Kernel for Rows<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for (y, x) in self.y.iter_mut().zip(self.x.chunks_exact(self.len)) {
            *y = lanes::fold(x, self.start, &self.f);
        }
    }
}

/// Folds `rows` rows, each `inner` after the one before, into `y`.
struct Columns<'a, T, F> {
    y: &'a mut [T],
    x: &'a [T],
    rows: usize,
    inner: usize,
    f: F,
}

impl<T: Real, F: Fn(T, T) -> T> Kernel for Columns<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for row in 0..self.rows {
            for (y, &x) in self.y.iter_mut().zip(&self.x[row * self.inner..]) {
                *y = (self.f)(*y, x);
            }
        }
    }
}
