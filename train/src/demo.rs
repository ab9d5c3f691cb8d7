//! The whole story in a few minutes: draw scenes, train, evaluate on unseen ones, show what was learned.

use crate::config::{Config, RunConfig, SourceConfig, built_in};
use crate::detector::Detector;
use crate::device::Place;
use crate::report::{affinity_sheet, prediction_sheet};
use crate::run_folder::RunFolder;
use crate::source::Dataset;
use crate::trainer::{Outcome, Trainer};
use anyhow::Result;
use data::Sample;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Rows of the prediction sheet.
const SHEET_ROWS: usize = 9;

/// Trains the demo's network into `out` and leaves its pictures there; `steps` limits the updates.
///
/// # Errors
/// Data that cannot be read, files that cannot be written, a device that fails, a loss that is not finite.
pub fn sod(out: &Path, steps: Option<u64>, place: &Place, stop: &AtomicBool) -> Result<()> {
    let config = Config::parse(built_in("demo")?, &[])?;
    let scenes = |sources: &[SourceConfig]| -> usize {
        let count = |source: &SourceConfig| match source {
            SourceConfig::Scenes { count, .. } => *count,
            SourceConfig::Folder { .. } => 0,
        };
        sources.iter().map(count).sum()
    };
    eprintln!(
        "drawing {} scenes to train on, {} to choose the best weights by and {} unseen ones ({} px)",
        scenes(&config.data.train),
        scenes(&config.data.validation),
        scenes(&config.data.test),
        config.data.size
    );
    let trainer = Trainer::<Detector>::new(&config, RunFolder::create(out)?, steps, place)?;
    eprintln!(
        "training a network of {} parameters from nothing; Ctrl-C saves and stops",
        trainer.task().params.num_learned()
    );
    match trainer.train(stop)? {
        Outcome::Interrupted => {
            println!("interrupted; go on with: mutualformer train --resume --out {}", out.display());
        }
        Outcome::Finished(detector, summary) => {
            let test = Dataset::open(&config.data.test, config.data.size)?;
            let samples = some_of_each_kind(&test)?;
            let maps = detector.predict(&samples)?;
            let run = RunFolder::open(out)?;
            prediction_sheet(&run.path("samples/predictions.png"), &samples, &maps)?;
            affinity_sheet(&run.path("samples/affinity.png"), &detector, &samples[0])?;
            print!("{}", summary.kinds_table());
            let at = out.display();
            println!(
                "pictures:  {at}/samples/predictions.png  RGB, depth, truth, prediction of unseen scenes"
            );
            println!(
                "           {at}/samples/affinity.png     one token's cross-affinity under CA and under CDA"
            );
            println!("curves:    {at}/plots/loss.svg  {at}/plots/metrics.svg");
            println!("weights:   {at}/best.safetensors  (PyTorch loads them by name)");
            println!("next:      mutualformer predict --run {at} --rgb PICTURE --depth DEPTH --out MAP.png");
            println!(
                "           mutualformer config demo > my.toml; mutualformer train my.toml --set model.fusion=ca"
            );
            println!("{}", summary.line());
        }
    }
    Ok(())
}

/// Scenes of all kinds in turn, in the order of the test set.
fn some_of_each_kind(test: &Dataset) -> Result<Vec<Sample>> {
    let kinds = data::scenes::SceneKind::ALL;
    let mut found: Vec<Vec<Sample>> = vec![Vec::new(); kinds.len()];
    for index in 0..test.len() {
        let sample = test.load(index)?;
        if let Some(kind) = kinds.iter().position(|kind| sample.name.starts_with(&kind.to_string()))
            && found[kind].len() < SHEET_ROWS / kinds.len()
        {
            found[kind].push(sample);
        }
    }
    let rows =
        (0..SHEET_ROWS / kinds.len()).flat_map(|i| found.iter().filter_map(move |kind| kind.get(i).cloned()));
    Ok(rows.collect())
}
