//! Two-dimensional convolution by im2col in tiles that stay in the cache, and a direct loop for depthwise kernels.
//!
//! A tile is a range of output pixels; its column matrix `[K, tile]`, K = in/groups·kh·kw, is built once and
//! multiplied. Tiles depend on the shapes alone, so results do not depend on the number of threads.

use crate::device::Conv2dGeometry;
use crate::real::Real;
use ndarray::{ArrayView2, ArrayViewMut2, Axis, s};
use rayon::prelude::*;

use super::gemm::{Start, matrix, product};

/// Elements of a column matrix: 512 KiB of `f32`, half of a common L2 cache.
const TILE: usize = 128 * 1024;
/// The weight gradient of a batch is summed in at most this many partial sums.
const MAX_PARTIALS: usize = 8;

/// Sizes per group that all three passes need.
struct Sizes {
    /// Input channels per group.
    cin: usize,
    /// Output channels per group.
    cout: usize,
    /// Rows of the column matrix.
    k: usize,
    /// Input pixels.
    pixels_in: usize,
    /// Output pixels.
    pixels_out: usize,
    /// Output pixels per tile.
    tile: usize,
}

fn sizes(g: &Conv2dGeometry) -> Sizes {
    let [oh, ow] = g.output();
    let cin = g.in_channels / g.groups;
    let k = cin * g.kernel[0] * g.kernel[1];
    let pixels_out = oh * ow;
    // At least 64 columns, or the matrix product has nothing to work on.
    let tile = (TILE / k.max(1)).clamp(64, pixels_out.max(64));
    Sizes { cin, cout: g.out_channels / g.groups, k, pixels_in: g.input[0] * g.input[1], pixels_out, tile }
}

/// A 1×1 convolution without stride or padding is a matrix product on the pictures as they are.
fn is_pointwise(g: &Conv2dGeometry) -> bool {
    g.kernel == [1, 1] && g.stride == [1, 1] && g.padding == [0, 0]
}

fn is_depthwise(g: &Conv2dGeometry) -> bool {
    g.groups == g.in_channels && g.groups == g.out_channels
}

/// y = x ⋆ w: per picture and group, W `[out/groups, K]` times the columns `[K, pixels]`.
pub(crate) fn conv2d<T: Real>(g: &Conv2dGeometry, x: &[T], w: &[T]) -> Vec<T> {
    if is_depthwise(g) {
        return depthwise(g, x, w);
    }
    let d = sizes(g);
    let mut y = vec![T::zero(); g.batch * g.out_channels * d.pixels_out];
    let mut tasks = Vec::new(); // (picture and group, first pixel, the tile of y)
    for (i, y) in y.chunks_exact_mut(d.cout * d.pixels_out).enumerate() {
        let y = ArrayViewMut2::from_shape((d.cout, d.pixels_out), y).expect("sizes agree");
        tasks.extend(split_columns(y, d.tile).into_iter().enumerate().map(|(t, y)| (i, t * d.tile, y)));
    }
    tasks.into_par_iter().for_each_init(Vec::new, |col, (i, first, mut y)| {
        let x = &x[i * d.cin * d.pixels_in..][..d.cin * d.pixels_in];
        let w = matrix(&w[i % g.groups * d.cout * d.k..][..d.cout * d.k], d.cout, d.k, false);
        let n = y.dim().1;
        if is_pointwise(g) {
            let x = matrix(x, d.k, d.pixels_in, false);
            product(T::one(), w, x.slice(s![.., first..first + n]), Start::Zero, &mut y);
        } else {
            im2col(g, x, first, n, col);
            product(T::one(), w, matrix(col, d.k, n, false), Start::Zero, &mut y);
        }
    });
    y
}

/// dx: the columns' gradient Wᵀ·dy, added back to where the columns came from.
pub(crate) fn conv2d_dx<T: Real>(g: &Conv2dGeometry, dy: &[T], w: &[T]) -> Vec<T> {
    if is_depthwise(g) {
        return depthwise_dx(g, dy, w);
    }
    let d = sizes(g);
    let mut dx = vec![T::zero(); g.batch * g.in_channels * d.pixels_in];
    dx.par_chunks_exact_mut(d.cin * d.pixels_in).enumerate().for_each_init(Vec::new, |col, (i, dx)| {
        let w = matrix(&w[i % g.groups * d.cout * d.k..][..d.cout * d.k], d.k, d.cout, true); // Wᵀ
        let dy =
            matrix(&dy[i * d.cout * d.pixels_out..][..d.cout * d.pixels_out], d.cout, d.pixels_out, false);
        if is_pointwise(g) {
            let mut dx = ArrayViewMut2::from_shape((d.cin, d.pixels_in), dx).expect("sizes agree");
            product(T::one(), w, dy, Start::Zero, &mut dx);
            return;
        }
        for first in (0..d.pixels_out).step_by(d.tile) {
            let n = d.tile.min(d.pixels_out - first);
            col.resize(d.k * n, T::zero()); // what is left of the last tile is overwritten
            let mut dcol = ArrayViewMut2::from_shape((d.k, n), &mut col[..]).expect("sizes agree");
            product(T::one(), w, dy.slice(s![.., first..first + n]), Start::Zero, &mut dcol);
            col2im(g, col, first, n, dx);
        }
    });
    dx
}

