//! A matrix product on one thread: blocks that fit the caches, and operands laid out for the micro-kernel.
//!
//! The loops, from the outside in: rows of A by MC, depth by KC, columns of B by NC, then register tiles. (Goto's algorithm has
//! the columns outermost; here a task has few of them.) A block of A (MC·KC) and one of B (KC·NC) of `f32` stay in a
//! second-level cache of a megabyte, one micro-panel of A in the first.
//!
//! Every element of C is summed over p = 0, 1, … in even blocks of at most KC, whatever MC, NC or the number of threads: the order of
//! additions depends on k alone.

use super::kernel::{Kernel, Tile, with_scratch};
use crate::real::Real;
use ndarray::{ArrayView2, ArrayViewMut2, Axis, ShapeBuilder};
use std::marker::PhantomData;

/// Rows of A in a block at most; a multiple of every kernel's rows.
const MC: usize = 168;
/// Depth of a block at most: a micro-panel of A takes 14·KC·4 = 22 KiB.
const KC: usize = 400;
/// Columns of B in a block; a multiple of every kernel's columns.
const NC: usize = 256;

/// Elements of the largest register tile of any kernel.
const LARGEST_TILE: usize = 14 * 32;

/// What C holds before the product is added.
#[derive(Clone, Copy)]
pub(crate) enum Start<'a, T> {
    /// Zeros; the old C is not read.
    Zero,
    /// The old C.
    Old,
    /// One row for all rows, `[n]`.
    Bias(&'a [T]),
}

/// B `[k, n]` as the micro-kernel reads it: panels of as many columns as a register tile has, each of them row by row.
pub(crate) struct Panels<'a, T> {
    /// The first element. A pointer, because rows in place have other people's values between them.
    first: *const T,
    /// Distance between panels, and between rows of a panel.
    step: usize,
    row: usize,
    /// The last, incomplete panel where the others lie in place.
    tail: Option<&'a [T]>,
    k: usize,
    n: usize,
    borrowed: PhantomData<&'a [T]>,
}

/// Columns of a panel.
pub(crate) fn panel_cols<T: Real>() -> usize {
    T::kernel().cols
}

/// Elements of B `[k, n]` in panels, the last one filled up.
pub(crate) fn packed_len<T: Real>(k: usize, n: usize) -> usize {
    k * n.next_multiple_of(panel_cols::<T>())
}

/// Panel `i` of B: `[k, panel_cols]`, filled up with zeros.
fn pack_panel<T: Real>(b: ArrayView2<T>, i: usize, panel: &mut [T]) {
    let cols = panel_cols::<T>();
    let first = i * cols;
    let width = cols.min(b.dim().1 - first);
    let part = b.slice(ndarray::s![.., first..first + width]);
    if width < cols {
        panel.fill(T::zero());
    }
    copy_panel(part, panel, cols);
}

/// Copies `[k, width]` to rows of `cols`: the layout of both operands' panels (A's are those of its transpose).
fn copy_panel<T: Real>(part: ArrayView2<T>, panel: &mut [T], cols: usize) {
    if part.strides()[1] == 1 {
        // The widths of whole panels are known when this is compiled, which spares a call for each row.
        return match part.dim().1 {
            32 => copy_rows::<T, 32>(part, panel, cols),
            16 => copy_rows::<T, 16>(part, panel, cols),
            8 => copy_rows::<T, 8>(part, panel, cols),
            _ => copy_rows_of_any_width(part, panel, cols),
        };
    }
    // Columns are contiguous: sixteen rows at a time, so that the written lines stay in the cache.
    for (block, to) in part.axis_chunks_iter(Axis(0), 16).zip(panel.chunks_mut(16 * cols)) {
        for (j, group) in block.axis_chunks_iter(Axis(1), 4).enumerate() {
            turn_columns(group, &mut to[4 * j..], cols);
        }
    }
}

fn copy_rows<T: Real, const WIDTH: usize>(part: ArrayView2<T>, panel: &mut [T], cols: usize) {
    for (to, from) in panel.chunks_exact_mut(cols).zip(part.rows()) {
        let from = from.to_slice().expect("unit stride");
        *to.first_chunk_mut::<WIDTH>().expect("wide enough") = *from.first_chunk().expect("WIDTH columns");
    }
}

