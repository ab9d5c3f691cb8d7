//! One training step of a detector: forward pass and loss, backward pass, update.

use super::clock::{Clock, Machine};
use super::{in_words, medians, show};
use crate::cli::positive;
use crate::config::{Config, RunConfig};
use crate::detector::Detector;
use crate::device::DeviceArgs;
use crate::losses::detection_loss;
use crate::optimisation::optimizer;
use crate::source::Inputs;
use crate::task::Task;
use anyhow::Result;
use autograd::random::Key;
use autograd::{Ctx, Tensor};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct SodArgs {
    /// Whose network, loss and optimiser: a configuration's file or the name of a built-in one
    #[arg(long, value_name = "NAME", default_value = "demo")]
    config: PathBuf,
    /// Pixels a side (default: the configuration's)
    #[arg(long, value_name = "N", value_parser = positive)]
    size: Option<usize>,
    /// Pictures (default: the configuration's)
    #[arg(long, value_name = "N", value_parser = positive)]
    batch: Option<usize>,
    /// Change a value of the configuration, such as model.fusion=ca; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE")]
    changes: Vec<String>,
    /// Repetitions after one to warm up
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 5)]
    repeat: usize,
    #[command(flatten)]
    device: DeviceArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct SodReport {
    /// Forward pass and loss.
    forward_ms: f64,
    backward_ms: f64,
    /// The optimiser's; without limiting the gradient's norm.
    update_ms: f64,
    /// Median of the whole, not the sum of the medians.
    step_ms: f64,
    /// Largest resident set of the process so far in MiB; on a device, the most memory that its buffers took.
    peak_mb: Option<f64>,
    /// Learned numbers of the network.
    parameters: usize,
    threads: usize,
    #[serde(flatten)]
    machine: Machine,
}

impl SodArgs {
    pub(super) fn run(&self) -> Result<()> {
        let sizes = [("data.size", self.size), ("train.batch", self.batch)];
        let sizes = sizes.iter().filter_map(|(name, value)| value.map(|value| format!("{name}={value}")));
        let changes: Vec<String> = self.changes.iter().cloned().chain(sizes).collect();
        let config = Config::load(&self.config, &changes)?;
        show(&measure(&config, self.repeat, &Clock::open(self.device)?)?, self.json, |report| {
            format!(
                "{} B{} at {} px, {} parameters: forward and loss {:.1} ms, backward {:.1} ms, update {:.1} ms, step \
                 {:.1} ms, peak {}, {}",
                self.config.display(),
                config.train.batch,
                config.data.size,
                report.parameters,
                report.forward_ms,
                report.backward_ms,
                report.update_ms,
                report.step_ms,
                in_words(report.peak_mb),
                report.machine.in_words(report.threads)
            )
        })
    }
}

/// A truth whose left half is the object, `[batch, 1, size, size]`.
fn half(batch: usize, size: usize) -> Tensor {
    Tensor::from_fn(&[batch, 1, size, size], |i| f32::from(u8::from(i % size < size / 2)))
}

/// Steps on one batch of noise, as a trainer makes them.
fn measure(config: &Config, repeat: usize, clock: &Clock) -> Result<SodReport> {
    let mut detector = Detector::new(config)?.at(&clock.place)?;
    let mut optimizer = optimizer(&config.train, &detector.params);
    let (batch, size, key) = (config.train.batch, config.data.size, Key::default());
    let inputs = Inputs {
        rgb: clock.place.tensor(&Tensor::randn(&[batch, 3, size, size], key, 0))?,
        depth: clock.place.tensor(&Tensor::randn(&[batch, 1, size, size], key, 1))?,
        mask: clock.place.tensor(&half(batch, size))?,
    };
    let [forward_ms, backward_ms, update_ms, step_ms] = medians(repeat, || {
        let (forward_ms, loss) = clock.timed(|| {
            let ctx = Ctx::train(&detector.params, key);
            let output = detector.forward(&ctx, &inputs);
            let loss = detection_loss(&output, &ctx.constant(&inputs.mask), &config.train.loss);
            detector.params.apply(ctx.finish());
            loss
        })?;
        let (backward_ms, grads) = clock.timed(|| loss.backward())?;
        let (update_ms, ()) =
            clock.timed(|| optimizer.step(&mut detector.params, &grads, config.train.lr))?;
        Ok([forward_ms, backward_ms, update_ms, forward_ms + backward_ms + update_ms])
    })?;
    Ok(SodReport {
        forward_ms,
        backward_ms,
        update_ms,
        step_ms,
        peak_mb: clock.peak_mb(),
        parameters: detector.params.num_learned(),
        threads: rayon::current_num_threads(),
        machine: clock.machine(),
    })
}
