//! Depthwise convolution: every channel with its own kernel, no columns.
//!
//! A plane with its padding is cut into *phases*: phase (a, b) has the pixels of rows a, a + s, a + 2s, … and columns b, b + s,
//! … for stride s. Within a phase a kernel position is a shift of the whole plane: the output pixel that stands at place i
//! meets the pixel at place i + shift. So each kernel position is one long multiply-add instead of one for every short row:
//!
//! ```text
//! y[i]  = Σ w[tap]·x[i + shift[tap]]      dx[i + shift[tap]] += w[tap]·dy[i]      dw[tap] = Σ dy[i]·x[i + shift[tap]]
//! ```
//!
//! Places between the end of a row and the start of the next are computed too; they are dropped from y and zero in dy. (So an
//! infinite pixel makes every element of dw NaN, even one that never meets it.)

use crate::cpu::gemm::with_scratch;
use crate::cpu::lanes;
use crate::cpu::recycle::{stale, zeros};
use crate::cpu::simd::{Kernel, widest};
use crate::device::Conv2dGeometry;
use crate::real::Real;
use rayon::prelude::*;

/// Planes of a task at least.
const MIN_PLANES: usize = 4;

/// How a plane is laid out in phases.
struct Phases {
    stride: [usize; 2],
    padding: [usize; 2],
    /// Input width and output width.
    widths: [usize; 2],
    /// Height and width of a phase.
    phase: [usize; 2],
    /// From an output pixel's place to what a kernel position meets.
    shifts: Vec<usize>,
    /// Places from the first output pixel to the last.
    span: usize,
}

impl Phases {
    fn new(g: &Conv2dGeometry) -> Phases {
        let ([oh, ow], [kh, kw]) = (g.output(), g.kernel);
        let phase = [0, 1].map(|i| (g.input[i] + 2 * g.padding[i]).div_ceil(g.stride[i]));
        let shift = |tap: usize| {
            let [y, x] = [tap / kw * g.dilation[0], tap % kw * g.dilation[1]];
            let number = y % g.stride[0] * g.stride[1] + x % g.stride[1];
            (number * phase[0] + y / g.stride[0]) * phase[1] + x / g.stride[1]
        };
        Phases {
            stride: g.stride,
            padding: g.padding,
            widths: [g.input[1], ow],
            phase,
            shifts: (0..kh * kw).map(shift).collect(),
            span: (oh - 1) * phase[1] + ow,
        }
    }

    /// Elements of all phases.
    fn len(&self) -> usize {
        self.stride[0] * self.stride[1] * self.phase[0] * self.phase[1]
    }

    /// Where input row `y`'s pixels of column phase `b` begin, and the first input column among them.
    fn row(&self, y: usize, b: usize) -> (usize, usize) {
        let y = y + self.padding[0];
        let number = y % self.stride[0] * self.stride[1] + b;
        // The first padded column of the phase that is not padding, x = b + j·s ≥ padding.
        let j = self.padding[1].saturating_sub(b).div_ceil(self.stride[1]);
        let place = (number * self.phase[0] + y / self.stride[0]) * self.phase[1] + j;
        (place, b + j * self.stride[1] - self.padding[1])
    }

    /// A plane to its phases, zeros for the padding.
    fn split<T: Real>(&self, x: &[T], phases: &mut [T]) {
        phases.fill(T::zero());
        for (y, row) in x.chunks_exact(self.widths[0]).enumerate() {
            for b in 0..self.stride[1] {
                let (place, first) = self.row(y, b);
                if self.stride[1] == 1 {
                    phases[place..place + row.len()].copy_from_slice(row);
                    continue;
                }
                let pixels = row.iter().skip(first).step_by(self.stride[1]);
                phases[place..].iter_mut().zip(pixels).for_each(|(to, &x)| *to = x);
            }
        }
    }

    /// Phases back to a plane; what was collected on the padding is dropped.
    fn join<T: Real>(&self, phases: &[T], x: &mut [T]) {
        for (y, row) in x.chunks_exact_mut(self.widths[0]).enumerate() {
            for b in 0..self.stride[1] {
                let (place, first) = self.row(y, b);
                if self.stride[1] == 1 {
                    row.copy_from_slice(&phases[place..place + row.len()]);
                    continue;
                }
                let pixels = row.iter_mut().skip(first).step_by(self.stride[1]);
                pixels.zip(&phases[place..]).for_each(|(x, &from)| *x = from);
            }
        }
    }