/// dw: dy·colsᵀ, summed over the batch in a fixed number of partial sums.
pub(crate) fn conv2d_dw<T: Real>(g: &Conv2dGeometry, x: &[T], dy: &[T]) -> Vec<T> {
    if is_depthwise(g) {
        return depthwise_dw(g, x, dy);
    }
    let d = sizes(g);
    let len = g.out_channels * d.k;
    let per_partial = g.batch.div_ceil(MAX_PARTIALS).max(1);
    let pictures: Vec<usize> = (0..g.batch).collect();
    let partials: Vec<Vec<T>> = pictures
        .par_chunks(per_partial)
        .map(|pictures| {
            let mut dw = vec![T::zero(); len];
            let mut col = Vec::new();
            for &b in pictures {
                for (group, dw) in dw.chunks_exact_mut(d.cout * d.k).enumerate() {
                    let i = b * g.groups + group;
                    let x = &x[i * d.cin * d.pixels_in..][..d.cin * d.pixels_in];
                    let dy = &dy[i * d.cout * d.pixels_out..][..d.cout * d.pixels_out];
                    let dy = matrix(dy, d.cout, d.pixels_out, false);
                    let dw = ArrayViewMut2::from_shape((d.cout, d.k), dw).expect("sizes agree");
                    add_dw(g, &d, x, dy, dw, &mut col);
                }
            }
            dw
        })
        .collect();
    let mut sum = vec![T::zero(); len];
    for partial in partials {
        super::elementwise::accumulate(&mut sum, &partial);
    }
    sum
}

/// dw += dy·colsᵀ for one picture and group.
fn add_dw<T: Real>(
    g: &Conv2dGeometry,
    d: &Sizes,
    x: &[T],
    dy: ArrayView2<T>,
    mut dw: ArrayViewMut2<T>,
    col: &mut Vec<T>,
) {
    if is_pointwise(g) {
        let xt = matrix(x, d.pixels_in, d.k, true);
        product(T::one(), dy, xt, Start::Old, &mut dw);
        return;
    }
    for first in (0..d.pixels_out).step_by(d.tile) {
        let n = d.tile.min(d.pixels_out - first);
        im2col(g, x, first, n, col);
        let colt = matrix(col, n, d.k, true);
        product(T::one(), dy.slice(s![.., first..first + n]), colt, Start::Old, &mut dw);
    }
}

/// Columns cut into tiles of at most `tile`.
fn split_columns<T>(y: ArrayViewMut2<T>, tile: usize) -> Vec<ArrayViewMut2<T>> {
    let mut tiles = Vec::new();
    let mut rest = y;
    while rest.dim().1 > tile {
        let (head, tail) = rest.split_at(Axis(1), tile);
        tiles.push(head);
        rest = tail;
    }
    tiles.push(rest);
    tiles
}

/// For every kernel position and every output row touched by pixels `first..first+n`:
/// `visit(row of the column matrix, channel, input row, first output column, columns, where in the tile)`.
fn for_segments(g: &Conv2dGeometry, first: usize, n: usize, mut visit: impl FnMut(Segment)) {
    let [_, ow] = g.output();
    let [kh, kw] = g.kernel;
    for k in 0..g.in_channels / g.groups * kh * kw {
        let (channel, ky, kx) = (k / (kh * kw), k / kw % kh, k % kw);
        let mut at = 0;
        while at < n {
            let (oy, ox) = ((first + at) / ow, (first + at) % ow);
            let len = (ow - ox).min(n - at);
            let y = (oy * g.stride[0] + ky * g.dilation[0]) as isize - g.padding[0] as isize;
            let x = (ox * g.stride[1] + kx * g.dilation[1]) as isize - g.padding[1] as isize;
            visit(Segment { k, channel, y, x, at, len });
            at += len;
        }
    }
}

/// A run of output pixels in one output row, seen through one kernel position.
struct Segment {
    /// Row of the column matrix.
    k: usize,
    /// Input channel within the group.
    channel: usize,
    /// Input row, possibly in the padding.
    y: isize,
    /// Input column of the first pixel, possibly in the padding.
    x: isize,
    /// Where the run starts in the tile.
    at: usize,
    /// Pixels in the run.
    len: usize,
}

impl Segment {
    /// The part of the run whose input lies inside the picture: (first, end) within the run.
    fn inside(&self, g: &Conv2dGeometry) -> (usize, usize) {
        let [h, w] = g.input.map(|size| size as isize);
        if self.y < 0 || self.y >= h {
            return (0, 0);
        }
        let step = g.stride[1] as isize;
        let first = if self.x >= 0 { 0 } else { (-self.x + step - 1) / step };
        let end = if self.x >= w { 0 } else { (w - 1 - self.x) / step + 1 };
        let len = self.len as isize;
        (first.min(len) as usize, end.clamp(first.min(len), len) as usize)
    }
}

