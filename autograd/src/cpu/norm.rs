//! Normalisation of rows to mean 0 and variance 1: layer norm, and group norm without its scale and shift.

use super::recycle::stale;
use super::simd::{Kernel, widest};
use super::{lanes, rows_per_chunk};
use crate::real::Real;
use rayon::prelude::*;

/// Rows of `n`: y = x̂·w + b (x̂ where there are none), x̂ = (x − μ)/σ with σ² = biased variance + eps.
/// Returns y and, per row, μ and 1/σ.
pub(crate) fn normalize_rows<T: Real>(
    x: &[T],
    n: usize,
    eps: T,
    affine: Option<(&[T], &[T])>,
) -> (Vec<T>, Vec<T>, Vec<T>) {
    let (mut y, rows) = (stale(x.len()), rows_per_chunk(n));
    let (mut mean, mut rstd) = (vec![T::zero(); x.len() / n], vec![T::zero(); x.len() / n]);
    let statistics = mean.par_chunks_mut(rows).zip(rstd.par_chunks_mut(rows));
    let tasks = y.par_chunks_mut(rows * n).zip(x.par_chunks(rows * n)).zip(statistics);
    tasks.for_each(|((y, x), (mean, rstd))| widest(Forward { y, mean, rstd, x, n, eps, affine }));
    (y, mean, rstd)
}

struct Forward<'a, T> {
    y: &'a mut [T],
    mean: &'a mut [T],
    rstd: &'a mut [T],
    x: &'a [T],
    n: usize,
    eps: T,
    affine: Option<(&'a [T], &'a [T])>,
}

impl<T: Real> Kernel for Forward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let size = T::of(self.n as f64);
        let rows = self.y.chunks_exact_mut(self.n).zip(self.x.chunks_exact(self.n));
        for ((y, x), (mean_out, rstd_out)) in rows.zip(self.mean.iter_mut().zip(self.rstd)) {
            let mean = lanes::sum(x, |x| x) / size;
            let var = lanes::sum(x, |x| (x - mean) * (x - mean)) / size;
            let rstd = T::one() / (var + self.eps).sqrt();
            (*mean_out, *rstd_out) = (mean, rstd);
            if let Some((w, b)) = self.affine {
                for (((y, &x), &w), &b) in y.iter_mut().zip(x).zip(w).zip(b) {
                    *y = (x - mean) * rstd * w + b;
                }
            } else {
                for (y, &x) in y.iter_mut().zip(x) {
                    *y = (x - mean) * rstd;
                }
            }
        }
    }
}

/// dw and db.
pub(crate) type AffineSums<T> = (Vec<T>, Vec<T>);

/// What `normalize_rows` has kept for its gradient.
#[derive(Clone, Copy)]
pub(crate) struct SavedRows<'a, T> {
    pub x: &'a [T],
    pub mean: &'a [T],
    pub rstd: &'a [T],
}

/// With dx̂ = dy·w: dx = (dx̂ − mean(dx̂) − x̂·mean(x̂·dx̂))/σ per row. Returns dx and, if there is a w, over all rows
/// dw = Σ dy·x̂ and db = Σ dy.
pub(crate) fn normalize_rows_backward<T: Real>(
    saved: SavedRows<T>,
    w: Option<&[T]>,
    dy: &[T],
    n: usize,
) -> (Vec<T>, Option<AffineSums<T>>) {
    let (mut dx, rows) = (stale(dy.len()), rows_per_chunk(n));
    let statistics = saved.mean.par_chunks(rows).zip(saved.rstd.par_chunks(rows));
    let inputs = saved.x.par_chunks(rows * n).zip(dy.par_chunks(rows * n)).zip(statistics);
    let partial_sums: Vec<Option<AffineSums<T>>> = dx
        .par_chunks_mut(rows * n)
        .zip(inputs)
        .map(|(dx, ((x, dy), (mean, rstd)))| {
            widest(Backward { dx, saved: SavedRows { x, mean, rstd }, w, dy, n })
        })
        .collect();
    let sums = w.map(|_| {
        let (mut dw, mut db) = (vec![T::zero(); n], vec![T::zero(); n]);
        for (part_w, part_b) in partial_sums.into_iter().flatten() {
            dw.iter_mut().zip(part_w).for_each(|(sum, part)| *sum += part);
            db.iter_mut().zip(part_b).for_each(|(sum, part)| *sum += part);
        }
        (dw, db)
    });
    (dx, sums)
}

struct Backward<'a, T> {
    dx: &'a mut [T],
    saved: SavedRows<'a, T>,
    w: Option<&'a [T]>,
    dy: &'a [T],
    n: usize,
}

impl<T: Real> Kernel for Backward<'_, T> {
    type Output = Option<AffineSums<T>>;
    #[inline(always)]
    fn run(self) -> Option<AffineSums<T>> {
        let (n, size) = (self.n, T::of(self.n as f64));
        let mut sums = self.w.map(|_| (vec![T::zero(); n], vec![T::zero(); n]));
        let inputs = self.saved.x.chunks_exact(n).zip(self.dy.chunks_exact(n));
        let statistics = self.saved.mean.iter().zip(self.saved.rstd);
        for ((dx, (x, dy)), (&mean, &rstd)) in self.dx.chunks_exact_mut(n).zip(inputs).zip(statistics) {
            // dx first holds dx̂ = dy·w.
            if let (Some(w), Some((dw, db))) = (self.w, &mut sums) {
                for (((dx, &x), &dy), ((&w, dw), db)) in
                    dx.iter_mut().zip(x).zip(dy).zip(w.iter().zip(dw).zip(db))
                {
                    *dx = dy * w;
                    *dw += dy * ((x - mean) * rstd);
                    *db += dy;
                }
            } else {
                dx.copy_from_slice(dy);
            }
            let (sum, dot) = lanes::two_sums((dx, x, x), |d, _, _| d, |d, x, _| d * (x - mean));
            let (mean_d, slope) = (sum / size, dot * rstd / size);
            for (dx, &x) in dx.iter_mut().zip(x) {
                *dx = (*dx - mean_d - (x - mean) * rstd * slope) * rstd;
            }
        }
        sums
    }
}
