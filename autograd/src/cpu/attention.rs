//! softmax(scale·Q·Kᵀ) applied to vectors, row tile by row tile, without the N×M matrix.
//!
//! Some rows of P = softmax(scale·Q·Kᵀ) are computed (a *tile* that fits the second-level cache), used, and forgotten. The
//! maximum and the sum of exponentials of each row are kept, so that the backward pass can compute the same rows again with
//! one exponential per element and no search. Time O(N·M·d), memory O((N + M)·d).
//!
//! P can be applied as it stands (a row of the result for each query: attention) or transposed (a row for each key).
//! A head's rows are shared out in parts that depend on the shapes and the processor's registers; sums over rows (everything
//! with Pᵀ) are added up part by part, so results do not depend on the number of threads. Those sums are what takes memory:
//! max(16, heads)·M·(d + e) values. A tile has as many rows as a register tile at least, so that from some 3500 keys on it
//! is larger than the second-level cache.

use super::gemm::{Panels, Start, packed_len, packed_product, product, with_scratch};
use super::lanes;
use super::recycle::{Recycled, stale, zeros};
use super::simd::{Kernel, widest};
use crate::device::AttentionSizes;
use crate::real::Real;
use ndarray::{ArrayView2, ArrayViewMut2, Axis, s};
use rayon::prelude::*;
use std::ops::Range;

/// Elements of a tile: 192 KiB of `f32`; three of them and the operands share a megabyte of cache.
const TILE: usize = 48 * 1024;
/// Tasks the rows of all heads are cut into at least, if they are long enough.
const TASKS: usize = 16;

/// Rows of a tile over `keys` columns.
pub(super) fn tile_rows<T: Real>(keys: usize) -> usize {
    let step = T::kernel().rows;
    (TILE / keys.max(1) / step).clamp(1, 4) * step
}

/// The rows of one head as ranges, as many as give every thread of an ordinary machine something to do.
pub(super) fn parts<T: Real>(heads: usize, queries: usize, keys: usize) -> Vec<Range<usize>> {
    let parts = TASKS.div_ceil(heads.max(1));
    let rows = queries.div_ceil(parts).next_multiple_of(tile_rows::<T>(keys));
    (0..queries).step_by(rows.max(1)).map(|first| first..(first + rows).min(queries)).collect()
}

/// One head's map P `[N, M]`, of which tiles can be computed.
pub(super) struct Map<'a, T> {
    q: ArrayView2<'a, T>,
    /// Kᵀ `[d, M]`.
    kt: Panels<'a, T>,
    scale: T,
    keys: usize,
}

/// Elements that [`Map::new`] needs for its copy of Kᵀ.
pub(super) fn map_scratch<T: Real>(dim: usize, keys: usize) -> usize {
    packed_len::<T>(dim, keys)
}

impl<'a, T: Real> Map<'a, T> {
    /// The map of q `[N, d]` and k `[M, d]`.
    pub(super) fn new(q: ArrayView2<'a, T>, k: ArrayView2<T>, scale: T, scratch: &'a mut [T]) -> Map<'a, T> {
        let (keys, _) = k.dim();
        Map { q, kt: Panels::pack(k.reversed_axes(), scratch), scale, keys }
    }

    /// scale·Q·Kᵀ of some rows.
    fn scores(&self, rows: &Range<usize>, tile: &mut [T]) {
        let q = self.q.slice(s![rows.clone(), ..]);
        packed_product(self.scale, q, &self.kt, Start::Zero, &mut matrix_mut(tile, rows.len()));
    }

    /// Rows of P times their sums: exponentials from the row's maximum on; `stats` gets the maximum and 1/Σ of every row.
    pub(super) fn exponentials(&self, rows: &Range<usize>, tile: &mut [T], stats: &mut [T]) {
        self.scores(rows, tile);
        widest(Exponentials { tile, keys: self.keys, stats });
    }

    /// Rows of P, given their `stats`: the same values, bit for bit, as in the forward pass. (One number, m + ln Σ, would do,
    /// but beside large scores it has lost the digits of Σ.)
    pub(super) fn probabilities(&self, rows: &Range<usize>, stats: &[T], tile: &mut [T]) {
        self.scores(rows, tile);
        widest(Probabilities { tile, keys: self.keys, stats });
    }
}

