//! Matrix products in `f32`.

use super::{gflops, medians, show, timed};
use crate::cli::positive;
use anyhow::Result;
use autograd::Tensor;
use autograd::random::Key;
use clap::Args;
use serde::Serialize;

/// (batch, m, k, n) of `--all`: two large squares, attention scores of 784 tokens, a projection, attention times values.
const STANDARD: [(usize, usize, usize, usize); 5] =
    [(1, 1024, 1024, 1024), (1, 2048, 2048, 2048), (1, 784, 64, 784), (1, 196, 768, 768), (32, 196, 64, 196)];

#[derive(Args)]
pub(crate) struct GemmArgs {
    /// Rows of the left matrix
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 1024)]
    m: usize,
    /// Columns of the left matrix, rows of the right one
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 1024)]
    k: usize,
    /// Columns of the right matrix
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 1024)]
    n: usize,
    /// Products in one call
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 1)]
    batch: usize,
    /// A list of sizes instead of one: two large squares, and products as attention makes them
    #[arg(long, conflicts_with_all = ["m", "k", "n", "batch"])]
    all: bool,
    /// Repetitions after one to warm up
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 11)]
    repeat: usize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Time and rate of one size.
#[derive(Serialize)]
struct GemmReport {
    ms: f64,
    gflops: f64,
}

#[derive(Serialize)]
struct GemmList {
    shapes: Vec<GemmLine>,
    /// Sum of the times.
    ms: f64,
    /// Geometric mean of the rates.
    gflops: f64,
}

#[derive(Serialize)]
struct GemmLine {
    batch: usize,
    m: usize,
    k: usize,
    n: usize,
    #[serde(flatten)]
    report: GemmReport,
}

impl GemmArgs {
    pub(super) fn run(&self) -> Result<()> {
        if self.all {
            let shapes: Vec<GemmLine> =
                STANDARD.iter().map(|&(batch, m, k, n)| GemmLine::new(batch, m, k, n, self.repeat)).collect();
            let ms = shapes.iter().map(|line| line.report.ms).sum();
            let log_mean =
                shapes.iter().map(|line| line.report.gflops.ln()).sum::<f64>() / shapes.len() as f64;
            return show(&GemmList { shapes, ms, gflops: log_mean.exp() }, self.json, |list| {
                let lines: String = list.shapes.iter().map(|line| line.text() + "\n").collect();
                format!("{lines}geometric mean: {:.1} GFLOP/s", list.gflops)
            });
        }
        let line = GemmLine::new(self.batch, self.m, self.k, self.n, self.repeat);
        show(&line.report, self.json, |_| line.text())
    }
}

impl GemmLine {
    fn new(batch: usize, m: usize, k: usize, n: usize, repeat: usize) -> GemmLine {
        GemmLine { batch, m, k, n, report: gemm(batch, m, k, n, repeat) }
    }

    fn text(&self) -> String {
        let GemmLine { batch, m, k, n, report: GemmReport { ms, gflops } } = self;
        format!("{:<26}{ms:>10.3} ms{gflops:>9.1} GFLOP/s", format!("{batch} x ({m} x {k} x {n})"))
    }
}

/// Times `[batch, m, k] × [batch, k, n]`.
fn gemm(batch: usize, m: usize, k: usize, n: usize, repeat: usize) -> GemmReport {
    let key = Key::default();
    let (a, b) = (Tensor::<f32>::randn(&[batch, m, k], key, 0), Tensor::<f32>::randn(&[batch, k, n], key, 1));
    let [ms] = medians(repeat, || [timed(|| a.matmul(false, &b, false, 1.0)).0]);
    GemmReport { ms, gflops: gflops(2 * batch * m * k * n, ms) }
}
