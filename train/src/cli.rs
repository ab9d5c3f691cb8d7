//! The command line.

use crate::bench::Bench;
use crate::config::{BUILT_IN, Config};
use crate::detector::Detector;
use crate::metrics::reid::ReidScores;
use crate::run_folder::RunFolder;
use crate::trainer::{Outcome, Trainer};
use crate::{check, demo, inspect, predict, replay, score, shrink};
use anyhow::{Context, Result, bail};
use autograd::Dtype;
use autograd::checkpoint::TensorFile;
use clap::{Args, Parser, Subcommand, ValueEnum};
use data::DepthFormat;
use data::scenes::Album;
use data::vehicles::Layout;
use indicatif::ProgressBar;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// MutualFormer from the first multiplication to the results table: train, predict, measure.
#[derive(Parser)]
#[command(name = "mutualformer", version, max_term_width = 100)]
struct Cli {
    /// Threads to compute with (default: all cores); results do not depend on it
    #[arg(long, global = true, value_name = "N", value_parser = positive, display_order = 100)]
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
        /// Folder to put the run into; an earlier run there is replaced
        #[arg(long, value_name = "DIR", default_value = "runs/demo")]
        out: PathBuf,
        /// Make so many updates in all, if the epochs hold more; the schedule of the learning rate ends there
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        steps: Option<u64>,
    },
    /// Print a commented configuration to start from
    Config {
        /// Its name; without one, list the names
        name: Option<String>,
    },
    /// Read every picture of a data set, or estimate a configuration's time and memory
    Check {
        /// A data set's folder (RGB/, depth/ and GT/ in it), or a configuration: a file or a built-in name
        path: PathBuf,
        /// What the folder's depth files hold: near-bright (larger is nearer), far-bright (larger is farther), mm
        /// (distance) or disparity
        #[arg(long, default_value = "near-bright")]
        depth_format: DepthFormat,
    },
    /// Train from a configuration
    Train(TrainArgs),
    /// Write saliency maps of pictures, folders or data sets
    Predict(PredictArgs),
    /// Measure predictions
    Score {
        #[command(subcommand)]
        task: ScoreTask,
    },
    /// List the tensors of a safetensors or PyTorch file
    Inspect {
        /// The file: safetensors, or a state dict that torch.save wrote (.pth, .pt)
        file: PathBuf,
    },
    /// Write weights with 16-bit floats: half the size, three significant digits
    Shrink {
        /// A run's folder, or a safetensors or PyTorch file
        path: PathBuf,
        /// The safetensors file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Write procedural pictures as files in a public layout
    Synth {
        #[command(subcommand)]
        task: SynthTask,
    },
    /// Convert a depth file (16-bit mm, disparity as png or npz, float npy) to the loader's convention
    ImportDepth {
        /// The file to read
        input: PathBuf,
        /// The PNG to write: near is bright, 0 is missing
        #[arg(long, value_name = "PNG", value_parser = png_path)]
        out: PathBuf,
        /// What the file holds: near-bright (larger is nearer), far-bright (larger is farther), mm (distance) or
        /// disparity (default: mm for 16-bit pictures and npy, disparity for 8-bit pictures and npz)
        #[arg(long)]
        format: Option<DepthFormat>,
    },
    /// Recompute a recorded case, to compare the engine with another framework
    Replay {
        /// The case: a safetensors file with inputs and, in its metadata, "kind" and options
        case: PathBuf,
        /// The safetensors file to write outputs and gradients to, under the case's names
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Type to compute in (default: the file's)
        #[arg(long, value_name = "TYPE")]
        dtype: Option<DtypeArg>,
        /// How attention and CDA are computed: with matrices or without; the results agree up to rounding
        #[arg(long, default_value = "auto")]
        path: PathArg,
        /// Where to compute; this version knows the cpu only
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
    /// Change a value of the configuration, such as model.fusion=ca; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE")]
    changes: Vec<String>,
    /// Folder to put the run into (default: runs/ and the configuration's name); an earlier run there is replaced
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on with the interrupted run in --out, as if it had not been interrupted
    #[arg(long)]
    resume: bool,
    /// Where to compute; this version knows the cpu only
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Replaces the configuration's seed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Make so many updates in all, if the epochs hold more; the schedule of the learning rate ends there
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,
}

#[derive(Args)]
struct PredictArgs {
    /// A picture (PNG or JPEG), or a folder of pictures
    #[arg(long, value_name = "PATH", requires = "depth")]
    rgb: Option<PathBuf>,
    /// Its depth, or a folder of depths named like the pictures (a.jpg's depth is a.png)
    #[arg(long, value_name = "PATH", requires = "rgb")]
    depth: Option<PathBuf>,
    /// In place of --rgb and --depth: a data set in a public layout (RGB/ and depth/ in it), or a folder of several
    #[arg(long, value_name = "DIR", conflicts_with_all = ["rgb", "depth"])]
    data: Option<PathBuf>,
    /// The PNG to write, for folders the folder to fill, for --data the folder to put a folder for each set into
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Use the best weights of the run in this folder
    #[arg(long, value_name = "DIR", conflicts_with = "weights")]
    run: Option<PathBuf>,
    /// Use a run's best.safetensors or last.safetensors (default: the weights that come with the tool)
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// What the depth files hold, all of them: near-bright (larger is nearer), far-bright (larger is farther), mm
    /// (distance) or disparity; sets that differ are predicted one by one
    #[arg(long, default_value = "near-bright")]
    depth_format: DepthFormat,
}

#[derive(Subcommand)]
enum ScoreTask {
    /// Saliency maps against masks: S, MAE, F, E, weighted F
    Sod {
        /// Folder of predicted saliency maps, or of such folders, one for every data set: DIR/NLPR/a.png
        #[arg(long, value_name = "DIR")]
        pred: PathBuf,
        /// Folder of true masks, named like the predictions (a.png is the truth of a.png or a.jpg), or of data sets
        /// named like the folders of predictions, with a folder of masks in each: DIR/NLPR/GT/a.png
        #[arg(long, value_name = "DIR")]
        gt: PathBuf,
        /// Print one JSON object and nothing else; for data sets it holds one for each
        #[arg(long)]
        json: bool,
        /// Write every picture's numbers; pictures of data sets are called SET/STEM
        #[arg(long, value_name = "FILE")]
        csv: Option<PathBuf>,
        /// Draw precision-recall, F and E curves into a folder, for data sets into a folder for each in it
        #[arg(long, value_name = "DIR")]
        curves: Option<PathBuf>,
    },
    /// Features of queries against those of a gallery: mAP, CMC ranks, mINP
    Reid {
        /// A safetensors file with query.feat [Q, D], query.id and query.cam [Q], and the same of gallery
        #[arg(long, value_name = "FILE")]
        features: PathBuf,
        /// Re-rank by k-reciprocal neighbours (20, 6, 0.3) first: all Q + G pictures are compared with each other, so
        /// time grows with the square of their number; memory grows with their number
        #[arg(long)]
        rerank: bool,
        /// Print one JSON object and nothing else
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
enum SynthTask {
    /// Scenes for RGB-D salient object detection: RGB/, depth/ and GT/
    Sod(SynthSodArgs),
    /// Vehicles for RGB-NIR re-identification: rgbir/ as in RGBN300, and identities.csv
    Reid(SynthReidArgs),
}

#[derive(Args)]
struct SynthSodArgs {
    /// Folder to write RGB/, depth/ and GT/ into
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How many scenes
    #[arg(long, value_name = "N", value_parser = positive)]
    count: usize,
    /// Names the endless series the scenes are taken from; other seeds, other scenes
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Number of the first scene in that series
    #[arg(long, value_name = "N", default_value_t = 0)]
    first: u64,
    /// A folder of photographs (PNG, JPEG) that many surfaces wear
    #[arg(long, value_name = "DIR")]
    photos: Option<PathBuf>,
    /// Pixels a side, 32 to 512
    #[arg(long, value_name = "N", default_value_t = 256)]
    size: usize,
}

#[derive(Args)]
struct SynthReidArgs {
    /// Folder to write rgbir/ into
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How many vehicles, 2 to 600: half to train on, the others to test with; a multiple of 4 keeps twins together
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=600))]
    ids: u32,
    /// How many cameras, 2 to 8; every third records at night
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(2..=8))]
    cams: u32,
    /// Pictures of every vehicle under every camera, 1 to 999
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=999))]
    per_cam: u32,
    /// Names the series of vehicles and cameras; other seeds, others
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Rows of a picture, 16 to 512; it has twice as many columns in each spectrum
    #[arg(long, value_name = "N", default_value_t = 128)]
    size: usize,
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
pub(crate) enum PathArg {
    /// Whatever suits the sizes
    Auto,
    /// N x N matrices, as the equations are written
    Plain,
    /// Without such matrices
    Fast,
}