    /// dy at the places of its pixels, zeros between them.
    fn spread<T: Real>(&self, dy: &[T], places: &mut [T]) {
        places.fill(T::zero());
        let width = self.widths[1];
        for (row, to) in dy.chunks_exact(width).zip(places.chunks_mut(self.phase[1])) {
            to[..width].copy_from_slice(row);
        }
    }
}

/// Input pixels, output pixels and kernel positions of a plane.
fn planes(g: &Conv2dGeometry) -> (usize, usize, usize) {
    let [oh, ow] = g.output();
    (g.input[0] * g.input[1], oh * ow, g.kernel[0] * g.kernel[1])
}

/// y = x ⋆ w, plane by plane.
pub(super) fn forward<T: Real>(g: &Conv2dGeometry, x: &[T], w: &[T]) -> Vec<T> {
    let (pixels_in, pixels_out, taps) = planes(g);
    let phases = Phases::new(g);
    let width = phases.widths[1];
    let mut y = stale(g.batch * g.out_channels * pixels_out);
    y.par_chunks_exact_mut(pixels_out).with_min_len(MIN_PLANES).enumerate().for_each(|(i, y)| {
        let (x, w) = (&x[i * pixels_in..][..pixels_in], &w[i % g.groups * taps..][..taps]);
        with_scratch(phases.len() + phases.span, |scratch| {
            let (xp, yp) = scratch.split_at_mut(phases.len());
            phases.split(x, xp);
            widest(ShiftedSum { x: xp, shifts: &phases.shifts, w, y: yp });
            for (y, row) in y.chunks_exact_mut(width).zip(yp.chunks(phases.phase[1])) {
                y.copy_from_slice(&row[..width]);
            }
        });
    });
    y
}

/// A piece of y at a time that stays in the nearest cache.
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

/// dx, plane by plane.
pub(super) fn dx<T: Real>(g: &Conv2dGeometry, dy: &[T], w: &[T]) -> Vec<T> {
    let (pixels_in, pixels_out, taps) = planes(g);
    let phases = Phases::new(g);
    let mut dx = stale(g.batch * g.in_channels * pixels_in);
    dx.par_chunks_exact_mut(pixels_in).with_min_len(MIN_PLANES).enumerate().for_each(|(i, dx)| {
        let (dy, w) = (&dy[i * pixels_out..][..pixels_out], &w[i % g.groups * taps..][..taps]);
        with_scratch(phases.len() + phases.span, |scratch| {
            let (dxp, dyp) = scratch.split_at_mut(phases.len());
            phases.spread(dy, dyp);
            dxp.fill(T::zero());
            widest(ShiftedAdd { dx: dxp, shifts: &phases.shifts, w, dy: dyp });
            phases.join(dxp, dx);
        });
    });
    dx
}

struct ShiftedAdd<'a, T> {
    dx: &'a mut [T],
    shifts: &'a [usize],
    w: &'a [T],
    dy: &'a [T],
}

impl<T: Real> Kernel for ShiftedAdd<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for (&shift, &w) in self.shifts.iter().zip(self.w) {
            for (dx, &dy) in self.dx[shift..].iter_mut().zip(self.dy) {
                *dx += w * dy;
            }
        }
    }
}

/// dw, summed over the plane, then over the pictures.
pub(super) fn dw<T: Real>(g: &Conv2dGeometry, x: &[T], dy: &[T]) -> Vec<T> {
    let (pixels_in, pixels_out, taps) = planes(g);
    let phases = Phases::new(g);
    let mut dw = zeros(g.out_channels * taps);
    dw.par_chunks_exact_mut(taps).with_min_len(MIN_PLANES).enumerate().for_each(|(c, dw)| {
        with_scratch(phases.len() + phases.span, |scratch| {
            let (xp, dyp) = scratch.split_at_mut(phases.len());
            for i in (0..g.batch).map(|b| b * g.groups + c) {
                phases.split(&x[i * pixels_in..][..pixels_in], xp);
                phases.spread(&dy[i * pixels_out..][..pixels_out], dyp);
                widest(ShiftedDots { x: xp, shifts: &phases.shifts, dy: dyp, dw });
            }
        });
    });
    dw
}

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
