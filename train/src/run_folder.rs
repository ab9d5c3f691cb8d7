//! The folder a run leaves behind.
//!
//! ```text
//! config.toml              the resolved configuration
//! metrics.jsonl            a line per update and per validation
//! summary.json             the final numbers
//! last.safetensors         weights, under state_dict names (PyTorch loads them)
//! best.safetensors         the weights with the best validation S-measure or mAP
//! last.state.safetensors   everything needed to go on: weights, optimiser, averages, position
//! plots/  samples/         pictures
//! ```

use crate::metrics::reid::ReidScores;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Record {
    /// One update of the weights.
    Step {
        /// Number of the update, from 1.
        step: u64,
        /// Epoch it belongs to, from 0.
        epoch: u64,
        /// Loss before it.
        loss: f64,
        /// Learning rate.
        lr: f64,
        /// Norm of the gradient before clipping.
        grad_norm: f64,
        /// Seconds since the run (or its resumption) began.
        seconds: f64,
    },
    /// One pass over the validation set.
    Validation {
        /// Updates so far.
        step: u64,
        /// The epoch it ends, from 1; twice the same where a limit on the updates ended one early.
        epoch: u64,
        /// S-measure.
        #[serde(rename = "S")]
        structure: f64,
        /// Maximum F-measure.
        #[serde(rename = "maxF")]
        max_f: f64,
        /// Maximum E-measure.
        #[serde(rename = "maxE")]
        max_e: f64,
        /// Mean absolute error.
        #[serde(rename = "MAE")]
        mae: f64,
    },
    /// One search of the validation set's queries in its gallery.
    Search {
        /// As above.
        step: u64,
        /// As above.
        epoch: u64,
        /// What it scored.
        #[serde(flatten)]
        scores: ReidScores,
    },
}

impl Record {
    fn step(&self) -> u64 {
        match self {
            Record::Step { step, .. } | Record::Validation { step, .. } | Record::Search { step, .. } => {
                *step
            }
        }
    }

    /// What the best weights have more of than others: the S-measure or mAP; an update has none.
    pub fn score(&self) -> Option<f64> {
        match self {
            Record::Step { .. } => None,
            Record::Validation { structure, .. } => Some(*structure),
            Record::Search { scores, .. } => Some(scores.mean_ap),
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Record::Step { loss, .. } => write!(f, "loss {loss:.3}"),
            Record::Validation { structure, max_f, mae, .. } => {
                write!(f, "validation S {structure:.3}, max F {max_f:.3}, MAE {mae:.3}")
            }
            Record::Search { scores, .. } => {
                write!(f, "validation mAP {:.3}, rank-1 {:.3}", scores.mean_ap, scores.rank1)
            }
        }
    }
}

/// A run's folder.
#[derive(Clone, Debug)]
pub struct RunFolder {
    root: PathBuf,
}

impl RunFolder {
    /// The folder for a new run: one that is missing, empty or an earlier run's; refuses what is something else.
    /// Nothing is touched before [`RunFolder::start`].
    ///
    /// # Errors
    /// A folder that holds something else than a run.
    pub fn create(root: &Path) -> Result<RunFolder> {
        let is_run = ["config.toml", "metrics.jsonl"].iter().all(|name| root.join(name).exists());
        if is_run || !root.exists() || is_empty(root)? {
            return Ok(RunFolder { root: root.to_owned() });
        }
        bail!("{} exists and is not a run's folder; choose another with --out", root.display())
    }

