//! Re-identification in a few minutes: draw vehicles, train on each spectrum and on both, search for unseen ones.

use super::config::ReidRunConfig;
use super::find::Finds;
use super::sheet::write_ranked_sheet;
use super::source::{Pictures, SearchSet};
use super::{Embedder, ReidSummary};
use crate::config::{RunConfig, built_in};
use crate::device::Place;
use crate::run_folder::RunFolder;
use crate::task::Task;
use crate::trainer::{Outcome, Trainer};
use anyhow::Result;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The runs: folder, what the table calls it, streams.
const RUNS: [(&str, &str, &str); 3] = [
    ("rgb", "RGB only", "model.streams=[\"rgb\"]"),
    ("nir", "NIR only", "model.streams=[\"nir\"]"),
    ("mutualformer", "MutualFormer (both)", "model.streams=[\"rgb\", \"nir\"]"),
];

/// Searches on the sheet, and pictures found for each.
const SHEET: (usize, usize) = (6, 8);

/// Trains three networks into `out`, leaves a ranked sheet there and prints what they score; `steps` limits the updates
/// of each.
///
/// # Errors
/// Data that cannot be read, files that cannot be written, a device that fails, a loss that is not finite.
pub fn demo(out: &Path, steps: Option<u64>, place: &Place, stop: &AtomicBool) -> Result<()> {
    let Some(table) = train_all(out, &[], steps, place, stop)? else { return Ok(()) };
    let at = out.display();
    println!("vehicles that no network was trained on:\n{table}");
    println!("pictures:  {at}/mutualformer/samples/found.png  searches, right and wrong framed");
    println!("curves:    {at}/mutualformer/plots/loss.svg");
    println!("weights:   {at}/mutualformer/best.safetensors  (PyTorch loads them by name)");
    println!("next:      mutualformer synth reid --out vehicles --ids 40 --size 64 --seed 2");
    println!(
        "           mutualformer embed --run {at}/mutualformer --data vehicles --out features.safetensors"
    );
    println!("           mutualformer score reid --features features.safetensors");
    Ok(())
}

/// The runs of the demo, its configuration changed by `changes`; a table of what they score, a line each. `None` if
/// `stop` was set.
///
/// # Errors
/// As [`demo`].
pub fn train_all(
    out: &Path,
    changes: &[String],
    steps: Option<u64>,
    place: &Place,
    stop: &AtomicBool,
) -> Result<Option<String>> {
    let mut table = String::new();
    for (folder, name, streams) in RUNS {
        let out = out.join(folder);
        let changes = [changes, &[streams.to_owned()]].concat();
        let config = ReidRunConfig::parse(built_in("demo-reid")?, &changes)?;
        let trainer = Trainer::<Embedder>::new(&config, RunFolder::create(&out)?, steps, place)?;
        eprintln!("{name}: training {} parameters from nothing", trainer.task().params().num_learned());
        match trainer.train(stop)? {
            Outcome::Interrupted => {
                println!(
                    "interrupted; this network goes on with: mutualformer train --resume --out {}\nthe table needs all \
                     three: start the demo again",
                    out.display()
                );
                return Ok(None);
            }
            Outcome::Finished(embedder, summary) => {
                table += &row(name, &summary);
                if config.model.streams.len() > 1 {
                    write_ranked_sheet(&out.join("samples/found.png"), &some_finds(&embedder)?.rows()?)?;
                }
            }
        }
    }
    Ok(Some(table))
}

fn row(name: &str, summary: &ReidSummary) -> String {
    let (map, rank1) = (summary.scores.mean_ap, summary.scores.rank1);
    format!("{name:<20} mAP {map:.3}  rank-1 {rank1:.3}\n")
}

/// The searches for some of the test set's vehicles.
fn some_finds(embedder: &Embedder) -> Result<Finds> {
    let SearchSet { query, gallery } = SearchSet::open(&embedder.config.data.test, &embedder.config)?;
    // One more than fits evenly, so that the cameras take turns.
    let step = query.len() / SHEET.0 + 1;
    let some = (0..query.len()).step_by(step).take(SHEET.0).map(|index| query.load(index));
    let queries = Pictures::Drawn(Arc::new(some.collect::<Result<_, _>>()?));
    Finds::search(embedder, queries, gallery, SHEET.1, &|_| ())
}
