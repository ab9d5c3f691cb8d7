//! HAMNet's fusion by class activation maps: how much of what speaks for a class does each stream show, and where?
//!
//! ```text
//! stream m's map [C, h, w] -> 1×1 convolution -> f_m [K, h, w]      one activation map for each class k
//! s_m = sigmoid(f_m)
//! a_m[k] = Σ_hw s_m                         what stream m sees of class k
//! g[k]   = Σ_hw max over m of s_m           what the streams see of it together; G = Σ_k g[k]
//! r_m[k] = a_m[k] / Σ_n a_n[k]              stream m's share
//! class vector  fs[k] = g[k]/G · Σ_m r_m[k]·a_m[k]
//! weight        w_m   = Σ_k g[k]/G · r_m[k]             Σ_m w_m = 1
//! ```
//!
//! fs is trained both as logits and as a feature, and Σ_m w_m·v_m is what is compared when searching. The released code has
//! two streams; three are the same formulas.

use autograd::device::{Binary, Reduce};
use autograd::ops::concat;
use autograd::{Real, Tensor, Var};

/// What the activation maps of all streams say together.
pub struct CamFusion<T: Real = f32> {
    /// fs, `[B, K]`.
    pub classes: Var<T>,
    /// w, `[M, B, 1]`: how much each of the M streams counts for each picture.
    pub weights: Var<T>,
}

/// Activation maps f_m `[B, K, h, w]` of M streams.
///
/// Where the largest s_m is attained by two streams, the released code counts 0 in place of the maximum (it adds
/// s_1·\[s_1 > s_2\] and s_2·\[s_2 > s_1\]), and so does this. Streams that agree everywhere therefore have G = 0 and no
/// weights: NaN. Equal maps do, and in `f32` so do sigmoids that have all been rounded to 1, of activations above 17.
#[track_caller]
pub fn cam_fusion<T: Real>(activations: &[Var<T>]) -> CamFusion<T> {
    let s = stacked(activations).sigmoid(); // [M, B, K, h, w]
    let largest = Var::constant(strictly_largest(s.value()));
    let a = s.sum(&[3, 4], false); // [M, B, K]
    let g = s.mul(&largest).sum(&[0, 3, 4], false); // [B, K]
    let share = g.div(&g.sum(&[1], true)); // g/G
    let r = a.div(&a.sum(&[0], true)); // [M, B, K]
    let classes = share.mul(&r.mul(&a).sum(&[0], false));
    let weights = r.mul(&share).sum(&[2], true); // [M, B, 1]
    CamFusion { classes, weights }
}

impl<T: Real> CamFusion<T> {
    /// Σ_m w_m·v_m of features v_m `[B, C]`, `[B, C]`.
    #[track_caller]
    pub fn weighted(&self, features: &[Var<T>]) -> Var<T> {
        stacked(features).mul(&self.weights).sum(&[0], false)
    }
}

/// M equal shapes to `[M, …]`.
#[track_caller]
fn stacked<T: Real>(parts: &[Var<T>]) -> Var<T> {
    let rows: Vec<Var<T>> = parts.iter().map(|x| x.with_shape(&[&[1], x.shape()].concat())).collect();
    concat(&rows.iter().collect::<Vec<_>>(), 0)
}

/// 1 where one stream alone attains the maximum over the first axis, 0 elsewhere: constant between ties, so no gradient
/// passes. Comparisons of tensors stay where the tensors are; a `Mask` would have to be read back from a device.
fn strictly_largest<T: Real>(s: &Tensor<T>) -> Tensor<T> {
    let attained = s.binary(Binary::Equal, &s.reduce(Reduce::Max, &[0])); // [M, B, K, h, w]
    let times = attained.reduce(Reduce::Sum, &[0]); // [1, B, K, h, w]
    let once = times.binary(Binary::Equal, &times.full_like(times.shape(), 1.0));
    attained.mul(&once)
}
