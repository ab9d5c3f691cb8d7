//! Normalisation to mean 0 and variance 1, over rows (layer norm, group norm) and over channels (batch norm).

use super::{for_chunks, rows_per_chunk};
use crate::real::Real;
use rayon::prelude::*;

/// Rows of `n`: x̂ = (x − μ)/σ with σ² = biased variance + eps; returns (x̂, 1/σ per row).
pub(crate) fn normalize_rows<T: Real>(x: &[T], n: usize, eps: T) -> (Vec<T>, Vec<T>) {
    let mut xhat = vec![T::zero(); x.len()];
    let mut rstd = vec![T::zero(); x.len() / n];
    let rows = rows_per_chunk(n);
    let size = T::of(n as f64);
    xhat.par_chunks_mut(rows * n).zip(rstd.par_chunks_mut(rows)).enumerate().for_each(|(i, (xhat, rstd))| {
        let x = x[i * rows * n..].chunks_exact(n);
        for ((xhat, rstd), x) in xhat.chunks_exact_mut(n).zip(rstd).zip(x) {
            let mean = lane_sum(x, |x| x) / size;
            xhat.iter_mut().zip(x).for_each(|(xhat, &x)| *xhat = x - mean);
            let var = lane_sum(xhat, |d| d * d) / size;
            *rstd = T::one() / (var + eps).sqrt();
            xhat.iter_mut().for_each(|xhat| *xhat *= *rstd);
        }
    });
    (xhat, rstd)
}

/// dx = (dx̂ − mean(dx̂) − x̂·mean(x̂·dx̂))/σ per row.
pub(crate) fn normalize_rows_backward<T: Real>(xhat: &[T], rstd: &[T], dxhat: &[T], n: usize) -> Vec<T> {
    let mut dx = vec![T::zero(); xhat.len()];
    let size = T::of(n as f64);
    for_chunks(&mut dx, rows_per_chunk(n) * n, |first, chunk| {
        let rows = xhat[first..].chunks_exact(n).zip(dxhat[first..].chunks_exact(n)).zip(&rstd[first / n..]);
        for (dx, ((xhat, dxhat), &rstd)) in chunk.chunks_exact_mut(n).zip(rows) {
            let mean = lane_sum(dxhat, |d| d) / size;
            let slope = lane_dot(xhat, dxhat) / size;
            let pairs = xhat.iter().zip(dxhat);
            dx.iter_mut().zip(pairs).for_each(|(dx, (&x, &d))| *dx = (d - mean - x * slope) * rstd);
        }
    });
    dx
}

/// `[batch, channels, inner]`: every channel over batch and inner; returns (x̂, mean, biased variance).
pub(crate) fn normalize_channels<T: Real>(
    x: &[T],
    size: (usize, usize, usize),
    eps: T,
) -> (Vec<T>, Vec<T>, Vec<T>) {
    let (batch, channels, inner) = size;
    let count = T::of((batch * inner) as f64);
    let (mean, var): (Vec<T>, Vec<T>) = (0..channels)
        .into_par_iter()
        .map(|c| {
            let mean = sum_channel(size, c, |at| lane_sum(&x[at..at + inner], |x| x)) / count;
            let squares =
                sum_channel(size, c, |at| lane_sum(&x[at..at + inner], |x| (x - mean) * (x - mean)));
            (mean, squares / count)
        })
        .unzip();
    let mut xhat = vec![T::zero(); x.len()];
    for_planes(&mut xhat, size, |c, first, plane| {
        let (mean, rstd) = (mean[c], T::one() / (var[c] + eps).sqrt());
        plane.iter_mut().zip(&x[first..]).for_each(|(xhat, &x)| *xhat = (x - mean) * rstd);
    });
    (xhat, mean, var)
}

/// dx = (dx̂ − mean(dx̂) − x̂·mean(x̂·dx̂))/σ per channel.
pub(crate) fn normalize_channels_backward<T: Real>(
    xhat: &[T],
    var: &[T],
    dxhat: &[T],
    size: (usize, usize, usize),
    eps: T,
) -> Vec<T> {
    let (batch, channels, inner) = size;
    let count = T::of((batch * inner) as f64);
    let means: Vec<(T, T)> = (0..channels)
        .into_par_iter()
        .map(|c| {
            let mean = sum_channel(size, c, |at| lane_sum(&dxhat[at..at + inner], |d| d));
            let slope = sum_channel(size, c, |at| lane_dot(&xhat[at..at + inner], &dxhat[at..at + inner]));
            (mean / count, slope / count)
        })
        .collect();
    let mut dx = vec![T::zero(); xhat.len()];
    for_planes(&mut dx, size, |c, first, plane| {
        let ((mean, slope), rstd) = (means[c], T::one() / (var[c] + eps).sqrt());
        let pairs = xhat[first..].iter().zip(&dxhat[first..]);
        plane.iter_mut().zip(pairs).for_each(|(dx, (&x, &d))| *dx = (d - mean - x * slope) * rstd);
    });
    dx
}

/// Calls `f(channel, first position, plane)` for every plane, as many planes to a task as are worth one.
fn for_planes<T: Real>(
    out: &mut [T],
    (_, channels, inner): (usize, usize, usize),
    f: impl Fn(usize, usize, &mut [T]) + Sync + Send,
) {
    for_chunks(out, rows_per_chunk(inner) * inner, |first, chunk| {
        for (i, plane) in chunk.chunks_mut(inner).enumerate() {
            let first = first + i * inner;
            f(first / inner % channels, first, plane);
        }
    });
}

/// Adds up `f(start of the plane)` over the pictures of a batch for one channel.
fn sum_channel<T: Real>(
    (batch, channels, inner): (usize, usize, usize),
    c: usize,
    f: impl Fn(usize) -> T,
) -> T {
    (0..batch).map(|b| f((b * channels + c) * inner)).sum()
}

/// Σ f(x) in eight lanes (one chain of `f32` additions over many values would lose digits).
fn lane_sum<T: Real>(x: &[T], f: impl Fn(T) -> T) -> T {
    let mut lanes = [T::zero(); 8];
    let chunks = x.chunks_exact(8);
    let tail: T = chunks.remainder().iter().map(|&x| f(x)).sum();
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, &x)| *lane += f(x));
    }
    lanes.into_iter().sum::<T>() + tail
}

/// Σ a·b in eight lanes.
fn lane_dot<T: Real>(a: &[T], b: &[T]) -> T {
    let mut lanes = [T::zero(); 8];
    let (ca, cb) = (a.chunks_exact(8), b.chunks_exact(8));
    let tail: T = ca.remainder().iter().zip(cb.remainder()).map(|(&a, &b)| a * b).sum();
    for (a, b) in ca.zip(cb) {
        lanes.iter_mut().zip(a.iter().zip(b)).for_each(|(lane, (&a, &b))| *lane += a * b);
    }
    lanes.into_iter().sum::<T>() + tail
}
