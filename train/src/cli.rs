//! The command line.

use crate::config::{BUILT_IN, Config};
use crate::detector::Detector;
use crate::run_folder::RunFolder;
use crate::trainer::{Outcome, Summary, Trainer};
use crate::{bench, check, demo, inspect, predict, replay, score};
use anyhow::{Context, Result, bail};
use autograd::Dtype;
use autograd::checkpoint::TensorFile;
use clap::{Args, Parser, Subcommand, ValueEnum};
use data::DepthFormat;
use indicatif::ProgressBar;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// MutualFormer from the first multiplication to the results table: train, predict, measure.
#[derive(Parser)]
#[command(name = "mutualformer", version, about, max_term_width = 100)]
struct Cli {
    /// Threads to compute with (default: all cores); results do not depend on it
    #[arg(long, global = true, value_name = "N")]
    threads: Option<usize>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Draw scenes, train a small detector from nothing, show what it learned (a few minutes)
    Demo {
        /// Which task
        #[arg(default_value = "sod")]
        task: Task,
        /// Where to put the run
        #[arg(long, default_value = "runs/demo")]
        out: PathBuf,
        /// End after so many updates
        #[arg(long)]
        steps: Option<u64>,
    },
    /// Print a commented configuration to start from
    Config {
        /// Its name; without one, list the names
        name: Option<String>,
    },
    /// Check a data set's folder, or a configuration with its data, time and memory
    Check {
        /// A data set's folder or a configuration file
        path: PathBuf,
        /// What the folder's depth files hold
        #[arg(long, default_value = "near-bright")]
        depth_format: DepthFormat,
    },
    /// Train from a configuration
    Train(TrainArgs),
    /// Write saliency maps of pictures or folders
    Predict(PredictArgs),
    /// Measure predictions
    Score {
        #[command(subcommand)]
        task: ScoreTask,
    },
    /// List the tensors of a safetensors file
    Inspect {
        /// The file
        file: PathBuf,
    },
    /// Write procedural scenes as files in the public layout
    Synth(SynthArgs),
    /// Convert a depth file (16-bit mm, disparity as png or npz, float npy) to the loader's convention
    ImportDepth {
        /// The file to read
        input: PathBuf,
        /// The PNG to write: near is bright, 0 is missing
        #[arg(long)]
        out: PathBuf,
        /// What the file holds (default: guessed from its kind)
        #[arg(long)]
        format: Option<DepthFormat>,
    },
    /// Recompute a recorded case, to compare the engine with another framework
    Replay {
        /// The case
        case: PathBuf,
        /// Where to write outputs and gradients
        #[arg(long)]
        out: PathBuf,
        /// Type to compute in (default: the file's)
        #[arg(long)]
        dtype: Option<DtypeArg>,
        /// How CDA is computed
        #[arg(long, default_value = "auto")]
        path: PathArg,
        /// Where to compute
        #[arg(long, default_value = "cpu")]
        device: String,
    },
    /// Measure speed; times are medians
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Task {
    /// RGB-D salient object detection
    Sod,
}

#[derive(Args)]
struct TrainArgs {
    /// A configuration file, or the name of a built-in one; not needed with --resume
    config: Option<PathBuf>,
    /// Change a value, such as model.fusion=ca; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE")]
    changes: Vec<String>,
    /// Where to put the run (default: runs/ and the configuration's name)
    #[arg(long)]
    out: Option<PathBuf>,
    /// Go on with the run in --out
    #[arg(long)]
    resume: bool,
    /// Where to compute
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Replaces the configuration's seed
    #[arg(long)]
    seed: Option<u64>,
    /// End after so many updates
    #[arg(long)]
    steps: Option<u64>,
}

#[derive(Args)]
struct PredictArgs {
    /// A picture, or a folder of pictures
    #[arg(long)]
    rgb: PathBuf,
    /// Its depth, or the folder of depths with the same stems
    #[arg(long)]
    depth: PathBuf,
    /// The PNG or the folder to write
    #[arg(long)]
    out: PathBuf,
    /// Use the best weights of a run
    #[arg(long, conflicts_with = "weights")]
    run: Option<PathBuf>,
    /// Use these weights (default: those that come with the tool)
    #[arg(long)]
    weights: Option<PathBuf>,
    /// What the depth files hold
    #[arg(long, default_value = "near-bright")]
    depth_format: DepthFormat,
}

#[derive(Subcommand)]
enum ScoreTask {
    /// Saliency maps against masks: S, MAE, F, E, weighted F
    Sod {
        /// Folder of predictions
        #[arg(long)]
        pred: PathBuf,
        /// Folder of masks with the same stems
        #[arg(long)]
        gt: PathBuf,
        /// Print one JSON object instead of a table
        #[arg(long)]
        json: bool,
        /// Write every picture's numbers
        #[arg(long, value_name = "FILE")]
        csv: Option<PathBuf>,
        /// Draw precision-recall, F and E curves into a folder
        #[arg(long, value_name = "FOLDER")]
        curves: Option<PathBuf>,
    },
}

#[derive(Args)]
struct SynthArgs {
    /// Which task
    task: Task,
    /// Where to write
    #[arg(long)]
    out: PathBuf,
    /// How many scenes
    #[arg(long)]
    count: usize,
    /// Names the series of scenes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of the first scene
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Pixels a side
    #[arg(long, default_value_t = 256)]
    size: usize,
}

#[derive(Subcommand)]
enum Bench {
    /// Matrix products [batch, m, k] x [batch, k, n]
    Gemm {
        #[arg(long, default_value_t = 1024)]
        m: usize,
        #[arg(long, default_value_t = 1024)]
        k: usize,
        #[arg(long, default_value_t = 1024)]
        n: usize,
        #[arg(long, default_value_t = 1)]
        batch: usize,
        /// Repetitions after one to warm up
        #[arg(long, default_value_t = 11)]
        repeat: usize,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// The released MutualFormer block, forward and backward
    Block {
        #[arg(long, default_value_t = 4)]
        batch: usize,
        #[arg(long, default_value_t = 196)]
        tokens: usize,
        #[arg(long, default_value_t = 384)]
        dim: usize,
        #[arg(long, default_value_t = 6)]
        heads: usize,
        /// How CDA is computed
        #[arg(long, default_value = "auto")]
        path: PathArg,
        /// Repetitions after one to warm up
        #[arg(long, default_value_t = 7)]
        repeat: usize,
        /// Where to compute
        #[arg(long, default_value = "cpu")]
        device: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// Scalar types on the command line.
#[derive(Clone, Copy, ValueEnum)]
enum DtypeArg {
    /// 32-bit float
    F32,
    /// 64-bit float
    F64,
}

/// Ways to compute CDA.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PathArg {
    /// Whatever suits the sizes
    Auto,
    /// N x N matrices, as the equations are written
    Plain,
}

/// Parses the command line and runs it.
pub fn main() -> Result<()> {
    let cli = Cli::parse();
    if let Some(threads) = cli.threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        pool.context("--threads: the thread pool exists already")?;
    }
    match cli.command {
        Command::Demo { task: Task::Sod, out, steps } => demo::sod(&out, steps, stop_on_ctrl_c()?.as_ref()),
        Command::Config { name } => print_config(name.as_deref()),
        Command::Check { path, depth_format } => check::check(&path, depth_format),
        Command::Train(args) => train(args),
        Command::Predict(args) => predict_files(&args),
        Command::Score { task } => score_files(task),
        Command::Inspect { file } => inspect::inspect(&file),
        Command::Synth(args) => synth(&args),
        Command::ImportDepth { input, out, format } => {
            let stats = data::import::import_depth(&input, format, &out)?;
            println!("{}: {stats}", out.display());
            Ok(())
        }
        Command::Replay { case, out, dtype, path: _, device } => {
            on_cpu(&device)?;
            replay_file(&case, &out, dtype)
        }
        Command::Bench { what } => run_bench(what),
    }
}

/// A flag that Ctrl-C sets; a second Ctrl-C ends the process at once.
fn stop_on_ctrl_c() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        eprintln!("\nstopping after this update; press Ctrl-C again to stop at once");
    })?;
    Ok(stop)
}

