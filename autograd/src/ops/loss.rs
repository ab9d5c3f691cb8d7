//! Losses, composed of other ops except where that would lose precision.

use crate::plain::Indices;
use crate::real::Real;
use crate::tape::Var;
use crate::tensor::Tensor;

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
    /// Targets of this value do not count, neither in the sum nor in the mean's divisor.
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
        let rows = self.permute(&order).reshape(&[-1, classes as isize]); // [N·.., C]
        let count = rows.size(0);
        assert!(
            target.values().len() == count,
            "nll_loss: targets {:?} do not fit log-probabilities {:?}",
            target.shape(),
            self.shape()
        );
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
        let keep = Tensor::from_fn(&[count, 1], |i| if counts[i] { T::one() } else { T::zero() });
        let keep = Var::constant(self.value().constant_like(&keep));
        mixed.mul(&keep).sum_all().mul_scalar(-1.0 / valid as f64)
    }

    /// (x − target)². PyTorch equivalent: `F.mse_loss`.
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

    /// −w·(t·ln σ(x)·pos_weight + (1 − t)·ln(1 − σ(x))) for logits x, computed as (1 − t)·x + (1 + (p − 1)·t)·softplus(−x),
    /// which never overflows. PyTorch equivalent: `F.binary_cross_entropy_with_logits(x, t, weight, pos_weight)`.
    #[track_caller]
    pub fn bce_with_logits(
        &self,
        target: &Var<T>,
        weight: Option<&Var<T>>,
        pos_weight: Option<&Var<T>>,
        reduction: Reduction,
    ) -> Var<T> {
        let tail = self.neg().softplus();
        let tail = match pos_weight {
            Some(p) => tail.mul(&p.add_scalar(-1.0).mul(target).add_scalar(1.0)),
            None => tail,
        };
        let loss = self.sub(&target.mul(self)).add(&tail);
        reduction.apply(weight.map_or_else(|| loss.clone(), |weight| loss.mul(weight)))
    }
}
