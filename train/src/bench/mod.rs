//! `mutualformer bench`: how long things take and how much memory they need.
//!
//! Every time is a median over repetitions after one to warm up. What is measured is described where it is measured, one
//! file each; `train/bench/compare_pytorch.py` measures the same things in PyTorch and puts both side by side.

mod block;
mod clock;
mod conv;
mod conv_lists;
mod curve;
mod gemm;
mod reid;
mod sod;
mod step;
mod trunk;

use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use serde::Serialize;

/// The trunks there are.
#[derive(Clone, Copy, ValueEnum)]
enum Net {
    /// Dense 1x1 and 3x3 convolutions, 23.5 million parameters
    Resnet50,
    /// 1x1 and depthwise 3x3 convolutions, 1.8 million parameters
    Mobilenetv2,
}

/// What can be measured.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// Matrix products [batch, m, k] x [batch, k, n]
    Gemm(gemm::GemmArgs),
    /// Convolutions, forward and backward: those of a network (default: ResNet-50), or one
    Conv(conv::ConvArgs),
    /// The released MutualFormer block, forward and backward
    Block(block::BlockArgs),
    /// A trunk in training mode, forward and backward
    Trunk(trunk::TrunkArgs),
    /// One training step of a detector: forward pass and loss, backward pass, update
    Sod(sod::SodArgs),
    /// The same of a re-identification network
    Reid(reid::ReidArgs),
    /// Time and memory of the block against the number of tokens, drawn as curves
    Curve(curve::CurveArgs),
}

impl Bench {
    /// Measures and prints.
    pub(crate) fn run(&self) -> Result<()> {
        match self {
            Bench::Gemm(args) => args.run(),
            Bench::Conv(args) => args.run(),
            Bench::Block(args) => args.run(),
            Bench::Trunk(args) => args.run(),
            Bench::Sod(args) => args.run(),
            Bench::Reid(args) => args.run(),
            Bench::Curve(args) => args.run(),
        }
    }
}

/// Prints one JSON object, or the text for people.
fn show<R: Serialize>(report: &R, json: bool, text: impl FnOnce(&R) -> String) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(report)?);
    } else {
        println!("{}", text(report));
    }
    Ok(())
}

/// Medians of the `K` times that `run` measures, over `repeat` calls after one to warm up.
fn medians<const K: usize>(repeat: usize, mut run: impl FnMut() -> Result<[f64; K]>) -> Result<[f64; K]> {
    run()?;
    let times: Vec<[f64; K]> = (0..repeat).map(|_| run()).collect::<Result<_>>()?;
    Ok(std::array::from_fn(|k| median(times.iter().map(|times| times[k]).collect())))
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    let half = times.len() / 2;
    if times.len() % 2 == 1 { times[half] } else { (times[half - 1] + times[half]) / 2.0 }
}

/// 10⁹ a second, given a number of operations or bytes and milliseconds.
fn giga(count: usize, ms: f64) -> f64 {
    count as f64 * 1e-6 / ms
}

/// A peak of memory in words.
fn in_words(peak_mb: Option<f64>) -> String {
    peak_mb.map_or("unknown".to_owned(), |mb| format!("{mb:.0} MiB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![9.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn the_call_that_warms_up_does_not_count() {
        let mut calls = 0.0;
        let [first, second] = medians(3, || {
            calls += 1.0;
            Ok([calls, -calls])
        })
        .unwrap();
        assert_eq!((first, second), (3.0, -3.0));
    }
}
