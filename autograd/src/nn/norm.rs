//! Normalisation layers without a memory.

use crate::{Ctx, Init, ParamId, Real, Scope, Var};

/// y = (x − μ)/√(σ² + eps)·w + b over the last axis. PyTorch equivalent: `nn.LayerNorm(dim)`.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    /// w `[dim]`.
    pub weight: ParamId,
    /// b `[dim]`.
    pub bias: ParamId,
    /// Added to σ².
    pub eps: f64,
}

impl LayerNorm {
    /// w = 1, b = 0, eps 10⁻⁵.
    pub fn new<T: Real>(scope: &mut Scope<T>, dim: usize) -> LayerNorm {
        LayerNorm {
            weight: scope.param("weight", &[dim], Init::Constant(1.0)),
            bias: scope.param("bias", &[dim], Init::Constant(0.0)),
            eps: 1e-5,
        }
    }

    /// `[.., dim]`; the shape stays.
    #[track_caller]
    pub fn forward<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>) -> Var<T> {
        let (weight, bias) = (ctx.param(self.weight), ctx.param(self.bias));
        let dim = weight.shape()[0];
        assert!(x.shape().last() == Some(&dim), "layer norm: input {:?} does not end in {dim}", x.shape());
        x.layer_norm(dim, (Some(&weight), Some(&bias)), self.eps)
    }
}

/// As [`LayerNorm`], over each of a number of groups of channels of `[B, C, ..]`, with w and b per channel.
/// PyTorch equivalent: `nn.GroupNorm(groups, channels)`.
#[derive(Clone, Debug)]
pub struct GroupNorm {
    /// w `[C]`.
    pub weight: ParamId,
    /// b `[C]`.
    pub bias: ParamId,
    /// Number of groups.
    pub groups: usize,
    /// Added to σ².
    pub eps: f64,
}

impl GroupNorm {
    /// w = 1, b = 0, eps 10⁻⁵.
    pub fn new<T: Real>(scope: &mut Scope<T>, groups: usize, channels: usize) -> GroupNorm {
        GroupNorm {
            weight: scope.param("weight", &[channels], Init::Constant(1.0)),
            bias: scope.param("bias", &[channels], Init::Constant(0.0)),
            groups,
            eps: 1e-5,
        }
    }

    /// The shape stays.
    #[track_caller]
    pub fn forward<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>) -> Var<T> {
        let (weight, bias) = (ctx.param(self.weight), ctx.param(self.bias));
        x.group_norm(self.groups, (Some(&weight), Some(&bias)), self.eps)
    }
}
