//! The released MutualFormer block in `f32`: gradients for both inputs and all parameters, cotangent of ones.

use super::clock::{Clock, Machine};
use super::{in_words, medians, show};
use crate::cli::{PathArg, positive};
use crate::device::DeviceArgs;
use anyhow::Result;
use autograd::random::Key;
use autograd::{Ctx, Params, Tensor};
use cda::{BlockConfig, Fusion, FusionKind, MutualFormerBlock, Path};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

#[derive(Args)]
pub(crate) struct BlockArgs {
    /// Pictures
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 4)]
    batch: usize,
    /// Tokens a picture
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 196)]
    tokens: usize,
    /// Channels of one modality
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 384)]
    dim: usize,
    /// Attention heads; they divide the channels
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 6)]
    heads: usize,
    /// What mixes the two modalities
    #[arg(long, default_value = "cda")]
    fusion: FusionArg,
    /// How attention and CDA are computed
    #[arg(long, default_value = "auto")]
    path: PathArg,
    /// Repetitions after one to warm up
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 7)]
    repeat: usize,
    #[command(flatten)]
    device: DeviceArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Ways to mix two modalities that are timed against each other.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum FusionArg {
    /// Cross-Diffusion Attention as released
    Cda,
    /// Cross-attention
    Ca,
}

impl FusionArg {
    /// What it is called on the command line.
    pub(super) fn name(self) -> String {
        self.to_possible_value().expect("no way is hidden").get_name().to_owned()
    }

    /// The released block with this in it.
    fn block(self, dim: usize, heads: usize) -> BlockConfig {
        let kind = match self {
            FusionArg::Cda => FusionKind::Cda,
            FusionArg::Ca => FusionKind::Ca,
        };
        BlockConfig { fusion: Fusion { kind, ..Fusion::default() }, ..BlockConfig::new(dim, heads) }
    }

    /// The path that a block takes, plain or fast.
    pub(super) fn taken(self, path: PathArg, tokens: usize, dim: usize, heads: usize) -> Path {
        path.path().resolve::<f32>(&self.block(dim, heads).fusion, tokens, dim / heads, false)
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct BlockReport {
    pub(super) forward_ms: f64,
    pub(super) backward_ms: f64,
    /// Largest resident set of the process so far in MiB; on a device, the most memory that its buffers took.
    pub(super) peak_mb: Option<f64>,
    threads: usize,
    #[serde(flatten)]
    machine: Machine,
    /// The path that was taken, plain or fast.
    path: Path,
}

impl BlockArgs {
    pub(super) fn run(&self) -> Result<()> {
        let BlockArgs { batch, tokens, dim, heads, .. } = self;
        show(&self.measure()?, self.json, |report| {
            format!(
                "block B{batch} N{tokens} C{dim} H{heads} {}: forward {:.2} ms, backward {:.2} ms, peak {}, {}, {:?} path",
                self.fusion.name(),
                report.forward_ms,
                report.backward_ms,
                in_words(report.peak_mb),
                report.machine.in_words(report.threads),
                report.path
            )
        })
    }

    /// x `[batch, tokens, 2·dim]` and x_rd `[batch, tokens, dim]` through the block and back.
    fn measure(&self) -> Result<BlockReport> {
        let BlockArgs { batch, tokens, dim, heads, .. } = *self;
        let config = BlockConfig { path: self.path.path(), ..self.fusion.block(dim, heads) };
        let (params, block) = Params::<f32>::build(0, |scope| MutualFormerBlock::new(scope, config));
        let (block, key, clock) = (block?, Key::default(), Clock::open(self.device)?);
        let params = clock.place.params(&params)?;
        let x = clock.place.tensor(&Tensor::randn(&[batch, tokens, 2 * dim], key, 0))?;
        let x_rd = clock.place.tensor(&Tensor::randn(&[batch, tokens, dim], key, 1))?;
        let [forward_ms, backward_ms] = medians(self.repeat, || {
            let ctx = Ctx::train(&params, key);
            let (x, x_rd) = (ctx.input(x.clone()), ctx.input(x_rd.clone()));
            let (forward_ms, y) = clock.timed(|| block.forward(&ctx, &x, &x_rd))?;
            let ones = y.value().full_like(y.shape(), 1.0);
            let (backward_ms, _) = clock.timed(|| y.backward_with(ones))?;
            Ok([forward_ms, backward_ms])
        })?;
        Ok(BlockReport {
            forward_ms,
            backward_ms,
            peak_mb: clock.peak_mb(),
            threads: rayon::current_num_threads(),
            machine: clock.machine(),
            path: self.fusion.taken(self.path, tokens, dim, heads),
        })
    }
}
