//! A trunk, the network that turns a picture into feature maps, in training mode: convolutions with batch norms between.
//! Backward starts from a cotangent of ones on the coarsest map and ends at all parameters.

use super::clock::{Clock, Machine};
use super::{Net, medians, show};
use crate::cli::positive;
use crate::device::DeviceArgs;
use anyhow::{Result, ensure};
use autograd::random::Key;
use autograd::{Ctx, Params, Tensor};
use clap::Args;
use models::trunk::{Trunk, TrunkKind};
use serde::Serialize;

#[derive(Args)]
pub(crate) struct TrunkArgs {
    /// Which trunk
    #[arg(long, default_value = "resnet50")]
    net: Net,
    /// Pictures
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 2)]
    batch: usize,
    /// Pixels a side, at least 64: batch norm needs several values per channel
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 256)]
    size: usize,
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
struct TrunkReport {
    forward_ms: f64,
    backward_ms: f64,
    parameters: usize,
    threads: usize,
    #[serde(flatten)]
    machine: Machine,
}

impl TrunkArgs {
    pub(super) fn run(&self) -> Result<()> {
        ensure!(
            self.size >= 64,
            "a picture of {} pixels a side is too small, at least 64 are needed",
            self.size
        );
        show(&self.measure()?, self.json, |report| {
            format!(
                "trunk B{} at {} px, {} parameters: forward {:.1} ms, backward {:.1} ms, {}",
                self.batch,
                self.size,
                report.parameters,
                report.forward_ms,
                report.backward_ms,
                report.machine.in_words(report.threads)
            )
        })
    }

    fn measure(&self) -> Result<TrunkReport> {
        let kind = match self.net {
            Net::Resnet50 => TrunkKind::ResNet50,
            Net::Mobilenetv2 => TrunkKind::MobileNetV2,
        };
        let (params, trunk) = Params::<f32>::build(0, |scope| Trunk::new(scope, kind, false));
        let (key, clock) = (Key::default(), Clock::open(self.device)?);
        let params = clock.place.params(&params)?;
        let x = clock.place.tensor(&Tensor::randn(&[self.batch, 3, self.size, self.size], key, 0))?;
        let [forward_ms, backward_ms] = medians(self.repeat, || {
            let ctx = Ctx::train(&params, key);
            let (forward_ms, [.., coarsest]) =
                clock.timed(|| trunk.forward(&ctx, &ctx.constant(&x), false))?;
            let ones = coarsest.value().full_like(coarsest.shape(), 1.0);
            let (backward_ms, _) = clock.timed(|| coarsest.backward_with(ones))?;
            Ok([forward_ms, backward_ms])
        })?;
        Ok(TrunkReport {
            forward_ms,
            backward_ms,
            parameters: params.num_learned(),
            threads: rayon::current_num_threads(),
            machine: clock.machine(),
        })
    }
}
