//! The affine layer.

use crate::{Ctx, Init, ParamId, Real, Scope, Var};

/// y = x·Wᵀ + b over the last axis. PyTorch equivalent: `nn.Linear`.
#[derive(Clone, Debug)]
pub struct Linear {
    /// W `[out, in]`.
    pub weight: ParamId,
    /// b `[out]`.
    pub bias: Option<ParamId>,
}

impl Linear {
    /// W and b uniform in ±1/√in, PyTorch's default.
    pub fn new<T: Real>(scope: &mut Scope<T>, inputs: usize, outputs: usize, bias: bool) -> Linear {
        let init = Init::default_uniform(inputs);
        Linear {
            weight: scope.param("weight", &[outputs, inputs], init),
            bias: bias.then(|| scope.param("bias", &[outputs], init)),
        }
    }

    /// W from `init`, b zero: what most vision transformers do with `Init::TruncNormal { std: 0.02 }`.
    pub fn with_init<T: Real>(
        scope: &mut Scope<T>,
        inputs: usize,
        outputs: usize,
        bias: bool,
        init: Init,
    ) -> Linear {
        Linear {
            weight: scope.param("weight", &[outputs, inputs], init),
            bias: bias.then(|| scope.param("bias", &[outputs], Init::Constant(0.0))),
        }
    }

    /// `[.., in]` to `[.., out]`.
    #[track_caller]
    pub fn forward<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>) -> Var<T> {
        let bias = self.bias.map(|bias| ctx.param(bias));
        x.linear(&ctx.param(self.weight), bias.as_ref())
    }

    /// gelu(x·Wᵀ + b): `[.., in]` to `[.., out]`. The layer must have a bias.
    #[track_caller]
    pub fn forward_gelu<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>) -> Var<T> {
        let bias = self.bias.expect("forward_gelu: a layer without bias; use forward and gelu");
        x.linear_gelu(&ctx.param(self.weight), &ctx.param(bias))
    }
}