struct Exponentials<'a, T> {
    tile: &'a mut [T],
    keys: usize,
    stats: &'a mut [T],
}

impl<T: Real> Kernel for Exponentials<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for (row, stats) in self.tile.chunks_exact_mut(self.keys).zip(self.stats.chunks_exact_mut(2)) {
            let max = lanes::fold(row, T::neg_infinity(), |max, x| if x > max { x } else { max });
            for x in &mut *row {
                *x = (*x - max).vexp();
            }
            let sum = lanes::sum(row, |x| x);
            (stats[0], stats[1]) = (max, T::one() / sum);
        }
    }
}

struct Probabilities<'a, T> {
    tile: &'a mut [T],
    keys: usize,
    stats: &'a [T],
}

impl<T: Real> Kernel for Probabilities<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for (row, stats) in self.tile.chunks_exact_mut(self.keys).zip(self.stats.chunks_exact(2)) {
            let (max, inverse) = (stats[0], stats[1]);
            for x in row {
                *x = (*x - max).vexp() * inverse;
            }
        }
    }
}

/// Gradient of the scores of some rows, in place of that of P: dS = P∘(dP − Σ P∘dP).
pub(super) fn score_gradient<T: Real>(p: &[T], dp: &mut [T], keys: usize) {
    widest(ScoreGradient { p, dp, keys });
}

struct ScoreGradient<'a, T> {
    p: &'a [T],
    dp: &'a mut [T],
    keys: usize,
}

impl<T: Real> Kernel for ScoreGradient<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for (p, dp) in self.p.chunks_exact(self.keys).zip(self.dp.chunks_exact_mut(self.keys)) {
            let dot = lanes::dot(p, dp);
            for (d, &p) in dp.iter_mut().zip(p) {
                *d = p * (*d - dot);
            }
        }
    }
}

/// A slice as a matrix of so many rows.
pub(super) fn matrix_mut<T>(values: &mut [T], rows: usize) -> ArrayViewMut2<'_, T> {
    let cols = values.len() / rows.max(1);
    ArrayViewMut2::from_shape((rows, cols), values).expect("whole rows")
}

/// A slice as a matrix of so many rows.
pub(super) fn matrix_of<T>(values: &[T], rows: usize) -> ArrayView2<'_, T> {
    ArrayView2::from_shape((rows, values.len() / rows.max(1)), values).expect("whole rows")
}

/// Matrix number `i` of values `[heads, rows, cols]`.
pub(super) fn head<T>(values: &[T], heads: usize, i: usize, rows: usize) -> ArrayView2<'_, T> {
    let size = values.len() / heads;
    matrix_of(&values[i * size..(i + 1) * size], rows)
}

/// A mutable piece of `values` `[heads, rows, cols]` for every head and part of its rows, head by head.
pub(super) fn pieces<'a, T>(
    values: &'a mut [T],
    heads: usize,
    rows: usize,
    parts: &[Range<usize>],
) -> Vec<&'a mut [T]> {
    let cols = values.len() / (heads * rows).max(1);
    let mut rest = values;
    let lengths = (0..heads).flat_map(|_| parts.iter().map(|part| part.len() * cols));
    lengths.map(|length| rest.split_off_mut(..length).expect("the parts cover the rows")).collect()
}

/// Adds to `sum` `[heads, m, e]` what the parts of every head have collected, `[e, m]` each, part by part.
pub(super) fn add_collected<T: Real>(sum: &mut [T], heads: usize, m: usize, collected: &[ArrayView2<T>]) {
    let parts = collected.len() / heads;
    let size = sum.len() / heads;
    sum.par_chunks_exact_mut(size).enumerate().for_each(|(i, sum)| {
        let mut sum = matrix_mut(sum, m);
        for part in &collected[i * parts..(i + 1) * parts] {
            sum += &part.t();
        }
    });
}

