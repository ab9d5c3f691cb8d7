//! Cross-Diffusion Attention in one pass; the form with matrices is in the crate `cda`, which chooses between them.

use super::many::record_many;
use crate::device::CdaSizes;
use crate::real::Real;
use crate::tape::Var;
use crate::tensor::Tensor;
use crate::tensor::shape::numel;

/// O_r, O_d, U_rd, U_dr of the released Cross-Diffusion Attention with one step from X⁽⁰⁾ = I, for `[q, k, v]` of both
/// modalities, `[.., N, d]` each; 0 ≤ `alpha` ≤ 1, scale 1/√d. Formulas, cost and memory: O(N²·d) time, O(N·d) memory, see
/// the crate `cda`. Source: `MutualFormer.py` of the released code.
/// PyTorch equivalent: none; with `A = softmax(q @ k.mT / d**0.5, -1)` per modality, `U_rd = (alpha * A_r.mT @ A_d +
/// (1 - alpha) * (A_r + A_d)) @ v_d`.
#[track_caller]
pub fn cross_diffusion_attention<T: Real>(r: [&Var<T>; 3], d: [&Var<T>; 3], alpha: f64) -> [Var<T>; 4] {
    let shape = r[0].shape().to_vec();
    let inputs: Vec<&Var<T>> = r.into_iter().chain(d).collect();
    assert!(
        shape.len() >= 2 && inputs.iter().all(|x| x.shape() == shape),
        "cross_diffusion_attention: q, k and v of both modalities must have one shape [.., N, d]; they have {:?}",
        inputs.iter().map(|x| x.shape()).collect::<Vec<_>>()
    );
    if numel(&shape) == 0 {
        return composed(r, d, alpha);
    }
    let (axes, dim) = (shape.len(), shape[shape.len() - 1]);
    let sizes = CdaSizes {
        heads: numel(&shape[..axes - 2]),
        tokens: shape[axes - 2],
        dim,
        scale: 1.0 / (dim as f64).sqrt(),
        alpha,
    };
    let [r, d] = [r, d].map(|x| x.map(|x| x.value().clone()));
    let ([o_r, o_d, u_rd, u_dr], stats) = Tensor::cda(sizes, &r, &d);
    let saved = [o_r.clone(), o_d.clone()];
    record_many("cross_diffusion_attention", [o_r, o_d, u_rd, u_dr], &inputs, move |dy, sink| {
        let gradients = Tensor::cda_backward(sizes, [&r, &d], &saved, &stats, &dy);
        for (i, gradient) in gradients.into_iter().flatten().enumerate() {
            sink.add(i, || gradient);
        }
    })
}

/// The same with the maps P_m `[.., N, N]`, for inputs without elements: with o the other modality, O_m = P_m·V_m and
/// U_m = α·P_mᵀ·O_o + (1−α)·(P_m·V_o + O_o).
fn composed<T: Real>(r: [&Var<T>; 3], d: [&Var<T>; 3], alpha: f64) -> [Var<T>; 4] {
    let [p_r, p_d] = [r, d].map(|[q, k, _]| q.attention_map(k, None));
    let (o_r, o_d) = (p_r.matmul(r[2]), p_d.matmul(d[2]));
    let u = |p: &Var<T>, v: &Var<T>, o: &Var<T>| {
        p.matmul_with(true, o, false, alpha).add(&p.matmul(v).add(o).mul_scalar(1.0 - alpha))
    };
    let (u_rd, u_dr) = (u(&p_r, d[2], &o_d), u(&p_d, r[2], &o_r));
    [o_r, o_d, u_rd, u_dr]
}
