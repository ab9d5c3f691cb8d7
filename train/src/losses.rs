//! What a detector is trained to make small.
//!
//! ```text
//! bce-iou              mean BCE + (1 − IoU)
//! structure            Σ w·BCE/Σ w + (1 − weighted IoU)      w = 1 + 5·|mean of g around a pixel − g|: edges count more
//! structure-released   mean BCE + (1 − weighted IoU)         F3Net's released code: see `LossKind`
//! focal                mean of −a_t·(1 − p_t)^γ·ln p_t       Lin et al. 2017: pixels that are right already count less
//! ```

use anyhow::{Result, ensure};
use autograd::ops::Reduction;
use autograd::{Real, Var};
use models::SodOutput;
use serde::{Deserialize, Serialize};

/// The loss of a picture's logits against its truth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// Binary cross-entropy plus 1 − IoU: the first looks at single pixels, the second at whole objects, and does not
    /// favour large ones.
    #[default]
    BceIou,
    /// Both, with weights on the pixels near edges: F3Net's structure loss as its paper has it.
    Structure,
    /// The same as F3Net's code computes it: it asks PyTorch for unreduced cross-entropy in a way that yields the mean, so
    /// that the weights cancel there and remain in the IoU.
    StructureReleased,
}

/// Options of [`detection_loss`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossConfig {
    /// For every output of the network.
    pub kind: LossKind,
    /// Side of the window in which the structure losses look for edges, in pixels, odd; F3Net's is 31 for 352 pixels.
    pub window: usize,
    /// Weight λ of the focal loss of single streams' logits (where the network has them): the paper's pixel-level focal
    /// regularisation, whose formula is not known. 0: none.
    pub focal: f64,
    /// Exponent γ of the focal loss, at least 1.
    pub focal_gamma: f64,
    /// Weight of the foreground in the focal loss; the background's is 1 − α.
    pub focal_alpha: f64,
}

impl Default for LossConfig {
    fn default() -> LossConfig {
        LossConfig { kind: LossKind::BceIou, window: 31, focal: 0.0, focal_gamma: 2.0, focal_alpha: 0.25 }
    }
}

impl LossConfig {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// The first setting that means nothing, by its name, with what it may be.
    pub fn validate(&self) -> Result<()> {
        let LossConfig { window, focal, focal_gamma, focal_alpha, .. } = *self;
        ensure!(
            window % 2 == 1,
            "train.loss.window = {window} must be odd: a pixel and as many on every side"
        );
        ensure!(focal >= 0.0 && focal.is_finite(), "train.loss.focal = {focal} cannot be negative");
        ensure!(
            focal_gamma >= 1.0,
            "train.loss.focal_gamma = {focal_gamma} must be at least 1, or the gradient of sure pixels is infinite"
        );
        ensure!(
            (0.0..=1.0).contains(&focal_alpha),
            "train.loss.focal_alpha = {focal_alpha} must lie in [0, 1]"
        );
        Ok(())
    }
}

/// Deep supervision, weighted as in F3Net: the mean loss of the decoder's passes (where there is one pass: the loss of
/// the prediction), plus 1/2, 1/4, … of the side outputs' losses, fine to coarse, plus the losses of single streams and λ
/// times their focal losses. `truth` is `[B, 1, H, W]`, 0 or 1.
pub fn detection_loss<T: Real>(output: &SodOutput<T>, truth: &Var<T>, config: &LossConfig) -> Var<T> {
    let criterion = Criterion::new(truth, config);
    let mut loss = criterion.loss(&output.logits);
    if !output.earlier.is_empty() {
        for logits in &output.earlier {
            loss = loss.add(&criterion.loss(logits));
        }
        loss = loss.mul_scalar(1.0 / (1 + output.earlier.len()) as f64);
    }
    let mut weight = 1.0;
    for side in &output.sides {
        weight /= 2.0;
        loss = loss.add(&criterion.side_loss(side).mul_scalar(weight));
    }
    for logits in &output.streams {
        loss = loss.add(&criterion.loss(logits));
        if config.focal > 0.0 {
            let focal = focal_loss(logits, truth, config.focal_gamma, config.focal_alpha);
            loss = loss.add(&focal.mul_scalar(config.focal));
        }
    }
    loss
}

/// A truth and how outputs are compared with it.
struct Criterion<'a, T: Real> {
    truth: &'a Var<T>,
    kind: LossKind,
    /// w of the structure losses, `[B, 1, H, W]`.
    edges: Option<Var<T>>,
}

