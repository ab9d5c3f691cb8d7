//! One training step of a network, as a trainer makes it: forward pass and loss, backward pass, update. What the two tasks
//! share; `sod.rs` and `reid.rs` bring network, batch and loss.

use super::clock::{Clock, Machine};
use super::{in_words, medians, show};
use crate::cli::positive;
use crate::config::RunConfig;
use crate::device::DeviceArgs;
use crate::optimisation::optimizer;
use crate::task::Task;
use anyhow::Result;
use autograd::random::Key;
use autograd::{Ctx, Var};
use clap::Args;
use serde::Serialize;

#[derive(Args)]
pub(super) struct StepArgs {
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
struct StepReport {
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

impl StepArgs {
    /// The changes of a configuration, `more` among them.
    pub(super) fn changes(&self, more: Option<String>) -> Vec<String> {
        let batch = self.batch.map(|batch| format!("train.batch={batch}"));
        self.changes.iter().cloned().chain(more).chain(batch).collect()
    }

    /// Where it is to be measured.
    pub(super) fn clock(&self) -> Result<Clock> {
        Clock::open(self.device)
    }

    /// Measures steps of a task that is at the clock's place and prints their medians; `what` names it.
    pub(super) fn run<T: Task>(
        &self,
        what: &str,
        mut task: T,
        clock: &Clock,
        loss: impl Fn(&T, &Ctx) -> Var,
    ) -> Result<()> {
        let config = task.config().train();
        let (mut optimizer, lr) = (optimizer(config, task.params()), config.lr);
        let [forward_ms, backward_ms, update_ms, step_ms] = medians(self.repeat, || {
            let (forward_ms, loss) = clock.timed(|| {
                let ctx = Ctx::train(task.params(), Key::default());
                let loss = loss(&task, &ctx);
                let noted = ctx.finish(); // running statistics
                task.params_mut().apply(noted);
                loss
            })?;
            let (backward_ms, grads) = clock.timed(|| loss.backward())?;
            let (update_ms, ()) = clock.timed(|| optimizer.step(task.params_mut(), &grads, lr))?;
            Ok([forward_ms, backward_ms, update_ms, forward_ms + backward_ms + update_ms])
        })?;
        let report = StepReport {
            forward_ms,
            backward_ms,
            update_ms,
            step_ms,
            peak_mb: clock.peak_mb(),
            parameters: task.params().num_learned(),
            threads: rayon::current_num_threads(),
            machine: clock.machine(),
        };
        show(&report, self.json, |report| {
            format!(
                "{what}, {} parameters: forward and loss {:.1} ms, backward {:.1} ms, update {:.1} ms, step {:.1} ms, peak \
                 {}, {}",
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
