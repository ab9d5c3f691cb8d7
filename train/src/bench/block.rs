//! The released MutualFormer block in `f32`: gradients for both inputs and all parameters, cotangent of ones.

use super::{in_words, medians, show, timed};
use crate::cli::{PathArg, on_cpu, positive};
use crate::memory::peak_mb;
use anyhow::Result;
use autograd::random::Key;
use autograd::{Ctx, Params, Tensor};
use cda::{BlockConfig, MutualFormerBlock, Path};
use clap::Args;
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
    /// How CDA is computed
    #[arg(long, default_value = "auto")]
    path: PathArg,
    /// Repetitions after one to warm up
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 7)]
    repeat: usize,
    /// Where to compute; this version knows the cpu only
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize, Deserialize)]
pub(super) struct BlockReport {
    pub(super) forward_ms: f64,
    pub(super) backward_ms: f64,
    /// Largest resident set of the process so far in MiB.
    pub(super) peak_mb: Option<f64>,
    threads: usize,
    device: String,
    /// The path that was taken, plain or fast.
    path: Path,
}

impl BlockArgs {
    pub(super) fn run(&self) -> Result<()> {
        on_cpu(&self.device)?;
        let BlockArgs { batch, tokens, dim, heads, .. } = self;
        show(&self.measure()?, self.json, |report| {
            format!(
                "block B{batch} N{tokens} C{dim} H{heads}: forward {:.2} ms, backward {:.2} ms, peak {}, {} threads, {:?} path",
                report.forward_ms,
                report.backward_ms,
                in_words(report.peak_mb),
                report.threads,
                report.path
            )
        })
    }

    /// x `[batch, tokens, 2·dim]` and x_rd `[batch, tokens, dim]` through the block and back.
    fn measure(&self) -> Result<BlockReport> {
        let BlockArgs { batch, tokens, dim, heads, .. } = *self;
        let config = BlockConfig { path: self.path.path(), ..BlockConfig::new(dim, heads) };
        let (params, block) = Params::<f32>::build(0, |scope| MutualFormerBlock::new(scope, config));
        let (block, key) = (block?, Key::default());
        let x = Tensor::randn(&[batch, tokens, 2 * dim], key, 0);
        let x_rd = Tensor::randn(&[batch, tokens, dim], key, 1);
        let [forward_ms, backward_ms] = medians(self.repeat, || {
            let ctx = Ctx::train(&params, key);
            let (x, x_rd) = (ctx.input(x.clone()), ctx.input(x_rd.clone()));
            let (forward_ms, y) = timed(|| block.forward(&ctx, &x, &x_rd));
            let (backward_ms, _) = timed(|| y.backward_with(Tensor::ones(y.shape())));
            [forward_ms, backward_ms]
        });
        Ok(BlockReport {
            forward_ms,
            backward_ms,
            peak_mb: peak_mb(),
            threads: rayon::current_num_threads(),
            device: "cpu".to_owned(),
            path: taken(self.path, tokens, dim, heads),
        })
    }
}

/// The path that a released block takes, plain or fast.
pub(super) fn taken(path: PathArg, tokens: usize, dim: usize, heads: usize) -> Path {
    path.path().resolve::<f32>(&BlockConfig::new(dim, heads).fusion, tokens, dim / heads, false)
}
