//! Copies between differently strided layouts: permute, slice, expand, pad, concat and their gradients.

use super::{CHUNK, for_chunks};
use crate::device::View;
use crate::real::Real;
use std::ops::Range;

/// Axes merged as far as every walk allows; the last axis is the inner loop.
pub(crate) struct Walks {
    shape: Vec<usize>,
    strides: Vec<Vec<isize>>,
}

/// Merges neighbouring axes that all walks cross without a jump, and drops axes of size 1.
pub(crate) fn coalesce(shape: &[usize], walks: &[&[isize]]) -> Walks {
    let mut sizes: Vec<usize> = Vec::new();
    let mut strides: Vec<Vec<isize>> = vec![Vec::new(); walks.len()];
    for (axis, &size) in shape.iter().enumerate().filter(|&(_, &size)| size != 1) {
        let joins = !sizes.is_empty()
            && walks.iter().zip(&strides).all(|(walk, own)| own[own.len() - 1] == walk[axis] * size as isize);
        if joins {
            *sizes.last_mut().expect("not empty") *= size;
            strides
                .iter_mut()
                .zip(walks)
                .for_each(|(own, walk)| *own.last_mut().expect("not empty") = walk[axis]);
        } else {
            sizes.push(size);
            strides.iter_mut().zip(walks).for_each(|(own, walk)| own.push(walk[axis]));
        }
    }
    if sizes.is_empty() {
        sizes.push(1);
        strides.iter_mut().for_each(|own| own.push(1));
    }
    Walks { shape: sizes, strides }
}

impl Walks {
    /// Length of the innermost axis and its strides in the first two walks.
    pub(crate) fn inner(&self) -> (usize, isize, isize) {
        let last = self.shape.len() - 1;
        (self.shape[last], self.strides[0][last], self.strides[1][last])
    }

    /// How the destination (the second walk) falls apart into units that do not overlap and follow each other at equal
    /// distances, to be written in parallel; `None` if it does not.
    fn units(&self) -> Option<Units> {
        let (shape, to) = (&self.shape, &self.strides[1]);
        let last = shape.len() - 1;
        // The leading axes that run through the destination without a jump; the last axis is a row, if there are others.
        let mut axes = 1;
        while axes < last && to[axes - 1] == to[axes] * shape[axes] as isize {
            axes += 1;
        }
        let rest = shape[axes..].iter().zip(&to[axes..]);
        let reach: isize = rest.clone().map(|(&size, &step)| (size as isize - 1) * step).sum();
        let apart = rest.clone().all(|(_, &step)| step >= 0) && reach < to[axes - 1];
        apart.then(|| Units {
            count: shape[..axes].iter().product(),
            stride: to[axes - 1] as usize,
            rows: shape[axes..].iter().rev().skip(1).product(),
            size: shape[axes..].iter().product(),
        })
    }

    /// Where inner loop number `row` starts in the first two walks.
    pub(crate) fn offsets(&self, row: usize) -> [usize; 2] {
        let at = self.signed_offsets(row);
        [at[0] as usize, at[1] as usize]
    }

    /// How many rows from this one on have their first elements side by side in the source, while a row's own elements
    /// are apart: at most a cache line of `f32`.
    fn neighbours(&self, row: usize) -> usize {
        let last = self.shape.len() - 1;
        if last == 0 || self.strides[0][last - 1] != 1 || self.strides[0][last] == 1 {
            return 1;
        }
        let size = self.shape[last - 1];
        (size - row % size).min(16)
    }

    fn signed_offsets(&self, mut row: usize) -> [isize; 2] {
        let mut at = [0isize; 2];
        for axis in (0..self.shape.len() - 1).rev() {
            let i = (row % self.shape[axis]) as isize;
            row /= self.shape[axis];
            at[0] += i * self.strides[0][axis];
            at[1] += i * self.strides[1][axis];
        }
        at
    }
}

/// Pieces of a destination: every one starts `stride` after the one before.
struct Units {
    count: usize,
    stride: usize,
    /// Inner loops of one unit.
    rows: usize,
    /// Elements of one unit.
    size: usize,
}

