//! What a re-identification network is trained to make small.
//!
//! ```text
//! cross-entropy   which of the K training identities is it?           makes features tell them apart
//! triplet         mean of max(0, d_ap − d_an + m), batch-hard         pulls an identity together, pushes others away
//! consistency     w·(B − Σ_b cos(z₁[b], z₂[b])), a sum over the batch  streams score the identities alike
//! centre          w·mean |x − c_y|²                                   features stay near their identity's centre
//! ```
//!
//! The first two are summed over all heads, those of the streams and the fused one, as HAMNet does (Li et al., AAAI
//! 2020); the third is HAMNet's, too. The last is Wen et al.'s (ECCV 2016) in the form of Bag of Tricks (Luo et al., CVPR
//! workshops 2019); HAMNet does without.

mod centre;
mod margin;
#[cfg(test)]
mod tests;

use anyhow::{Result, ensure};
use autograd::ops::CrossEntropy;
use autograd::{Ctx, Indices, Mask, Real, Var};
pub use centre::Centres;
pub use margin::Margin;
use models::reid::{ReidHead, ReidOutput};
use serde::{Deserialize, Serialize};

/// Squared distances are at least this, so that their roots have a gradient; the value of the released codes.
const SMALLEST_SQUARE: f64 = 1e-12;
/// Logits shorter than this have no direction. PyTorch equivalent: `eps` of `F.cosine_similarity`.
const SHORTEST: f64 = 1e-8;

/// Options of [`reid_loss`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReidLossConfig {
    /// Share of the target that cross-entropy spreads over all identities, in [0, 1). 0 is what HAMNet's code trains
    /// with: it was meant to be Bag of Tricks' 0.1, but its configuration says "yes" where the code looks for "on".
    pub label_smoothing: f64,
    /// Margin of the triplet loss: a distance such as 0.3, HAMNet's and Bag of Tricks', or "soft".
    pub margin: Margin,
    /// Weight of the centre loss; 0, as in HAMNet, is none. Bag of Tricks': 0.0005.
    pub centre: f64,
    /// Weight of the consistency of streams; 0 is none. HAMNet's: 0.001.
    pub consistency: f64,
}

impl Default for ReidLossConfig {
    fn default() -> ReidLossConfig {
        ReidLossConfig {
            label_smoothing: 0.0,
            margin: Margin::Distance(0.3),
            centre: 0.0,
            consistency: 0.001,
        }
    }
}

impl ReidLossConfig {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// The first setting that means nothing, by its name, with what it may be.
    pub fn validate(&self) -> Result<()> {
        let ReidLossConfig { label_smoothing, margin, centre, consistency } = *self;
        ensure!(
            (0.0..1.0).contains(&label_smoothing),
            "train.loss.label_smoothing = {label_smoothing} must lie in [0, 1)"
        );
        if let Margin::Distance(margin) = margin {
            ensure!(
                margin >= 0.0 && margin.is_finite(),
                "train.loss.margin = {margin} must be a distance, 0 at least, or \"soft\""
            );
        }
        for (name, weight) in [("centre", centre), ("consistency", consistency)] {
            ensure!(weight >= 0.0 && weight.is_finite(), "train.loss.{name} = {weight} cannot be negative");
        }
        Ok(())
    }
}

/// Cross-entropy plus triplet loss of every head, plus the consistency of every two streams, plus the centre loss of the
/// fused head (of the only stream, where nothing is fused). `labels` are the batch's identities, 0 to K − 1, in the order
/// of the pictures. In training the centres move; see [`Centres`].
///
/// # Panics
/// If shapes or labels do not fit; if all pictures of the batch show one identity; if the
/// centre loss has a weight but no centres, or several streams and no fused head.
#[track_caller]
pub fn reid_loss<T: Real>(
    ctx: &Ctx<T>,
    output: &ReidOutput<T>,
    labels: &[usize],
    config: &ReidLossConfig,
    centres: Option<&Centres>,
) -> Var<T> {
    let heads = output.streams.iter().chain(&output.fused);
    let mut terms: Vec<Var<T>> = heads.map(|head| head_loss(head, labels, config)).collect();
    if config.consistency > 0.0 {
        let streams = &output.streams;
        let pairs = (0..streams.len()).flat_map(|i| (i + 1..streams.len()).map(move |j| (i, j)));
        terms.extend(pairs.map(|(i, j)| {
            consistency_loss(&streams[i].logits, &streams[j].logits).mul_scalar(config.consistency)
        }));
    }
    if config.centre > 0.0 {
        let centres = centres.expect("a centre loss needs centres");
        terms.push(centres.loss(ctx, &main_head(output).feature, labels).mul_scalar(config.centre));
    }
    let sum = terms.into_iter().reduce(|sum, term| sum.add(&term));
    sum.expect("an output has one head at least")
}

