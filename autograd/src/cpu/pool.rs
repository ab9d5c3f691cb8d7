//! Pooling over `[planes, H, W]`; every output row and column covers a range of the input.
//!
//! Each output row first combines its input rows, column by column, which vectorises; then every window combines the few
//! columns it covers.

use super::recycle::{stale, zeros};
use super::simd::{Kernel, widest};
use super::{for_chunks, rows_per_chunk};
use crate::device::{Pool, PoolGeometry};
use crate::real::Real;
use std::hint::select_unpredictable as choose;

/// Maximum or mean of every window.
pub(crate) fn pool2d<T: Real>(g: &PoolGeometry, x: &[T]) -> Vec<T> {
    let (input, out) = (g.input[0] * g.input[1], g.rows.len() * g.cols.len());
    let mut y = stale(g.planes * out);
    for_chunks(&mut y, rows_per_chunk(input) * out, |first, y| {
        let x = &x[first / out * input..];
        match g.kind {
            Pool::Max => widest(MaxForward { g, y, x }),
            Pool::Avg => widest(AvgForward { g, y, x }),
        }
    });
    y
}

/// dy goes to the first maximum of its window, or to all of its pixels in equal shares.
pub(crate) fn pool2d_backward<T: Real>(g: &PoolGeometry, x: &[T], dy: &[T]) -> Vec<T> {
    let (input, out) = (g.input[0] * g.input[1], g.rows.len() * g.cols.len());
    let mut dx = zeros(x.len());
    for_chunks(&mut dx, rows_per_chunk(input) * input, |first, dx| {
        let (x, dy) = (&x[first..], &dy[first / input * out..]);
        match g.kind {
            Pool::Max => widest(MaxBackward { g, dx, x, dy }),
            Pool::Avg => widest(AvgBackward { g, dx, dy }),
        }
    });
    dx
}

/// Whether `new` is a larger maximum than `old`; NaN is larger than anything, so that it is not hidden.
#[inline(always)]
fn larger<T: Real>(new: T, old: T) -> bool {
    (new > old) | (new.is_nan() & !old.is_nan())
}

struct MaxForward<'a, T> {
    g: &'a PoolGeometry,
    y: &'a mut [T],
    x: &'a [T],
}

impl<T: Real> Kernel for MaxForward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let ([h, w], width) = (self.g.input, self.g.cols.len());
        let mut tallest = vec![T::zero(); w]; // the maximum of each column over the window's rows
        let planes = self.y.chunks_exact_mut(self.g.rows.len() * width).zip(self.x.chunks_exact(h * w));
        for (y, x) in planes {
            for (y, rows) in y.chunks_exact_mut(width).zip(&self.g.rows) {
                tallest.copy_from_slice(&x[rows.0 * w..][..w]);
                for row in rows.0 + 1..rows.1 {
                    for (max, &x) in tallest.iter_mut().zip(&x[row * w..][..w]) {
                        *max = choose(larger(x, *max), x, *max);
                    }
                }
                for (y, cols) in y.iter_mut().zip(&self.g.cols) {
                    let mut max = tallest[cols.0];
                    for &x in &tallest[cols.0 + 1..cols.1] {
                        max = choose(larger(x, max), x, max);
                    }
                    *y = max;
                }
            }
        }
    }
}

struct MaxBackward<'a, T> {
    g: &'a PoolGeometry,
    dx: &'a mut [T],
    x: &'a [T],
    dy: &'a [T],
}

impl<T: Real> Kernel for MaxBackward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let ([h, w], width) = (self.g.input, self.g.cols.len());
        // The maximum of each column over the window's rows, and the first row that holds it.
        let (mut tallest, mut place) = (vec![T::zero(); w], vec![0u32; w]);
        let planes = self.x.chunks_exact(h * w).zip(self.dy.chunks_exact(self.g.rows.len() * width));
        for (dx, (x, dy)) in self.dx.chunks_exact_mut(h * w).zip(planes) {
            for (dy, rows) in dy.chunks_exact(width).zip(&self.g.rows) {
                tallest.copy_from_slice(&x[rows.0 * w..][..w]);
                place.fill(rows.0 as u32);
                for row in rows.0 + 1..rows.1 {
                    for ((max, place), &x) in tallest.iter_mut().zip(&mut place).zip(&x[row * w..][..w]) {
                        let is_larger = larger(x, *max);
                        *max = choose(is_larger, x, *max);
                        *place = choose(is_larger, row as u32, *place);
                    }
                }
                for (&dy, cols) in dy.iter().zip(&self.g.cols) {
                    let mut best = cols.0;
                    for col in cols.0 + 1..cols.1 {
                        // Of equals, the one in the upper row comes first.
                        let (new, old) = (tallest[col], tallest[best]);
                        let first = larger(new, old) | (!larger(old, new) & (place[col] < place[best]));
                        best = choose(first, col, best);
                    }
                    dx[place[best] as usize * w + best] += dy;
                }
            }
        }
    }
}

/// What the sum over a window is divided by.
#[inline(always)]
fn divisor<T: Real>(g: &PoolGeometry, rows: (usize, usize), cols: (usize, usize)) -> T {
    let covered = (rows.1 - rows.0) * (cols.1 - cols.0);
    T::of(g.divisor.unwrap_or(covered) as f64)
}

struct AvgForward<'a, T> {
    g: &'a PoolGeometry,
    y: &'a mut [T],
    x: &'a [T],
}

impl<T: Real> Kernel for AvgForward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let ([h, w], width) = (self.g.input, self.g.cols.len());
        let mut sums = vec![T::zero(); w]; // of each column over the window's rows
        let planes = self.y.chunks_exact_mut(self.g.rows.len() * width).zip(self.x.chunks_exact(h * w));
        for (y, x) in planes {
            for (y, &rows) in y.chunks_exact_mut(width).zip(&self.g.rows) {
                sums.fill(T::zero());
                for row in rows.0..rows.1 {
                    for (sum, &x) in sums.iter_mut().zip(&x[row * w..][..w]) {
                        *sum += x;
                    }
                }
                for (y, &cols) in y.iter_mut().zip(&self.g.cols) {
                    let mut sum = T::zero();
                    for &x in &sums[cols.0..cols.1] {
                        sum += x;
                    }
                    *y = sum / divisor(self.g, rows, cols);
                }
            }
        }
    }
}

struct AvgBackward<'a, T> {
    g: &'a PoolGeometry,
    dx: &'a mut [T],
    dy: &'a [T],
}

impl<T: Real> Kernel for AvgBackward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let ([h, w], width) = (self.g.input, self.g.cols.len());
        let mut shares = vec![T::zero(); w]; // what each column gets, in every row of the window
        let planes = self.dx.chunks_exact_mut(h * w).zip(self.dy.chunks_exact(self.g.rows.len() * width));
        for (dx, dy) in planes {
            for (dy, &rows) in dy.chunks_exact(width).zip(&self.g.rows) {
                shares.fill(T::zero());
                for (&dy, &cols) in dy.iter().zip(&self.g.cols) {
                    let share = dy / divisor(self.g, rows, cols);
                    for sum in &mut shares[cols.0..cols.1] {
                        *sum += share;
                    }
                }
                for row in rows.0..rows.1 {
                    for (dx, &share) in dx[row * w..][..w].iter_mut().zip(&shares) {
                        *dx += share;
                    }
                }
            }
        }
    }
}
