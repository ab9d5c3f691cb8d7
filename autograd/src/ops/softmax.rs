//! Softmax and its relatives.

use crate::device::{Reduce, Unary};
use crate::real::Real;
use crate::tape::{Var, record};
use crate::tensor::shape::{axis_index, drop_axes};

impl<T: Real> Var<T> {
    // ANCHOR: softmax
    /// y = eˣ/Σ eˣ along an axis; dx = y·(dy − Σ y·dy). PyTorch equivalent: `torch.softmax(x, dim=axis)`.
    #[track_caller]
    pub fn softmax(&self, axis: isize) -> Var<T> {
        self.along_last("softmax", axis, |x| {
            let y = x.value().softmax_rows(false);
            let saved = y.clone();
            record("softmax", y, &[x], move |dy, sink| sink.add(0, || saved.softmax_rows_backward(dy, false)))
        })
    }
    // ANCHOR_END: softmax

    /// y = x − ln Σ eˣ along an axis; dx = dy − eʸ·Σ dy. PyTorch equivalent: `torch.log_softmax(x, dim=axis)`.
    #[track_caller]
    pub fn log_softmax(&self, axis: isize) -> Var<T> {
        self.along_last("log_softmax", axis, |x| {
            let y = x.value().softmax_rows(true);
            let saved = y.clone();
            record("log_softmax", y, &[x], move |dy, sink| {
                sink.add(0, || saved.softmax_rows_backward(dy, true))
            })
        })
    }

    /// y = ln Σ eˣ along an axis, shifted by the maximum against overflow; dx = dy·eˣ⁻ʸ.
    /// PyTorch equivalent: `torch.logsumexp(x, dim=axis, keepdim=keepdim)`.
    #[track_caller]
    pub fn logsumexp(&self, axis: isize, keepdim: bool) -> Var<T> {
        let axis = axis_index("logsumexp", axis, self.shape().len());
        let x = self.value().clone();
        // A finite shift: where the maximum is infinite, x − max would be NaN.
        let limit = T::max_value().f64();
        let max = x.reduce(Reduce::Max, &[axis]).unary(Unary::Clamp(-limit, limit));
        let sum = x.sub(&max).unary(Unary::Exp).reduce(Reduce::Sum, &[axis]);
        let y = sum.unary(Unary::Log).add(&max); // axis kept
        let shape = if keepdim { y.shape().to_vec() } else { drop_axes(self.shape(), &[axis]) };
        record("logsumexp", y.with_shape(&shape), &[self], move |dy, sink| {
            // Where every x is −∞, so is y: limited, it gives them the gradient 0.
            let y = y.unary(Unary::Clamp(-limit, f64::INFINITY));
            sink.add(0, || x.sub(&y).unary(Unary::Exp).mul(&dy.with_shape(y.shape())));
        })
    }

    /// Applies a function of the last axis to another axis.
    #[track_caller]
    fn along_last(&self, op: &str, axis: isize, f: impl Fn(&Var<T>) -> Var<T>) -> Var<T> {
        let axis = axis_index(op, axis, self.shape().len()) as isize;
        if axis as usize + 1 == self.shape().len() {
            f(self)
        } else {
            f(&self.transpose(axis, -1)).transpose(axis, -1)
        }
    }
}
