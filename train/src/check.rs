//! Checks before a long run: is the data what it should be, how long will it take, how much memory.

use crate::config::{AnyConfig, Config, RunConfig, SourceConfig};
use crate::detector::Detector;
use crate::device::Place;
use crate::memory::peak_mb;
use crate::reid::Embedder;
use crate::reid::config::{ReidDataConfig, ReidRunConfig, ReidSource, VehiclesConfig};
use crate::reid::features_file::is_set;
use crate::run_folder::RunFolder;
use crate::task::Task;
use crate::trainer::Trainer;
use anyhow::{Result, ensure};
use data::DepthFormat;
use data::layout::is_folder;
use data::survey::{Survey, survey};
use indicatif::ProgressBar;
use std::collections::BTreeSet;
use std::path::Path;

/// Updates that are timed, after one that is not.
const TIMED: usize = 3;

/// Checks a data set's folder, or a configuration: every picture of its folders, and a few timed updates.
///
/// # Errors
/// A path that cannot be read, or the number of problems found, once they are printed.
pub fn check(path: &Path, format: DepthFormat) -> Result<()> {
    match path {
        _ if is_set(path) => {
            let problems = survey_reid(path, 1);
            ensure!(problems == 0, "{}: {problems} problems", path.display());
            Ok(())
        }
        _ if is_folder(path) => check_folder(path, format),
        _ => check_config(path),
    }
}

fn check_folder(path: &Path, format: DepthFormat) -> Result<()> {
    let survey = survey(path, format, None);
    print(&survey);
    let result = format!(
        "{}: {} pictures are fine, {} problems",
        path.display(),
        survey.fine.len(),
        survey.problems.len()
    );
    ensure!(survey.problems.is_empty(), result);
    println!("{result}");
    Ok(())
}

/// Problems, remarks, and what the pictures are.
fn print(survey: &Survey) {
    survey.problems.iter().for_each(|problem| println!("{problem}"));
    survey.remarks().iter().for_each(|remark| println!("remark: {remark}"));
    println!("{survey}");
}

fn check_config(path: &Path) -> Result<()> {
    match AnyConfig::load(path, &[])? {
        AnyConfig::Sod(config) => check_sod(path, &config),
        AnyConfig::Reid(config) => check_reid(path, &config),
    }
}

fn check_sod(path: &Path, config: &Config) -> Result<()> {
    config.remark().iter().for_each(|remark| println!("{remark}"));
    let mut problems = 0;
    for (part, sources) in
        [("train", &config.data.train), ("validation", &config.data.validation), ("test", &config.data.test)]
    {
        for source in sources {
            match source {
                SourceConfig::Scenes { count, seed, .. } => {
                    println!("{part}: {count} scenes of series {seed}")
                }
                SourceConfig::Folder { path, depth, list, .. } => {
                    let survey = survey(path, *depth, list.as_deref());
                    let listed =
                        list.as_ref().map_or(String::new(), |list| format!(" listed in {}", list.display()));
                    println!("{part}: {} pictures in {}{listed}", survey.fine.len(), path.display());
                    print(&survey);
                    problems += survey.problems.len();
                }
            }
        }
    }
    ensure!(
        problems == 0,
        "{}: {problems} problems with its pictures; mend them, or leave the pictures out with a list",
        path.display()
    );
    // Where batches have several sizes, the largest decides what must be there.
    let mut config = config.clone();
    let largest = config.data.train_sizes.iter().copied().max();
    config.data.train_sizes = largest.into_iter().collect();
    let size = largest.map_or(String::new(), |size| format!(" at {size} pixels, the largest size"));
    estimate::<Detector>(&config, &size)
}

fn check_reid(path: &Path, config: &ReidRunConfig) -> Result<()> {
    config.remark().iter().for_each(|remark| println!("{remark}"));
    let ReidDataConfig { train, validation, test, .. } = &config.data;
    let mut folders = BTreeSet::new();
    for (part, source) in [("train", Some(train)), ("validation", validation.as_ref()), ("test", Some(test))]
    {
        match source {
            Some(ReidSource::Vehicles(VehiclesConfig { seed, first, ids, .. })) => {
                println!("{part}: vehicles {first} to {} of series {seed}", first + ids - 1);
            }
            Some(ReidSource::Folder { path }) => {
                println!("{part}: {}", path.display());
                folders.insert(path);
            }
            None => println!("{part}: none; the last weights are the result"),
        }
    }
    let spectra = ReidDataConfig::spectra(&config.model.streams);
    let problems: usize = folders.into_iter().map(|folder| survey_reid(folder, spectra)).sum();
    let config_path = path.display();
    ensure!(
        problems == 0,
        "{config_path}: {problems} problems with its pictures; its [data] names the folders"
    );
    estimate::<Embedder>(config, "")
}

/// Looks a set in the layout of RGBN300 through and prints what is there; returns how many problems there are.
fn survey_reid(folder: &Path, spectra: usize) -> usize {
    let bar = ProgressBar::new(0);
    let survey = data::reid::survey::survey(folder, spectra, &|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    survey.problems.iter().for_each(|problem| println!("{problem}"));
    survey.remarks.iter().for_each(|remark| println!("remark: {remark}"));
    println!("{survey}");
    survey.problems.len()
}

/// Times a few updates of a run that leaves nothing behind; `size` follows the seconds of an update.
fn estimate<T: Task>(config: &T::Config, size: &str) -> Result<()> {
    let scratch = std::env::temp_dir().join(format!("mutualformer-check-{}", std::process::id()));
    let result = RunFolder::create(&scratch)
        .and_then(|run| Trainer::<T>::new(config, run, None, &Place::default()))
        .and_then(|trainer| time(trainer, size));
    // The scratch run is ours; whatever happened, it does not stay behind.
    let _ = std::fs::remove_dir_all(&scratch);
    result
}

fn time<T: Task>(mut trainer: Trainer<T>, size: &str) -> Result<()> {
    let seconds = trainer.time_updates(TIMED)?;
    let updates = trainer.total_steps();
    println!("network: {} parameters", trainer.task().params().num_learned());
    println!(
        "time: {updates} updates of {seconds:.2} s each{size}, about {} on this machine (without loading and validation)",
        duration(updates as f64 * seconds)
    );
    match peak_mb() {
        Some(mb) => println!("memory: {mb:.0} MiB at the peak so far"),
        None => println!("memory: this system does not tell"),
    }
    Ok(())
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}
