//! Prints a Markdown table of a folder of runs named GROUP-SEED: S-measure by kind of scene and over all scenes, mean ±
//! standard deviation over the seeds. The tables of paper-repro.md are its output.
//!
//! `cargo run --release -p train --example summarise -- runs/modalities`

use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Numbers of one column over the seeds of one group.
type Columns = BTreeMap<String, Vec<f64>>;

fn main() -> Result<()> {
    let folder = std::env::args().nth(1).context("name the folder that holds the runs")?;
    let mut groups: BTreeMap<String, Columns> = BTreeMap::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some((group, _seed)) = name.rsplit_once('-') {
            read(&path.join("summary.json"), groups.entry(group.to_owned()).or_default())?;
        }
    }
    let header: Vec<&String> = groups.values().next().context("the folder holds no run")?.keys().collect();
    println!("| run | {} | seeds |", header.iter().map(|h| h.as_str()).collect::<Vec<_>>().join(" | "));
    println!("|---{}|---|", "|---".repeat(header.len()));
    for (group, columns) in &groups {
        let cells: Vec<String> = columns.values().map(|values| mean_and_deviation(values)).collect();
        let seeds = columns.values().next().map_or(0, Vec::len);
        println!("| {group} | {} | {seeds} |", cells.join(" | "));
    }
    Ok(())
}

/// Adds the numbers of one run.
fn read(path: &Path, columns: &mut Columns) -> Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let summary: Value = serde_json::from_str(&text)?;
    let mut add = |name: &str, value: &Value| {
        if let Some(value) = value.as_f64() {
            columns.entry(name.to_owned()).or_default().push(value);
        }
    };
    add("all S", &summary["S"]);
    add("all MAE", &summary["MAE"]);
    for (kind, scores) in summary["kinds"].as_object().into_iter().flatten() {
        add(&format!("{kind} S"), &scores["S"]);
    }
    Ok(())
}

/// Mean ± sample standard deviation.
fn mean_and_deviation(values: &[f64]) -> String {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let deviation = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)).sqrt();
    format!("{mean:.3} ± {deviation:.3}")
}
