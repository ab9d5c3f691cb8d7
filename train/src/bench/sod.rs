//! One training step of a detector, on a batch of noise.

use super::step::StepArgs;
use crate::cli::positive;
use crate::config::{Config, RunConfig};
use crate::detector::Detector;
use crate::losses::detection_loss;
use crate::source::Inputs;
use crate::task::Task;
use anyhow::Result;
use autograd::Tensor;
use autograd::random::Key;
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct SodArgs {
    /// Whose network, loss and optimiser: a configuration's file or the name of a built-in one
    #[arg(long, value_name = "NAME", default_value = "demo")]
    config: PathBuf,
    /// Pixels a side (default: the configuration's)
    #[arg(long, value_name = "N", value_parser = positive)]
    size: Option<usize>,
    #[command(flatten)]
    step: StepArgs,
}

impl SodArgs {
    pub(super) fn run(&self) -> Result<()> {
        let size = self.size.map(|size| format!("data.size={size}"));
        let config = Config::load(&self.config, &self.step.changes(size))?;
        let (batch, size, key) = (config.train.batch, config.data.size, Key::default());
        let clock = self.step.clock()?;
        let detector = Detector::new(&config)?.at(&clock.place)?;
        let inputs = Inputs {
            rgb: clock.place.tensor(&Tensor::randn(&[batch, 3, size, size], key, 0))?,
            depth: clock.place.tensor(&Tensor::randn(&[batch, 1, size, size], key, 1))?,
            mask: clock.place.tensor(&half(batch, size))?,
        };
        let what = format!("{} B{batch} at {size} px", self.config.display());
        self.step.run(&what, detector, &clock, |detector, ctx| {
            let output = detector.forward(ctx, &inputs);
            detection_loss(&output, &ctx.constant(&inputs.mask), &config.train.loss)
        })
    }
}

/// A truth whose left half is the object, `[batch, 1, size, size]`.
fn half(batch: usize, size: usize) -> Tensor {
    Tensor::from_fn(&[batch, 1, size, size], |i| f32::from(u8::from(i % size < size / 2)))
}
