//! Sums, means, variances and extremes over axes.

use crate::device::{Binary, DeviceError, Reduce};
use crate::plain::Indices;
use crate::real::Real;
use crate::tape::{Var, record};
use crate::tensor::Tensor;
use crate::tensor::shape::{around, axis_index, axis_indices, drop_axes, keep_axes, numel};

/// The shape of a reduction: the reduced axes stay with size 1, or go.
fn result_shape(shape: &[usize], axes: &[usize], keepdim: bool) -> Vec<usize> {
    if keepdim { keep_axes(shape, axes) } else { drop_axes(shape, axes) }
}

impl<T: Real> Var<T> {
    /// y = Σ x over the axes; dx = dy, repeated. No axes leave x as it is: for all of them there is [`Var::sum_all`].
    /// PyTorch equivalent: `x.sum(dim=axes, keepdim=keepdim)`, where an empty list means all axes.
    #[track_caller]
    pub fn sum(&self, axes: &[isize], keepdim: bool) -> Var<T> {
        let shape = self.shape().to_vec();
        let axes = axis_indices("sum", axes, shape.len());
        let y = self.value().reduce(Reduce::Sum, &axes).with_shape(&result_shape(&shape, &axes, keepdim));
        record("sum", y, &[self], move |dy, sink| {
            sink.add(0, || dy.with_shape(&keep_axes(&shape, &axes)).expand(&shape));
        })
    }

    /// Sum of all elements, without axes. PyTorch equivalent: `x.sum()`.
    #[track_caller]
    pub fn sum_all(&self) -> Var<T> {
        self.sum(&(0..self.shape().len() as isize).collect::<Vec<_>>(), false)
    }

    /// Mean over the axes; as with [`Var::sum`], none leave x as it is.
    /// PyTorch equivalent: `x.mean(dim=axes, keepdim=keepdim)`, where an empty list means all axes.
    #[track_caller]
    pub fn mean(&self, axes: &[isize], keepdim: bool) -> Var<T> {
        let found = axis_indices("mean", axes, self.shape().len());
        let count: usize = found.iter().map(|&axis| self.shape()[axis]).product();
        self.sum(axes, keepdim).mul_scalar(1.0 / count as f64)
    }

    /// Mean of all elements. PyTorch equivalent: `x.mean()`.
    #[track_caller]
    pub fn mean_all(&self) -> Var<T> {
        self.sum_all().mul_scalar(1.0 / self.value().numel() as f64)
    }

    /// y = Σ (x − x̄)²/(n − correction) over the axes; dx = 2(x − x̄)·dy/(n − correction).
    /// PyTorch equivalent: `x.var(dim=axes, correction=correction, keepdim=keepdim)`.
    #[track_caller]
    pub fn var(&self, axes: &[isize], correction: usize, keepdim: bool) -> Var<T> {
        let shape = self.shape().to_vec();
        let axes = axis_indices("var", axes, shape.len());
        let n: usize = axes.iter().map(|&axis| shape[axis]).product();
        assert!(n > correction, "var: {n} elements with correction {correction} have no variance");
        let mean = self.value().reduce(Reduce::Sum, &axes).scale(1.0 / n as f64);
        let centred = self.value().sub(&mean);
        let scale = 1.0 / (n - correction) as f64;
        let y = centred.mul(&centred).reduce(Reduce::Sum, &axes).scale(scale);
        record("var", y.with_shape(&result_shape(&shape, &axes, keepdim)), &[self], move |dy, sink| {
            sink.add(0, || centred.mul(&dy.with_shape(&keep_axes(&shape, &axes))).scale(2.0 * scale));
        })
    }

    /// Largest value over the axes; equal ones share the gradient. PyTorch equivalent: `torch.amax`.
    #[track_caller]
    pub fn amax(&self, axes: &[isize], keepdim: bool) -> Var<T> {
        let axes = axis_indices("amax", axes, self.shape().len());
        let y = self.value().reduce(Reduce::Max, &axes);
        let shape = result_shape(self.shape(), &axes, keepdim);
        let x = self.value().clone();
        let saved = y.clone();
        record("amax", y.with_shape(&shape), &[self], move |dy, sink| {
            sink.add(0, || share_among_equal(&x, &saved, dy, &axes));
        })
    }

    /// Smallest value over the axes; equal ones share the gradient. PyTorch equivalent: `torch.amin`.
    #[track_caller]
    pub fn amin(&self, axes: &[isize], keepdim: bool) -> Var<T> {
        let axes = axis_indices("amin", axes, self.shape().len());
        let y = self.value().reduce(Reduce::Min, &axes);
        let shape = result_shape(self.shape(), &axes, keepdim);
        let x = self.value().clone();
        let saved = y.clone();
        record("amin", y.with_shape(&shape), &[self], move |dy, sink| {
            sink.add(0, || share_among_equal(&x, &saved, dy, &axes));
        })
    }
}

/// dx of an extreme y (axes kept): dy in equal shares to the elements that attain it.
fn share_among_equal<T: Real>(x: &Tensor<T>, y: &Tensor<T>, dy: &Tensor<T>, axes: &[usize]) -> Tensor<T> {
    let attains = x.binary(Binary::Equal, y);
    let count = attains.reduce(Reduce::Sum, axes);
    attains.mul(&dy.with_shape(y.shape()).div(&count))
}

impl<T: Real> Tensor<T> {
    /// Position of the largest value along an axis, the first of equals; NaN counts as larger than anything. Reads a
    /// device tensor to the host.
    /// PyTorch equivalent: `torch.argmax(x, dim=axis)`.
    ///
    /// # Errors
    /// A failure of the device the values live on.
    #[track_caller]
    pub fn argmax(&self, axis: isize) -> Result<Indices, DeviceError> {
        let axis = axis_index("argmax", axis, self.ndim());
        let (outer, len, inner) = around(self.shape(), axis..axis + 1);
        assert!(len > 0, "argmax: axis {axis} of shape {:?} is empty", self.shape());
        let host = self.to_host()?;
        let x = host.as_slice();
        let best = |start: usize| {
            let at = |i: usize| x[start + i * inner];
            let wins = |i: usize, best: usize| at(i) > at(best) || at(i).is_nan() && !at(best).is_nan();
            (1..len).fold(0, |best, i| if wins(i, best) { i } else { best }) as i64
        };
        let values = (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i)));
        let values: Vec<i64> = values.map(|(o, i)| best(o * len * inner + i)).collect();
        let shape = drop_axes(self.shape(), &[axis]);
        debug_assert_eq!(values.len(), numel(&shape));
        Ok(Indices::new(values, &shape))
    }
}
