//! Matrix products in `f32`. On devices the bytes are counted too, those of the operands and of the result once each.

use super::clock::{Clock, Machine};
use super::{giga, medians, show};
use crate::cli::positive;
use crate::device::DeviceArgs;
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
    #[command(flatten)]
    device: DeviceArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Time and rates of one size.
#[derive(Serialize)]
struct Rates {
    ms: f64,
    gflops: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    gb_per_s: Option<f64>,
}

#[derive(Serialize)]
struct GemmReport {
    #[serde(flatten)]
    rates: Rates,
    #[serde(flatten)]
    machine: Machine,
}

#[derive(Serialize)]
struct GemmList {
    shapes: Vec<GemmLine>,
    /// Sum of the times.
    ms: f64,
    /// Geometric mean of the rates.
    gflops: f64,
    #[serde(flatten)]
    machine: Machine,
}

#[derive(Serialize)]
struct GemmLine {
    batch: usize,
    m: usize,
    k: usize,
    n: usize,
    #[serde(flatten)]
    rates: Rates,
}

impl GemmArgs {
    pub(super) fn run(&self) -> Result<()> {
        let clock = Clock::open(self.device)?;
        let machine = clock.machine();
        if self.all {
            let lines = STANDARD.iter().map(|&size| GemmLine::measure(size, self.repeat, &clock));
            let shapes: Vec<GemmLine> = lines.collect::<Result<_>>()?;
            let ms = shapes.iter().map(|line| line.rates.ms).sum();
            let log_mean =
                shapes.iter().map(|line| line.rates.gflops.ln()).sum::<f64>() / shapes.len() as f64;
            return show(&GemmList { shapes, ms, gflops: log_mean.exp(), machine }, self.json, |list| {
                let lines: String = list.shapes.iter().map(|line| line.text() + "\n").collect();
                format!("{lines}geometric mean: {:.1} GFLOP/s{}", list.gflops, of_device(&list.machine))
            });
        }
        let line = GemmLine::measure((self.batch, self.m, self.k, self.n), self.repeat, &clock)?;
        let text = line.text() + &of_device(&machine);
        show(&GemmReport { rates: line.rates, machine }, self.json, |_| text)
    }
}

/// A line that names the device, if there is one.
fn of_device(machine: &Machine) -> String {
    if machine.is_device() { format!("\n{}", machine.in_words(0)) } else { String::new() }
}

impl GemmLine {
    /// Times `[batch, m, k] × [batch, k, n]`.
    fn measure(size: (usize, usize, usize, usize), repeat: usize, clock: &Clock) -> Result<GemmLine> {
        let ((batch, m, k, n), key) = (size, Key::default());
        let a = clock.place.tensor(&Tensor::randn(&[batch, m, k], key, 0))?;
        let b = clock.place.tensor(&Tensor::randn(&[batch, k, n], key, 1))?;
        let [ms] = medians(repeat, || Ok([clock.timed(|| a.matmul(false, &b, false, 1.0))?.0]))?;
        let bytes = size_of::<f32>() * batch * (m * k + k * n + m * n);
        let gb_per_s = clock.place.device().map(|_| giga(bytes, ms));
        let rates = Rates { ms, gflops: giga(2 * batch * m * k * n, ms), gb_per_s };
        Ok(GemmLine { batch, m, k, n, rates })
    }

    fn text(&self) -> String {
        let GemmLine { batch, m, k, n, rates: Rates { ms, gflops, gb_per_s } } = self;
        let name = format!("{batch} x ({m} x {k} x {n})");
        let bytes = gb_per_s.map_or(String::new(), |rate| format!("{rate:>9.2} GB/s"));
        format!("{name:<26}{ms:>10.3} ms{gflops:>9.1} GFLOP/s{bytes}")
    }
}
