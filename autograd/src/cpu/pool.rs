//! Pooling over `[planes, H, W]`; every output row and column covers a range of the input.

use super::for_chunks;
use crate::device::{Pool, PoolGeometry};
use crate::real::Real;

/// Maximum or mean of every window.
pub(crate) fn pool2d<T: Real>(g: &PoolGeometry, x: &[T]) -> Vec<T> {
    let [h, w] = g.input;
    let out = g.rows.len() * g.cols.len();
    let mut y = vec![T::zero(); g.planes * out];
    for_chunks(&mut y, out, |first, y| {
        let plane = &x[first / out * h * w..][..h * w];
        let windows = g.rows.iter().flat_map(|&rows| g.cols.iter().map(move |&cols| (rows, cols)));
        for (y, (rows, cols)) in y.iter_mut().zip(windows) {
            *y = match g.kind {
                Pool::Max => plane[argmax(plane, w, rows, cols)],
                Pool::Avg => sum(plane, w, rows, cols) / divisor(g, rows, cols),
            };
        }
    });
    y
}

/// dy goes to the first maximum of its window, or to all of its pixels in equal shares.
pub(crate) fn pool2d_backward<T: Real>(g: &PoolGeometry, x: &[T], dy: &[T]) -> Vec<T> {
    let [h, w] = g.input;
    let out = g.rows.len() * g.cols.len();
    let mut dx = vec![T::zero(); x.len()];
    for_chunks(&mut dx, h * w, |first, dx| {
        let plane = &x[first..first + h * w];
        let windows = g.rows.iter().flat_map(|&rows| g.cols.iter().map(move |&cols| (rows, cols)));
        for (&dy, (rows, cols)) in dy[first / (h * w) * out..].iter().zip(windows) {
            match g.kind {
                Pool::Max => dx[argmax(plane, w, rows, cols)] += dy,
                Pool::Avg => {
                    let share = dy / divisor(g, rows, cols);
                    for y in rows.0..rows.1 {
                        dx[y * w + cols.0..y * w + cols.1].iter_mut().for_each(|dx| *dx += share);
                    }
                }
            }
        }
    });
    dx
}

fn divisor<T: Real>(g: &PoolGeometry, rows: (usize, usize), cols: (usize, usize)) -> T {
    let covered = (rows.1 - rows.0) * (cols.1 - cols.0);
    T::of(g.divisor.unwrap_or(covered) as f64)
}

fn sum<T: Real>(plane: &[T], w: usize, rows: (usize, usize), cols: (usize, usize)) -> T {
    (rows.0..rows.1).map(|y| plane[y * w + cols.0..y * w + cols.1].iter().copied().sum::<T>()).sum()
}

/// Position of the first maximum; NaN counts as larger than anything, so that it is not hidden.
fn argmax<T: Real>(plane: &[T], w: usize, rows: (usize, usize), cols: (usize, usize)) -> usize {
    let mut best = rows.0 * w + cols.0;
    for y in rows.0..rows.1 {
        for at in y * w + cols.0..y * w + cols.1 {
            if plane[at] > plane[best] || plane[at].is_nan() && !plane[best].is_nan() {
                best = at;
            }
        }
    }
    best
}