/// Copies (or adds) the elements of `src` walked by `from` to the places of `dst` walked by `to`.
pub(crate) fn copy<T: Real>(
    shape: &[usize],
    (src, from): (&[T], &View),
    (dst, to): (&mut [T], &View),
    accumulate: bool,
) {
    if shape.contains(&0) {
        return;
    }
    let walks = coalesce(shape, &[&from.strides, &to.strides]);
    let (n, step_from, _) = walks.inner();
    let (rows, start) = (walks.shape[..walks.shape.len() - 1].iter().product(), from.offset as isize);
    match walks.units() {
        // A single axis: its elements are the units.
        Some(Units { count, stride, .. }) if walks.shape.len() == 1 => {
            let per_task = CHUNK.min(count);
            let end = (count - 1) * stride + 1;
            for_chunks(&mut dst[to.offset..][..end], per_task * stride, |first, dst| {
                let first = first / stride;
                let start = start + first as isize * step_from;
                let n = per_task.min(count - first);
                Rows { walks: &walks, src, start, accumulate }.copy(0..1, n, dst, 0);
            });
        }
        Some(units) => {
            let per_task = (CHUNK / units.size).max(walks.neighbours(0));
            let end = (dst.len() - to.offset).min(units.count * units.stride);
            for_chunks(&mut dst[to.offset..][..end], per_task * units.stride, |first, dst| {
                let unit = first / units.stride;
                let rows = unit * units.rows..(unit + per_task).min(units.count) * units.rows;
                Rows { walks: &walks, src, start, accumulate }.copy(rows, n, dst, -(first as isize));
            });
        }
        // It may walk backwards, too.
        None => Rows { walks: &walks, src, start, accumulate }.copy(0..rows, n, dst, to.offset as isize),
    }
}

/// Rows to be copied: the source, where its first element stands, and how to combine.
struct Rows<'a, T> {
    walks: &'a Walks,
    src: &'a [T],
    start: isize,
    accumulate: bool,
}

impl<T: Real> Rows<'_, T> {
    /// Copies the inner loops of the given numbers, `n` elements each, to `dst`, where the walk starts at `origin`.
    fn copy(&self, rows: Range<usize>, n: usize, dst: &mut [T], origin: isize) {
        let (_, step_from, step_to) = self.walks.inner();
        let mut row = rows.start;
        while row < rows.end {
            let at = self.walks.signed_offsets(row);
            let (start, place) = (self.start + at[0], origin + at[1]);
            let side_by_side = self.walks.neighbours(row).min(rows.end - row);
            if side_by_side > 1 && step_to == 1 && !self.accumulate {
                self.transpose((start as usize, step_from), side_by_side, n, &mut dst[place as usize..]);
                row += side_by_side;
                continue;
            }
            if step_to == 1 {
                let target = &mut dst[place as usize..][..n];
                copy_row(self.src, start, step_from, target, self.accumulate);
            } else {
                for i in 0..n as isize {
                    let value = self.src[(start + i * step_from) as usize];
                    let target = &mut dst[(place + i * step_to) as usize];
                    *target = if self.accumulate { *target + value } else { value };
                }
            }
            row += 1;
        }
    }

    /// Rows whose elements stand side by side in the source: read together, so that every cache line is used whole.
    fn transpose(&self, (start, step): (usize, isize), rows: usize, n: usize, dst: &mut [T]) {
        let stride = self.walks.strides[1][self.walks.shape.len() - 2] as usize;
        for i in 0..n {
            let line = &self.src[(start as isize + i as isize * step) as usize..][..rows];
            for (row, &value) in line.iter().enumerate() {
                dst[row * stride + i] = value;
            }
        }
    }
}

/// One contiguous destination row, read with a step from `src[start..]`.
fn copy_row<T: Real>(src: &[T], start: isize, step: isize, row: &mut [T], accumulate: bool) {
    let ahead = &src[start as usize..];
    match (step, accumulate) {
        (1, false) => row.copy_from_slice(&ahead[..row.len()]),
        (1, true) => row.iter_mut().zip(ahead).for_each(|(y, &x)| *y += x),
        (0, false) => row.fill(ahead[0]),
        _ => row.iter_mut().enumerate().for_each(|(i, y)| {
            let value = src[(start + i as isize * step) as usize];
            *y = if accumulate { *y + value } else { value };
        }),
    }
}