impl<'a, T: Real> Criterion<'a, T> {
    fn new(truth: &'a Var<T>, config: &LossConfig) -> Criterion<'a, T> {
        let edges = (config.kind != LossKind::BceIou).then(|| edge_weights(truth, config.window));
        Criterion { truth, kind: config.kind, edges }
    }

    /// Of logits at the truth's size.
    fn loss(&self, logits: &Var<T>) -> Var<T> {
        let bce = match (self.kind, &self.edges) {
            (LossKind::Structure, Some(w)) => weighted_bce(logits, self.truth, w),
            _ => logits.bce_with_logits(self.truth, None, None, Reduction::Mean),
        };
        bce.add(&iou_loss(logits, self.truth, self.edges.as_ref()))
    }

    /// Of coarser logits. The structure losses enlarge them to the truth's size, as F3Net does; the plain loss compares
    /// them with the share of truth in each of their cells, which costs less.
    fn side_loss(&self, side: &Var<T>) -> Var<T> {
        let size = |x: &Var<T>| [x.size(2), x.size(3)];
        if self.edges.is_some() {
            return self.loss(&side.resize(size(self.truth)));
        }
        let coarse = self.truth.adaptive_avg_pool2d(size(side));
        Criterion { truth: &coarse, kind: self.kind, edges: None }.loss(side)
    }
}

/// w = 1 + 5·|mean of g in the window − g|, `[B, 1, H, W]`: 1 far from edges, up to 6 at them. Beyond the picture, g
/// counts as 0, as in F3Net.
fn edge_weights<T: Real>(truth: &Var<T>, window: usize) -> Var<T> {
    // The mean over a square is the mean over columns of the mean over rows: 2·window additions, not window².
    let half = window / 2;
    let rows = truth.avg_pool2d([window, 1], [1, 1], [half, 0]);
    let mean = rows.avg_pool2d([1, window], [1, 1], [0, half]);
    mean.sub(truth).abs().mul_scalar(5.0).add_scalar(1.0)
}

/// Mean over pictures of Σ w·BCE/Σ w.
fn weighted_bce<T: Real>(logits: &Var<T>, truth: &Var<T>, w: &Var<T>) -> Var<T> {
    let share = w.div(&w.sum(&[1, 2, 3], true)); // [B, 1, H, W]
    let sum = logits.bce_with_logits(truth, Some(&share), None, Reduction::Sum);
    sum.mul_scalar(1.0 / truth.size(0) as f64)
}

/// Mean over pictures of 1 − (Σ w·p·g + 1)/(Σ w·(p + g − p·g) + 1) with p = σ(logits), w = 1 where there is none.
fn iou_loss<T: Real>(logits: &Var<T>, truth: &Var<T>, w: Option<&Var<T>>) -> Var<T> {
    let p = logits.sigmoid();
    // [B, 1, H, W] -> [B]
    let sum = |x: &Var<T>| w.map_or_else(|| x.clone(), |w| x.mul(w)).sum(&[1, 2, 3], false);
    let intersection = sum(&p.mul(truth));
    let union = sum(&p.add(truth)).sub(&intersection);
    let iou = intersection.add_scalar(1.0).div(&union.add_scalar(1.0));
    iou.mean_all().neg().add_scalar(1.0)
}

/// Mean over pixels of −a_t·(1 − p_t)^γ·ln p_t, where p_t is the probability given to the truth and a_t is α on the
/// foreground, 1 − α elsewhere. As ln p_t = −BCE, no probability is divided or subtracted from 1 where digits would go.
/// Equivalent: `torchvision.ops.sigmoid_focal_loss(x, t, alpha, gamma, reduction="mean")`.
fn focal_loss<T: Real>(logits: &Var<T>, truth: &Var<T>, gamma: f64, alpha: f64) -> Var<T> {
    let bce = logits.bce_with_logits(truth, None, None, Reduction::None);
    let wrong = bce.neg().exp().neg().add_scalar(1.0); // 1 − p_t
    let a = truth.mul_scalar(2.0 * alpha - 1.0).add_scalar(1.0 - alpha);
    a.mul(&wrong.pow(gamma)).mul(&bce).mean_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use autograd::{Tape, Tensor};

    fn item(x: &Var<f64>) -> f64 {
        x.value().item().unwrap()
    }

    fn loss(logits: &Var<f64>, truth: &Var<f64>, kind: LossKind, window: usize) -> Var<f64> {
        Criterion::new(truth, &LossConfig { kind, window, ..LossConfig::default() }).loss(logits)
    }

    #[test]
    fn a_confident_right_answer_costs_nothing_and_a_wrong_one_costs_much() {
        let truth = Var::constant(Tensor::<f64>::from_fn(&[2, 1, 4, 4], |i| f64::from(u8::from(i % 3 == 0))));
        for kind in [LossKind::BceIou, LossKind::Structure, LossKind::StructureReleased] {
            let of =
                |scale: f64| item(&loss(&truth.add_scalar(-0.5).mul_scalar(2.0 * scale), &truth, kind, 3));
            assert!(of(50.0) < 1e-12, "{kind:?}: {}", of(50.0));
            assert!(of(-50.0) > 49.0, "{kind:?}: {}", of(-50.0));
        }
        // At logit 0: ln 2, and p = 1/2 gives intersection n/2, union (16 + n)/2 with n foreground pixels.
        let iou = |n: f64| (n / 2.0 + 1.0) / ((16.0 + n) / 2.0 + 1.0);
        let expected = 2f64.ln() + 1.0 - (iou(6.0) + iou(5.0)) / 2.0;
        let found = item(&loss(&truth.mul_scalar(0.0), &truth, LossKind::BceIou, 31));
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }

    /// Values, norms of the gradient and one of its elements in float64 from PyTorch 2.15: F3Net's formulas written out
    /// (window 5, weighted and with its code's mean), and torchvision's `sigmoid_focal_loss`.
    #[test]
    fn losses_and_gradients_equal_pytorchs() {
        let shape = [2, 1, 6, 8];
        let truth = Tensor::from_fn(&shape, |k| f64::from(u8::from((k / 3) % 4 == 1)));
        let truth = Var::constant(truth);
        let check = |f: &dyn Fn(&Var<f64>) -> Var<f64>, [value, norm, fifth]: [f64; 3]| {
            let logits = Tape::new().leaf(Tensor::from_fn(&shape, |k| 2.0 * (0.37 * k as f64).cos()));
            let y = f(&logits);
            let grads = y.backward();
            let gradient = grads.of(&logits).unwrap().as_slice().to_vec();
            let found_norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
            for (found, expected) in [(item(&y), value), (found_norm, norm), (gradient[5], fifth)] {
                assert!((found - expected).abs() < 1e-14, "{found} is not {expected}");
            }
        };
        let structure = |kind| move |x: &Var<f64>, t: &Var<f64>| loss(x, t, kind, 5);
        check(
            &|x| structure(LossKind::Structure)(x, &truth),
            [1.5394457587551118, 0.08605801708024076, -0.01863354823995793],
        );
        check(
            &|x| structure(LossKind::StructureReleased)(x, &truth),
            [1.5444783768273802, 0.07420928590099819, -0.012746036473447856],
        );
        check(
            &|x| focal_loss(x, &truth, 2.0, 0.25),
            [0.3147787084574537, 0.04151147248616911, -0.0014360760302120773],
        );
        check(
            &|x| focal_loss(x, &truth, 3.0, 0.75),
            [0.14594875075709665, 0.025714382938688586, -0.0034670114690882976],
        );
    }

    #[test]
    fn edges_weigh_more_than_what_is_far_from_them() {
        // A straight edge between columns 5 and 6 of 12, window 5: the mean is the share of ones in five columns, but the
        // first and last two rows miss one or two rows of the window.
        let truth = Var::constant(Tensor::from_fn(&[1, 1, 9, 12], |i| f64::from(u8::from(i % 12 > 5))));
        let w = edge_weights(&truth, 5);
        let middle = &w.value().as_slice()[4 * 12..5 * 12];
        let expected = [1.0, 1.0, 1.0, 1.0, 2.0, 3.0, 3.0, 2.0, 1.0, 1.0, 2.0, 3.0];
        for (found, expected) in middle.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{middle:?}");
        }
        let corner = w.value().as_slice()[0];
        assert_eq!(corner, 1.0, "all background, and zeros around");
    }

