//! Prints the tables of paper-repro.md, sections 7 and 9, from the numbers that train/experiments/claims.sh left.
//!
//! `cargo run --release -p train --example claims -- train/experiments/results`
//!
//! Everything is mean ± sample standard deviation over the seeds. Differences are taken seed by seed first, so that what a
//! seed does to both runs drops out.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use train::summary::mean_and_deviation;

/// What every seed of a variant reported, by variant.
type Runs = BTreeMap<String, Vec<Value>>;

fn main() -> Result<()> {
    let results = std::env::args().nth(1).context("name the folder of the results")?;
    let results = Path::new(&results);
    print_variants(&read(&results.join("claims"))?)?;
    let gap = read(&results.join("modality-gap"))?;
    print_map_changes(&gap)?;
    print_score_changes(&gap)?;
    print_diffused_afterwards(variant(&gap, "ca")?)
}

/// Files VARIANT-SEED.json of a folder, in order of their seeds.
fn read(folder: &Path) -> Result<Runs> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.sort();
    let mut runs = Runs::new();
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (variant, _seed) = name.rsplit_once('-').with_context(|| format!("{name} is no VARIANT-SEED"))?;
        let text = std::fs::read_to_string(&file)?;
        let numbers =
            serde_json::from_str(&text).with_context(|| format!("cannot read {}", file.display()))?;
        runs.entry(variant.to_owned()).or_default().push(numbers);
    }
    Ok(runs)
}

/// Scores of every variant, and how far its S-measure is from that of CDA as released.
fn print_variants(runs: &Runs) -> Result<()> {
    let released = numbers(variant(runs, "cda")?, &["S"])?;
    println!(
        "| variant | S | max F | max E | MAE | camouflaged S | flat S | plain S | S, less that of `cda` |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (variant, seeds) in runs {
        print!("| `{variant}` |");
        let columns: [&[&str]; 7] = [
            &["S"],
            &["maxF"],
            &["maxE"],
            &["MAE"],
            &["kinds", "camouflaged", "S"],
            &["kinds", "flat", "S"],
            &["kinds", "plain", "S"],
        ];
        for keys in columns {
            print!(" {} |", mean_and_deviation(&numbers(seeds, keys)?));
        }
        println!(" {} |", difference(&numbers(seeds, &["S"])?, &released)?);
    }
    Ok(())
}

/// How far each change of depth's queries and keys moves the maps of the networks trained with each kind of map.
fn print_map_changes(gap: &Runs) -> Result<()> {
    println!("\n| change of depth's Q and K | CA's maps, trained as `ca` | CDA's maps, trained as `cda` |");
    println!("|---|---|---|");
    let (ca, cda) = (variant(gap, "ca")?, variant(gap, "cda")?);
    for change in keys(ca, "changes")? {
        let ca = numbers(ca, &["changes", change, "ca_map_change"])?;
        let cda = numbers(cda, &["changes", change, "cda_map_change"])?;
        println!("| {change} | {} | {} |", percent(&ca), percent(&cda));
    }
    Ok(())
}

/// What the same changes do to the S-measure of each trained network.
fn print_score_changes(gap: &Runs) -> Result<()> {
    let names: Vec<String> = gap.keys().map(|name| format!("trained as `{name}`")).collect();
    println!("\n| change of depth's Q and K, S less the unchanged | {} |", names.join(" | "));
    println!("|---{}|", "|---".repeat(names.len()));
    for change in keys(variant(gap, "ca")?, "changes")? {
        print!("| {change} |");
        for seeds in gap.values() {
            let s = |change: &str| numbers(seeds, &["changes", change, "S"]);
            print!(" {} |", difference(&s(change)?, &s("none")?)?);
        }
        println!();
    }
    Ok(())
}

/// Scores of networks trained with cross-attention whose maps are diffused afterwards.
fn print_diffused_afterwards(seeds: &[Value]) -> Result<()> {
    println!("\n| trained as `ca`, maps diffused afterwards | S | MAE | S, less the undiffused |");
    println!("|---|---|---|---|");
    let undiffused = numbers(seeds, &["changes", "none", "S"])?;
    for setting in keys(seeds, "diffused_afterwards")? {
        let column = |name: &str| numbers(seeds, &["diffused_afterwards", setting, name]);
        let (s, mae) = (column("S")?, column("MAE")?);
        println!(
            "| {setting} | {} | {} | {} |",
            mean_and_deviation(&s),
            mean_and_deviation(&mae),
            difference(&s, &undiffused)?
        );
    }
    Ok(())
}

/// The reports of a variant's seeds.
fn variant<'a>(runs: &'a Runs, name: &str) -> Result<&'a [Value]> {
    Ok(runs.get(name).with_context(|| format!("no runs of {name}"))?)
}

/// The keys of an object in the first seed's report; the other seeds have the same.
fn keys<'a>(seeds: &'a [Value], name: &str) -> Result<impl Iterator<Item = &'a str>> {
    let object = seeds.first().and_then(|seed| seed[name].as_object());
    Ok(object.with_context(|| format!("a report without {name}"))?.keys().map(String::as_str))
}

/// One number of every seed's report.
fn numbers(seeds: &[Value], keys: &[&str]) -> Result<Vec<f64>> {
    let number = |seed: &Value| keys.iter().fold(seed, |value, key| &value[key]).as_f64();
    seeds
        .iter()
        .map(|seed| number(seed).with_context(|| format!("a report without {}", keys.join(", "))))
        .collect()
}

/// Mean ± deviation of the differences seed by seed.
fn difference(a: &[f64], b: &[f64]) -> Result<String> {
    ensure!(a.len() == b.len(), "{} seeds against {}", a.len(), b.len());
    Ok(mean_and_deviation(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>()))
}

/// The mean in percent, with two digits that count: what is there for rounding alone shows as such.
fn percent(values: &[f64]) -> String {
    let mean = 100.0 * values.iter().sum::<f64>() / values.len() as f64;
    if mean == 0.0 {
        "0".to_owned()
    } else if mean < 0.01 {
        format!("{mean:.0e} %")
    } else {
        format!("{mean:.1} %")
    }
}