/// The only device there is so far.
fn on_cpu(device: &str) -> Result<()> {
    if device != "cpu" {
        bail!("--device {device}: this version computes on the CPU only (--device cpu)");
    }
    Ok(())
}

fn print_config(name: Option<&str>) -> Result<()> {
    match name {
        Some(name) => print!("{}", Config::built_in(name)?),
        None => BUILT_IN.iter().for_each(|(name, purpose, _)| println!("{name:<12}{purpose}")),
    }
    Ok(())
}

fn train(args: TrainArgs) -> Result<()> {
    on_cpu(&args.device)?;
    let trainer = if args.resume {
        let out = args.out.clone().context("--resume needs --out, the folder of the run to go on with")?;
        if args.config.is_some() || !args.changes.is_empty() || args.seed.is_some() {
            bail!("--resume goes on with the run's own configuration; leave out the file, --set and --seed");
        }
        Trainer::resume(RunFolder::open(&out)?, args.steps)?
    } else {
        let path = args
            .config
            .context("name a configuration: a file, or one of those `mutualformer config` lists")?;
        let seed = args.seed.map(|seed| format!("seed={seed}"));
        let changes: Vec<String> = args.changes.into_iter().chain(seed).collect();
        let config = Config::load(&path, &changes)?;
        let stem = path.file_stem().context("the configuration's path names no file")?;
        let out = args.out.unwrap_or_else(|| Path::new("runs").join(stem));
        Trainer::new(&config, RunFolder::create(&out)?, args.steps)?
    };
    let out = trainer.folder().to_owned();
    match trainer.train(stop_on_ctrl_c()?.as_ref())? {
        Outcome::Finished(_, summary) => {
            print!("{}", kinds_table(&summary));
            println!("run folder: {}", out.display());
            println!("{}", summary.line());
        }
        Outcome::Interrupted => {
            println!("interrupted; go on with: mutualformer train --resume --out {}", out.display());
        }
    }
    Ok(())
}

