//! Windows of a picture as columns of a matrix (im2col), and columns added back to the picture (col2im).
//!
//! Row k of the column matrix belongs to one input channel and one kernel position, column p to one output pixel. A row is
//! mostly a copy of pieces of the channel's rows: where they lie is worked out once for a range of pixels and serves all
//! channels.

use crate::cpu::recycle::{Recycled, stale};
use crate::cpu::{for_chunks, rows_per_chunk};
use crate::device::Conv2dGeometry;
use crate::real::Real;

/// Whether pictures are read with even and odd columns apart: at stride 2 the pixels of a run are then neighbours. It pays
/// if several kernel columns read each pixel.
fn splits_columns(g: &Conv2dGeometry) -> bool {
    g.stride[1] == 2 && g.kernel[1] > 1
}

/// x `[.., W]` as [`Windows::read`] wants it: every row with its even columns first, then its odd ones; `None` if as it is.
pub(super) fn readable<T: Real>(g: &Conv2dGeometry, x: &[T]) -> Option<Recycled<T>> {
    if !splits_columns(g) {
        return None;
    }
    let w = g.input[1];
    let mut split = stale(x.len());
    for_chunks(&mut split, rows_per_chunk(w) * w, |first, rows| {
        for (to, row) in rows.chunks_exact_mut(w).zip(x[first..].chunks_exact(w)) {
            let (even, odd) = to.split_at_mut(w.div_ceil(2));
            even.iter_mut().zip(row.iter().step_by(2)).for_each(|(to, &x)| *to = x);
            odd.iter_mut().zip(row.iter().skip(1).step_by(2)).for_each(|(to, &x)| *to = x);
        }
    });
    Some(Recycled::new(split))
}

/// Consecutive output pixels whose input pixels lie inside the picture, `step` apart.
struct Run {
    /// First pixel within the range.
    at: usize,
    /// Its input pixel within the channel.
    source: usize,
    /// Number of pixels.
    len: usize,
}

/// What one kernel position sees of a range of output pixels.
struct Tap {
    runs: Vec<Run>,
    /// Some pixels see the padding.
    gaps: bool,
}

/// A range of output pixels seen through all kernel positions.
pub(super) struct Windows {
    taps: Vec<Tap>,
    n: usize,
    step: usize,
    plane: usize,
}

impl Windows {
    /// Output pixels `first..first + n` of pictures that [`readable`] has prepared, to be read.
    pub(super) fn to_read(g: &Conv2dGeometry, first: usize, n: usize) -> Windows {
        let mut windows = Windows::to_add(g, first, n);
        if splits_columns(g) {
            let w = g.input[1];
            for run in windows.taps.iter_mut().flat_map(|tap| &mut tap.runs) {
                let (y, x) = (run.source / w, run.source % w);
                run.source = y * w + x / 2 + x % 2 * w.div_ceil(2);
            }
            windows.step = 1;
        }
        windows
    }

    /// Output pixels `first..first + n` of pictures as they are, to be added to.
    pub(super) fn to_add(g: &Conv2dGeometry, first: usize, n: usize) -> Windows {
        let [kh, kw] = g.kernel;
        let taps = (0..kh * kw).map(|tap| tap_of(g, [tap / kw, tap % kw], first, n)).collect();
        Windows { taps, n, step: g.stride[1], plane: g.input[0] * g.input[1] }
    }

    /// Writes rows `first_row..` of the column matrix of x `[channels, H, W]`, each `width` ≥ n long, as many as `columns` holds;
    /// what is left of a row is filled with zeros.
    pub(super) fn read<T: Real>(&self, x: &[T], first_row: usize, columns: &mut [T], width: usize) {
        for (i, row) in columns.chunks_exact_mut(width).enumerate() {
            let k = first_row + i;
            let plane = &x[k / self.taps.len() * self.plane..][..self.plane];
            let tap = &self.taps[k % self.taps.len()];
            if tap.gaps || self.n < width {
                row.fill(T::zero());
            }
            for run in &tap.runs {
                if self.step == 1 {
                    copy(&mut row[run.at..run.at + run.len], &plane[run.source..run.source + run.len]);
                } else {
                    let source = plane[run.source..].iter().step_by(self.step);
                    row[run.at..run.at + run.len].iter_mut().zip(source).for_each(|(to, &x)| *to = x);
                }
            }
        }
    }

    /// Adds a column matrix `[channels·kernel, n]` to the pixels it was read from.
    pub(super) fn add<T: Real>(&self, columns: &[T], x: &mut [T]) {
        let rows = columns.chunks_exact(self.n * self.taps.len());
        for (columns, plane) in rows.zip(x.chunks_exact_mut(self.plane)) {
            for (row, tap) in columns.chunks_exact(self.n).zip(&self.taps) {
                for run in &tap.runs {
                    let from = &row[run.at..run.at + run.len];
                    if self.step == 1 {
                        plane[run.source..run.source + run.len]
                            .iter_mut()
                            .zip(from)
                            .for_each(|(x, &c)| *x += c);
                    } else {
                        plane[run.source..]
                            .iter_mut()
                            .step_by(self.step)
                            .zip(from)
                            .for_each(|(x, &c)| *x += c);
                    }
                }
            }
        }
    }
}

/// Copies a run; the usual lengths without the call that any length needs.
#[inline(always)]
fn copy<T: Copy>(to: &mut [T], from: &[T]) {
    fn fixed<T: Copy, const N: usize>(to: &mut [T], from: &[T]) {
        *to.first_chunk_mut::<N>().expect("N long") = *from.first_chunk::<N>().expect("N long");
    }
    match to.len() {
        32 => fixed::<T, 32>(to, from),
        31 => {
            fixed::<T, 16>(to, from);
            fixed::<T, 15>(&mut to[16..], &from[16..]);
        }
        16 => fixed::<T, 16>(to, from),
        15 => fixed::<T, 15>(to, from),
        8 => fixed::<T, 8>(to, from),
        7 => fixed::<T, 7>(to, from),
        _ => to.copy_from_slice(from),
    }
}

fn tap_of(g: &Conv2dGeometry, [ky, kx]: [usize; 2], first: usize, n: usize) -> Tap {
    let [_, ow] = g.output();
    let [h, w] = g.input.map(|size| size as isize);
    let step = g.stride[1] as isize;
    let (mut runs, mut covered, mut at) = (Vec::new(), 0, 0);
    while at < n {
        // Pixels of one output row.
        let (oy, ox) = ((first + at) / ow, (first + at) % ow);
        let len = (ow - ox).min(n - at);
        let y = (oy * g.stride[0] + ky * g.dilation[0]) as isize - g.padding[0] as isize;
        let x = (ox * g.stride[1] + kx * g.dilation[1]) as isize - g.padding[1] as isize;
        if (0..h).contains(&y) {
            let start = if x >= 0 { 0 } else { (-x + step - 1) / step };
            let end = if x >= w { 0 } else { ((w - 1 - x) / step + 1).min(len as isize) };
            if start < end {
                let source = (y * w + x + start * step) as usize;
                let len = (end - start) as usize;
                runs.push(Run { at: at + start as usize, source, len });
                covered += len;
            }
        }
        at += len;
    }
    Tap { runs, gaps: covered < n }
}