impl PathArg {
    /// What it is called on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().expect("no way is hidden").get_name().to_owned()
    }

    /// The option of a block that it stands for.
    pub(crate) fn path(self) -> cda::Path {
        match self {
            PathArg::Auto => cda::Path::Auto,
            PathArg::Plain => cda::Path::Plain,
            PathArg::Fast => cda::Path::Fast,
        }
    }
}

/// Parses the command line and runs it.
pub fn main() -> Result<()> {
    let cli = Cli::parse();
    // This thread is one of the pool's: it begins a piece of work itself instead of waking another thread and waiting.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(cli.threads.unwrap_or(0)).use_current_thread();
    pool.build_global().context("cannot start the threads; --threads N asks for another number")?;
    match cli.command {
        Command::Demo { task: Task::Sod, out, steps } => demo::sod(&out, steps, stop_on_ctrl_c()?.as_ref()),
        Command::Config { name } => print_config(name.as_deref()),
        Command::Check { path, depth_format } => check::check(&path, depth_format),
        Command::Train(args) => train(args),
        Command::Predict(args) => predict_files(&args),
        Command::Score { task } => score_files(task),
        Command::Inspect { file } => inspect::inspect(&file),
        Command::Shrink { path, out } => {
            let (before, after) = shrink::shrink(&path, &out)?;
            println!("{}: {after} bytes, {before} before", out.display());
            Ok(())
        }
        Command::Synth { task: SynthTask::Sod(args) } => synth_sod(&args),
        Command::Synth { task: SynthTask::Reid(args) } => synth_reid(&args),
        Command::ImportDepth { input, out, format } => {
            let stats = data::import::import_depth(&input, format, &out)?;
            println!("{}: {stats}", out.display());
            Ok(())
        }
        Command::Replay { case, out, dtype, path, device } => {
            on_cpu(&device)?;
            replay_file(&case, &out, dtype, path)
        }
        Command::Bench { what } => what.run(),
    }
}