/// The head whose features have centres.
#[track_caller]
fn main_head<T: Real>(output: &ReidOutput<T>) -> &ReidHead<T> {
    match (&output.fused, output.streams.as_slice()) {
        (Some(fused), _) => fused,
        (None, [only]) => only,
        (None, streams) => {
            panic!(
                "a centre loss over {} streams needs a fused head, whose features have centres",
                streams.len()
            )
        }
    }
}

#[track_caller]
fn head_loss<T: Real>(head: &ReidHead<T>, labels: &[usize], config: &ReidLossConfig) -> Var<T> {
    let options = CrossEntropy { label_smoothing: config.label_smoothing, ignore_index: None };
    let entropy = head.logits.cross_entropy(&indices(labels), options);
    entropy.add(&triplet_loss(&head.feature, labels, config.margin))
}

/// Labels as `[B]`.
fn indices(labels: &[usize]) -> Indices {
    Indices::new(labels.iter().map(|&label| label as i64).collect(), &[labels.len()])
}

/// The batch-hard triplet loss of features `[B, D]`, not normalised (Hermans, Beyer, Leibe 2017): of every picture's
/// distances, the largest to its own identity, d_ap (its own, 0, counts), against the smallest to any other, d_an; the
/// mean over the batch of what [`Margin`] says of them. Gradients flow through these distances only; equal ones share.
///
/// PyTorch equivalent: `F.margin_ranking_loss(d_an, d_ap, ones, margin)`, `F.soft_margin_loss(d_an - d_ap, ones)`.
///
/// # Panics
/// If the numbers of features and labels differ, or all labels are the same: nothing to be told apart.
#[track_caller]
pub fn triplet_loss<T: Real>(feature: &Var<T>, labels: &[usize], margin: Margin) -> Var<T> {
    let count = labels.len();
    assert!(
        feature.shape().len() == 2 && feature.shape()[0] == count,
        "triplet loss: features {:?} for {count} labels",
        feature.shape()
    );
    assert!(
        labels.iter().any(|label| *label != labels[0]),
        "triplet loss: all {count} pictures of the batch show identity {}; it takes two at least",
        labels.first().copied().unwrap_or_default()
    );
    let pairs = |keep: fn(usize, usize) -> bool| {
        let keep = |pair: usize| keep(labels[pair / count], labels[pair % count]);
        Mask::new((0..count * count).map(keep).collect(), &[count, count])
    };
    let beyond = |value: f64| Var::constant(feature.value().full_like(&[1, 1], value));
    let distances = distances(feature); // [B, B]
    let positive = Var::where_(&pairs(|a, b| a == b), &distances, &beyond(0.0)).amax(&[1], false); // [B]
    let negative = Var::where_(&pairs(|a, b| a != b), &distances, &beyond(f64::INFINITY)).amin(&[1], false);
    margin.cost(&positive.sub(&negative)).mean_all()
}

/// Euclidean distances of the rows of x `[B, D]`, `[B, B]`: √max(|x|² + |y|² − 2·x·y, 10⁻¹²).
fn distances<T: Real>(x: &Var<T>) -> Var<T> {
    let square = x.mul(x).sum(&[1], true); // [B, 1]
    let sums = square.add(&square.transpose(0, 1)); // [B, B]
    sums.sub(&x.matmul_t(x).mul_scalar(2.0)).clamp(SMALLEST_SQUARE, f64::INFINITY).sqrt()
}

/// B − Σ_b cos(z₁\[b\], z₂\[b\]) for logits `[B, K]`: 0 if the streams favour the same identities in the same proportions.
/// HAMNet's code has its batch size, 32, in place of B. PyTorch equivalent: `(1 - F.cosine_similarity(z1, z2)).sum()`.
#[track_caller]
pub fn consistency_loss<T: Real>(first: &Var<T>, second: &Var<T>) -> Var<T> {
    let cosines = first.normalize(1, SHORTEST).mul(&second.normalize(1, SHORTEST)); // summed over K
    cosines.sum_all().neg().add_scalar(first.size(0) as f64)
}
