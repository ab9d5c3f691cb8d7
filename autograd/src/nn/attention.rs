//! Attention with learned projections.

use super::{Dropout, Linear};
use crate::{Ctx, Init, ParamId, Real, Scope, Var};

/// softmax(Q·Kᵀ/√d)·V per head, d = dim/heads, between learned projections.
/// PyTorch equivalent: `nn.MultiheadAttention(dim, heads, dropout=p, batch_first=True)`.
#[derive(Clone, Debug)]
pub struct MultiheadAttention {
    /// The weights of Q, K and V, one below the other: `[3·dim, dim]`.
    pub in_proj_weight: ParamId,
    /// Their biases, `[3·dim]`.
    pub in_proj_bias: ParamId,
    /// Mixes the heads.
    pub out_proj: Linear,
    /// On the attention map.
    pub drop: Dropout,
    /// Number of heads.
    pub heads: usize,
}

impl MultiheadAttention {
    /// Xavier's uniform distribution for Q, K, V; PyTorch's default for the output weight; biases zero.
    #[track_caller]
    pub fn new<T: Real>(scope: &mut Scope<T>, dim: usize, heads: usize, p: f64) -> MultiheadAttention {
        assert!(
            heads > 0 && dim.is_multiple_of(heads),
            "attention: {heads} heads do not divide {dim} channels"
        );
        MultiheadAttention {
            in_proj_weight: scope.param(
                "in_proj_weight",
                &[3 * dim, dim],
                Init::xavier_uniform(dim, 3 * dim),
            ),
            in_proj_bias: scope.param("in_proj_bias", &[3 * dim], Init::Constant(0.0)),
            out_proj: Linear::with_init(
                &mut scope.sub("out_proj"),
                dim,
                dim,
                true,
                Init::default_uniform(dim),
            ),
            drop: Dropout::new(p),
            heads,
        }
    }

    /// Queries `[B, N, dim]`, keys and values `[B, M, dim]` to `[B, N, dim]`.
    #[track_caller]
    pub fn forward<T: Real>(&self, ctx: &Ctx<T>, query: &Var<T>, key: &Var<T>, value: &Var<T>) -> Var<T> {
        let dim = query.size(-1);
        let weights = ctx.param(self.in_proj_weight).split(0, &[dim; 3]); // 3 × [dim, dim]
        let biases = ctx.param(self.in_proj_bias).split(0, &[dim; 3]);
        let project = |i: usize, x: &Var<T>| self.split_heads(&x.linear(&weights[i], Some(&biases[i])));
        let (q, k, v) = (project(0, query), project(1, key), project(2, value)); // [B, H, N or M, d]
        let map = self.drop.forward(ctx, &q.attention_map(&k, None)); // [B, H, N, M]
        let mixed = map.matmul(&v).transpose(1, 2).with_shape(query.shape()); // [B, N, dim]
        self.out_proj.forward(ctx, &mixed)
    }

    /// `[B, N, dim]` to `[B, H, N, d]`.
    #[track_caller]
    fn split_heads<T: Real>(&self, x: &Var<T>) -> Var<T> {
        let (batch, tokens, dim) = (x.size(0), x.size(1), x.size(2));
        x.with_shape(&[batch, tokens, self.heads, dim / self.heads]).transpose(1, 2)
    }
}
