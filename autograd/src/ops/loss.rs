//! Losses, composed of other ops in an order that keeps their digits.

use crate::plain::{Indices, Mask};
use crate::real::Real;
use crate::tape::Var;
use crate::tensor::shape::drop_axes;

/// What becomes of the losses of single elements. PyTorch equivalent: the `reduction` argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// They are returned.
    None,
    /// Their mean.
    Mean,
    /// Their sum.
    Sum,
}

impl Reduction {
    fn apply<T: Real>(self, losses: Var<T>) -> Var<T> {
        match self {
            Reduction::None => losses,
            Reduction::Mean => losses.mean_all(),
            Reduction::Sum => losses.sum_all(),
        }
    }
}

/// Options of [`Var::cross_entropy`] and [`Var::nll_loss`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CrossEntropy {
    /// Share of the target that is spread evenly over all classes, in [0, 1).
    pub label_smoothing: f64,
    /// Targets of this value do not count, neither in the sum nor in the mean's divisor. None by default; PyTorch's
    /// default is −100.
    pub ignore_index: Option<i64>,
}

impl<T: Real> Var<T> {
    /// Mean of `−ln softmax(x)[target]`: logits `[N, C, ..]` with the classes in axis 1, targets `[N, ..]`.
    /// PyTorch equivalent: `F.cross_entropy(x, target, label_smoothing=…, ignore_index=…)`.
    #[track_caller]
    pub fn cross_entropy(&self, target: &Indices, options: CrossEntropy) -> Var<T> {
        self.log_softmax(1).nll_loss(target, options)
    }

    /// Mean of `−x[target]`: log-probabilities `[N, C, ..]`, targets `[N, ..]`. PyTorch equivalent: `F.nll_loss`.
    #[track_caller]
    pub fn nll_loss(&self, target: &Indices, options: CrossEntropy) -> Var<T> {
        let ndim = self.shape().len();
        assert!(ndim >= 2, "nll_loss: log-probabilities {:?} have no class axis", self.shape());
        let classes = self.shape()[1];
        let order: Vec<usize> = [0].into_iter().chain(2..ndim).chain([1]).collect();
        let count = target.values().len();
        assert!(
            target.shape() == drop_axes(self.shape(), &[1]),
            "nll_loss: targets {:?} do not fit log-probabilities {:?}",
            target.shape(),
            self.shape()
        );
        let rows = self.permute(&order).with_shape(&[count, classes]); // [N·.., C]
        let counts: Vec<bool> = target.values().iter().map(|&t| Some(t) != options.ignore_index).collect();
        let places = target.values().iter().zip(&counts).map(|(&t, &counts)| if counts { t } else { 0 });
        let picked = rows.gather(1, &Indices::new(places.collect(), &[count, 1])); // [N·.., 1]
        let smoothing = options.label_smoothing;
        let mixed = if smoothing == 0.0 {
            picked
        } else {
            picked.mul_scalar(1.0 - smoothing).add(&rows.mean(&[1], true).mul_scalar(smoothing))
        };
        let valid = counts.iter().filter(|&&counts| counts).count();
        // A choice rather than a product: 0·∞ of an ignored target would be NaN.
        let nothing = Var::constant(self.value().full_like(&[1, 1], 0.0));
        let kept = Var::where_(&Mask::new(counts, &[count, 1]), &mixed, &nothing);
        kept.sum_all().mul_scalar(-1.0 / valid as f64)
    }

    /// (x − target)². PyTorch equivalent: `F.mse_loss`.
    /// Any shape to that shape, or with a reduction to no axes; the same of the losses below.
    #[track_caller]
    pub fn mse_loss(&self, target: &Var<T>, reduction: Reduction) -> Var<T> {
        let difference = self.sub(target);
        reduction.apply(difference.mul(&difference))
    }

    /// |x − target|. PyTorch equivalent: `F.l1_loss`.
    #[track_caller]
    pub fn l1_loss(&self, target: &Var<T>, reduction: Reduction) -> Var<T> {
        reduction.apply(self.sub(target).abs())
    }

    /// With d = |x − target|: d²/(2·beta) below beta, d − beta/2 above. PyTorch equivalent: `F.smooth_l1_loss`.
    #[track_caller]
    pub fn smooth_l1_loss(&self, target: &Var<T>, beta: f64, reduction: Reduction) -> Var<T> {
        if beta == 0.0 {
            return self.l1_loss(target, reduction); // the limit; the formula below would be 0/0
        }
        let distance = self.sub(target).abs();
        let near = distance.clamp(0.0, beta);
        let square = near.mul(&near).mul_scalar(0.5 / beta);
        reduction.apply(square.add(&distance.sub(&near)))
    }

    /// −w·(p·t·ln σ(x) + (1 − t)·ln(1 − σ(x))) for logits x and p = `pos_weight`, computed as
    /// p·t·softplus(−x) + (1 − t)·softplus(x): it never overflows, and for t = 0 and t = 1 only one of the terms is left,
    /// so that neither the value nor the gradient is a small difference of large numbers.
    /// PyTorch equivalent: `F.binary_cross_entropy_with_logits(x, t, weight, pos_weight)`.
    #[track_caller]
    pub fn bce_with_logits(
        &self,
        target: &Var<T>,
        weight: Option<&Var<T>>,
        pos_weight: Option<&Var<T>>,
        reduction: Reduction,
    ) -> Var<T> {
        let positive = target.mul(&self.neg().softplus());
        let positive = pos_weight.map_or_else(|| positive.clone(), |p| positive.mul(p));
        let negative = target.neg().add_scalar(1.0).mul(&self.softplus());
        let loss = positive.add(&negative);
        reduction.apply(weight.map_or_else(|| loss.clone(), |weight| loss.mul(weight)))
    }
}