    #[test]
    fn outputs_are_weighted_as_in_f3net() {
        let constant = |value: f64, side: usize| {
            Var::constant(Tensor::from_fn(&[1, 1, side, side], |i| value + i as f64 / 10.0))
        };
        let truth = Var::constant(Tensor::from_fn(&[1, 1, 4, 4], |i| f64::from(u8::from(i < 8))));
        let (a, b, half, quarter, r) =
            (constant(0.1, 4), constant(-1.0, 4), constant(0.5, 2), constant(0.7, 1), constant(0.3, 4));
        let output = SodOutput {
            logits: a.clone(),
            earlier: vec![b.clone()],
            sides: vec![half.clone(), quarter.clone()],
            streams: vec![r.clone()],
            levels: Vec::new(),
        };
        for kind in [LossKind::BceIou, LossKind::Structure] {
            let config = LossConfig { kind, window: 3, focal: 0.7, ..LossConfig::default() };
            let of = |logits: &Var<f64>, truth: &Var<f64>| item(&loss(logits, truth, kind, 3));
            let side = |logits: &Var<f64>| match kind {
                LossKind::BceIou => of(logits, &truth.adaptive_avg_pool2d([logits.size(2); 2])),
                _ => of(&logits.resize([4, 4]), &truth),
            };
            let expected = (of(&a, &truth) + of(&b, &truth)) / 2.0
                + side(&half) / 2.0
                + side(&quarter) / 4.0
                + of(&r, &truth)
                + 0.7 * item(&focal_loss(&r, &truth, 2.0, 0.25));
            let found = item(&detection_loss(&output, &truth, &config));
            assert!((found - expected).abs() < 1e-13, "{kind:?}: {found} {expected}");
        }
    }
}
