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
    for (variant, seeds) in &gap {
        print_changes(variant, seeds)?;
    }
    print_diffused_afterwards(gap.get("ca").context("no network trained with cross-attention")?)
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
    let released = numbers(runs.get("cda").context("no runs of cda")?, &["S"])?;
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

/// What each change of depth's queries and keys does to the maps and the scores of a trained network.
fn print_changes(variant: &str, seeds: &[Value]) -> Result<()> {
    println!("\nTrained as `{variant}`:\n");
    println!("| change | CA's maps change by | CDA's maps change by | S | S, less the unchanged |");
    println!("|---|---|---|---|---|");
    let unchanged = numbers(seeds, &["changes", "none", "S"])?;
    for change in keys(seeds, "changes")? {
        let column = |name: &str| numbers(seeds, &["changes", change, name]);
        let s = column("S")?;
        println!(
            "| {change} | {} | {} | {} | {} |",
            percent(&column("ca_map_change")?),
            percent(&column("cda_map_change")?),
            mean_and_deviation(&s),
            difference(&s, &unchanged)?
        );
    }
    Ok(())
}

/// Scores of networks trained with cross-attention whose maps are diffused afterwards.
fn print_diffused_afterwards(seeds: &[Value]) -> Result<()> {
    println!("\nTrained as `ca`, maps diffused afterwards:\n");
    println!("| diffusion | S | MAE | S, less the undiffused |");
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