fn copy_rows_of_any_width<T: Real>(part: ArrayView2<T>, panel: &mut [T], cols: usize) {
    for (to, from) in panel.chunks_exact_mut(cols).zip(part.rows()) {
        let from = from.to_slice().expect("unit stride");
        to[..from.len()].copy_from_slice(from);
    }
}

/// Up to four columns of x to places `cols` apart, four by four elements at a time where they are contiguous.
fn turn_columns<T: Real>(x: ArrayView2<T>, to: &mut [T], cols: usize) {
    let k = x.dim().0;
    let columns =
        [0, 1, 2, 3].map(|j| (j < x.dim().1).then(|| x.index_axis_move(Axis(1), j).to_slice()).flatten());
    let mut done = 0;
    if let [Some(a), Some(b), Some(c), Some(d)] = columns {
        let (a, _) = a.as_chunks::<4>();
        let (b, _) = b.as_chunks::<4>();
        let (c, _) = c.as_chunks::<4>();
        let (d, _) = d.as_chunks::<4>();
        for (((a, b), c), d) in a.iter().zip(b).zip(c).zip(d) {
            for i in 0..4 {
                let row = &mut to[(done + i) * cols..];
                *row.first_chunk_mut::<4>().expect("four columns") = [a[i], b[i], c[i], d[i]];
            }
            done += 4;
        }
    }
    for p in done..k {
        for j in 0..x.dim().1 {
            to[p * cols + j] = x[[p, j]];
        }
    }
}

impl<'a, T: Real> Panels<'a, T> {
    /// B `[k, n]`, k > 0, laid out in `values`, [`packed_len`] of them.
    pub(crate) fn pack(b: ArrayView2<T>, values: &'a mut [T]) -> Panels<'a, T> {
        let (k, n) = b.dim();
        let panels = values.chunks_exact_mut(k * panel_cols::<T>()).enumerate();
        panels.for_each(|(i, panel)| pack_panel(b, i, panel));
        Panels::packed(values, k, n)
    }

    /// Panels that stand in `values` already.
    pub(crate) fn packed(values: &'a [T], k: usize, n: usize) -> Panels<'a, T> {
        assert!(values.len() == packed_len::<T>(k, n), "panels: {} values for {k} x {n}", values.len());
        let row = panel_cols::<T>();
        Panels { first: values.as_ptr(), step: k * row, row, tail: None, k, n, borrowed: PhantomData }
    }

    /// B where it lies, for rows that are contiguous; only an incomplete last panel is copied, to `spare`.
    fn in_place(b: &ArrayView2<'a, T>, spare: &'a mut [T]) -> Panels<'a, T> {
        let ((k, n), cols) = (b.dim(), panel_cols::<T>());
        assert!(b.strides()[1] == 1 && b.strides()[0] >= 0, "panels: rows must be contiguous");
        let tail = (!n.is_multiple_of(cols)).then(|| {
            let spare = &mut spare[..k * cols];
            pack_panel(b.view(), n / cols, spare);
            &*spare
        });
        let row = b.strides()[0] as usize;
        Panels { first: b.as_ptr(), step: cols, row, tail, k, n, borrowed: PhantomData }
    }

    /// Panel `i` from row `p` on, rows p..k of `cols` elements each, and the distance between them.
    fn at(&self, i: usize, p: usize, cols: usize) -> (*const T, usize) {
        assert!(i * cols < self.n && p < self.k, "panels: panel {i} from row {p} of {} x {}", self.k, self.n);
        match self.tail {
            Some(tail) if (i + 1) * cols > self.n => (tail[p * cols..].as_ptr(), cols),
            // In place, a panel that is not the tail has all its columns inside B, and rows p..k are B's own.
            _ => (self.first.wrapping_add(i * self.step + p * self.row), self.row),
        }
    }
}

/// `rows × cols` over stored values; a transposed matrix is stored `[cols, rows]`.
pub(crate) fn matrix<T>(values: &[T], rows: usize, cols: usize, transposed: bool) -> ArrayView2<'_, T> {
    let strides = if transposed { (1, rows) } else { (cols, 1) };
    ArrayView2::from_shape((rows, cols).strides(strides), values).expect("the matrix has rows·cols elements")
}

