//! Time and memory of the block against the number of tokens N. Every N runs in a process of its own, so that the peak of
//! memory is that N's.

use super::block::{BlockReport, FusionArg};
use super::show;
use crate::cli::{PathArg, positive};
use crate::plots::{Series, log_log_plot};
use anyhow::{Context, Result, ensure};
use cda::Path;
use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;
use std::path::PathBuf;
use std::process::Command;

/// The plain path keeps about so many N×N matrices a head at its peak (measured from 1568 tokens on).
const PLAIN_MAPS: f64 = 11.0;

#[derive(Args)]
pub(crate) struct CurveArgs {
    /// Tokens a picture
    #[arg(long, value_name = "N", value_parser = positive, value_delimiter = ',',
          default_values_t = [196, 400, 784, 1600, 3136, 6272, 12544])]
    tokens: Vec<usize>,
    /// What mixes the two modalities, each of them in turn
    #[arg(long, value_delimiter = ',', default_value = "cda")]
    fusions: Vec<FusionArg>,
    /// How it is computed, each of them in turn
    #[arg(long, value_delimiter = ',', default_value = "auto")]
    paths: Vec<PathArg>,
    /// Pictures
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 1)]
    batch: usize,
    /// Channels of one modality
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 64)]
    dim: usize,
    /// Attention heads; they divide the channels
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 8)]
    heads: usize,
    /// Leave out what would take more MiB than this
    #[arg(long, value_name = "MIB", value_parser = positive, default_value_t = 8192)]
    memory_limit: usize,
    /// Repetitions after one to warm up
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 3)]
    repeat: usize,
    /// Folder for curve.csv, time.svg and memory.svg
    #[arg(long, value_name = "DIR", default_value = "runs/curve")]
    out: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// A line of the curve.
#[derive(Clone, Copy)]
struct Way {
    fusion: FusionArg,
    path: PathArg,
}

impl Way {
    fn name(self) -> String {
        format!("{} {}", self.fusion.name(), self.path.name())
    }
}

#[derive(Serialize)]
struct CurveReport {
    points: Vec<Point>,
    skipped: Vec<Skipped>,
    exponents: Vec<Exponents>,
    threads: usize,
}

#[derive(Clone, Serialize)]
struct Point {
    way: String,
    tokens: usize,
    forward_ms: f64,
    backward_ms: f64,
    peak_mb: Option<f64>,
}

#[derive(Serialize)]
struct Skipped {
    way: String,
    tokens: usize,
    estimated_mb: f64,
}

/// Slopes p of time or memory ~ Nᵖ over the upper half of a way's points, where constant parts matter least.
#[derive(Serialize)]
struct Exponents {
    way: String,
    from_tokens: usize,
    time: Option<f64>,
    memory: Option<f64>,
}

impl CurveArgs {
    pub(super) fn run(&self) -> Result<()> {
        let (points, skipped) = self.measure()?;
        let exponents = self.ways().map(|way| exponents(&way.name(), &points)).collect();
        let report = CurveReport { points, skipped, exponents, threads: rayon::current_num_threads() };
        std::fs::create_dir_all(&self.out)
            .and_then(|()| std::fs::write(self.out.join("curve.csv"), csv(&report.points)))
            .with_context(|| format!("cannot write into {}", self.out.display()))?;
        self.draw(&report.points)?;
        show(&report, self.json, |report| {
            report.text(self.memory_limit) + &format!("\ncurves in {}", self.out.display())
        })
    }

    fn ways(&self) -> impl Iterator<Item = Way> {
        self.fusions.iter().flat_map(|&fusion| self.paths.iter().map(move |&path| Way { fusion, path }))
    }

