//! Depthwise convolution: every channel with its own kernel. No columns: each kernel position is one shifted multiply-add,
//! over the whole padded plane at stride 1, over a row otherwise.

use crate::cpu::gemm::with_scratch;
use crate::cpu::lanes;
use crate::cpu::recycle::zeros;
use crate::cpu::simd::{Kernel, widest};
use crate::device::Conv2dGeometry;
use crate::real::Real;
use rayon::prelude::*;
use std::ops::Range;

/// Planes of a task at least.
const MIN_PLANES: usize = 4;

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
    y.par_chunks_exact_mut(pixels_out).with_min_len(MIN_PLANES).enumerate().for_each(|(i, y)| {
        let (x, w) = (&x[i * pixels_in..][..pixels_in], &w[i % g.groups * taps..][..taps]);
        if g.stride == [1, 1] {
            forward_padded(g, x, w, y);
        } else {
            widest(ForwardPlane { meetings: &meetings, step: g.stride[1], x, w, y });
        }
    });
    y
}

struct ForwardPlane<'a, T> {
    meetings: &'a [Meeting],
    step: usize,
    x: &'a [T],
    w: &'a [T],
    y: &'a mut [T],
}

impl<T: Real> Kernel for ForwardPlane<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for meeting in self.meetings {
            let w = self.w[meeting.tap];
            let x = self.x[meeting.source..].iter().step_by(self.step);
            for (y, &x) in self.y[meeting.out.clone()].iter_mut().zip(x) {
                *y += w * x;
            }
        }
    }
}

/// dx: the same meetings the other way.
pub(super) fn dx<T: Real>(g: &Conv2dGeometry, dy: &[T], w: &[T]) -> Vec<T> {
    let (pixels_in, pixels_out, taps) = planes(g);
    let reach = [0, 1].map(|i| g.dilation[i] * (g.kernel[i] - 1));
    if g.stride == [1, 1] && (0..2).all(|i| g.padding[i] <= reach[i]) {
        // A convolution with the kernel turned by 180°.
        let padding = [0, 1].map(|i| reach[i] - g.padding[i]);
        let turned: Vec<T> = w.chunks_exact(taps).flat_map(|kernel| kernel.iter().rev().copied()).collect();
        return forward(&Conv2dGeometry { input: g.output(), padding, ..*g }, dy, &turned);
    }
    let meetings = meetings(g);
    let mut dx = zeros(g.batch * g.in_channels * pixels_in);
    dx.par_chunks_exact_mut(pixels_in).with_min_len(MIN_PLANES).enumerate().for_each(|(i, dx)| {
        let (dy, w) = (&dy[i * pixels_out..][..pixels_out], &w[i % g.groups * taps..][..taps]);
        widest(DxPlane { meetings: &meetings, step: g.stride[1], dy, w, dx });
    });
    dx
}

struct DxPlane<'a, T> {
    meetings: &'a [Meeting],
    step: usize,
    dy: &'a [T],
    w: &'a [T],
    dx: &'a mut [T],
}

impl<T: Real> Kernel for DxPlane<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for meeting in self.meetings {
            let w = self.w[meeting.tap];
            let dx = self.dx[meeting.source..].iter_mut().step_by(self.step);
            for (dx, &dy) in dx.zip(&self.dy[meeting.out.clone()]) {
                *dx += w * dy;
            }
        }
    }
}

/// dw: every kernel position's product of dy with what it met, summed over the plane and the pictures.
pub(super) fn dw<T: Real>(g: &Conv2dGeometry, x: &[T], dy: &[T]) -> Vec<T> {
    let (pixels_in, pixels_out, taps) = planes(g);
    let meetings = meetings(g);
    let mut dw = zeros(g.out_channels * taps);
    dw.par_chunks_exact_mut(taps).with_min_len(MIN_PLANES).enumerate().for_each(|(c, dw)| {
        for i in (0..g.batch).map(|b| b * g.groups + c) {
            let (x, dy) = (&x[i * pixels_in..][..pixels_in], &dy[i * pixels_out..][..pixels_out]);
            if g.stride == [1, 1] {
                dw_padded(g, x, dy, dw);
            } else {
                widest(DwPlane { meetings: &meetings, step: g.stride[1], x, dy, dw });
            }
        }
    });
    dw
}

