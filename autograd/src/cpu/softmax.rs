//! Softmax of rows, and its logarithm.

use super::recycle::stale;
use super::simd::{Kernel, widest};
use super::{for_chunks, lanes, rows_per_chunk};
use crate::real::Real;

/// Rows of `n`: eˣ⁻ᵐ/Σ with m the row's maximum, or x − m − ln Σ.
pub(crate) fn softmax<T: Real>(x: &[T], n: usize, log: bool) -> Vec<T> {
    let mut y = stale(x.len());
    for_chunks(&mut y, rows_per_chunk(n) * n.max(1), |first, y| {
        widest(Softmax { y, x: &x[first..], n, log });
    });
    y
}

struct Softmax<'a, T> {
    y: &'a mut [T],
    x: &'a [T],
    n: usize,
    log: bool,
}

impl<T: Real> Kernel for Softmax<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for (y, x) in self.y.chunks_exact_mut(self.n).zip(self.x.chunks_exact(self.n)) {
            let max = lanes::fold(x, T::neg_infinity(), |max, x| if x > max { x } else { max });
            for (y, &x) in y.iter_mut().zip(x) {
                *y = (x - max).vexp();
            }
            let sum = lanes::sum(y, |y| y);
            if self.log {
                // Not x − (m + ln Σ): beside a large m the logarithm would lose its digits.
                let log_sum = sum.ln();
                for (y, &x) in y.iter_mut().zip(x) {
                    *y = (x - max) - log_sum;
                }
            } else {
                let scale = T::one() / sum;
                for y in y {
                    *y *= scale;
                }
            }
        }
    }
}

/// Given y: softmax dx = y·(dy − Σ y·dy); its logarithm dx = dy − eʸ·Σ dy.
pub(crate) fn softmax_backward<T: Real>(y: &[T], dy: &[T], n: usize, log: bool) -> Vec<T> {
    let mut dx = stale(y.len());
    for_chunks(&mut dx, rows_per_chunk(n) * n.max(1), |first, dx| {
        widest(SoftmaxBackward { dx, y: &y[first..], dy: &dy[first..], n, log });
    });
    dx
}

struct SoftmaxBackward<'a, T> {
    dx: &'a mut [T],
    y: &'a [T],
    dy: &'a [T],
    n: usize,
    log: bool,
}

impl<T: Real> Kernel for SoftmaxBackward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let rows = self.y.chunks_exact(self.n).zip(self.dy.chunks_exact(self.n));
        for (dx, (y, dy)) in self.dx.chunks_exact_mut(self.n).zip(rows) {
            let (dot, sum) = lanes::two_sums((y, dy, dy), |y, dy, _| y * dy, |_, dy, _| dy);
            if self.log {
                for ((dx, &y), &dy) in dx.iter_mut().zip(y).zip(dy) {
                    *dx = dy - y.vexp() * sum;
                }
            } else {
                for ((dx, &y), &dy) in dx.iter_mut().zip(y).zip(dy) {
                    *dx = y * (dy - dot);
                }
            }
        }
    }
}
