//! The command line: `args` says what it can say, here it is carried out.

mod args;
mod explain;
mod manual;

use crate::config::{AnyConfig, BUILT_IN, RunConfig, built_in};
use crate::detector::Detector;
use crate::device::DeviceArgs;
use crate::metrics::reid::ReidScores;
use crate::reid::{self, Embedder, sheet::write_ranked_sheet};
use crate::run_folder::RunFolder;
use crate::task::Task;
use crate::trainer::{Outcome, Trainer};
use crate::{check, demo, devices, inspect, predict, replay, score, shrink};
use anyhow::{Context, Result, bail};
use args::{
    Cli, Command, DemoTask, DtypeArg, EmbedderArgs, FindArgs, PredictArgs, PredictTask, ScoreTask,
    SynthReidArgs, SynthSodArgs, SynthTask, TrainArgs,
};
pub(crate) use args::{PathArg, positive};
use autograd::Dtype;
use autograd::checkpoint::TensorFile;
use clap::Parser;
use data::scenes::Album;
use data::vehicles::Layout;
use indicatif::ProgressBar;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Parses the command line and runs it.
///
/// # Errors
/// What was wrong, in one sentence for the user.
pub fn main() -> Result<()> {
    let cli = Cli::parse();
    // This thread is one of the pool's: it begins a piece of work itself instead of waking another thread and waiting.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(cli.threads.unwrap_or(0)).use_current_thread();
    pool.build_global().context("cannot start the threads; --threads N asks for another number")?;
    match cli.command {
        Command::Demo { task, out, steps, device } => {
            let (place, stop) = (device.open()?, stop_on_ctrl_c()?);
            match task {
                DemoTask::Sod => demo::sod(&out.unwrap_or("runs/demo".into()), steps, &place, &stop),
                DemoTask::Reid => {
                    reid::demo::demo(&out.unwrap_or("runs/demo-reid".into()), steps, &place, &stop)
                }
            }
        }
        Command::Config { name } => print_config(name.as_deref()),
        Command::Check { path, depth_format } => check::check(&path, depth_format),
        Command::Train(args) => train(args),
        Command::Predict { task: Some(PredictTask::Reid(args)), .. } => find(&args),
        Command::Predict { task: None, maps, device } => {
            predict_files(&maps.context("name the pictures; see mutualformer predict --help")?, device)
        }
        Command::Explain(command) => command.run(),
        Command::Embed { network, device, data, out } => {
            let embedder = embedder(&network)?.at(&device.open()?)?;
            let count = reid::features_file::write_features(&embedder, &data, &out)?;
            println!("features of {count} pictures in {}", out.display());
            Ok(())
        }
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
        Command::Replay { case, out, dtype, path, device } => replay_file(&case, &out, dtype, path, device),
        Command::Devices { json } => devices::print(json),
        Command::Bench { what } => what.run(),
        Command::Completions { shell } => manual::print_completions(shell),
        Command::Man { out } => manual::write_manual(out.as_deref()),
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

fn print_config(name: Option<&str>) -> Result<()> {
    match name {
        Some(name) => print!("{}", built_in(name)?),
        None => BUILT_IN.iter().for_each(|(name, purpose, _)| println!("{name:<26}{purpose}")),
    }
    Ok(())
}

fn train(args: TrainArgs) -> Result<()> {
    if args.resume {
        let out = args.out.clone().context("--resume needs --out, the folder of the run to go on with")?;
        if args.config.is_some() || !args.changes.is_empty() || args.seed.is_some() {
            bail!("--resume goes on with the run's own configuration; leave out the file, --set and --seed");
        }
        let (run, place) = (RunFolder::open(&out)?, args.device.open()?);
        return match AnyConfig::load(&run.path("config.toml"), &[])? {
            AnyConfig::Sod(_) => run_to_its_end(Trainer::<Detector>::resume(run, args.steps, &place)?),
            AnyConfig::Reid(_) => run_to_its_end(Trainer::<Embedder>::resume(run, args.steps, &place)?),
        };
    }
    let path =
        args.config.context("name a configuration: a file, or one of those `mutualformer config` lists")?;
    let seed = args.seed.map(|seed| format!("seed={seed}"));
    let changes: Vec<String> = args.changes.into_iter().chain(seed).collect();
    let config = AnyConfig::load(&path, &changes)?;
    let stem = path.file_stem().context("the configuration's path names no file")?;
    let run = RunFolder::create(&args.out.unwrap_or_else(|| Path::new("runs").join(stem)))?;
    let place = args.device.open()?;
    match config {
        AnyConfig::Sod(config) => run_to_its_end(Trainer::<Detector>::new(&config, run, args.steps, &place)?),
        AnyConfig::Reid(config) => {
            run_to_its_end(Trainer::<Embedder>::new(&config, run, args.steps, &place)?)
        }
    }
}

/// Trains and prints the final numbers.
fn run_to_its_end<T: Task>(trainer: Trainer<T>) -> Result<()> {
    trainer.task().config().remark().iter().for_each(|remark| eprintln!("{remark}"));
    let out = trainer.folder().to_owned();
    match trainer.train(stop_on_ctrl_c()?.as_ref())? {
        Outcome::Finished(_, summary) => {
            print!("{}", T::tables(&summary));
            println!("run folder: {}", out.display());
            println!("{}", T::line(&summary));
        }
        Outcome::Interrupted => {
            println!("interrupted; go on with: mutualformer train --resume --out {}", out.display());
        }
    }
    Ok(())
}

/// The detector of a run's folder or of a file; by default the one that comes with the tool.
fn detector(run: Option<&Path>, weights: Option<&Path>) -> Result<Detector> {
    match (run, weights) {
        (Some(run), _) => Detector::load(&RunFolder::open(run)?.path("best.safetensors")),
        (None, Some(weights)) => Detector::load(weights),
        (None, None) => Detector::bundled(),
    }
}

fn predict_files(args: &PredictArgs, device: DeviceArgs) -> Result<()> {
    let detector = detector(args.run.as_deref(), args.weights.as_deref())?.at(&device.open()?)?;
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

/// The network of a run's folder or of a file.
fn embedder(args: &EmbedderArgs) -> Result<Embedder> {
    match (&args.run, &args.weights) {
        (Some(run), _) => Embedder::load(&RunFolder::open(run)?.path("best.safetensors")),
        (None, Some(weights)) => Embedder::load(weights),
        (None, None) => bail!("name the network: --run or --weights"),
    }
}

fn find(args: &FindArgs) -> Result<()> {
    let embedder = embedder(&args.network)?.at(&args.device.open()?)?;
    let finds = reid::find::find(&embedder, &args.query, &args.gallery, args.top, &args.out)?;
    predict::create_folder_of(&args.out)?;
    write_ranked_sheet(&args.out, &finds.rows()?)?;
    print!("{}", finds.table()?);
    println!("sheet: {}", args.out.display());
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
    let before = std::fs::read_dir(args.out.join("RGB")).map_or(0, Iterator::count);
    if before > 0 {
        eprintln!(
            "{} holds {before} pictures already: they stay, and are part of the set",
            args.out.display()
        );
    }
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

fn replay_file(
    case: &Path,
    out: &Path,
    dtype: Option<DtypeArg>,
    path: PathArg,
    device: DeviceArgs,
) -> Result<()> {
    let asked = dtype.map(|dtype| match dtype {
        DtypeArg::F32 => Dtype::F32,
        DtypeArg::F64 => Dtype::F64,
    });
    let (file, path, place) = (TensorFile::read(case)?, path.path(), device.open()?);
    let result = match replay::dtype_of(&file, asked, &place)? {
        Dtype::F32 => replay::replay_at(&file, path, &place),
        Dtype::F64 => replay::replay::<f64>(&file, path),
    };
    result.with_context(|| format!("in {}", case.display()))?.write(out)?;
    Ok(())
}
