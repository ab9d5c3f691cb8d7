//! Learning rates over time, as pure functions: nothing to step, nothing to save.

/// The factor on the base learning rate as a function of the progress of training, counted in steps or in epochs as
/// the caller likes (the lengths below are in the same unit).
///
/// PyTorch equivalent: `lr_scheduler`, without its state.
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// 1 throughout.
    Constant,
    /// gammaᵏ after k whole periods. PyTorch equivalent: `StepLR`.
    Step {
        /// Length of a period.
        every: f64,
        /// Factor per period.
        gamma: f64,
    },
    /// gammaᵏ after k milestones. PyTorch equivalent: `MultiStepLR`.
    MultiStep {
        /// Where the factor changes, in any order.
        milestones: Vec<f64>,
        /// Factor per milestone.
        gamma: f64,
    },
    /// Half a cosine from 1 to `floor`: floor + (1 − floor)·(1 + cos(π·progress/total))/2.
    /// PyTorch equivalent: `CosineAnnealingLR`.
    Cosine {
        /// Length of training.
        total: f64,
        /// Factor at the end.
        floor: f64,
    },
    /// Up and down again: 1 − |2(progress + 1)/(total + 1) − 1|, as F3Net trains.
    Triangular {
        /// Length of training.
        total: f64,
    },
    /// (1 − progress/total)^power. PyTorch equivalent: `PolynomialLR`.
    Polynomial {
        /// Length of training.
        total: f64,
        /// Exponent.
        power: f64,
    },
    /// Another schedule, multiplied by a ramp from `start` to 1. The other one's clock runs from 0 all the same.
    WarmUp {
        /// Length of the ramp.
        length: f64,
        /// Factor at progress 0.
        start: f64,
        /// The schedule under the ramp.
        then: Box<Schedule>,
    },
}

impl Schedule {
    /// This schedule after a linear warm-up; see [`Schedule::WarmUp`].
    pub fn with_warm_up(self, length: f64, start: f64) -> Schedule {
        Schedule::WarmUp { length, start, then: Box::new(self) }
    }

    /// The factor on the learning rate. Past the end of training it stays as at the end.
    pub fn factor(&self, progress: f64) -> f64 {
        match self {
            Schedule::Constant => 1.0,
            Schedule::Step { every, gamma } => gamma.powf((progress / every).floor()),
            Schedule::MultiStep { milestones, gamma } => {
                let passed = milestones.iter().filter(|&&milestone| progress >= milestone).count();
                gamma.powi(passed as i32)
            }
            Schedule::Cosine { total, floor } => {
                let angle = std::f64::consts::PI * (progress / total).min(1.0);
                floor + (1.0 - floor) * (1.0 + angle.cos()) / 2.0
            }
            Schedule::Triangular { total } => {
                1.0 - (2.0 * (progress.min(*total) + 1.0) / (total + 1.0) - 1.0).abs()
            }
            Schedule::Polynomial { total, power } => (1.0 - (progress / total).min(1.0)).powf(*power),
            Schedule::WarmUp { length, start, then } => {
                let ramp = if progress < *length { start + (1.0 - start) * progress / length } else { 1.0 };
                ramp * then.factor(progress)
            }
        }
    }
}
