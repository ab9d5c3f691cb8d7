//! Attention, composed of a product, a softmax and a product.

use crate::real::Real;
use crate::tape::Var;

impl<T: Real> Var<T> {
    /// softmax(Q·Kᵀ·scale)·V for q (`self`) `[.., N, d]`, k `[.., M, d]`, v `[.., M, e]`; scale 1/√d unless given.
    /// PyTorch equivalent: `F.scaled_dot_product_attention(q, k, v, scale=scale)`.
    #[track_caller]
    pub fn scaled_dot_product_attention(&self, k: &Var<T>, v: &Var<T>, scale: Option<f64>) -> Var<T> {
        self.attention_map(k, scale).matmul(v)
    }

    /// softmax(Q·Kᵀ·scale), `[.., N, M]`: every row says how much of each key's token a query's token takes.
    #[track_caller]
    pub fn attention_map(&self, k: &Var<T>, scale: Option<f64>) -> Var<T> {
        let scale = scale.unwrap_or_else(|| 1.0 / (self.size(-1) as f64).sqrt());
        self.matmul_with(false, k, true, scale).softmax(-1)
    }
}
