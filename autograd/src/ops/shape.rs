//! Moving elements: reshape, permute, slice, concat, pad, unfold.

use crate::device::View;
use crate::real::Real;
use crate::tape::{Var, record};
use crate::tensor::Tensor;
use crate::tensor::shape::{axis_index, contiguous_strides};
use std::ops::Range;

impl<T: Real> Var<T> {
    /// Another shape with as many elements; one size may be −1. PyTorch equivalent: `Tensor.reshape`.
    #[track_caller]
    pub fn reshape(&self, sizes: &[isize]) -> Var<T> {
        let from = self.shape().to_vec();
        record("reshape", self.value().reshape(sizes), &[self], move |dy, sink| {
            sink.add(0, || dy.with_shape(&from))
        })
    }

    /// As [`Var::reshape`] with plain sizes.
    #[track_caller]
    pub fn with_shape(&self, shape: &[usize]) -> Var<T> {
        self.reshape(&shape.iter().map(|&size| size as isize).collect::<Vec<_>>())
    }

    /// The axes in another order; the gradient goes back in the inverse order. PyTorch equivalent: `Tensor.permute`.
    #[track_caller]
    pub fn permute(&self, order: &[usize]) -> Var<T> {
        let y = self.value().permute(order); // checks the order
        let mut inverse = vec![0; order.len()];
        order.iter().enumerate().for_each(|(to, &from)| inverse[from] = to);
        record("permute", y, &[self], move |dy, sink| sink.add(0, || dy.permute(&inverse)))
    }

    /// Two axes exchanged. PyTorch equivalent: `Tensor.transpose`.
    #[track_caller]
    pub fn transpose(&self, a: isize, b: isize) -> Var<T> {
        let ndim = self.shape().len();
        let mut order: Vec<usize> = (0..ndim).collect();
        order.swap(axis_index("transpose", a, ndim), axis_index("transpose", b, ndim));
        self.permute(&order)
    }

    /// Repeats axes of size 1 up to `shape`; the gradient sums them. PyTorch equivalent: `Tensor.expand`.
    #[track_caller]
    pub fn expand(&self, shape: &[usize]) -> Var<T> {
        record("expand", self.value().expand(shape), &[self], |dy, sink| sink.add(0, || dy.clone()))
    }

    /// A range of one axis; the gradient is 0 elsewhere. PyTorch equivalent: `x.narrow(axis, start, len)`.
    #[track_caller]
    pub fn slice(&self, axis: isize, range: Range<usize>) -> Var<T> {
        let from = self.shape().to_vec();
        let axis = axis_index("slice", axis, from.len());
        assert!(
            range.start <= range.end && range.end <= from[axis],
            "slice: {range:?} does not lie inside axis {axis} of shape {from:?}"
        );
        let strides = contiguous_strides(&from);
        let window = View { offset: range.start * strides[axis] as usize, strides };
        let mut shape = from.clone();
        shape[axis] = range.len();
        record("slice", self.value().strided(&shape, &window), &[self], move |dy, sink| {
            sink.add_to_window(0, &window, || dy.clone());
        })
    }

    /// Consecutive pieces of the given sizes. PyTorch equivalent: `torch.split(x, sizes, dim=axis)`.
    #[track_caller]
    pub fn split(&self, axis: isize, sizes: &[usize]) -> Vec<Var<T>> {
        let total: usize = sizes.iter().sum();
        assert!(
            total == self.shape()[axis_index("split", axis, self.shape().len())],
            "split: sizes {sizes:?} do not add up to axis {axis} of {:?}",
            self.shape()
        );
        let mut start = 0;
        let piece = |&size: &usize| {
            start += size;
            self.slice(axis, start - size..start)
        };
        sizes.iter().map(piece).collect()
    }

    /// Adds `(before, after)` elements of one value on each axis. PyTorch equivalent: `F.pad(mode='constant')`, with
    /// the pairs in the order of the axes.
    #[track_caller]
    pub fn pad(&self, pads: &[(usize, usize)], value: f64) -> Var<T> {
        let from = self.shape().to_vec();
        assert!(
            pads.len() == from.len(),
            "pad: {} pairs for the {} axes of {from:?}",
            pads.len(),
            from.len()
        );
        let shape: Vec<usize> =
            from.iter().zip(pads).map(|(&size, &(before, after))| before + size + after).collect();
        let strides = contiguous_strides(&shape);
        let offset = pads.iter().zip(&strides).map(|(&(before, _), &stride)| before * stride as usize).sum();
        let window = View { offset, strides };
        let frame = self.value().full_like(&shape, value);
        record("pad", self.value().place(Some(frame), &shape, &window, false), &[self], move |dy, sink| {
            sink.add(0, || dy.strided(&from, &window));
        })
    }