/// Writes the column matrix `[K, n]` of output pixels `first..first+n`.
fn im2col<T: Real>(g: &Conv2dGeometry, x: &[T], first: usize, n: usize, col: &mut Vec<T>) {
    let [h, w] = g.input;
    let step = g.stride[1];
    col.resize(g.in_channels / g.groups * g.kernel[0] * g.kernel[1] * n, T::zero());
    for_segments(g, first, n, |seg| {
        let (start, end) = seg.inside(g);
        let run = &mut col[seg.k * n + seg.at..][..seg.len];
        run[..start].fill(T::zero()); // the padding
        run[end..].fill(T::zero());
        if start == end {
            return;
        }
        let target = &mut run[start..end];
        let source = (seg.channel * h + seg.y as usize) * w + (seg.x + (start * step) as isize) as usize;
        if step == 1 {
            target.copy_from_slice(&x[source..source + target.len()]);
        } else {
            target.iter_mut().zip(x[source..].iter().step_by(step)).for_each(|(t, &x)| *t = x);
        }
    });
}

/// Adds a column matrix back to the pixels it was read from.
fn col2im<T: Real>(g: &Conv2dGeometry, col: &[T], first: usize, n: usize, x: &mut [T]) {
    let [h, w] = g.input;
    let step = g.stride[1];
    for_segments(g, first, n, |seg| {
        let (start, end) = seg.inside(g);
        if start == end {
            return;
        }
        let source = &col[seg.k * n + seg.at + start..seg.k * n + seg.at + end];
        let target = (seg.channel * h + seg.y as usize) * w + (seg.x + (start * step) as isize) as usize;
        x[target..].iter_mut().step_by(step).zip(source).for_each(|(x, &c)| *x += c);
    });
}

/// Depthwise: every channel with its own kernel; no columns, each kernel position is one shifted multiply-add.
fn depthwise<T: Real>(g: &Conv2dGeometry, x: &[T], w: &[T]) -> Vec<T> {
    let d = sizes(g);
    let plane = Conv2dGeometry { in_channels: 1, out_channels: 1, groups: 1, batch: 1, ..*g };
    let mut y = vec![T::zero(); g.batch * g.out_channels * d.pixels_out];
    y.par_chunks_exact_mut(d.pixels_out).enumerate().for_each(|(i, y)| {
        let (x, w) = (&x[i * d.pixels_in..][..d.pixels_in], &w[i % g.groups * d.k..][..d.k]);
        for_segments(&plane, 0, d.pixels_out, |seg| {
            let (start, end) = seg.inside(g);
            let source = x[source_of(g, &seg, start)..].iter().step_by(g.stride[1]);
            y[seg.at + start..seg.at + end].iter_mut().zip(source).for_each(|(y, &x)| *y += w[seg.k] * x);
        });
    });
    y
}

fn depthwise_dx<T: Real>(g: &Conv2dGeometry, dy: &[T], w: &[T]) -> Vec<T> {
    let d = sizes(g);
    let plane = Conv2dGeometry { in_channels: 1, out_channels: 1, groups: 1, batch: 1, ..*g };
    let mut dx = vec![T::zero(); g.batch * g.in_channels * d.pixels_in];
    dx.par_chunks_exact_mut(d.pixels_in).enumerate().for_each(|(i, dx)| {
        let (dy, w) = (&dy[i * d.pixels_out..][..d.pixels_out], &w[i % g.groups * d.k..][..d.k]);
        for_segments(&plane, 0, d.pixels_out, |seg| {
            let (start, end) = seg.inside(g);
            let target = dx[source_of(g, &seg, start)..].iter_mut().step_by(g.stride[1]);
            target.zip(&dy[seg.at + start..seg.at + end]).for_each(|(dx, &dy)| *dx += w[seg.k] * dy);
        });
    });
    dx
}

fn depthwise_dw<T: Real>(g: &Conv2dGeometry, x: &[T], dy: &[T]) -> Vec<T> {
    let d = sizes(g);
    let plane = Conv2dGeometry { in_channels: 1, out_channels: 1, groups: 1, batch: 1, ..*g };
    let mut dw = vec![T::zero(); g.out_channels * d.k];
    dw.par_chunks_exact_mut(d.k).enumerate().for_each(|(c, dw)| {
        for i in (0..g.batch).map(|b| b * g.groups + c) {
            let (x, dy) = (&x[i * d.pixels_in..][..d.pixels_in], &dy[i * d.pixels_out..][..d.pixels_out]);
            for_segments(&plane, 0, d.pixels_out, |seg| {
                let (start, end) = seg.inside(g);
                let source = x[source_of(g, &seg, start)..].iter().step_by(g.stride[1]);
                let row = dy[seg.at + start..seg.at + end].iter().zip(source);
                dw[seg.k] += row.map(|(&dy, &x)| dy * x).sum::<T>();
            });
        }
    });
    dw
}

/// Input position of pixel `start` of a run in a single plane (0 where the run is empty).
fn source_of(g: &Conv2dGeometry, seg: &Segment, start: usize) -> usize {
    let at = seg.y * g.input[1] as isize + seg.x + (start * g.stride[1]) as isize;
    usize::try_from(at).unwrap_or(0).min(g.input[0] * g.input[1])
}
