//! Normalisation layers as functions.

use crate::real::Real;
use crate::tape::{Var, record};
use crate::tensor::Tensor;
use crate::tensor::shape::{axis_index, numel};

/// Scale and shift after a normalisation, both optional.
pub type Affine<'a, T> = (Option<&'a Var<T>>, Option<&'a Var<T>>);

impl<T: Real> Var<T> {
    /// y = x̂·w + b, x̂ = (x − μ)/√(σ² + eps) over the trailing axes of total size `n` (w and b have their shape); biased
    /// variance. PyTorch equivalent: `F.layer_norm(x, normalized_shape, w, b, eps)`.
    #[track_caller]
    pub fn layer_norm(&self, n: usize, (weight, bias): Affine<T>, eps: f64) -> Var<T> {
        assert!(
            n > 0 && (0..self.shape().len()).any(|axis| numel(&self.shape()[axis..]) == n),
            "layer_norm: no trailing axes of shape {:?} have {n} elements",
            self.shape()
        );
        for p in [weight, bias].into_iter().flatten() {
            assert!(
                p.value().numel() == n && self.shape().ends_with(p.shape()),
                "layer_norm: a weight or bias of shape {:?} for rows of {n} in shape {:?}",
                p.shape(),
                self.shape()
            );
        }
        let (xhat, rstd) = self.value().normalize_rows(n, eps);
        self.affine("layer_norm", xhat, (weight, bias), &[], move |xhat, dxhat| {
            xhat.normalize_rows_backward(&rstd, dxhat, n)
        })
    }

    /// As layer norm, over each of `groups` groups of channels of `[B, C, ..]`; w and b have C elements.
    /// PyTorch equivalent: `F.group_norm(x, groups, w, b, eps)`.
    #[track_caller]
    pub fn group_norm(&self, groups: usize, affine: Affine<T>, eps: f64) -> Var<T> {
        let shape = self.shape();
        assert!(
            shape.len() >= 2 && groups > 0 && shape[1].is_multiple_of(groups),
            "group_norm: {groups} groups do not divide the channels of {shape:?}"
        );
        let n = numel(&shape[1..]) / groups;
        assert!(n > 0, "group_norm: the samples of {shape:?} are empty");
        let (xhat, rstd) = self.value().normalize_rows(n, eps);
        let channel = channel_shape(shape);
        self.affine("group_norm", xhat, affine, &channel, move |xhat, dxhat| {
            xhat.normalize_rows_backward(&rstd, dxhat, n)
        })
    }

    /// As layer norm, over the batch and all positions of every channel of `[B, C, ..]`. Returns (y, mean, biased
    /// variance), the statistics for the running averages. PyTorch equivalent: `F.batch_norm(training=True)`.
    #[track_caller]
    pub fn batch_norm(&self, affine: Affine<T>, eps: f64) -> (Var<T>, Tensor<T>, Tensor<T>) {
        let shape = self.shape();
        assert!(shape.len() >= 2, "batch_norm: shape {shape:?} has no channel axis");
        let size = (shape[0], shape[1], numel(&shape[2..]));
        assert!(size.0 * size.2 > 1, "batch_norm: one value per channel in {shape:?} has no variance");
        let (xhat, mean, var) = self.value().normalize_channels(size, eps);
        let channel = channel_shape(shape);
        let saved = var.clone();
        let y = self.affine("batch_norm", xhat, affine, &channel, move |xhat, dxhat| {
            xhat.normalize_channels_backward(&saved, dxhat, size, eps)
        });
        (y, mean, var)
    }

    /// Batch norm with given statistics: y = (x − mean)·w/√(var + eps) + b, one multiply-add per element.
    /// PyTorch equivalent: `F.batch_norm(training=False)`.
    #[track_caller]
    pub fn batch_norm_eval(
        &self,
        mean: &Tensor<T>,
        var: &Tensor<T>,
        (weight, bias): Affine<T>,
        eps: f64,
    ) -> Var<T> {
        let channel = channel_shape(self.shape());
        let rstd = Var::constant(var.shift(eps).unary(crate::device::Unary::Pow(-0.5)));
        let scale = weight.map_or_else(|| rstd.clone(), |weight| weight.mul(&rstd));
        let shift = Var::constant(mean.clone()).mul(&scale).neg();
        let shift = bias.map_or_else(|| shift.clone(), |bias| bias.add(&shift));
        self.mul(&scale.with_shape(&channel)).add(&shift.with_shape(&channel))
    }

    /// x/max(‖x‖₂, eps) along an axis. PyTorch equivalent: `F.normalize(x, p=2, dim=axis, eps=eps)`.
    #[track_caller]
    pub fn normalize(&self, axis: isize, eps: f64) -> Var<T> {
        let axis = axis_index("normalize", axis, self.shape().len()) as isize;
        // The square is limited before the root: at x = 0 the root's slope would be infinite and the gradient NaN.
        let norm = self.mul(self).sum(&[axis], true).clamp(eps * eps, f64::INFINITY).sqrt();
        self.div(&norm)
    }

    /// y = x̂·w + b with w and b of shape `channel` (their own if empty); dw = Σ dy·x̂, db = Σ dy, dx from dx̂ = dy·w.
    #[track_caller]
    fn affine(
        &self,
        name: &'static str,
        xhat: Tensor<T>,
        (weight, bias): Affine<T>,
        channel: &[usize],
        dx: impl FnOnce(&Tensor<T>, &Tensor<T>) -> Tensor<T> + 'static,
    ) -> Var<T> {
        let fit =
            |p: &Var<T>| if channel.is_empty() { p.value().clone() } else { p.value().with_shape(channel) };
        let (w, b) = (weight.map(fit), bias.map(fit));
        let mut y = w.as_ref().map_or_else(|| xhat.clone(), |w| xhat.mul(w));
        if let Some(b) = &b {
            y = y.add(b);
        }
        let inputs: Vec<&Var<T>> = [self].into_iter().chain(weight).chain(bias).collect();
        let shapes: Vec<Vec<usize>> = inputs.iter().map(|input| input.shape().to_vec()).collect();
        record(name, y, &inputs, move |dy, sink| {
            let mut place = 1;
            if let Some(w) = &w {
                sink.add(place, || dy.mul(&xhat).sum_to(w.shape()).with_shape(&shapes[place]));
                place += 1;
            }
            if let Some(b) = &b {
                sink.add(place, || dy.sum_to(b.shape()).with_shape(&shapes[place]));
            }
            sink.add(0, || match &w {
                Some(w) => dx(&xhat, &dy.mul(w)),
                None => dx(&xhat, dy),
            });
        })
    }
}

/// `[C]` in the shape that broadcasts over `[B, C, ..]`.
#[track_caller]
fn channel_shape(shape: &[usize]) -> Vec<usize> {
    assert!(shape.len() >= 2, "batch_norm: shape {shape:?} has no channel axis");
    let mut channel = vec![1; shape.len() - 1];
    channel[0] = shape[1];
    channel
}
