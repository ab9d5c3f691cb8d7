//! Prints a Markdown table of a folder of runs named GROUP-SEED: mean ± standard deviation over the seeds. The tables of
//! paper-repro.md are its output.
//!
//! `cargo run --release -p train --example summarise -- runs/modalities`: S-measure and MAE of all test pictures, S-measure
//! by kind of scene.
//!
//! `cargo run --release -p train --example summarise -- runs/rendered shapes.csv`: also the mean S-measure of the pictures
//! of each group, from every run's test.csv; shapes.csv has a line `name,group` for each picture. Unfinished runs are left out.

use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use train::summary::mean_and_deviation;

/// The numbers of a variant by name, each over its seeds.
type Columns = BTreeMap<String, Vec<f64>>;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().context("name the folder that holds the runs")?;
    let groups = arguments.next().map(|path| read_groups(Path::new(&path))).transpose()?;
    let (mut overall, mut by_group) = (BTreeMap::new(), BTreeMap::new());
    for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some((variant, _seed)) = name.rsplit_once('-') else { continue };
        if !path.join("summary.json").exists() {
            continue; // not finished
        }
        read(&path.join("summary.json"), overall.entry(variant.to_owned()).or_default())?;
        if let Some(groups) = &groups {
            read_pictures(&path.join("test.csv"), groups, by_group.entry(variant.to_owned()).or_default())?;
        }
    }
    print_table(&overall)?;
    if groups.is_some() {
        println!("\nMean S-measure of each group's pictures:\n");
        print_table(&by_group)?;
    }
    Ok(())
}

/// A row for each variant, a column for each number.
fn print_table(variants: &BTreeMap<String, Columns>) -> Result<()> {
    let header: Vec<&str> = variants
        .values()
        .next()
        .context("the folder holds no finished run")?
        .keys()
        .map(String::as_str)
        .collect();
    println!("| run | {} | seeds |", header.join(" | "));
    println!("|---{}|---|", "|---".repeat(header.len()));
    for (variant, columns) in variants {
        let cells: Vec<String> = columns.values().map(|values| mean_and_deviation(values)).collect();
        let seeds = columns.values().next().map_or(0, Vec::len);
        println!("| {variant} | {} | {seeds} |", cells.join(" | "));
    }
    Ok(())
}

fn text_of(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Adds the numbers of one run.
fn read(path: &Path, columns: &mut Columns) -> Result<()> {
    let summary: Value = serde_json::from_str(&text_of(path)?)?;
    let mut add = |name: &str, value: &Value| {
        if let Some(value) = value.as_f64() {
            columns.entry(name.to_owned()).or_default().push(value);
        }
    };
    for key in ["S", "maxF", "maxE", "MAE", "mAP", "rank1", "rank5", "rank10", "mINP"] {
        add(key, &summary[key]);
    }
    for (kind, scores) in summary["kinds"].as_object().into_iter().flatten() {
        add(&format!("{kind} S"), &scores["S"]);
    }
    Ok(())
}

/// Lines `name,group` after a header.
fn read_groups(path: &Path) -> Result<BTreeMap<String, String>> {
    let pair = |line: &str| {
        let (name, group) = line.split_once(',').with_context(|| format!("{line:?} is no name,group"))?;
        Ok((name.to_owned(), group.to_owned()))
    };
    text_of(path)?.lines().skip(1).map(pair).collect()
}

/// Adds the mean S-measure of every group of pictures, from lines `name,S,…` after a header.
fn read_pictures(path: &Path, groups: &BTreeMap<String, String>, columns: &mut Columns) -> Result<()> {
    let mut scores: Columns = BTreeMap::new();
    for line in text_of(path)?.lines().skip(1) {
        let mut fields = line.split(',');
        let (name, score) =
            fields.next().zip(fields.next()).with_context(|| format!("{line:?} is no name,S"))?;
        let group = groups.get(name).with_context(|| format!("{name} has no group"))?;
        scores.entry(group.clone()).or_default().push(score.parse()?);
    }
    for (group, scores) in scores {
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        columns.entry(group).or_default().push(mean);
    }
    Ok(())
}
