//! Batch normalisation, the layer with a memory.

use crate::{Ctx, Init, ParamId, Real, Scope, Tensor, Var};

/// y = (x − μ)/√(σ² + eps)·w + b per channel of `[B, C, ..]`.
///
/// In training μ and σ² (biased) are those of the batch, and running averages of μ and of the unbiased σ² are kept;
/// in inference, and when `frozen`, the running averages take their place.
/// PyTorch equivalent: `nn.BatchNorm1d` and `nn.BatchNorm2d`, which differ only in the inputs they accept.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    /// w `[C]`.
    pub weight: ParamId,
    /// b `[C]`.
    pub bias: ParamId,
    /// Running average of μ, `[C]`.
    pub running_mean: ParamId,
    /// Running average of the unbiased σ², `[C]`.
    pub running_var: ParamId,
    /// Number of batches seen.
    pub num_batches_tracked: ParamId,
    /// Share of the new batch in the running averages.
    pub momentum: f64,
    /// Added to σ².
    pub eps: f64,
    /// Uses the running averages in training too, without updating them: for fine-tuning with small batches.
    /// PyTorch equivalent: calling `.eval()` on this layer alone.
    pub frozen: bool,
    /// Whether b is learned. Re-identification necks fix it at 0. PyTorch equivalent: `bias.requires_grad_(False)`.
    pub learn_bias: bool,
}

/// [`BatchNorm`] over `[B, C]` or `[B, C, L]`.
pub type BatchNorm1d = BatchNorm;

/// [`BatchNorm`] over `[B, C, H, W]`.
pub type BatchNorm2d = BatchNorm;

impl BatchNorm {
    /// w = 1, b = 0, running mean 0 and variance 1; momentum 0.1, eps 10⁻⁵.
    pub fn new<T: Real>(scope: &mut Scope<T>, channels: usize) -> BatchNorm {
        BatchNorm {
            weight: scope.param("weight", &[channels], Init::Constant(1.0)),
            bias: scope.param("bias", &[channels], Init::Constant(0.0)),
            running_mean: scope.buffer("running_mean", &[channels], 0.0),
            running_var: scope.buffer("running_var", &[channels], 1.0),
            num_batches_tracked: scope.counter("num_batches_tracked"),
            momentum: 0.1,
            eps: 1e-5,
            frozen: false,
            learn_bias: true,
        }
    }

    /// `[B, C, ..]` to the same shape.
    #[track_caller]
    pub fn forward<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>) -> Var<T> {
        self.apply(ctx, x, false)
    }

    /// As `forward` with a ReLU behind it, in one pass. PyTorch equivalent: `F.relu(bn(x), inplace=True)`.
    /// `[B, C, ..]` to the same shape.
    #[track_caller]
    pub fn forward_relu<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>) -> Var<T> {
        self.apply(ctx, x, true)
    }

    #[track_caller]
    fn apply<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>, relu: bool) -> Var<T> {
        let weight = ctx.param(self.weight);
        assert!(
            x.shape().len() >= 2 && x.shape()[1] == weight.shape()[0],
            "batch norm: input {:?} does not have {} channels in axis 1",
            x.shape(),
            weight.shape()[0]
        );
        let bias = ctx.param(self.bias);
        let bias = if self.learn_bias { bias } else { bias.detach() };
        let affine = (Some(&weight), Some(&bias));
        if !ctx.is_training() || self.frozen {
            let (mean, var) = (ctx.buffer(self.running_mean), ctx.buffer(self.running_var));
            let norm = if relu { Var::batch_norm_eval_relu } else { Var::batch_norm_eval };
            return norm(x, &mean, &var, affine, self.eps);
        }
        let norm = if relu { Var::batch_norm_relu } else { Var::batch_norm };
        let (y, mean, var) = norm(x, affine, self.eps);
        let count = (x.value().numel() / x.shape()[1]) as f64; // values per channel
        self.track(ctx, self.running_mean, &mean);
        self.track(ctx, self.running_var, &var.scale(count / (count - 1.0)));
        ctx.update_buffer(self.num_batches_tracked, ctx.buffer(self.num_batches_tracked).shift(1.0));
        y
    }

    /// running ← (1 − momentum)·running + momentum·batch.
    fn track<T: Real>(&self, ctx: &Ctx<T>, running: ParamId, batch: &Tensor<T>) {
        let kept = ctx.buffer(running).scale(1.0 - self.momentum);
        ctx.update_buffer(running, kept.add(&batch.scale(self.momentum)));
    }
}