    /// The elements of one axis in reverse. PyTorch equivalent: `torch.flip(x, [axis])`.
    #[track_caller]
    pub fn flip(&self, axis: isize) -> Var<T> {
        let shape = self.shape().to_vec();
        let axis = axis_index("flip", axis, shape.len());
        let mut strides = contiguous_strides(&shape);
        let offset = shape[axis].saturating_sub(1) * strides[axis] as usize;
        strides[axis] = -strides[axis];
        let backwards = View { offset, strides };
        record("flip", self.value().strided(&shape, &backwards), &[self], move |dy, sink| {
            sink.add(0, || dy.strided(&shape, &backwards));
        })
    }

    /// Every window of `[B, C, H, W]` as a column: `[B, C·kh·kw, windows]`, windows row by row; the gradient adds each
    /// column back to its window. PyTorch equivalent: `F.unfold(x, kernel, dilation, padding, stride)`.
    #[track_caller]
    pub fn unfold(
        &self,
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
        dilation: [usize; 2],
    ) -> Var<T> {
        let padded = self.pad(&[(0, 0), (0, 0), (padding[0], padding[0]), (padding[1], padding[1])], 0.0);
        let from = padded.shape().to_vec(); // [B, C, H + 2p, W + 2p]
        for i in [0, 1] {
            assert!(
                kernel[i] > 0 && stride[i] > 0,
                "unfold: kernel {kernel:?} and stride {stride:?} must not be 0"
            );
            let span = dilation[i] * (kernel[i] - 1) + 1;
            assert!(from[2 + i] >= span, "unfold: the kernel spans {span} of {} pixels", from[2 + i]);
        }
        let [oh, ow] = [0, 1].map(|i| (from[2 + i] - dilation[i] * (kernel[i] - 1) - 1) / stride[i] + 1);
        let step = contiguous_strides(&from);
        // Window (i, j), kernel position (y, x): row i·stride + y·dilation. Overlapping, so fine to read, not to write.
        let walk = View {
            offset: 0,
            strides: vec![
                step[0],
                step[1],
                step[2] * dilation[0] as isize,
                dilation[1] as isize,
                step[2] * stride[0] as isize,
                stride[1] as isize,
            ],
        };
        let shape = [from[0], from[1], kernel[0], kernel[1], oh, ow];
        let columns = [from[0], from[1] * kernel[0] * kernel[1], oh * ow];
        let y = padded.value().strided(&shape, &walk).with_shape(&columns);
        record("unfold", y, &[&padded], move |dy, sink| sink.add(0, || fold(dy, &shape, &walk, &from)))
    }
}

/// Adds the columns of `unfold` back: windows of one kernel position do not overlap, so they are added position by
/// position. `shape` is `[B, C, kh, kw, oh, ow]`.
fn fold<T: Real>(columns: &Tensor<T>, shape: &[usize; 6], walk: &View, to: &[usize]) -> Tensor<T> {
    let own = contiguous_strides(shape);
    let outer = |strides: &[isize]| vec![strides[0], strides[1], strides[4], strides[5]];
    let piece = [shape[0], shape[1], shape[4], shape[5]];
    let mut x: Option<Tensor<T>> = None;
    for y in 0..shape[2] {
        for x_pos in 0..shape[3] {
            let offset = y * own[2] as usize + x_pos * own[3] as usize;
            let source = columns.strided(&piece, &View { offset, strides: outer(&own) });
            let offset = y * walk.strides[2] as usize + x_pos * walk.strides[3] as usize;
            x = Some(source.place(x, to, &View { offset, strides: outer(&walk.strides) }, true));
        }
    }
    x.unwrap_or_else(|| columns.full_like(to, 0.0))
}

/// Joins along an existing axis; all other sizes must agree. PyTorch equivalent: `torch.cat(parts, dim=axis)`.
#[track_caller]
pub fn concat<T: Real>(parts: &[&Var<T>], axis: isize) -> Var<T> {
    let first = parts.first().expect("concat: nothing to join");
    let axis = axis_index("concat", axis, first.shape().len());
    let mut shape = first.shape().to_vec();
    for part in parts {
        let agrees = part.shape().len() == shape.len()
            && (0..shape.len()).all(|a| a == axis || part.shape()[a] == shape[a]);
        assert!(
            agrees,
            "concat: shapes {:?} and {:?} differ outside axis {axis}",
            first.shape(),
            part.shape()
        );
    }
    shape[axis] = parts.iter().map(|part| part.shape()[axis]).sum();
    let strides = contiguous_strides(&shape);
    let mut windows = Vec::with_capacity(parts.len());
    let mut y: Option<Tensor<T>> = None;
    let mut start = 0;
    for part in parts {
        let window = View { offset: start * strides[axis] as usize, strides: strides.clone() };
        y = Some(part.value().place(y, &shape, &window, false));
        windows.push((part.shape().to_vec(), window));
        start += part.shape()[axis];
    }
    record("concat", y.expect("at least one part"), parts, move |dy, sink| {
        for (i, (shape, window)) in windows.iter().enumerate() {
            sink.add(i, || dy.strided(shape, window));
        }
    })
}
