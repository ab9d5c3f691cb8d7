//! Attention and Cross-Diffusion Attention without matrices: kernels for host tensors. On devices the ops are composed.

use crate::cpu;
use crate::cpu::attention::AttentionSizes;
use crate::cpu::cda::{CdaSizes, QkvSlices};
use crate::real::Real;
use crate::tensor::Tensor;

impl<T: Real> Tensor<T> {
    /// P·x or Pᵀ·x with P = softmax(scale·Q·Kᵀ), and the rows' stats, tile by tile; host tensors only.
    pub(crate) fn attention(
        z: AttentionSizes,
        q: &Tensor<T>,
        k: &Tensor<T>,
        x: &Tensor<T>,
    ) -> (Tensor<T>, Tensor<T>) {
        let (y, stats) = cpu::attention::attention(z, q.as_slice(), k.as_slice(), x.as_slice());
        let rows = if z.transposed { z.keys } else { z.queries };
        let lead = &q.shape()[..q.ndim() - 2];
        (
            Tensor::from_vec(y, &[lead, &[rows, z.value_dim]].concat()),
            Tensor::from_vec(stats, &[z.heads, z.queries, 2]),
        )
    }

    /// dq, dk and dx of [`Tensor::attention`].
    pub(crate) fn attention_backward(
        z: AttentionSizes,
        q: &Tensor<T>,
        k: &Tensor<T>,
        x: &Tensor<T>,
        stats: &Tensor<T>,
        dy: &Tensor<T>,
    ) -> (Tensor<T>, Tensor<T>, Tensor<T>) {
        let (qs, ks, xs) = (q.as_slice(), k.as_slice(), x.as_slice());
        let (dq, dk, dx) = cpu::attention::attention_backward(z, qs, ks, xs, stats.as_slice(), dy.as_slice());
        (Tensor::from_vec(dq, q.shape()), Tensor::from_vec(dk, k.shape()), Tensor::from_vec(dx, x.shape()))
    }

    /// (O_r, O_d, U_rd, U_dr) and the rows' stats of both maps for `[q, k, v]` of two modalities; host tensors only.
    pub(crate) fn cda(
        z: CdaSizes,
        r: &[Tensor<T>; 3],
        d: &[Tensor<T>; 3],
    ) -> ([Tensor<T>; 4], [Tensor<T>; 2]) {
        let [out_r, out_d] = cpu::cda::cda(z, [r, d].map(qkv_slices));
        let like = |values| Tensor::from_vec(values, r[0].shape());
        let stats = |values| Tensor::from_vec(values, &[z.heads, z.tokens, 2]);
        (
            [like(out_r.o), like(out_d.o), like(out_r.u), like(out_d.u)],
            [stats(out_r.stats), stats(out_d.stats)],
        )
    }

    /// Gradients of q, k, v of both modalities, given O and stats of [`Tensor::cda`] and the gradients of its results.
    pub(crate) fn cda_backward(
        z: CdaSizes,
        x: [&[Tensor<T>; 3]; 2],
        o: &[Tensor<T>; 2],
        stats: &[Tensor<T>; 2],
        dy: &[Tensor<T>; 4],
    ) -> [[Tensor<T>; 3]; 2] {
        let saved = [0, 1].map(|m| cpu::cda::CdaSaved {
            o: o[m].as_slice(),
            stats: stats[m].as_slice(),
            d_o: dy[m].as_slice(),
            d_u: dy[2 + m].as_slice(),
        });
        cpu::cda::cda_backward(z, x.map(qkv_slices), saved)
            .map(|g| [g.q, g.k, g.v].map(|values| Tensor::from_vec(values, x[0][0].shape())))
    }
}

fn qkv_slices<T: Real>([q, k, v]: &[Tensor<T>; 3]) -> QkvSlices<'_, T> {
    QkvSlices { q: q.as_slice(), k: k.as_slice(), v: v.as_slice() }
}