/// P·x or Pᵀ·x and the rows' stats (maximum and 1/Σ, `[heads, N, 2]`): q `[heads, N, d]`, k `[heads, M, d]`; x is
/// `[heads, M, e]`, with Pᵀ `[heads, N, e]`.
pub(crate) fn attention<T: Real>(z: AttentionSizes, q: &[T], k: &[T], x: &[T]) -> (Vec<T>, Vec<T>) {
    let AttentionSizes { heads, queries, keys, dim, value_dim: e, transposed, .. } = z;
    let parts = parts::<T>(heads, queries, keys);
    let mut stats = stale(heads * queries * 2);
    let mut direct = if transposed { Vec::new() } else { stale(heads * queries * e) };
    let tasks: Vec<_> = pieces(&mut stats, heads, queries, &parts).into_iter().enumerate().collect();
    let outputs = if transposed {
        (0..tasks.len()).map(|_| &mut [][..]).collect()
    } else {
        pieces(&mut direct, heads, queries, &parts)
    };
    let collected: Vec<Recycled<T>> = tasks
        .into_par_iter()
        .zip(outputs)
        .map(|((i, stats), y)| {
            let (h, part) = (i / parts.len(), &parts[i % parts.len()]);
            let (q, k) = (head(q, heads, h, queries), head(k, heads, h, keys));
            let x = head(x, heads, h, if transposed { queries } else { keys });
            let mut sum = Recycled::new(zeros(if transposed { e * keys } else { 0 }));
            with_scratch(map_scratch::<T>(dim, keys), |scratch| {
                let map = Map::new(q, k, T::of(z.scale), scratch);
                for_tiles::<T>(part, keys, |rows, local, tile| {
                    let stats = &mut stats[2 * local.start..2 * local.end];
                    map.exponentials(&rows, tile, stats);
                    let exps = matrix_of(tile, rows.len());
                    if transposed {
                        let mut scaled = x.slice(s![rows, ..]).to_owned();
                        divide_by_sums(scaled.view_mut(), stats);
                        product(
                            T::one(),
                            scaled.t(),
                            exps,
                            Start::Old,
                            &mut matrix_mut(sum.as_mut_slice(), e),
                        );
                    } else {
                        let mut y = matrix_mut(&mut y[local.start * e..local.end * e], rows.len());
                        product(T::one(), exps, x, Start::Zero, &mut y);
                        divide_by_sums(y, stats);
                    }
                });
            });
            sum
        })
        .collect();
    if transposed {
        direct = zeros(heads * keys * e);
        let sums: Vec<_> = collected.iter().map(|sum| matrix_of(sum.as_slice(), e)).collect();
        add_collected(&mut direct, heads, keys, &sums);
    }
    (direct, stats)
}

/// Divides every row by the sum that its `stats` hold.
pub(super) fn divide_by_sums<T: Real>(mut x: ArrayViewMut2<T>, stats: &[T]) {
    for (mut row, stats) in x.rows_mut().into_iter().zip(stats.chunks_exact(2)) {
        row.iter_mut().for_each(|x| *x *= stats[1]);
    }
}

/// Calls `f(rows of the head, rows of the part, tile)` for every tile of a part.
pub(super) fn for_tiles<T: Real>(
    part: &Range<usize>,
    keys: usize,
    mut f: impl FnMut(Range<usize>, Range<usize>, &mut [T]),
) {
    let step = tile_rows::<T>(keys);
    with_scratch(step * keys, |tile| {
        for first in part.clone().step_by(step) {
            let rows = first..(first + step).min(part.end);
            let local = rows.start - part.start..rows.end - part.start;
            let tile = &mut tile[..rows.len() * keys];
            f(rows, local, tile);
        }
    });
}

