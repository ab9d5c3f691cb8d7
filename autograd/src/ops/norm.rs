//! Normalisation layers as functions.

use crate::device::ChannelNorm;
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
        let x = self.value().clone();
        let like = |p: &Var<T>, value: f64| Var::constant(x.full_like(p.shape(), value));
        // One of the two alone: the other is 1, or 0, everywhere.
        let affine = match (weight, bias) {
            (None, None) => None,
            (Some(w), Some(b)) => Some((w.clone(), b.clone())),
            (Some(w), None) => Some((w.clone(), like(w, 0.0))),
            (None, Some(b)) => Some((like(b, 1.0), b.clone())),
        };
        let [y, mean, rstd] = x.normalize_rows(n, eps, affine.as_ref().map(|(w, b)| (w.value(), b.value())));
        let inputs: Vec<&Var<T>> =
            [self].into_iter().chain(affine.iter().flat_map(|(w, b)| [w, b])).collect();
        let w = affine.as_ref().map(|(w, _)| w.value().clone());
        record("layer_norm", y, &inputs, move |dy, sink| {
            let (dx, sums) = x.normalize_rows_backward((&mean, &rstd), w.as_ref(), dy, n);
            sink.add(0, || dx);
            if let (Some((dw, db)), Some(w)) = (sums, w) {
                sink.add(1, || dw.with_shape(w.shape()));
                sink.add(2, || db.with_shape(w.shape()));
            }
        })
    }

    /// As layer norm, over each of `groups` groups of channels of `[B, C, ..]`; w and b have C elements.
    /// PyTorch equivalent: `F.group_norm(x, groups, w, b, eps)`.
    #[track_caller]
    pub fn group_norm(&self, groups: usize, (weight, bias): Affine<T>, eps: f64) -> Var<T> {
        let shape = self.shape();
        assert!(
            shape.len() >= 2 && groups > 0 && shape[1].is_multiple_of(groups),
            "group_norm: {groups} groups do not divide the channels of {shape:?}"
        );
        let n = numel(&shape[1..]) / groups;
        assert!(n > 0, "group_norm: the samples of {shape:?} are empty");
        let x = self.value().clone();
        let [xhat, mean, rstd] = x.normalize_rows(n, eps, None);
        let mut y = record("group_norm", xhat, &[self], move |dy, sink| {
            sink.add(0, || x.normalize_rows_backward((&mean, &rstd), None, dy, n).0);
        });
        let channel = channel_shape(shape);
        if let Some(weight) = weight {
            y = y.mul(&weight.with_shape(&channel));
        }
        if let Some(bias) = bias {
            y = y.add(&bias.with_shape(&channel));
        }
        y
    }

    /// As layer norm, over the batch and all positions of every channel of `[B, C, ..]`. Returns (y, mean, biased
    /// variance), the statistics for the running averages. PyTorch equivalent: `F.batch_norm(training=True)`.
    #[track_caller]
    pub fn batch_norm(&self, affine: Affine<T>, eps: f64) -> (Var<T>, Tensor<T>, Tensor<T>) {
        self.with_own_statistics("batch_norm", affine, eps, false)
    }

    /// As [`Var::batch_norm`] with a ReLU behind it, in one pass.
    /// PyTorch equivalent: `F.relu_(F.batch_norm(training=True))`.
    #[track_caller]
    pub fn batch_norm_relu(&self, affine: Affine<T>, eps: f64) -> (Var<T>, Tensor<T>, Tensor<T>) {
        self.with_own_statistics("batch_norm_relu", affine, eps, true)
    }

    /// Batch norm with given statistics: y = (x − mean)/√(var + eps)·w + b.
    /// PyTorch equivalent: `F.batch_norm(training=False)`.
    /// x is `[B, C, ..]`, all four others `[C]`.
    #[track_caller]
    pub fn batch_norm_eval(&self, mean: &Tensor<T>, var: &Tensor<T>, affine: Affine<T>, eps: f64) -> Var<T> {
        let g = ChannelNorm { size: channels_of(self.shape()), eps, relu: false, own_statistics: false };
        self.channel_norm("batch_norm_eval", g, (mean, var), affine)
    }

    /// As [`Var::batch_norm_eval`] with a ReLU behind it, in one pass.
    /// PyTorch equivalent: `F.relu_(F.batch_norm(training=False))`.
    #[track_caller]
    pub fn batch_norm_eval_relu(
        &self,
        mean: &Tensor<T>,
        var: &Tensor<T>,
        affine: Affine<T>,
        eps: f64,
    ) -> Var<T> {
        let g = ChannelNorm { size: channels_of(self.shape()), eps, relu: true, own_statistics: false };
        self.channel_norm("batch_norm_eval_relu", g, (mean, var), affine)
    }

    #[track_caller]
    fn with_own_statistics(
        &self,
        name: &'static str,
        affine: Affine<T>,
        eps: f64,
        relu: bool,
    ) -> (Var<T>, Tensor<T>, Tensor<T>) {
        let size = channels_of(self.shape());
        assert!(size.0 * size.2 > 1, "{name}: one value per channel in {:?} has no variance", self.shape());
        let (mean, var) = self.value().channel_moments(size);
        let g = ChannelNorm { size, eps, relu, own_statistics: true };
        (self.channel_norm(name, g, (&mean, &var), affine), mean, var)
    }

    /// The pass all four kinds of batch norm share; dx, dw and db come from one kernel.
    #[track_caller]
    fn channel_norm(
        &self,
        name: &'static str,
        g: ChannelNorm,
        (mean, var): (&Tensor<T>, &Tensor<T>),
        (weight, bias): Affine<T>,
    ) -> Var<T> {
        let channels = [g.size.1];
        for p in [weight, bias].into_iter().flatten() {
            assert!(
                p.shape() == channels,
                "{name}: a weight or bias of shape {:?} for {} channels",
                p.shape(),
                g.size.1
            );
        }
        let x = self.value().clone();
        let missing = |value: f64| Var::constant(x.full_like(&channels, value));
        let w = weight.cloned().unwrap_or_else(|| missing(1.0));
        let b = bias.cloned().unwrap_or_else(|| missing(0.0));
        let y = x.normalize_channels(g, (mean, var), (w.value(), b.value()));
        let saved = g.relu.then(|| y.clone());
        let (mean, var, scale) = (mean.clone(), var.clone(), w.value().clone());
        record(name, y, &[self, &w, &b], move |dy, sink| {
            let [dx, dw, db] = x.normalize_channels_backward(g, (&mean, &var), &scale, saved.as_ref(), dy);
            sink.add(0, || dx);
            sink.add(1, || dw);
            sink.add(2, || db);
        })
    }

    /// x/max(‖x‖₂, eps) along an axis. PyTorch equivalent: `F.normalize(x, p=2, dim=axis, eps=eps)`.
    #[track_caller]
    pub fn normalize(&self, axis: isize, eps: f64) -> Var<T> {
        let axis = axis_index("normalize", axis, self.shape().len()) as isize;
        // The square is limited before the root: at x = 0 the root's slope would be infinite and the gradient NaN.
        let norm = self.mul(self).sum(&[axis], true).clamp(eps * eps, f64::INFINITY).sqrt();
        self.div(&norm)
    }
}

/// `[B, C, ..]` as (B, C, product of the rest).
#[track_caller]
fn channels_of(shape: &[usize]) -> (usize, usize, usize) {
    assert!(shape.len() >= 2, "batch_norm: shape {shape:?} has no channel axis");
    (shape[0], shape[1], numel(&shape[2..]))
}

/// `[C]` in the shape that broadcasts over `[B, C, ..]`.
fn channel_shape(shape: &[usize]) -> Vec<usize> {
    let mut channel = vec![1; shape.len() - 1];
    channel[0] = shape[1];
    channel
}
