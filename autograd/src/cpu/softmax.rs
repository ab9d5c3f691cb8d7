//! Softmax of rows, and its logarithm.

use super::{for_chunks, rows_per_chunk};
use crate::real::Real;

/// Rows of `n`: eˣ⁻ᵐ/Σ with m the row's maximum, or x − m − ln Σ.
pub(crate) fn softmax<T: Real>(x: &[T], n: usize, log: bool) -> Vec<T> {
    let mut y = vec![T::zero(); x.len()];
    for_chunks(&mut y, rows_per_chunk(n) * n.max(1), |first, chunk| {
        for (y, x) in chunk.chunks_exact_mut(n).zip(x[first..].chunks_exact(n)) {
            let max = x.iter().fold(T::neg_infinity(), |max, &x| if x > max { x } else { max });
            let mut sum = T::zero();
            for (y, &x) in y.iter_mut().zip(x) {
                *y = (x - max).exp();
                sum += *y;
            }
            if log {
                // Not x − (m + ln Σ): beside a large m the logarithm would lose its digits.
                let log_sum = sum.ln();
                y.iter_mut().zip(x).for_each(|(y, &x)| *y = (x - max) - log_sum);
            } else {
                let scale = T::one() / sum;
                y.iter_mut().for_each(|y| *y *= scale);
            }
        }
    });
    y
}

/// Given y: softmax dx = y·(dy − Σ y·dy); its logarithm dx = dy − eʸ·Σ dy.
pub(crate) fn softmax_backward<T: Real>(y: &[T], dy: &[T], n: usize, log: bool) -> Vec<T> {
    let mut dx = vec![T::zero(); y.len()];
    for_chunks(&mut dx, rows_per_chunk(n) * n.max(1), |first, chunk| {
        let rows = y[first..].chunks_exact(n).zip(dy[first..].chunks_exact(n));
        for (dx, (y, dy)) in chunk.chunks_exact_mut(n).zip(rows) {
            let pairs = y.iter().zip(dy);
            if log {
                let sum: T = dy.iter().copied().sum();
                dx.iter_mut().zip(pairs).for_each(|(dx, (&y, &dy))| *dx = dy - y.exp() * sum);
            } else {
                let dot: T = pairs.clone().map(|(&y, &dy)| y * dy).sum();
                dx.iter_mut().zip(pairs).for_each(|(dx, (&y, &dy))| *dx = y * (dy - dot));
            }
        }
    });
    dx
}