    /// Begins a new run: makes the folders, clears an earlier run's files, writes the configuration.
    ///
    /// # Errors
    /// A file that cannot be read or written; the message names it.
    pub fn start(&self, config: &str) -> Result<()> {
        for folder in ["plots", "samples"] {
            let folder = self.path(folder);
            if folder.exists() {
                std::fs::remove_dir_all(&folder)
                    .with_context(|| format!("cannot clear {}", folder.display()))?;
            }
            std::fs::create_dir_all(&folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
        }
        for old in ["summary.json", "last.state.safetensors", "best.safetensors", "last.safetensors"] {
            let path = self.path(old);
            if path.exists() {
                std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        self.write("metrics.jsonl", "")?;
        self.write("config.toml", config)
    }

    /// Opens the folder of an earlier run.
    ///
    /// # Errors
    /// A folder without a configuration: it is not a run's.
    pub fn open(root: &Path) -> Result<RunFolder> {
        if !root.join("config.toml").exists() {
            bail!(
                "{} holds no config.toml: it is not a run's folder; name one that `mutualformer train` or `demo` wrote, such as \
                 runs/demo",
                root.display()
            );
        }
        Ok(RunFolder { root: root.to_owned() })
    }

    /// A file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Writes a text file through a temporary one.
    ///
    /// # Errors
    /// A file that cannot be read or written; the message names it.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        let (path, temporary) = (self.path(name), self.path(&format!("{name}.tmp")));
        std::fs::write(&temporary, text)
            .and_then(|()| std::fs::rename(&temporary, &path))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Appends lines to `metrics.jsonl`.
    ///
    /// # Errors
    /// A file that cannot be read or written; the message names it.
    pub fn log(&self, records: &[Record]) -> Result<()> {
        let path = self.path("metrics.jsonl");
        let text: String = records
            .iter()
            .map(|r| serde_json::to_string(r).expect("records are plain data") + "\n")
            .collect();
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// All lines of `metrics.jsonl`.
    ///
    /// # Errors
    /// A file that cannot be read or written; the message names it.
    pub fn records(&self) -> Result<Vec<Record>> {
        let path = self.path("metrics.jsonl");
        let Ok(file) = File::open(&path) else { return Ok(Vec::new()) };
        let parse = |line: std::io::Result<String>| -> Result<Record> { Ok(serde_json::from_str(&line?)?) };
        BufReader::new(file)
            .lines()
            .map(parse)
            .collect::<Result<_>>()
            .with_context(|| format!("in {}", path.display()))
    }

    /// Drops lines that a run resumed after update `step` writes again: of later updates, and, unless this one was
    /// `validated`, of a validation at its end.
    ///
    /// # Errors
    /// A file that cannot be read or written; the message names it.
    pub fn rewind(&self, step: u64, validated: bool) -> Result<()> {
        let path = self.path("metrics.jsonl");
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
            bytes => bytes.unwrap_or_default(),
        };
        // A killed process may have left half a line at the end, cut inside a letter.
        let text = String::from_utf8_lossy(&bytes);
        let keep = |line: &&str| match serde_json::from_str(line) {
            Ok(record @ Record::Step { .. }) => record.step() <= step,
            Ok(record) => record.step() < step + u64::from(validated),
            Err(_) => false,
        };
        let kept: String = text.lines().filter(keep).map(|line| line.to_owned() + "\n").collect();
        self.write("metrics.jsonl", &kept)
    }
}

fn is_empty(folder: &Path) -> Result<bool> {
    Ok(std::fs::read_dir(folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .next()
        .is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_run_drops_what_it_writes_again() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(&folder.path().join("run")).unwrap();
        run.start("").unwrap();
        let step = |step| Record::Step { step, epoch: 0, loss: 1.0, lr: 0.1, grad_norm: 1.0, seconds: 0.0 };
        let validation =
            |step| Record::Validation { step, epoch: 1, structure: 0.5, max_f: 0.5, max_e: 0.5, mae: 0.5 };
        let all = [step(1), step(2), validation(2), step(3), step(4), validation(4), step(5)];
        for (resumed, validated, kept) in
            [(5, false, 7), (4, true, 6), (4, false, 5), (2, true, 3), (0, true, 0)]
        {
            run.write("metrics.jsonl", "").unwrap();
            run.log(&all).unwrap();
            // The process was killed inside the letter ä.
            let mut file = OpenOptions::new().append(true).open(run.path("metrics.jsonl")).unwrap();
            file.write_all(b"{\"kind\":\"\xc3").unwrap();
            run.rewind(resumed, validated).unwrap();
            assert_eq!(run.records().unwrap(), all[..kept], "resumed at {resumed}");
        }
    }
}