/// A number from 1 on.
pub(crate) fn positive(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(0) => Err("at least 1 is needed".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("a whole number is needed ({error})")),
    }
}

/// The name of a picture to write: what is written is PNG, so it should be called that.
fn png_path(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png")) {
        return Ok(path);
    }
    Err("a PNG picture is written: let the name end in .png".to_owned())
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
pub(crate) fn on_cpu(device: &str) -> Result<()> {
    if device != "cpu" {
        bail!("--device {device}: this version computes on the CPU only (--device cpu)");
    }
    Ok(())
}

fn print_config(name: Option<&str>) -> Result<()> {
    match name {
        Some(name) => print!("{}", Config::built_in(name)?),
        None => BUILT_IN.iter().for_each(|(name, purpose, _)| println!("{name:<26}{purpose}")),
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
    trainer.detector().config.remark().iter().for_each(|remark| eprintln!("{remark}"));
    let out = trainer.folder().to_owned();
    match trainer.train(stop_on_ctrl_c()?.as_ref())? {
        Outcome::Finished(_, summary) => {
            print!("{}{}", summary.kinds_table(), summary.sets_table());
            println!("run folder: {}", out.display());
            println!("{}", summary.line());
        }
        Outcome::Interrupted => {
            println!("interrupted; go on with: mutualformer train --resume --out {}", out.display());
        }
    }
    Ok(())
}

fn predict_files(args: &PredictArgs) -> Result<()> {
    let detector = match (&args.run, &args.weights) {
        (Some(run), _) => Detector::load(&RunFolder::open(run)?.path("best.safetensors"))?,
        (None, Some(weights)) => Detector::load(weights)?,
        (None, None) => Detector::bundled()?,
    };
    let jobs = match (&args.data, &args.rgb, &args.depth) {
        (Some(data), ..) => predict::data_jobs(data, &args.out)?,
        (None, Some(rgb), Some(depth)) => predict::jobs(rgb, depth, &args.out)?,
        _ => bail!("name the pictures: --rgb and --depth, or --data (see mutualformer predict --help)"),
    };
    let start = Instant::now();
    predict::predict(&detector, &jobs, args.depth_format)?;
    let (count, rate) = (jobs.len(), jobs.len() as f64 / start.elapsed().as_secs_f64());
    let plural = if count == 1 { "" } else { "s" };
    println!("{count} saliency map{plural} in {} ({rate:.1} pictures/s)", args.out.display());
    Ok(())
}

fn score_files(task: ScoreTask) -> Result<()> {
    match task {
        ScoreTask::Sod { pred, gt, json, csv, curves } => {
            let report = score::score(&pred, &gt)?;
            if let Some(file) = csv {
                report.write_csv(&file)?;
            }
            if let Some(folder) = curves {
                report.write_curves(&folder)?;
            }
            print_scores(&report, json, score::Report::table)
        }
        ScoreTask::Reid { features, rerank, json } => {
            let scores = score::score_features(&features, rerank)?;
            print_scores(&scores, json, ReidScores::table)
        }
    }
}

/// Prints one JSON object, or the table for people.
fn print_scores<S: Serialize>(scores: &S, json: bool, table: impl FnOnce(&S) -> String) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(scores)?);
    } else {
        print!("{}", table(scores));
    }
    Ok(())
}

