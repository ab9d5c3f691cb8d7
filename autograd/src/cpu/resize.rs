//! Separable resampling of `[planes, H, W]` by two taps per axis: bilinear, or nearest when the weights are 0.
//!
//! Rows are resampled first, one value at a time, into a plane of the old height and the new width; its rows are then
//! mixed whole, which vectorises. The gradient goes the same way back.

use super::recycle::{stale, zeros};
use super::simd::{Kernel, widest};
use super::{for_chunks, rows_per_chunk};
use crate::device::{ResizeGeometry, Tap};
use crate::real::Real;

/// y[i][j] = Σ over the two row taps and the two column taps.
pub(crate) fn resize2d<T: Real>(g: &ResizeGeometry, x: &[T]) -> Vec<T> {
    let (input, out) = (g.input[0] * g.input[1], g.rows.len() * g.cols.len());
    let cols = typed::<T>(&g.cols);
    let mut y = stale(g.planes * out);
    for_chunks(&mut y, rows_per_chunk(input.max(out)) * out, |first, y| {
        widest(Forward { g, cols: &cols, y, x: &x[first / out * input..] });
    });
    y
}

struct Forward<'a, T> {
    g: &'a ResizeGeometry,
    cols: &'a [(usize, usize, T)],
    y: &'a mut [T],
    x: &'a [T],
}

impl<T: Real> Kernel for Forward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let ([h, w], width) = (self.g.input, self.cols.len());
        let mut used = vec![false; h];
        self.g.rows.iter().for_each(|tap| (used[tap.low], used[tap.high]) = (true, true));
        let mut wide = vec![T::zero(); h * width]; // [H, new W]
        let planes = self.y.chunks_exact_mut(self.g.rows.len() * width).zip(self.x.chunks_exact(h * w));
        for (y, x) in planes {
            for ((wide, x), &used) in wide.chunks_exact_mut(width).zip(x.chunks_exact(w)).zip(&used) {
                if used {
                    for (wide, &(low, high, weight)) in wide.iter_mut().zip(self.cols) {
                        *wide = mix(x[low], x[high], weight);
                    }
                }
            }
            for (y, tap) in y.chunks_exact_mut(width).zip(&self.g.rows) {
                let (low, high) = (&wide[tap.low * width..][..width], &wide[tap.high * width..][..width]);
                let weight = T::of(tap.weight);
                if weight == T::zero() {
                    y.copy_from_slice(low);
                } else {
                    for ((y, &low), &high) in y.iter_mut().zip(low).zip(high) {
                        *y = low + weight * (high - low);
                    }
                }
            }
        }
    }
}

/// Transpose of `resize2d`: every dy goes back to its four sources with the same weights.
pub(crate) fn resize2d_backward<T: Real>(g: &ResizeGeometry, dy: &[T]) -> Vec<T> {
    let (input, out) = (g.input[0] * g.input[1], g.rows.len() * g.cols.len());
    let cols = typed::<T>(&g.cols);
    let mut dx = zeros(g.planes * input);
    for_chunks(&mut dx, rows_per_chunk(input.max(out)) * input, |first, dx| {
        widest(Backward { g, cols: &cols, dx, dy: &dy[first / input * out..] });
    });
    dx
}

struct Backward<'a, T> {
    g: &'a ResizeGeometry,
    cols: &'a [(usize, usize, T)],
    dx: &'a mut [T],
    dy: &'a [T],
}

impl<T: Real> Kernel for Backward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let ([h, w], width, one) = (self.g.input, self.cols.len(), T::one());
        let mut wide = vec![T::zero(); h * width]; // [H, new W]
        let planes = self.dx.chunks_exact_mut(h * w).zip(self.dy.chunks_exact(self.g.rows.len() * width));
        for (dx, dy) in planes {
            wide.fill(T::zero());
            for (dy, tap) in dy.chunks_exact(width).zip(&self.g.rows) {
                let weight = T::of(tap.weight);
                for (row, share) in [(tap.low, one - weight), (tap.high, weight)] {
                    for (wide, &dy) in wide[row * width..][..width].iter_mut().zip(dy) {
                        *wide += share * dy;
                    }
                }
            }
            for (dx, wide) in dx.chunks_exact_mut(w).zip(wide.chunks_exact(width)) {
                for (&d, &(low, high, weight)) in wide.iter().zip(self.cols) {
                    dx[low] += (one - weight) * d;
                    dx[high] += weight * d;
                }
            }
        }
    }
}

/// (1 − weight)·low + weight·high. At weight 0 it is `low` itself: infinity minus infinity would be NaN.
#[inline(always)]
fn mix<T: Real>(low: T, high: T, weight: T) -> T {
    if weight == T::zero() { low } else { low + weight * (high - low) }
}

fn typed<T: Real>(taps: &[Tap]) -> Vec<(usize, usize, T)> {
    taps.iter().map(|tap| (tap.low, tap.high, T::of(tap.weight))).collect()
}
