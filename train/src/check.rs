//! Checks before a long run: is the data what it should be, how long will it take, how much memory.

use crate::config::{Config, SourceConfig};
use crate::memory::peak_mb;
use crate::run_folder::RunFolder;
use crate::trainer::Trainer;
use anyhow::{Context, Result, ensure};
use data::{DepthFormat, RgbdFolder};
use rayon::prelude::*;
use std::path::Path;

/// Updates that are timed, after one that is not.
const TIMED: usize = 3;

/// Checks a data set's folder (every file is read), or a configuration (its data, and a few timed updates).
pub fn check(path: &Path, format: DepthFormat) -> Result<()> {
    if path.is_dir() { check_folder(path, format) } else { check_config(path) }
}

fn check_folder(path: &Path, format: DepthFormat) -> Result<()> {
    let folder = RgbdFolder::open(path, format)?;
    let problems: Vec<String> = (0..folder.len())
        .into_par_iter()
        .filter_map(|i| match folder.load(i) {
            Err(error) => Some(error.to_string()),
            Ok(sample) if sample.mask.iter().all(|&m| m == 0.0) => {
                Some(format!("{}: the mask is empty", sample.name))
            }
            Ok(sample) if sample.depth.iter().all(|&d| d == 0.0) => {
                Some(format!("{}: no depth", sample.name))
            }
            Ok(_) => None,
        })
        .collect();
    problems.iter().for_each(|problem| println!("{problem}"));
    let result = format!("{}: {} pictures, {} with problems", path.display(), folder.len(), problems.len());
    ensure!(problems.is_empty(), result);
    println!("{result}");
    Ok(())
}

fn check_config(path: &Path) -> Result<()> {
    let config = Config::load(path, &[])?;
    config.remark().iter().for_each(|remark| println!("{remark}"));
    for (part, sources) in
        [("train", &config.data.train), ("validation", &config.data.validation), ("test", &config.data.test)]
    {
        for source in sources {
            match source {
                SourceConfig::Scenes { count, seed, .. } => {
                    println!("{part}: {count} scenes of series {seed}")
                }
                SourceConfig::Folder { path, depth, .. } => {
                    let folder = RgbdFolder::open(path, *depth).context(part)?;
                    println!("{part}: {} pictures in {}", folder.len(), path.display());
                }
            }
        }
    }
    let scratch = std::env::temp_dir().join(format!("mutualformer-check-{}", std::process::id()));
    let result = estimate(&config, &scratch);
    // The scratch run is ours; whatever happened, it does not stay behind.
    let _ = std::fs::remove_dir_all(&scratch);
    result
}

fn estimate(config: &Config, scratch: &Path) -> Result<()> {
    let mut trainer = Trainer::new(config, RunFolder::create(scratch)?, None)?;
    let seconds = trainer.time_updates(TIMED)?;
    let updates = trainer.total_steps();
    println!("network: {} parameters", trainer.detector().params.num_learned());
    println!(
        "time: {updates} updates of {seconds:.2} s each, about {} on this machine (without loading and validation)",
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