    fn measure(&self) -> Result<(Vec<Point>, Vec<Skipped>)> {
        let (mut points, mut skipped) = (Vec::new(), Vec::new());
        let bar = ProgressBar::new((self.ways().count() * self.tokens.len()) as u64);
        for way in self.ways() {
            for &tokens in &self.tokens {
                let estimated_mb = self.estimated_mb(way, tokens);
                if estimated_mb > self.memory_limit as f64 {
                    skipped.push(Skipped { way: way.name(), tokens, estimated_mb });
                } else {
                    let BlockReport { forward_ms, backward_ms, peak_mb, .. } = self.child(way, tokens)?;
                    points.push(Point { way: way.name(), tokens, forward_ms, backward_ms, peak_mb });
                }
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        Ok((points, skipped))
    }

    /// MiB of the N×N matrices, where they are made.
    fn estimated_mb(&self, Way { fusion, path }: Way, tokens: usize) -> f64 {
        let plain = fusion.taken(path, tokens, self.dim, self.heads) == Path::Plain;
        let maps = if plain { PLAIN_MAPS } else { 0.0 };
        let map = (self.batch * self.heads * size_of::<f32>()) as f64 * (tokens as f64).powi(2);
        maps * map / f64::from(1 << 20)
    }

    /// `bench block` in a fresh process.
    fn child(&self, Way { fusion, path }: Way, tokens: usize) -> Result<BlockReport> {
        let tool = std::env::current_exe().context("cannot find this program to start it again")?;
        let mut command = Command::new(tool);
        command.args(["bench", "block", "--json", "--fusion", &fusion.name(), "--path", &path.name()]);
        for (name, value) in [
            ("--tokens", tokens),
            ("--batch", self.batch),
            ("--dim", self.dim),
            ("--heads", self.heads),
            ("--repeat", self.repeat),
            ("--threads", rayon::current_num_threads()),
        ] {
            command.arg(name).arg(value.to_string());
        }
        let output = command.output().context("cannot start this program again")?;
        let errors = String::from_utf8_lossy(&output.stderr);
        let said = errors.trim().trim_start_matches("error: ");
        ensure!(output.status.success(), "{tokens} tokens: {} {said}", output.status);
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// `time.svg` with a line of slope 2, `memory.svg` with a line of slope 1.
    fn draw(&self, points: &[Point]) -> Result<()> {
        let plot = |file: &str, title: &str, unit: &str, guide: f64, y: fn(&Point) -> Option<f64>| {
            let measured = |way: Way| Series::new(way.name(), curve(&way.name(), points, y));
            let mut series: Vec<Series> = self.ways().map(measured).collect();
            let start = series.iter().find_map(|line| line.points.first().copied());
            let end = points.iter().map(|point| point.tokens).max();
            if let (Some((x, y)), Some(end)) = (start, end) {
                let end = end as f64;
                series.push(Series::new(
                    format!("slope {guide}"),
                    vec![(x, y), (end, y * (end / x).powf(guide))],
                ));
            }
            log_log_plot(&self.out.join(file), title, "tokens N", unit, &series)
        };
        plot("time.svg", "Forward and backward pass of the block", "ms", 2.0, Point::time)?;
        plot("memory.svg", "Largest resident set", "MiB", 1.0, |point| point.peak_mb)
    }
}

impl Point {
    fn time(&self) -> Option<f64> {
        Some(self.forward_ms + self.backward_ms)
    }
}

/// (N, y) of one way, by N.
fn curve(way: &str, points: &[Point], y: fn(&Point) -> Option<f64>) -> Vec<(f64, f64)> {
    let of_way = points.iter().filter(|point| point.way == way);
    let mut curve: Vec<(f64, f64)> =
        of_way.filter_map(|point| Some((point.tokens as f64, y(point)?))).collect();
    curve.sort_by(|a, b| a.0.total_cmp(&b.0));
    curve
}

fn exponents(way: &str, points: &[Point]) -> Exponents {
    let upper_half = |y: fn(&Point) -> Option<f64>| {
        let mut curve = curve(way, points, y);
        curve.split_off(curve.len() / 2)
    };
    let time = upper_half(Point::time);
    Exponents {
        way: way.to_owned(),
        from_tokens: time.first().map_or(0, |(tokens, _)| *tokens as usize),
        time: slope(&time),
        memory: slope(&upper_half(|point| point.peak_mb)),
    }
}

/// Least-squares slope of ln y against ln x; `None` with fewer than two different x.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let mean = |f: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(f).sum::<f64>() / points.len() as f64;
    let (x, y) = (mean(&|p| p.0.ln()), mean(&|p| p.1.ln()));
    let covariance = mean(&|p| (p.0.ln() - x) * (p.1.ln() - y));
    let variance = mean(&|p| (p.0.ln() - x).powi(2));
    (variance > 0.0).then(|| covariance / variance)
}

fn csv(points: &[Point]) -> String {
    let line = |p: &Point| {
        let peak = p.peak_mb.map_or(String::new(), |mb| format!("{mb:.1}"));
        format!("{},{},{:.3},{:.3},{peak}\n", p.way, p.tokens, p.forward_ms, p.backward_ms)
    };
    "way,tokens,forward_ms,backward_ms,peak_mb\n".to_owned() + &points.iter().map(line).collect::<String>()
}

impl CurveReport {
    fn text(&self, limit: usize) -> String {
        let mut lines = vec!["way           tokens   forward ms  backward ms    peak MiB".to_owned()];
        for Point { way, tokens, forward_ms, backward_ms, peak_mb } in &self.points {
            let peak = peak_mb.map_or("unknown".to_owned(), |mb| format!("{mb:.0}"));
            lines.push(format!("{way:<12}{tokens:>8}{forward_ms:>13.1}{backward_ms:>13.1}{peak:>12}"));
        }
        for Skipped { way, tokens, estimated_mb } in &self.skipped {
            lines.push(format!(
                "{way:<12}{tokens:>8}   left out: its N x N matrices take about {estimated_mb:.0} MiB, the limit is {limit} \
                 MiB"
            ));
        }
        let number = |slope: Option<f64>| slope.map_or("unknown".to_owned(), |slope| format!("{slope:.2}"));
        for Exponents { way, from_tokens, time, memory } in &self.exponents {
            let (time, memory) = (number(*time), number(*memory));
            lines.push(format!("{way}: time ~ N^{time}, memory ~ N^{memory} from {from_tokens} tokens on"));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_are_those_of_the_upper_half() {
        // Time 1 + N³ and memory N: the constant weighs on small N only.
        let point = |tokens: usize| Point {
            way: "plain".to_owned(),
            tokens,
            forward_ms: 1.0,
            backward_ms: (tokens as f64).powi(3),
            peak_mb: Some(tokens as f64),
        };
        let points: Vec<Point> = [1, 2, 1000, 4000].map(point).into();
        let found = exponents("plain", &points);
        assert_eq!(found.from_tokens, 1000);
        assert!((found.time.unwrap() - 3.0).abs() < 1e-8 && (found.memory.unwrap() - 1.0).abs() < 1e-12);
        assert!(exponents("plain", &points[..1]).time.is_none());
        assert!(exponents("other", &points).time.is_none());
    }
}
