//! Attention, composed or fused.
//!
//! The composed form is a product, a softmax and a product, with the N×M map between them; it is how the formula reads.
//! The fused form computes the map tile by tile and forgets it: O((N + M)·d) memory, on the host and on devices.

use crate::device::AttentionSizes;
use crate::real::Real;
use crate::tape::{Var, record};
use crate::tensor::Tensor;
use crate::tensor::shape::numel;

impl<T: Real> Var<T> {
    /// softmax(Q·Kᵀ·scale)·V for q (`self`) `[.., N, d]`, k `[.., M, d]`, v `[.., M, e]`; scale 1/√d unless given. The
    /// leading axes must agree for the fused form; otherwise it is composed.
    /// PyTorch equivalent: `F.scaled_dot_product_attention(q, k, v, scale=scale)`.
    #[track_caller]
    pub fn scaled_dot_product_attention(&self, k: &Var<T>, v: &Var<T>, scale: Option<f64>) -> Var<T> {
        match fused_sizes(self, k, v, scale, false) {
            Some(sizes) => fused("scaled_dot_product_attention", sizes, [self, k, v]),
            None => self.attention_map(k, scale).matmul(v),
        }
    }

    /// softmax(Q·Kᵀ·scale)ᵀ·X for q (`self`) `[.., N, d]`, k `[.., M, d]`, x `[.., N, e]`: a row for each key, fused as
    /// [`Var::scaled_dot_product_attention`]. Diffusion needs it: its S is Pᵀ.
    /// PyTorch equivalent: `torch.softmax(q @ k.mT * scale, -1).mT @ x`.
    #[track_caller]
    pub fn transposed_attention(&self, k: &Var<T>, x: &Var<T>, scale: Option<f64>) -> Var<T> {
        match fused_sizes(self, k, x, scale, true) {
            Some(sizes) => fused("transposed_attention", sizes, [self, k, x]),
            None => self.attention_map(k, scale).matmul_with(true, x, false, 1.0),
        }
    }

    // ANCHOR: map
    /// softmax(Q·Kᵀ·scale), `[.., N, M]`: every row says how much of each key's token a query's token takes.
    #[track_caller]
    pub fn attention_map(&self, k: &Var<T>, scale: Option<f64>) -> Var<T> {
        self.matmul_with(false, k, true, scale.unwrap_or_else(|| default_scale(self))).softmax(-1)
    }
    // ANCHOR_END: map
}

fn default_scale<T: Real>(q: &Var<T>) -> f64 {
    1.0 / (q.size(-1) as f64).sqrt()
}

/// Sizes for the fused kernel, or `None` where it does not apply.
fn fused_sizes<T: Real>(
    q: &Var<T>,
    k: &Var<T>,
    x: &Var<T>,
    scale: Option<f64>,
    transposed: bool,
) -> Option<AttentionSizes> {
    let axes = q.shape().len();
    let same_axes = axes >= 2 && k.shape().len() == axes && x.shape().len() == axes;
    let lead = |x: &Var<T>| x.shape()[..axes - 2].to_vec();
    if !same_axes || lead(q) != lead(k) || lead(q) != lead(x) {
        return None;
    }
    let (queries, keys, dim) = (q.size(-2), k.size(-2), q.size(-1));
    let fits = k.size(-1) == dim && x.size(-2) == if transposed { queries } else { keys };
    let empty = [q, k, x].iter().any(|x| x.value().numel() == 0);
    (fits && !empty).then(|| AttentionSizes {
        heads: numel(&q.shape()[..axes - 2]),
        queries,
        keys,
        dim,
        value_dim: x.size(-1),
        scale: scale.unwrap_or_else(|| default_scale(q)),
        transposed,
    })
}

fn fused<T: Real>(name: &'static str, sizes: AttentionSizes, inputs: [&Var<T>; 3]) -> Var<T> {
    let [q, k, x] = inputs.map(|input| input.value().clone());
    let (y, saved) = Tensor::attention(name, sizes, [&q, &k, &x]);
    record(name, y, &inputs, move |dy, sink| {
        let [dq, dk, dx] = Tensor::attention_backward(name, sizes, [&q, &k, &x], &saved, dy);
        sink.add(0, || dq);
        sink.add(1, || dk);
        sink.add(2, || dx);
    })
}
