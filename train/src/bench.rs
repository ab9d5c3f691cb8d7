//! Measurements: matrix products and the MutualFormer block. Times are medians.

use crate::memory::peak_mb;
use anyhow::Result;
use autograd::random::Key;
use autograd::{Ctx, Params, Tensor};
use cda::{BlockConfig, MutualFormerBlock};
use serde::Serialize;
use std::time::Instant;

/// Result of `bench gemm`.
#[derive(Clone, Debug, Serialize)]
pub struct GemmReport {
    /// Median time of one call in milliseconds.
    pub ms: f64,
    /// 2·batch·m·k·n over that time, in 10⁹ per second.
    pub gflops: f64,
}

/// Times `[batch, m, k] × [batch, k, n]` in `f32`.
pub fn gemm(batch: usize, m: usize, k: usize, n: usize, repeat: usize) -> GemmReport {
    let key = Key::default();
    let (a, b) = (Tensor::<f32>::randn(&[batch, m, k], key, 0), Tensor::<f32>::randn(&[batch, k, n], key, 1));
    let ms = median((0..repeat + 1).map(|_| timed(|| a.matmul(false, &b, false, 1.0)).0).skip(1).collect());
    GemmReport { ms, gflops: 2e-6 * (batch * m * k * n) as f64 / ms }
}

/// Result of `bench block`.
#[derive(Clone, Debug, Serialize)]
pub struct BlockReport {
    /// Median time of the forward pass in milliseconds.
    pub forward_ms: f64,
    /// Median time of the backward pass in milliseconds.
    pub backward_ms: f64,
    /// Largest resident set of the process so far in MiB.
    pub peak_mb: Option<f64>,
    /// Threads of the pool.
    pub threads: usize,
    /// Where it ran.
    pub device: String,
    /// Which path CDA took.
    pub path: String,
}

/// Times the released block on x `[batch, tokens, 2·dim]` and x_rd `[batch, tokens, dim]`, cotangent of ones, gradients
/// for both inputs and all parameters, in `f32`.
pub fn block(batch: usize, tokens: usize, dim: usize, heads: usize, repeat: usize) -> Result<BlockReport> {
    let config = BlockConfig::new(dim, heads);
    let (params, block) = Params::<f32>::build(0, |scope| MutualFormerBlock::new(scope, config));
    let block = block?;
    let key = Key::default();
    let (x, x_rd) =
        (Tensor::randn(&[batch, tokens, 2 * dim], key, 0), Tensor::randn(&[batch, tokens, dim], key, 1));
    let (mut forward, mut backward) = (Vec::new(), Vec::new());
    for _ in 0..repeat + 1 {
        let ctx = Ctx::train(&params, key);
        let (x, x_rd) = (ctx.input(x.clone()), ctx.input(x_rd.clone()));
        let (forward_ms, y) = timed(|| block.forward(&ctx, &x, &x_rd));
        let (backward_ms, _) = timed(|| y.backward_with(Tensor::ones(y.shape())));
        forward.push(forward_ms);
        backward.push(backward_ms);
    }
    Ok(BlockReport {
        forward_ms: median(forward.split_off(1)),
        backward_ms: median(backward.split_off(1)),
        peak_mb: peak_mb(),
        threads: rayon::current_num_threads(),
        device: "cpu".to_owned(),
        path: "plain".to_owned(),
    })
}

/// Milliseconds that `f` took, and its result.
fn timed<R>(f: impl FnOnce() -> R) -> (f64, R) {
    let start = Instant::now();
    let result = f();
    (start.elapsed().as_secs_f64() * 1e3, result)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    let half = times.len() / 2;
    if times.len() % 2 == 1 { times[half] } else { (times[half - 1] + times[half]) / 2.0 }
}