/// Rows of A that pay for a copy of B whose rows are contiguous already.
const ROWS_FOR_A_COPY: usize = 64;

/// C = alpha·A·B + start on the calling thread, for A and B of any layout and C with contiguous rows or columns.
pub(crate) fn product<T: Real>(
    alpha: T,
    a: ArrayView2<T>,
    b: ArrayView2<T>,
    start: Start<T>,
    c: &mut ArrayViewMut2<T>,
) {
    if c.is_empty() {
        return;
    }
    if c.strides()[1] != 1 && c.dim().1 > 1 {
        assert!(
            c.strides()[0] == 1 || c.dim().0 == 1,
            "product: neither rows nor columns of C are contiguous"
        );
        assert!(!matches!(start, Start::Bias(_)), "product: a bias needs contiguous rows of C");
        return product(
            alpha,
            b.reversed_axes(),
            a.reversed_axes(),
            start,
            &mut c.view_mut().reversed_axes(),
        );
    }
    let (k, n) = b.dim();
    let cols = panel_cols::<T>();
    // Contiguous rows of B are used where they lie if A has too few rows to pay for a copy.
    if b.strides()[1] == 1 && k > 0 && n > 0 && a.dim().0 <= ROWS_FOR_A_COPY {
        with_scratch(k * cols, |spare| packed_product(alpha, a, &Panels::in_place(&b, spare), start, c));
        return;
    }
    with_scratch(packed_len::<T>(k, n), |values| {
        let panels = if k > 0 { Panels::pack(b, values) } else { Panels::packed(values, k, n) };
        packed_product(alpha, a, &panels, start, c);
    });
}

/// C = alpha·A·B + start on the calling thread; C's rows must be contiguous.
pub(crate) fn packed_product<T: Real>(
    alpha: T,
    a: ArrayView2<T>,
    b: &Panels<T>,
    start: Start<T>,
    c: &mut ArrayViewMut2<T>,
) {
    let ((m, n), k) = (c.dim(), a.dim().1);
    assert!(
        a.dim() == (m, k) && (b.k, b.n) == (k, n) && (c.strides()[1] == 1 || n <= 1),
        "product: sizes {:?}, {:?}, {:?}",
        a.dim(),
        (b.k, b.n),
        c.dim()
    );
    assert!(a.strides().iter().chain(c.strides()).all(|&stride| stride >= 0), "product: rows run backwards");
    if let Start::Bias(bias) = start {
        assert!(bias.len() == n, "product: a bias of {} for {n} columns", bias.len());
    }
    if m == 0 || n == 0 {
        return;
    }
    let kernel = T::kernel();
    let pack = k > 0 && n > 2 * kernel.cols && in_one_set(&a);
    // Blocks of even size: a short last one would do as much loading and storing for less arithmetic.
    let depth = k.div_ceil(k.div_ceil(KC).max(1)).max(1);
    let height = m.div_ceil(m.div_ceil(MC)).next_multiple_of(kernel.rows);
    let spare = if pack { height * depth } else { 0 };
    with_scratch(spare, |block| {
        for (a, mut c) in a.axis_chunks_iter(Axis(0), height).zip(c.axis_chunks_iter_mut(Axis(0), height)) {
            for p in (0..k.max(1)).step_by(depth) {
                let a = a.slice(ndarray::s![.., p..(p + depth).min(k)]);
                if pack {
                    pack_rows(a, block, kernel.rows);
                }
                let start = if p == 0 { start } else { Start::Old };
                for first in (0..n).step_by(NC) {
                    let rows = if pack { Left::Packed(block, a.dim()) } else { Left::InPlace(a) };
                    columns(kernel, alpha, &rows, (b, p), start, &mut c, first..(first + NC).min(n));
                }
            }
        }
    });
}

/// Whether neighbouring rows or columns of A fall on the same few places of the first-level cache: 4096 bytes apart, all of
/// them compete for its eight ways, and a copy is worth its time. Other matrices are read where they lie.
fn in_one_set<T>(a: &ArrayView2<T>) -> bool {
    a.strides().iter().any(|stride| (stride.unsigned_abs() * size_of::<T>()).is_multiple_of(4096))
}