/// Gradients of [`attention`]: (dq, dk, dx), given what it got, its `stats`, and dy.
///
/// With y = P·x the gradient of P is dP = dy·xᵀ; with y = Pᵀ·x it is x·dyᵀ. Either way it has a factor with a row for each
/// query (a) and one with a row for each key (b).
pub(crate) fn attention_backward<T: Real>(
    z: AttentionSizes,
    q: &[T],
    k: &[T],
    x: &[T],
    stats: &[T],
    dy: &[T],
) -> (Vec<T>, Vec<T>, Vec<T>) {
    let AttentionSizes { heads, queries, keys, dim, value_dim: e, transposed, .. } = z;
    let parts = parts::<T>(heads, queries, keys);
    let mut dq = stale(heads * queries * dim);
    let mut rows_dx = if transposed { stale(heads * queries * e) } else { Vec::new() };
    let (a, b) = if transposed { (x, dy) } else { (dy, x) };
    let dq_pieces = pieces(&mut dq, heads, queries, &parts);
    let dx_pieces = if transposed {
        pieces(&mut rows_dx, heads, queries, &parts)
    } else {
        dq_pieces.iter().map(|_| &mut [][..]).collect()
    };
    let tasks: Vec<_> = dq_pieces.into_iter().zip(dx_pieces).enumerate().collect();
    // Per task: dKᵀ `[d, M]` and, for y = P·x, dxᵀ `[e, M]` below it.
    let height = dim + if transposed { 0 } else { e };
    let collected: Vec<Recycled<T>> = tasks
        .into_par_iter()
        .map(|(i, (dq, dx))| {
            let (h, part) = (i / parts.len(), &parts[i % parts.len()]);
            let (q, k) = (head(q, heads, h, queries), head(k, heads, h, keys));
            let (a, b) = (head(a, heads, h, queries), head(b, heads, h, keys));
            let stats = &stats[2 * h * queries..2 * (h + 1) * queries];
            let scale = T::of(z.scale);
            let mut sum = Recycled::new(zeros(height * keys));
            let (mut dkt, mut dxt) = matrix_mut(sum.as_mut_slice(), height).split_at(Axis(0), dim);
            with_scratch(map_scratch::<T>(dim, keys) + packed_len::<T>(e, keys), |scratch| {
                let (for_map, for_b) = scratch.split_at_mut(map_scratch::<T>(dim, keys));
                let map = Map::new(q, k, scale, for_map);
                let bt = Panels::pack(b.reversed_axes(), for_b);
                for_tiles::<T>(part, keys, |rows, local, p| {
                    with_scratch(p.len(), |dp| {
                        map.probabilities(&rows, &stats[2 * rows.start..2 * rows.end], p);
                        let a = a.slice(s![rows.clone(), ..]);
                        packed_product(T::one(), a, &bt, Start::Zero, &mut matrix_mut(dp, rows.len()));
                        score_gradient(p, dp, keys);
                        let (p, ds) = (matrix_of(p, rows.len()), matrix_of(dp, rows.len()));
                        let mut dq = matrix_mut(&mut dq[local.start * dim..local.end * dim], rows.len());
                        product(scale, ds, k, Start::Zero, &mut dq);
                        product(scale, q.slice(s![rows.clone(), ..]).t(), ds, Start::Old, &mut dkt);
                        if transposed {
                            let mut dx = matrix_mut(&mut dx[local.start * e..local.end * e], rows.len());
                            product(T::one(), p, b, Start::Zero, &mut dx); // P·dy
                        } else {
                            product(T::one(), a.t(), p, Start::Old, &mut dxt); // (Pᵀ·dy)ᵀ
                        }
                    });
                });
            });
            sum
        })
        .collect();
    let gather = |first: usize, width: usize| {
        let mut sum = zeros(heads * keys * width);
        let rows =
            |part| matrix_of(Recycled::as_slice(part), height).slice_move(s![first..first + width, ..]);
        let columns: Vec<_> = collected.iter().map(rows).collect();
        add_collected(&mut sum, heads, keys, &columns);
        sum
    };
    let dk = gather(0, dim);
    let dx = if transposed { rows_dx } else { gather(dim, e) };
    (dq, dk, dx)
}
