//! Batch normalisation of the channels of `[batch, channels, inner]`, with an optional ReLU behind it.

use super::recycle::stale;
use super::simd::{Kernel, widest};
use super::{CHUNK, for_chunks, lanes, rows_per_chunk};
use crate::device::ChannelNorm;
use crate::real::Real;
use rayon::prelude::*;
use std::hint::select_unpredictable as choose;

/// Mean and biased variance of every channel over batch and inner.
pub(crate) fn channel_moments<T: Real>(x: &[T], size: (usize, usize, usize)) -> (Vec<T>, Vec<T>) {
    each_channel(size, |c| widest(Moments { x, size, c }))
}

/// Calls `f` for every channel, in parallel.
fn each_channel<T: Real>(
    (batch, channels, inner): (usize, usize, usize),
    f: impl Fn(usize) -> (T, T) + Sync + Send,
) -> (Vec<T>, Vec<T>) {
    let enough = (CHUNK / (batch * inner).max(1)).max(1);
    (0..channels).into_par_iter().with_min_len(enough).map(f).unzip()
}

struct Moments<'a, T> {
    x: &'a [T],
    size: (usize, usize, usize),
    c: usize,
}

impl<T: Real> Kernel for Moments<'_, T> {
    type Output = (T, T);
    #[inline(always)]
    fn run(self) -> (T, T) {
        let (batch, channels, inner) = self.size;
        let count = T::of((batch * inner) as f64);
        let plane = |b: usize| &self.x[(b * channels + self.c) * inner..][..inner];
        let (mut sum, mut squares) = (T::zero(), T::zero());
        for b in 0..batch {
            sum += lanes::sum(plane(b), |x| x);
        }
        let mean = sum / count;
        for b in 0..batch {
            squares += lanes::sum(plane(b), |x| (x - mean) * (x - mean));
        }
        (mean, squares / count)
    }
}

/// A channel's numbers, ready for use.
#[derive(Clone, Copy)]
struct Channel<T> {
    mean: T,
    rstd: T,
    w: T,
    b: T,
}

/// μ, σ² and w of every channel, what both passes need.
#[derive(Clone, Copy)]
pub(crate) struct Scaling<'a, T> {
    pub mean: &'a [T],
    pub var: &'a [T],
    pub w: &'a [T],
}

impl<T: Real> Scaling<'_, T> {
    #[inline(always)]
    fn channel(&self, c: usize, eps: T, b: T) -> Channel<T> {
        Channel { mean: self.mean[c], rstd: T::one() / (self.var[c] + eps).sqrt(), w: self.w[c], b }
    }
}

/// y = (x − μ)/√(σ² + eps)·w + b per channel, then ReLU if `g.relu`.
pub(crate) fn normalize_channels<T: Real>(g: ChannelNorm, x: &[T], s: Scaling<T>, b: &[T]) -> Vec<T> {
    let mut y = stale(x.len());
    for_planes(&mut y, g, |c, first, y| {
        let channel = s.channel(c, T::of(g.eps), b[c]);
        widest(Forward { y, x: &x[first..], channel, relu: g.relu });
    });
    y
}

struct Forward<'a, T> {
    y: &'a mut [T],
    x: &'a [T],
    channel: Channel<T>,
    relu: bool,
}

impl<T: Real> Kernel for Forward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Channel { mean, rstd, w, b } = self.channel;
        let scale = rstd * w;
        if self.relu {
            for (y, &x) in self.y.iter_mut().zip(self.x) {
                let value = (x - mean) * scale + b;
                *y = choose(value <= T::zero(), T::zero(), value);
            }
        } else {
            for (y, &x) in self.y.iter_mut().zip(self.x) {
                *y = (x - mean) * scale + b;
            }
        }
    }
}

/// dw = Σ dy·x̂ and db = Σ dy per channel, and dx = w/σ·dy, less w/σ·(mean(dy) + x̂·mean(dy·x̂)) if μ and σ are the
/// batch's own. Behind a ReLU, whose result was y, dy counts only where y > 0. Returns (dx, dw, db).
pub(crate) fn normalize_channels_backward<T: Real>(
    g: ChannelNorm,
    x: &[T],
    s: Scaling<T>,
    y: Option<&[T]>,
    dy: &[T],
) -> (Vec<T>, Vec<T>, Vec<T>) {
    let y = y.unwrap_or(dy); // ignored without ReLU
    let channel = |c: usize| s.channel(c, T::of(g.eps), T::zero());
    let (dw, db) = each_channel(g.size, |c| widest(Sums { g, x, y, dy, c, channel: channel(c) }));
    let count = T::of((g.size.0 * g.size.2) as f64);
    let mut dx = stale(x.len());
    for_planes(&mut dx, g, |c, first, dx| {
        let (mean_d, slope) =
            if g.own_statistics { (db[c] / count, dw[c] / count) } else { Default::default() };
        let (x, y, dy) = (&x[first..], &y[first..], &dy[first..]);
        widest(Backward { dx, x, y, dy, channel: channel(c), mean_d, slope, relu: g.relu });
    });
    (dx, dw, db)
}

/// dy where it passed the ReLU; NaN is not hidden.
#[inline(always)]
fn through_relu<T: Real>(relu: bool, y: T, dy: T) -> T {
    choose(relu & (y <= T::zero()), T::zero(), dy)
}

struct Sums<'a, T> {
    g: ChannelNorm,
    x: &'a [T],
    y: &'a [T],
    dy: &'a [T],
    c: usize,
    channel: Channel<T>,
}

impl<T: Real> Kernel for Sums<'_, T> {
    type Output = (T, T);
    #[inline(always)]
    fn run(self) -> (T, T) {
        let (batch, channels, inner) = self.g.size;
        let (relu, mean) = (self.g.relu, self.channel.mean);
        let (mut sum, mut dot) = (T::zero(), T::zero());
        for b in 0..batch {
            let start = (b * channels + self.c) * inner;
            let planes = (&self.x[start..][..inner], &self.y[start..][..inner], &self.dy[start..][..inner]);
            let (plane_sum, plane_dot) = lanes::two_sums(
                planes,
                |_, y, dy| through_relu(relu, y, dy),
                |x, y, dy| through_relu(relu, y, dy) * (x - mean),
            );
            sum += plane_sum;
            dot += plane_dot;
        }
        (dot * self.channel.rstd, sum)
    }
}

struct Backward<'a, T> {
    dx: &'a mut [T],
    x: &'a [T],
    y: &'a [T],
    dy: &'a [T],
    channel: Channel<T>,
    mean_d: T,
    slope: T,
    relu: bool,
}

impl<T: Real> Kernel for Backward<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Channel { mean, rstd, w, .. } = self.channel;
        let (scale, slope) = (rstd * w, self.slope * rstd);
        for (((dx, &x), &y), &dy) in self.dx.iter_mut().zip(self.x).zip(self.y).zip(self.dy) {
            let d = through_relu(self.relu, y, dy);
            *dx = (d - self.mean_d - (x - mean) * slope) * scale;
        }
    }
}

/// Calls `f(channel, first position, plane)` for every plane, as many planes to a task as are worth one.
fn for_planes<T: Real>(out: &mut [T], g: ChannelNorm, f: impl Fn(usize, usize, &mut [T]) + Sync + Send) {
    let (_, channels, inner) = g.size;
    for_chunks(out, rows_per_chunk(inner) * inner, |first, chunk| {
        for (i, plane) in chunk.chunks_mut(inner).enumerate() {
            let first = first + i * inner;
            f(first / inner % channels, first, plane);
        }
    });
}
