//! Attention and Cross-Diffusion Attention without matrices.

use super::{DeviceBuffer, Storage, Tensor, device_tensor, live, peer, same_place};
use crate::cpu;
use crate::cpu::cda::{CdaSaved, QkvSlices};
use crate::device::{AttentionSizes, Buffer, CdaSizes};
use crate::real::Real;

/// What the backward pass of an attention needs of the forward pass.
pub(crate) struct SavedAttention<T: Real> {
    /// Maximum and 1/Σ of every row of P, `[heads, N, 2]`.
    stats: Tensor<T>,
    /// On devices, the result: the row sums of P∘dP follow from it. The host takes them from rows of P that it has at hand.
    y: Option<Tensor<T>>,
}

impl<T: Real> Tensor<T> {
    /// P·x or Pᵀ·x of (q, k, x) with P = softmax(scale·Q·Kᵀ), tile by tile; `op` is the name in messages.
    #[track_caller]
    pub(crate) fn attention(
        op: &str,
        z: AttentionSizes,
        inputs @ [q, k, x]: [&Tensor<T>; 3],
    ) -> (Tensor<T>, SavedAttention<T>) {
        same_place(op, q, k);
        same_place(op, q, x);
        let rows = if z.transposed { z.keys } else { z.queries };
        let shape = [&q.shape()[..q.ndim() - 2], &[rows, z.value_dim]].concat();
        let stats_shape = [z.heads, z.queries, 2];
        match &q.storage {
            Storage::Cpu(_) => {
                let (y, stats) = cpu::attention::attention(z, q.as_slice(), k.as_slice(), x.as_slice());
                let stats = Tensor::from_vec(stats, &stats_shape);
                (Tensor::from_vec(y, &shape), SavedAttention { stats, y: None })
            }
            Storage::Device(on) => {
                let pair = on.handle.run(op, &inputs.map(Tensor::shape), |d| {
                    d.attention(z, live(on), peer(on, k), peer(on, x))
                });
                let (y, stats) = pair.unzip();
                let (y, stats) = (device_tensor(on, y, &shape), device_tensor(on, stats, &stats_shape));
                (y.clone(), SavedAttention { stats, y: Some(y) })
            }
        }
    }

    /// dq, dk and dx of [`Tensor::attention`].
    pub(crate) fn attention_backward(
        op: &str,
        z: AttentionSizes,
        inputs @ [q, k, x]: [&Tensor<T>; 3],
        saved: &SavedAttention<T>,
        dy: &Tensor<T>,
    ) -> [Tensor<T>; 3] {
        let shapes = inputs.map(Tensor::shape);
        match &q.storage {
            Storage::Cpu(_) => {
                let [qs, ks, xs, stats, dy] = [q, k, x, &saved.stats, dy].map(Tensor::as_slice);
                let (dq, dk, dx) = cpu::attention::attention_backward(z, qs, ks, xs, stats, dy);
                [(dq, q), (dk, k), (dx, x)].map(|(values, like)| Tensor::from_vec(values, like.shape()))
            }
            Storage::Device(on) => {
                let y = saved.y.as_ref().expect("on devices the result is kept");
                let gradients = on.handle.run(&format!("{op}_backward"), &shapes, |d| {
                    let inputs = inputs.map(|input| peer(on, input));
                    d.attention_backward(z, inputs, peer(on, y), peer(on, &saved.stats), peer(on, dy))
                });
                several(on, shapes, gradients)
            }
        }
    }

    /// (O_r, O_d, U_rd, U_dr) and the rows' stats of both maps for `[q, k, v]` of two modalities.
    #[track_caller]
    pub(crate) fn cda(
        z: CdaSizes,
        r: &[Tensor<T>; 3],
        d: &[Tensor<T>; 3],
    ) -> ([Tensor<T>; 4], [Tensor<T>; 2]) {
        r.iter().chain(d).for_each(|x| same_place("cross_diffusion_attention", &r[0], x));
        let (shape, stats_shape) = (r[0].shape(), [z.heads, z.tokens, 2]);
        match &r[0].storage {
            Storage::Cpu(_) => {
                let [out_r, out_d] = cpu::cda::cda(z, [r, d].map(qkv_slices));
                let like = |values| Tensor::from_vec(values, shape);
                let stats = |values| Tensor::from_vec(values, &stats_shape);
                (
                    [like(out_r.o), like(out_d.o), like(out_r.u), like(out_d.u)],
                    [stats(out_r.stats), stats(out_d.stats)],
                )
            }
            Storage::Device(on) => {
                let results = on.handle.run("cross_diffusion_attention", &[shape], |device| {
                    let [r, d] = [r, d].map(|qkv| qkv.each_ref().map(|x| peer(on, x)));
                    device.cda(z, r, d)
                });
                let (results, stats) = results.unzip();
                (several(on, [shape; 4], results), several(on, [&stats_shape; 2], stats))
            }
        }
    }

    /// Gradients of q, k, v of both modalities, given O and stats of [`Tensor::cda`] and the gradients of its results.
    pub(crate) fn cda_backward(
        z: CdaSizes,
        x: [&[Tensor<T>; 3]; 2],
        o: &[Tensor<T>; 2],
        stats: &[Tensor<T>; 2],
        dy: &[Tensor<T>; 4],
    ) -> [[Tensor<T>; 3]; 2] {
        let shape = x[0][0].shape();
        match &x[0][0].storage {
            Storage::Cpu(_) => {
                let saved = [0, 1].map(|m| CdaSaved {
                    o: o[m].as_slice(),
                    stats: stats[m].as_slice(),
                    d_o: dy[m].as_slice(),
                    d_u: dy[2 + m].as_slice(),
                });
                cpu::cda::cda_backward(z, x.map(qkv_slices), saved)
                    .map(|g| [g.q, g.k, g.v].map(|values| Tensor::from_vec(values, shape)))
            }
            Storage::Device(on) => {
                let gradients = on.handle.run("cross_diffusion_attention_backward", &[shape], |device| {
                    let inputs = x.map(|qkv| qkv.each_ref().map(|x| peer(on, x)));
                    let [o, stats] = [o, stats].map(|pair| pair.each_ref().map(|x| peer(on, x)));
                    device.cda_backward(z, inputs, o, stats, dy.each_ref().map(|dy| peer(on, dy)))
                });
                let [r, d] = gradients.map_or([None, None], |pair| pair.map(Some));
                [r, d].map(|gradients| several(on, [shape; 3], gradients))
            }
        }
    }
}

/// The results of a primitive on a device.
fn several<T: Real, const N: usize>(
    x: &DeviceBuffer,
    shapes: [&[usize]; N],
    results: Option<[Buffer; N]>,
) -> [Tensor<T>; N] {
    let mut results = results.into_iter().flatten();
    shapes.map(|shape| device_tensor(x, results.next(), shape))
}

fn qkv_slices<T: Real>([q, k, v]: &[Tensor<T>; 3]) -> QkvSlices<'_, T> {
    QkvSlices { q: q.as_slice(), k: k.as_slice(), v: v.as_slice() }
}
