//! Two-dimensional convolution: matrix products on columns of windows, built tile by tile, and direct loops for depthwise
//! kernels.
//!
//! ```text
//! y  = W·cols(x)          cols(x) [K, pixels], K = in/groups·kh·kw, laid out straight into the product's panels
//! dx = W'·cols(dy)        stride 1, padding within the kernel's reach: a convolution with the kernel turned by 180° and its
//!                         channels exchanged, unless there are fewer pixels than output channels
//! dx = back(Wᵀ·dy)        otherwise: columns' gradients, added back to where the columns came from
//! dW = dy·cols(x)ᵀ        summed over all pixels of all pictures
//! ```
//!
//! Every task writes its own part of the result. Where parts are cut may depend on the number of threads; the order in which
//! an element's terms are added depends on the shapes alone, and so do the results.

mod columns;
mod depthwise;

use super::gemm::{Panels, Start, matrix, packed_len, packed_product, panel_cols, product, with_scratch};
use super::recycle::{Recycled, stale, zeros};
use crate::device::Conv2dGeometry;
use crate::real::Real;
use columns::{Windows, readable};
use ndarray::{ArrayView2, ArrayViewMut2, Axis, s};
use rayon::prelude::*;

/// Elements of a column matrix: 384 KiB of `f32`, so that it stays in a second-level cache of a megabyte.
const TILE: usize = 96 * 1024;
/// Pixels of a tile in the weights' gradient, whose sums are read and written once a tile.
const DW_PIXELS: usize = 256;

/// Tasks of [`add_back`] at least, if there are as many channels.
const ADD_TASKS: usize = 32;

/// Sizes per group.
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
}

fn sizes(g: &Conv2dGeometry) -> Sizes {
    let [oh, ow] = g.output();
    let cin = g.in_channels / g.groups;
    Sizes {
        cin,
        cout: g.out_channels / g.groups,
        k: cin * g.kernel[0] * g.kernel[1],
        pixels_in: g.input[0] * g.input[1],
        pixels_out: oh * ow,
    }
}

fn is_depthwise(g: &Conv2dGeometry) -> bool {
    g.groups == g.in_channels && g.groups == g.out_channels
}

/// y = x ⋆ w.
pub(crate) fn conv2d<T: Real>(g: &Conv2dGeometry, x: &[T], w: &[T]) -> Vec<T> {
    if is_depthwise(g) {
        return depthwise::forward(g, x, w);
    }
    let d = sizes(g);
    correlate(g, x, |group| matrix(&w[group * d.cout * d.k..][..d.cout * d.k], d.cout, d.k, false))
}

/// y = W·cols(x) for the weights `[cout, K]` of every group.
fn correlate<'a, T: Real>(
    g: &Conv2dGeometry,
    x: &[T],
    weights: impl Fn(usize) -> ArrayView2<'a, T> + Sync,
) -> Vec<T> {
    let d = sizes(g);
    let split = readable(g, x);
    let x = split.as_ref().map_or(x, Recycled::as_slice);
    let mut y = stale(g.batch * g.out_channels * d.pixels_out);
    let tile = tile_pixels::<T>(&d, g.batch * g.groups);
    let mut tasks = Vec::new(); // (picture and group, first pixel, the tile of y)
    for (i, y) in y.chunks_exact_mut(d.cout * d.pixels_out).enumerate() {
        let y = ArrayViewMut2::from_shape((d.cout, d.pixels_out), y).expect("sizes agree");
        tasks.extend(split_columns(y, tile).into_iter().enumerate().map(|(t, y)| (i, t * tile, y)));
    }
    tasks.into_par_iter().for_each(|(i, first, mut y)| {
        let x = &x[i * d.cin * d.pixels_in..][..d.cin * d.pixels_in];
        let n = y.dim().1;
        with_scratch(packed_len::<T>(d.k, n), |panels| {
            lay_out_columns(g, x, first, n, panels);
            let columns = Panels::packed(panels, d.k, n);
            packed_product(T::one(), weights(i % g.groups), &columns, Start::Zero, &mut y);
        });
    });
    y
}

/// Pixels of a tile: whole panels, few enough for the cache and for every thread to get some.
fn tile_pixels<T: Real>(d: &Sizes, pictures: usize) -> usize {
    let cols = panel_cols::<T>();
    let share = (d.pixels_out * pictures).div_ceil(2 * rayon::current_num_threads());
    (TILE / d.k.max(1)).min(share).min(d.pixels_out).max(2 * cols).next_multiple_of(cols)
}

