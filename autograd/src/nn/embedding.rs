//! Tables of learned vectors.

use crate::{Ctx, Indices, Init, ParamId, Real, Scope, Var};

/// A learned vector for every number. PyTorch equivalent: `nn.Embedding(count, dim)`.
#[derive(Clone, Debug)]
pub struct Embedding {
    /// The table `[count, dim]`.
    pub weight: ParamId,
}

impl Embedding {
    /// Vectors with independent normal elements, PyTorch's default.
    pub fn new<T: Real>(scope: &mut Scope<T>, count: usize, dim: usize) -> Embedding {
        Embedding { weight: scope.param("weight", &[count, dim], Init::Normal { std: 1.0 }) }
    }

    /// Numbers of any shape `[..]` to vectors `[.., dim]`.
    #[track_caller]
    pub fn forward<T: Real>(&self, ctx: &Ctx<T>, index: &Indices) -> Var<T> {
        ctx.param(self.weight).embedding(index)
    }
}