/// A block of A, where it lies or in micro-panels `[kc, rows]`.
enum Left<'a, T> {
    InPlace(ArrayView2<'a, T>),
    Packed(&'a [T], (usize, usize)),
}

/// Micro-panels of A: `rows` rows each, column by column; the last may hold fewer.
fn pack_rows<T: Real>(a: ArrayView2<T>, block: &mut [T], rows: usize) {
    let k = a.dim().1;
    for (part, panel) in a.axis_chunks_iter(Axis(0), rows).zip(block.chunks_mut(k * rows)) {
        copy_panel(part.reversed_axes(), panel, rows);
    }
}

/// All register tiles of a block of C: `range` of its columns, B from depth `p` on.
#[allow(unsafe_code)]
fn columns<T: Real>(
    kernel: Kernel<T>,
    alpha: T,
    a: &Left<T>,
    (b, p): (&Panels<T>, usize),
    start: Start<T>,
    c: &mut ArrayViewMut2<T>,
    range: std::ops::Range<usize>,
) {
    let (m, k) = match a {
        Left::InPlace(a) => a.dim(),
        Left::Packed(_, dim) => *dim,
    };
    let c_row = if m > 1 { c.strides()[0] as usize } else { 0 };
    let (rows, cols) = (kernel.rows, kernel.cols);
    let mut edge = [T::zero(); LARGEST_TILE];
    assert!(rows * cols <= edge.len(), "the largest register tile has {LARGEST_TILE} elements");
    for i in (0..m).step_by(rows) {
        let height = rows.min(m - i);
        let left = match a {
            Left::InPlace(a) => {
                let [a_row, a_col] = [0, 1].map(|axis| a.strides()[axis] as usize);
                (a.as_ptr().wrapping_add(i * a_row), a_row, a_col)
            }
            Left::Packed(block, _) => (block[i * k..].as_ptr(), 1, rows),
        };
        for j in range.clone().step_by(cols) {
            let width = cols.min(range.end - j);
            let panel = if k == 0 { (std::ptr::null(), 0) } else { b.at(j / cols, p, cols) };
            let target = c.as_mut_ptr().wrapping_add(i * c_row + j);
            // Columns that are not whole vectors are computed beside C.
            let whole = width == cols || width == cols / 2;
            if !whole {
                fill_edge(&mut edge, cols, start, c, (i, height), (j, width));
            }
            let to = if whole { (target, c_row) } else { (edge.as_mut_ptr(), cols) };
            let from = match start {
                Start::Zero => (std::ptr::null(), 0),
                Start::Bias(bias) if whole => (bias[j..].as_ptr(), 0),
                Start::Bias(_) | Start::Old => (to.0.cast_const(), to.1),
            };
            let tile = Tile { k, a: left, b: panel, start: from, c: to, alpha };
            // SAFETY: rows i..i+height of A lie in its view or in the packed block, at the strides given; the panel has k
            // rows of whole vectors, being either packed to full width or complete in place (an incomplete one is copied
            // to `tail`); C's part has height·width elements and its view's rows are contiguous, as `packed_product`
            // checked, and the edge buffer holds the largest tile; a bias has n elements, which it checked, too.
            unsafe { (kernel.run)(&tile, height, width > cols / 2) };
            if !whole {
                let mut part = c.slice_mut(ndarray::s![i..i + height, j..j + width]);
                part.indexed_iter_mut().for_each(|((r, s), to)| *to = edge[r * cols + s]);
            }
        }
    }
}

/// What the sums of an edge tile start from, so that it rounds as other tiles do. Its further columns are dropped.
fn fill_edge<T: Real>(
    edge: &mut [T],
    cols: usize,
    start: Start<T>,
    c: &ArrayViewMut2<T>,
    (i, height): (usize, usize),
    (j, width): (usize, usize),
) {
    for (r, row) in edge.chunks_exact_mut(cols).take(height).enumerate() {
        match start {
            Start::Zero => {}
            Start::Old => (0..width).for_each(|s| row[s] = c[[i + r, j + s]]),
            Start::Bias(bias) => row[..width].copy_from_slice(&bias[j..j + width]),
        }
    }
}
