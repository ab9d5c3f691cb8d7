//! A centre for every identity, which its features stay near (Wen, Zhang, Li, Qiao, ECCV 2016).
//!
//! The centres are not learned with the network, but follow its features: they are a buffer, like batch norm's running
//! statistics. Two rules are in use. Of n pictures of identity j in a batch of B,
//!
//! ```text
//! Wen et al.      loss ½·Σ |x − c_y|²          c_j ← c_j + 0.5·Σ (x − c_j)/(1 + n)
//! Bag of Tricks   loss mean |x − c_y|²         c_j ← c_j + 0.5·2·Σ (x − c_j)/B      SGD, rate 0.5, weight divided out
//! ```
//!
//! The loss here is Bag of Tricks', so that its weight, 0.0005, means the same; the rule is Wen et al.'s: how far a centre
//! moves then depends on its own identity's pictures and not on the size of the batch. With four pictures of an identity
//! in a batch of 32 it goes 0.4 of the way to their mean, under the other rule 1/8.

use super::indices;
use autograd::{Ctx, ParamId, Real, Scope, Tensor, Var};

/// α of Wen et al.
const RATE: f64 = 0.5;
/// Limits of squared distances in the loss, as in Bag of Tricks' code.
const LIMITS: (f64, f64) = (1e-12, 1e12);

/// The centres of K identities' features.
#[derive(Clone, Copy, Debug)]
pub struct Centres {
    /// `[K, D]`.
    centres: ParamId,
    classes: usize,
}

impl Centres {
    /// All at 0, until their identity is first seen. (Bag of Tricks draws them from a normal distribution, which says as
    /// little about where features will be.)
    pub fn new<T: Real>(scope: &mut Scope<T>, classes: usize, dim: usize) -> Centres {
        Centres { centres: scope.buffer("centres", &[classes, dim], 0.0), classes }
    }

    /// Mean over the batch of |x − c_y|², for features x `[B, D]` and labels y in 0..K. In training, the centres of
    /// the batch's identities then move towards their features; the loss of this batch is to where they were.
    ///
    /// # Panics
    /// If shapes or labels do not fit.
    #[track_caller]
    pub fn loss<T: Real>(&self, ctx: &Ctx<T>, feature: &Var<T>, labels: &[usize]) -> Var<T> {
        let centres = ctx.buffer(self.centres);
        assert!(
            feature.shape() == [labels.len(), centres.size(1)],
            "centre loss: features {:?} for {} labels and centres {:?}",
            feature.shape(),
            labels.len(),
            centres.shape()
        );
        if ctx.is_training() {
            ctx.update_buffer(self.centres, self.moved(&centres, feature.value(), labels));
        }
        let own = Var::constant(centres).embedding(&indices(labels)); // [B, D]
        let difference = feature.sub(&own);
        let squares = difference.mul(&difference).sum(&[1], false); // [B]
        squares.clamp(LIMITS.0, LIMITS.1).mean_all()
    }

    /// Wen et al.'s rule for all identities at once: c ← (1 − s)·c + W·x, where W holds 0.5/(1 + n_y) for every picture in
    /// the row of its identity, and s its row sums.
    fn moved<T: Real>(&self, centres: &Tensor<T>, feature: &Tensor<T>, labels: &[usize]) -> Tensor<T> {
        let batch = labels.len();
        let mut pictures = vec![0.0; self.classes];
        labels.iter().for_each(|&label| pictures[label] += 1.0);
        let kept: Vec<T> = pictures.iter().map(|n| T::of(1.0 - RATE * n / (1.0 + n))).collect();
        let mut weights = vec![T::of(0.0); self.classes * batch];
        for (b, &label) in labels.iter().enumerate() {
            weights[label * batch + b] = T::of(RATE / (1.0 + pictures[label]));
        }
        let kept = centres.constant_like(&Tensor::from_vec(kept, &[self.classes, 1]));
        let weights = centres.constant_like(&Tensor::from_vec(weights, &[self.classes, batch]));
        centres.mul(&kept).add(&weights.matmul(false, feature, false, 1.0))
    }
}
