//! How a configuration's optimisation is carried out: update rule, frozen parameters, learning rate.

use crate::config::{OptimizerKind, ScheduleKind, TrainConfig};
use anyhow::{Result, bail};
use autograd::optim::{Group, Optimizer, Schedule};
use autograd::{ParamId, Params};

/// What the names of the trunks' parameters have in common.
const TRUNKS: &str = "*.trunk.*";

/// Where a warm-up begins: not at 0, or the first update would do nothing.
const WARM_UP_FROM: f64 = 0.01;

/// The update rule of a configuration; weight decay on matrices and kernels only unless it says otherwise, another learning
/// rate for the trunks.
pub(crate) fn optimizer<L>(config: &TrainConfig<L>, params: &Params) -> Optimizer {
    let (betas, decay) = ([0.9, 0.999], config.weight_decay);
    let rule = match config.optimizer {
        OptimizerKind::AdamW => Optimizer::adamw(betas, 1e-8, decay),
        OptimizerKind::Adam => Optimizer::adam(betas, 1e-8, decay),
        OptimizerKind::Sgd => Optimizer::sgd(config.momentum, config.momentum > 0.0, decay),
    };
    let mut groups = Vec::new();
    let mut add = |group: Group| match config.decay_vectors {
        true => groups.push(group),
        false => groups.extend(group.without_decay_on_vectors(params)),
    };
    if !named(TRUNKS, params).is_empty() {
        add(Group::new([TRUNKS], config.trunk_lr, decay));
    }
    add(Group::new(["*"], 1.0, decay));
    rule.with_groups(groups)
}

/// The parameters that keep their values.
pub(crate) fn frozen<L>(config: &TrainConfig<L>, params: &Params) -> Result<Vec<ParamId>> {
    if let Some(pattern) = config.frozen.iter().find(|pattern| named(pattern, params).is_empty()) {
        bail!("train.frozen: no parameter is called {pattern:?}");
    }
    Ok(config.frozen.iter().flat_map(|pattern| named(pattern, params)).collect())
}

/// Parameters and buffers whose names match a pattern.
fn named(pattern: &str, params: &Params) -> Vec<ParamId> {
    let group = Group::new([pattern], 1.0, 0.0);
    params.ids().filter(|&id| group.contains(params.name(id))).collect()
}

/// The learning rate of an update: `step` came before it, of `total`; `epoch` is counted from 0.
pub(crate) fn learning_rate<L>(config: &TrainConfig<L>, epoch: u64, step: u64, total: u64) -> f64 {
    let total = total as f64;
    let course = match &config.schedule {
        ScheduleKind::Constant => Schedule::Constant,
        ScheduleKind::Cosine => Schedule::Cosine { total, floor: 0.0 },
        ScheduleKind::Triangular => Schedule::Triangular { total },
        ScheduleKind::Polynomial => Schedule::Polynomial { total, power: 0.9 },
        ScheduleKind::MultiStep { milestones, warmup } => {
            let milestones = milestones.iter().map(|&epoch| f64::from(epoch)).collect();
            let course = Schedule::MultiStep { milestones, gamma: 0.1 };
            let course = course.with_warm_up(f64::from(*warmup), WARM_UP_FROM);
            return config.lr * course.factor((epoch + 1) as f64);
        }
    };
    config.lr * course.with_warm_up(config.warmup * total, WARM_UP_FROM).factor(step as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{RunConfig, built_in};
    use crate::reid::config::ReidRunConfig;

    /// The table is written out from the formula of HAMNet's scheduler, which is set at the start of every epoch.
    #[test]
    fn the_schedule_of_hamnet() {
        let config = ReidRunConfig::parse(built_in("hamnet").unwrap(), &[]).unwrap();
        for epoch in 1..=120u64 {
            let share = epoch as f64 / 10.0;
            let expected = match epoch {
                1..10 => 3.5e-4 * (0.01 * (1.0 - share) + share),
                10..40 => 3.5e-4,
                40..70 => 3.5e-5,
                _ => 3.5e-6,
            };
            let found = learning_rate(&config.train, epoch - 1, 12345, 99999);
            assert!((found / expected - 1.0).abs() < 1e-12, "epoch {epoch}: {found} instead of {expected}");
        }
    }
}