/// The numbers by kind of scene, a line each; empty where the test set is no procedural one.
pub fn kinds_table(summary: &Summary) -> String {
    let line = |(kind, s): (&String, &crate::trainer::KindSummary)| {
        format!(
            "{kind:<12} {:>4} scenes: S-measure {:.3}, max F {:.3}, max E {:.3}, MAE {:.3}\n",
            s.images, s.structure, s.max_f, s.max_e, s.mae
        )
    };
    summary.kinds.iter().map(line).collect()
}

fn predict_files(args: &PredictArgs) -> Result<()> {
    let detector = match (&args.run, &args.weights) {
        (Some(run), _) => Detector::load(&RunFolder::open(run)?.path("best.safetensors"))?,
        (None, Some(weights)) => Detector::load(weights)?,
        (None, None) => Detector::bundled()?,
    };
    let count = predict::predict(&detector, &args.rgb, &args.depth, args.depth_format, &args.out)?;
    println!("{count} saliency map{} in {}", if count == 1 { "" } else { "s" }, args.out.display());
    Ok(())
}

fn score_files(task: ScoreTask) -> Result<()> {
    let ScoreTask::Sod { pred, gt, json, csv, curves } = task;
    let report = score::score_folders(&pred, &gt)?;
    if let Some(file) = csv {
        report.write_csv(&file)?;
    }
    if let Some(folder) = curves {
        report.write_curves(&folder)?;
    }
    if json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{}", report.table());
    }
    Ok(())
}

fn synth(args: &SynthArgs) -> Result<()> {
    let Task::Sod = args.task;
    let bar = ProgressBar::new(args.count as u64);
    let progress = |done: usize| bar.set_position(done as u64);
    data::scenes::write_layout(&args.out, args.seed, args.first, args.count, args.size, &progress)?;
    bar.finish_and_clear();
    println!("{} scenes in {}", args.count, args.out.display());
    Ok(())
}

fn replay_file(case: &Path, out: &Path, dtype: Option<DtypeArg>) -> Result<()> {
    let asked = dtype.map(|dtype| match dtype {
        DtypeArg::F32 => Dtype::F32,
        DtypeArg::F64 => Dtype::F64,
    });
    let file = TensorFile::read(case)?;
    let result = match replay::dtype_of(&file, asked) {
        Dtype::F32 => replay::replay::<f32>(&file),
        Dtype::F64 => replay::replay::<f64>(&file),
    };
    result.with_context(|| format!("in {}", case.display()))?.write(out)?;
    Ok(())
}

fn run_bench(what: Bench) -> Result<()> {
    match what {
        Bench::Gemm { m, k, n, batch, repeat, json } => {
            let report = bench::gemm(batch, m, k, n, repeat);
            if json {
                println!("{}", serde_json::to_string(&report)?);
            } else {
                println!("{batch} x ({m} x {k} x {n}): {:.3} ms, {:.1} GFLOP/s", report.ms, report.gflops);
            }
        }
        Bench::Block { batch, tokens, dim, heads, path: _, repeat, device, json } => {
            on_cpu(&device)?;
            let report = bench::block(batch, tokens, dim, heads, repeat)?;
            if json {
                println!("{}", serde_json::to_string(&report)?);
            } else {
                let peak = report.peak_mb.map_or("unknown".to_owned(), |mb| format!("{mb:.0} MiB"));
                println!(
                    "block B{batch} N{tokens} C{dim} H{heads}: forward {:.2} ms, backward {:.2} ms, peak {peak}, {} \
                     threads, {} path",
                    report.forward_ms, report.backward_ms, report.threads, report.path
                );
            }
        }
    }
    Ok(())
}
