//! Depthwise convolution: every channel with its own kernel. No columns: each kernel position is one shifted
//! multiply-add over a row.

use crate::cpu::recycle::zeros;
use crate::cpu::simd::widest;
use crate::device::Conv2dGeometry;
use crate::real::Real;
use rayon::prelude::*;
use std::ops::Range;

/// One kernel position meeting one output row: `y[ox] += w·x[start + ox·step]` for ox in a range.
struct Meeting {
    tap: usize,
    /// Output pixels within the plane.
    out: Range<usize>,
    /// Input pixel of the first.
    source: usize,
}

/// All meetings of a plane, row by row; they serve every plane.
fn meetings(g: &Conv2dGeometry) -> Vec<Meeting> {
    let [oh, ow] = g.output();
    let [h, w] = g.input.map(|size| size as isize);
    let [kh, kw] = g.kernel;
    let mut all = Vec::new();
    for oy in 0..oh {
        for tap in 0..kh * kw {
            let y = (oy * g.stride[0] + tap / kw * g.dilation[0]) as isize - g.padding[0] as isize;
            let x = (tap % kw * g.dilation[1]) as isize - g.padding[1] as isize;
            let step = g.stride[1] as isize;
            let start = if x >= 0 { 0 } else { (-x + step - 1) / step };
            let end = if x >= w { 0 } else { ((w - 1 - x) / step + 1).min(ow as isize) };
            if (0..h).contains(&y) && start < end {
                let out = oy * ow + start as usize..oy * ow + end as usize;
                all.push(Meeting { tap, out, source: (y * w + x + start * step) as usize });
            }
        }
    }
    all
}

fn planes(g: &Conv2dGeometry) -> (usize, usize, usize) {
    let [oh, ow] = g.output();
    (g.input[0] * g.input[1], oh * ow, g.kernel[0] * g.kernel[1])
}

/// y = x ⋆ w, plane by plane.
pub(super) fn forward<T: Real>(g: &Conv2dGeometry, x: &[T], w: &[T]) -> Vec<T> {
    let (pixels_in, pixels_out, taps) = planes(g);
    let meetings = meetings(g);
    let mut y = zeros(g.batch * g.out_channels * pixels_out);
    y.par_chunks_exact_mut(pixels_out).enumerate().for_each(|(i, y)| {
        let (x, w) = (&x[i * pixels_in..][..pixels_in], &w[i % g.groups * taps..][..taps]);
        widest(
            #[inline(always)]
            || forward_plane(&meetings, g.stride[1], x, w, y),
        );
    });
    y
}

#[inline(always)]
fn forward_plane<T: Real>(meetings: &[Meeting], step: usize, x: &[T], w: &[T], y: &mut [T]) {
    for meeting in meetings {
        let (w, y) = (w[meeting.tap], &mut y[meeting.out.clone()]);
        let x = &x[meeting.source..];
        match step {
            1 => y.iter_mut().zip(x).for_each(|(y, &x)| *y += w * x),
            2 => y.iter_mut().zip(x.chunks(2)).for_each(|(y, x)| *y += w * x[0]),
            _ => y.iter_mut().zip(x.iter().step_by(step)).for_each(|(y, &x)| *y += w * x),
        }
    }
}

/// dx: the same meetings the other way.
pub(super) fn dx<T: Real>(g: &Conv2dGeometry, dy: &[T], w: &[T]) -> Vec<T> {
    let (pixels_in, pixels_out, taps) = planes(g);
    let meetings = meetings(g);
    let mut dx = zeros(g.batch * g.in_channels * pixels_in);
    dx.par_chunks_exact_mut(pixels_in).enumerate().for_each(|(i, dx)| {
        let (dy, w) = (&dy[i * pixels_out..][..pixels_out], &w[i % g.groups * taps..][..taps]);
        widest(
            #[inline(always)]
            || dx_plane(&meetings, g.stride[1], dy, w, dx),
        );
    });
    dx
}

#[inline(always)]
fn dx_plane<T: Real>(meetings: &[Meeting], step: usize, dy: &[T], w: &[T], dx: &mut [T]) {
    for meeting in meetings {
        let (w, dy) = (w[meeting.tap], &dy[meeting.out.clone()]);
        let dx = &mut dx[meeting.source..];
        match step {
            1 => dx.iter_mut().zip(dy).for_each(|(dx, &dy)| *dx += w * dy),
            2 => dx.chunks_mut(2).zip(dy).for_each(|(dx, &dy)| dx[0] += w * dy),
            _ => dx.iter_mut().step_by(step).zip(dy).for_each(|(dx, &dy)| *dx += w * dy),
        }
    }
}

/// dw: every kernel position's product of dy with what it met, summed over the plane and the pictures.
pub(super) fn dw<T: Real>(g: &Conv2dGeometry, x: &[T], dy: &[T]) -> Vec<T> {
    let (pixels_in, pixels_out, taps) = planes(g);
    let meetings = meetings(g);
    let mut dw = zeros(g.out_channels * taps);
    dw.par_chunks_exact_mut(taps).enumerate().for_each(|(c, dw)| {
        for i in (0..g.batch).map(|b| b * g.groups + c) {
            let (x, dy) = (&x[i * pixels_in..][..pixels_in], &dy[i * pixels_out..][..pixels_out]);
            widest(
                #[inline(always)]
                || dw_plane(&meetings, g.stride[1], x, dy, dw),
            );
        }
    });
    dw
}

#[inline(always)]
fn dw_plane<T: Real>(meetings: &[Meeting], step: usize, x: &[T], dy: &[T], dw: &mut [T]) {
    for meeting in meetings {
        let (dy, x) = (&dy[meeting.out.clone()], &x[meeting.source..]);
        dw[meeting.tap] += if step == 1 {
            dot(dy, x)
        } else {
            dy.iter().zip(x.iter().step_by(step)).fold(T::zero(), |sum, (&dy, &x)| sum + dy * x)
        };
    }
}

/// Σ a·b in sixteen lanes.
#[inline(always)]
fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    let b = &b[..a.len()];
    let mut lanes = [T::zero(); 16];
    let (ca, cb) = (a.chunks_exact(16), b.chunks_exact(16));
    let tail = ca.remainder().iter().zip(cb.remainder()).fold(T::zero(), |sum, (&a, &b)| sum + a * b);
    for (a, b) in ca.zip(cb) {
        for (lane, (&a, &b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    lanes.into_iter().fold(tail, |sum, lane| sum + lane)
}