fn synth_sod(args: &SynthSodArgs) -> Result<()> {
    let bar = ProgressBar::new(args.count as u64);
    let progress = |done: usize| bar.set_position(done as u64);
    let album = args.photos.as_deref().map_or_else(|| Ok(Album::default()), Album::open)?;
    data::scenes::write_layout(
        &args.out,
        &Arc::new(album),
        args.seed,
        args.first,
        args.count,
        args.size,
        &progress,
    )?;
    bar.finish_and_clear();
    println!("{} scenes in {}", args.count, args.out.display());
    Ok(())
}

fn synth_reid(args: &SynthReidArgs) -> Result<()> {
    let &SynthReidArgs { ids, cams, per_cam, seed, size: height, .. } = args;
    let layout = Layout { seed, train_ids: ids / 2, test_ids: ids - ids / 2, cams, per_cam, height };
    let bar = ProgressBar::new(layout.count() as u64);
    let progress = |done: usize| bar.set_position(done as u64);
    data::vehicles::write_layout(&args.out, &layout, &progress)?;
    bar.finish_and_clear();
    println!("{} pictures of {ids} vehicles in {}", layout.count(), args.out.join("rgbir").display());
    Ok(())
}

fn replay_file(case: &Path, out: &Path, dtype: Option<DtypeArg>, path: PathArg) -> Result<()> {
    let asked = dtype.map(|dtype| match dtype {
        DtypeArg::F32 => Dtype::F32,
        DtypeArg::F64 => Dtype::F64,
    });
    let file = TensorFile::read(case)?;
    let result = match replay::dtype_of(&file, asked) {
        Dtype::F32 => replay::replay::<f32>(&file, path.path()),
        Dtype::F64 => replay::replay::<f64>(&file, path.path()),
    };
    result.with_context(|| format!("in {}", case.display()))?.write(out)?;
    Ok(())
}