struct DwPlane<'a, T> {
    meetings: &'a [Meeting],
    step: usize,
    x: &'a [T],
    dy: &'a [T],
    dw: &'a mut [T],
}

impl<T: Real> Kernel for DwPlane<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for meeting in self.meetings {
            let x = self.x[meeting.source..].iter().step_by(self.step);
            let mut sum = T::zero();
            for (&dy, &x) in self.dy[meeting.out.clone()].iter().zip(x) {
                sum += dy * x;
            }
            self.dw[meeting.tap] += sum;
        }
    }
}

/// A plane with its padding at stride 1, where a kernel position is a shift of the whole plane: pixel (y, x) of the output
/// stands at y·width + x, and meets the input `shifts[tap]` further on. Positions between a row's end and the next row's
/// start are computed too and dropped; short rows cost less that way than one loop for each of them.
struct Padded {
    width: usize,
    /// Elements of the padded input.
    len: usize,
    shifts: Vec<usize>,
    /// Positions from the first output pixel to the last.
    span: usize,
}

fn padded(g: &Conv2dGeometry) -> Padded {
    let [oh, ow] = g.output();
    let width = g.input[1] + 2 * g.padding[1];
    let [kh, kw] = g.kernel;
    let shifts =
        (0..kh * kw).map(|tap| tap / kw * g.dilation[0] * width + tap % kw * g.dilation[1]).collect();
    Padded { width, len: (g.input[0] + 2 * g.padding[0]) * width, shifts, span: (oh - 1) * width + ow }
}

/// Copies rows of `from_width` into rows of `to_width` from position `first` on, zeros elsewhere.
fn spread_rows<T: Real>(from: &[T], from_width: usize, to: &mut [T], to_width: usize, first: usize) {
    to.fill(T::zero());
    for (row, to) in from.chunks_exact(from_width).zip(to[first..].chunks_mut(to_width)) {
        to[..from_width].copy_from_slice(row);
    }
}

fn forward_padded<T: Real>(g: &Conv2dGeometry, x: &[T], w: &[T], y: &mut [T]) {
    let p = padded(g);
    let [_, ow] = g.output();
    with_scratch(p.len + p.span, |scratch| {
        let (xp, yp) = scratch.split_at_mut(p.len);
        spread_rows(x, g.input[1], xp, p.width, g.padding[0] * p.width + g.padding[1]);
        widest(ShiftedSum { x: xp, shifts: &p.shifts, w, y: yp });
        for (y, row) in y.chunks_exact_mut(ow).zip(yp.chunks(p.width)) {
            y.copy_from_slice(&row[..ow]);
        }
    });
}

/// y[i] = Σ w[tap]·x[i + shift[tap]], a piece at a time that stays in the nearest cache.
struct ShiftedSum<'a, T> {
    x: &'a [T],
    shifts: &'a [usize],
    w: &'a [T],
    y: &'a mut [T],
}

impl<T: Real> Kernel for ShiftedSum<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for (i, y) in self.y.chunks_mut(512).enumerate() {
            y.fill(T::zero());
            for (&shift, &w) in self.shifts.iter().zip(self.w) {
                for (y, &x) in y.iter_mut().zip(&self.x[i * 512 + shift..]) {
                    *y += w * x;
                }
            }
        }
    }
}

fn dw_padded<T: Real>(g: &Conv2dGeometry, x: &[T], dy: &[T], dw: &mut [T]) {
    let p = padded(g);
    let [_, ow] = g.output();
    with_scratch(p.len + p.span, |scratch| {
        let (xp, dyp) = scratch.split_at_mut(p.len);
        spread_rows(x, g.input[1], xp, p.width, g.padding[0] * p.width + g.padding[1]);
        spread_rows(dy, ow, dyp, p.width, 0);
        widest(ShiftedDots { x: xp, shifts: &p.shifts, dy: dyp, dw });
    });
}

/// dw[tap] += Σ dy[i]·x[i + shift[tap]].
struct ShiftedDots<'a, T> {
    x: &'a [T],
    shifts: &'a [usize],
    dy: &'a [T],
    dw: &'a mut [T],
}

impl<T: Real> Kernel for ShiftedDots<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for (dw, &shift) in self.dw.iter_mut().zip(self.shifts) {
            *dw += lanes::dot(self.dy, &self.x[shift..shift + self.dy.len()]);
        }
    }
}
