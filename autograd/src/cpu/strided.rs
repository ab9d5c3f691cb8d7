//! Copies between differently strided layouts: permute, slice, expand, pad, concat and their gradients.

use super::for_chunks;
use crate::device::View;
use crate::real::Real;
use crate::tensor::shape::contiguous_strides;

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

    /// Number of inner loops.
    fn rows(&self) -> usize {
        self.shape[..self.shape.len() - 1].iter().product()
    }

    /// Where inner loop number `row` starts in the first two walks.
    pub(crate) fn offsets(&self, row: usize) -> [usize; 2] {
        let at = self.signed_offsets(row);
        [at[0] as usize, at[1] as usize]
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
    let (n, step_from, step_to) = walks.inner();
    let fills_all = to.offset == 0 && to.strides == contiguous_strides(shape) && step_to == 1;
    if fills_all && dst.len() == shape.iter().product::<usize>() {
        // Rows of the destination follow each other: they can be written in parallel.
        for_chunks(dst, super::rows_per_chunk(n) * n, |first, chunk| {
            for (i, row) in chunk.chunks_mut(n).enumerate() {
                let start = from.offset as isize + walks.signed_offsets(first / n + i)[0];
                copy_row(&src[start as usize..], src, start, step_from, row, accumulate);
            }
        });
        return;
    }
    for row in 0..walks.rows() {
        let at = walks.signed_offsets(row);
        let (start, mut place) = (from.offset as isize + at[0], to.offset as isize + at[1]);
        if step_to == 1 {
            let row = &mut dst[place as usize..place as usize + n];
            copy_row(&src[start as usize..], src, start, step_from, row, accumulate);
            continue;
        }
        for i in 0..n as isize {
            let value = src[(start + i * step_from) as usize];
            let target = &mut dst[place as usize];
            *target = if accumulate { *target + value } else { value };
            place += step_to;
        }
    }
}

/// One contiguous destination row, read with a step from `src[start..]`.
fn copy_row<T: Real>(ahead: &[T], src: &[T], start: isize, step: isize, row: &mut [T], accumulate: bool) {
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