/// The columns of output pixels `first..first + n` in panels.
fn lay_out_columns<T: Real>(g: &Conv2dGeometry, x: &[T], first: usize, n: usize, panels: &mut [T]) {
    let cols = panel_cols::<T>();
    let k = sizes(g).k;
    for (i, panel) in panels.chunks_exact_mut(k * cols).enumerate() {
        let begin = i * cols;
        Windows::to_read(g, first + begin, cols.min(n - begin)).read(x, 0, panel, cols);
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

/// dx.
pub(crate) fn conv2d_dx<T: Real>(g: &Conv2dGeometry, dy: &[T], w: &[T]) -> Vec<T> {
    if is_depthwise(g) {
        return depthwise::dx(g, dy, w);
    }
    let d = sizes(g);
    if dy.is_empty() {
        return zeros(g.batch * g.in_channels * d.pixels_in);
    }
    let reach = [0, 1].map(|i| g.dilation[i] * (g.kernel[i] - 1));
    let turns = g.stride == [1, 1] && (0..2).all(|i| g.padding[i] <= reach[i]);
    if turns && g.kernel == [1, 1] {
        let turned = turned_geometry(g, reach);
        return correlate(&turned, dy, |group| {
            matrix(&w[group * d.cout * d.k..][..d.cout * d.k], d.k, d.cout, true)
        });
    }
    // Turning the kernel writes as many values as it has, adding columns back as many as those have.
    if turns && d.cout <= g.batch * d.pixels_out {
        let (turned, w) = (turned_geometry(g, reach), Recycled::new(turned_weights(g, &d, w)));
        let w = w.as_slice();
        let len = d.cin * d.cout * g.kernel[0] * g.kernel[1];
        return correlate(&turned, dy, |group| matrix(&w[group * len..][..len], d.cin, len / d.cin, false));
    }
    add_back(g, &d, dy, w)
}

/// The convolution that yields dx from dy at stride 1.
fn turned_geometry(g: &Conv2dGeometry, reach: [usize; 2]) -> Conv2dGeometry {
    Conv2dGeometry {
        in_channels: g.out_channels,
        out_channels: g.in_channels,
        input: g.output(),
        padding: [0, 1].map(|i| reach[i] - g.padding[i]),
        ..*g
    }
}

/// `[groups·out, in, kh, kw]` to `[groups·in, out, kh, kw]`, every kernel turned by 180°.
fn turned_weights<T: Real>(g: &Conv2dGeometry, d: &Sizes, w: &[T]) -> Vec<T> {
    let taps = g.kernel[0] * g.kernel[1];
    let mut turned = stale(w.len());
    turned.par_chunks_exact_mut(d.cout * taps).enumerate().for_each(|(i, turned)| {
        let (group, channel) = (i / d.cin, i % d.cin);
        for (out, kernel) in turned.chunks_exact_mut(taps).enumerate() {
            let from = &w[((group * d.cout + out) * d.cin + channel) * taps..][..taps];
            kernel.iter_mut().zip(from.iter().rev()).for_each(|(to, &w)| *to = w);
        }
    });
    turned
}

/// dx as the columns' gradients Wᵀ·dy added back to the picture; a task has some channels of a picture.
fn add_back<T: Real>(g: &Conv2dGeometry, d: &Sizes, dy: &[T], w: &[T]) -> Vec<T> {
    let taps = g.kernel[0] * g.kernel[1];
    // A pixel's terms are added tile by tile, so the tiles must not depend on the number of threads.
    let parts = ADD_TASKS.div_ceil(g.batch * g.groups);
    let channels = d.cin.div_ceil(parts);
    let mut dx = zeros(g.batch * g.in_channels * d.pixels_in);
    let pictures = dx.chunks_exact_mut(d.cin * d.pixels_in).enumerate();
    let tasks: Vec<_> = pictures
        .flat_map(|(i, dx)| {
            let parts = dx.chunks_mut(channels * d.pixels_in).enumerate();
            parts.map(move |(part, dx)| (i, part * channels, dx)).collect::<Vec<_>>()
        })
        .collect();
    tasks.into_par_iter().for_each(|(i, first_channel, dx)| {
        let rows = dx.len() / d.pixels_in * taps;
        let w = matrix(&w[i % g.groups * d.cout * d.k..][..d.cout * d.k], d.k, d.cout, true); // Wᵀ
        let w = w.slice_move(s![first_channel * taps..first_channel * taps + rows, ..]);
        let dy =
            matrix(&dy[i * d.cout * d.pixels_out..][..d.cout * d.pixels_out], d.cout, d.pixels_out, false);
        let tile = (TILE / rows).clamp(64, d.pixels_out.max(64));
        for first in (0..d.pixels_out).step_by(tile) {
            let n = tile.min(d.pixels_out - first);
            with_scratch(rows * n, |columns| {
                let mut target = ArrayViewMut2::from_shape((rows, n), &mut *columns).expect("sizes agree");
                product(T::one(), w, dy.slice(s![.., first..first + n]), Start::Zero, &mut target);
                Windows::to_add(g, first, n).add(columns, dx);
            });
        }
    });
    dx
}

/// dW, group by group; a task has some rows of the column matrix, for all pixels of all pictures.
pub(crate) fn conv2d_dw<T: Real>(g: &Conv2dGeometry, x: &[T], dy: &[T]) -> Vec<T> {
    if is_depthwise(g) {
        return depthwise::dw(g, x, dy);
    }
    let d = sizes(g);
    if dy.is_empty() {
        return zeros(g.out_channels * d.k);
    }
    let parts = rayon::current_num_threads().div_ceil(g.groups);
    let rows = d.k.div_ceil(parts).next_multiple_of(T::kernel().rows).min(d.k);
    let split = readable(g, x);
    let x = split.as_ref().map_or(x, Recycled::as_slice);
    let mut dw = stale(g.out_channels * d.k);
    // Summing up dWᵀ means to turn it once at last, cout·rows values; summing up dW means to turn the columns, rows·pixels.
    let turned = d.cout <= g.batch * d.pixels_out;
    let mut tasks = Vec::new();
    for (group, dw) in dw.chunks_exact_mut(d.cout * d.k).enumerate() {
        let dw = ArrayViewMut2::from_shape((d.cout, d.k), dw).expect("sizes agree");
        tasks.extend(split_columns(dw, rows).into_iter().enumerate().map(|(t, dw)| (group, t * rows, dw)));
    }
    tasks.into_par_iter().for_each(|(group, first_row, mut dw)| {
        let rows = dw.dim().1;
        if turned {
            with_scratch(rows * d.cout, |sum| {
                let mut sum = ArrayViewMut2::from_shape((rows, d.cout), sum).expect("sizes agree");
                add_dw(g, x, dy, group, first_row, &mut sum.view_mut().reversed_axes());
                dw.assign(&sum.t());
            });
        } else {
            add_dw(g, x, dy, group, first_row, &mut dw);
        }
    });
    dw
}

/// dW = Σ dy·cols(x)ᵀ over tiles of pixels, for the rows of the column matrix from `first_row` on that dW `[cout, rows]` has.
fn add_dw<T: Real>(
    g: &Conv2dGeometry,
    x: &[T],
    dy: &[T],
    group: usize,
    first_row: usize,
    dw: &mut ArrayViewMut2<T>,
) {
    let d = sizes(g);
    let rows = dw.dim().1;
    let pointwise = g.kernel == [1, 1] && g.stride == [1, 1] && g.padding == [0, 0];
    let mut start = Start::Zero;
    for first in (0..d.pixels_out).step_by(DW_PIXELS) {
        let n = DW_PIXELS.min(d.pixels_out - first);
        let windows = Windows::to_read(g, first, n);
        for i in (0..g.batch).map(|picture| picture * g.groups + group) {
            let x = &x[i * d.cin * d.pixels_in..][..d.cin * d.pixels_in];
            let dy = matrix(
                &dy[i * d.cout * d.pixels_out..][..d.cout * d.pixels_out],
                d.cout,
                d.pixels_out,
                false,
            );
            let dy = dy.slice(s![.., first..first + n]);
            if pointwise {
                let x = matrix(x, d.k, d.pixels_in, false);
                let columns = x.slice(s![first_row..first_row + rows, first..first + n]);
                product(T::one(), dy, columns.t(), start, dw);
            } else {
                with_scratch(rows * n, |columns| {
                    windows.read(x, first_row, columns, n);
                    product(T::one(), dy, matrix(columns, rows, n, false).t(), start, dw);
                });
            }
            start = Start::Old;
        }
    }
}
