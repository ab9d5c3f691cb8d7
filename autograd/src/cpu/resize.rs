//! Separable resampling of `[planes, H, W]` by two taps per axis: bilinear, or nearest when the weights are 0.

use super::for_chunks;
use crate::device::ResizeGeometry;
use crate::real::Real;

/// y[i][j] = Σ over the two row taps and the two column taps.
pub(crate) fn resize2d<T: Real>(g: &ResizeGeometry, x: &[T]) -> Vec<T> {
    let [h, w] = g.input;
    let out = g.rows.len() * g.cols.len();
    let cols = typed::<T>(&g.cols);
    let mut y = vec![T::zero(); g.planes * out];
    for_chunks(&mut y, out, |first, y| {
        let plane = &x[first / out * h * w..][..h * w];
        let mut blend = vec![T::zero(); w]; // the two source rows, mixed once per output row
        for (y, tap) in y.chunks_exact_mut(cols.len()).zip(&g.rows) {
            let weight = T::of(tap.weight);
            let (low, high) = (&plane[tap.low * w..][..w], &plane[tap.high * w..][..w]);
            blend.iter_mut().zip(low.iter().zip(high)).for_each(|(b, (&l, &h))| *b = mix(l, h, weight));
            for (y, &(low, high, weight)) in y.iter_mut().zip(&cols) {
                *y = mix(blend[low], blend[high], weight);
            }
        }
    });
    y
}

/// Transpose of `resize2d`: every dy goes back to its four sources with the same weights.
pub(crate) fn resize2d_backward<T: Real>(g: &ResizeGeometry, dy: &[T]) -> Vec<T> {
    let [h, w] = g.input;
    let out = g.rows.len() * g.cols.len();
    let cols = typed::<T>(&g.cols);
    let mut dx = vec![T::zero(); g.planes * h * w];
    for_chunks(&mut dx, h * w, |first, dx| {
        let mut blend = vec![T::zero(); w];
        let dy = &dy[first / (h * w) * out..][..out];
        for (dy, tap) in dy.chunks_exact(cols.len()).zip(&g.rows) {
            blend.fill(T::zero());
            for (&dy, &(low, high, weight)) in dy.iter().zip(&cols) {
                blend[low] += (T::one() - weight) * dy;
                blend[high] += weight * dy;
            }
            let weight = T::of(tap.weight);
            dx[tap.low * w..][..w].iter_mut().zip(&blend).for_each(|(dx, &b)| *dx += (T::one() - weight) * b);
            dx[tap.high * w..][..w].iter_mut().zip(&blend).for_each(|(dx, &b)| *dx += weight * b);
        }
    });
    dx
}

/// (1 − weight)·low + weight·high. At weight 0 it is `low` itself: infinity minus infinity would be NaN.
fn mix<T: Real>(low: T, high: T, weight: T) -> T {
    if weight == T::zero() { low } else { low + weight * (high - low) }
}

fn typed<T: Real>(taps: &[crate::device::Tap]) -> Vec<(usize, usize, T)> {
    taps.iter().map(|tap| (tap.low, tap.high, T::of(tap.weight))).collect()
}
