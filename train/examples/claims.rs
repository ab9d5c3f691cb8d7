//! Prints the tables of paper-repro.md, sections 7 to 9, from the numbers that train/experiments/claims.sh left.
//!
//! `cargo run --release -p train --example claims -- train/experiments/results`
//!
//! Everything is mean ± sample standard deviation over the seeds. Differences are taken seed by seed first, so that what a
//! seed does to both runs drops out.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use train::summary::mean_and_deviation;

/// What every seed of a variant reported, by variant.
type Runs = BTreeMap<String, Vec<Value>>;

/// The variants of claims.sh, in the table's order, with a word on each where its name does not say it.
const VARIANTS: [(&str, &str); 26] = [
    ("cda", "as released: official preset, T = 1, α = 0.6"),
    ("ca", "cross-attention"),
    ("ca+cda", "its map as Y and X⁽⁰⁾, diffused"),
    ("concat", "U_rd = O_d, U_dr = O_r"),
    ("sum", "U_rd = U_dr = O_r + O_d"),
    ("alpha-0.0", "Y alone"),
    ("alpha-0.2", ""),
    ("alpha-0.4", ""),
    ("alpha-0.8", ""),
    ("alpha-1.0", "the product alone"),
    ("steps-2", "with feedback"),
    ("steps-3", ""),
    ("steps-5", ""),
    ("steps-inf", "the fixed point"),
    ("affinity-cross", "Y from cross-attention"),
    ("start-affinity", "X⁽⁰⁾ = Y"),
    ("norm-degree", "a normalisation that does something"),
    ("renormalised", "rows brought back to sum 1"),
    ("paper", "S and values as in the figure"),
    ("separate-norms", "two LayerNorms"),
    ("no-third-branch", ""),
    ("figure", "the last three together"),
    ("coarse", "MutualFormer at 1/16 alone"),
    ("fine", "at 1/8 alone"),
    ("rgb", "RGB alone"),
    ("depth", "depth alone"),
];

fn main() -> Result<()> {
    let results = std::env::args().nth(1).context("name the folder of the results")?;
    let results = Path::new(&results);
    print_variants(&read(&results.join("claims"))?)?;
    let gap = read(&results.join("modality-gap"))?;
    print_map_changes(&gap)?;
    print_score_changes(&gap)?;
    print_diffused_afterwards(variant(&gap, "ca")?)?;
    print_curves(&results.join("curves").join("curve.csv"))
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
    println!("| variant | | S | max F | max E | MAE | flat scenes' S | S, less that of `cda` |");
    println!("|---|---|---|---|---|---|---|---|");
    let released = numbers(variant(runs, "cda")?, &["S"])?;
    let listed = |name: &String| VARIANTS.iter().any(|(variant, _)| variant == name);
    if let Some(name) = runs.keys().find(|name| !listed(name)) {
        bail!("{name} is not among the table's variants");
    }
    for (name, what) in VARIANTS {
        let seeds = variant(runs, name)?;
        print!("| `{name}` | {what} |");
        for column in [&["S"][..], &["maxF"], &["maxE"], &["MAE"], &["kinds", "flat", "S"]] {
            print!(" {} |", mean_and_deviation(&numbers(seeds, column)?));
        }
        println!(" {} |", difference(&numbers(seeds, &["S"])?, &released)?);
    }
    Ok(())
}

/// Time and memory by number of tokens, a column for each way; lines of curve.csv are way,tokens,forward,backward,peak.
fn print_curves(path: &Path) -> Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut cells: BTreeMap<(usize, &str), String> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let &[way, tokens, forward, backward, peak] = fields.as_slice() else {
            bail!("{line:?} is no point")
        };
        let (ms, peak) = (forward.parse::<f64>()? + backward.parse::<f64>()?, peak.parse::<f64>()?);
        cells.insert((tokens.parse()?, way), format!("{ms:.0} ms, {peak:.0} MiB"));
    }
    let ways = ["ca plain", "ca fast", "cda plain", "cda fast"];
    println!("\n| tokens | {} |", ways.join(" | "));
    println!("|---|---|---|---|---|");
    let tokens: BTreeSet<usize> = cells.keys().map(|&(tokens, _)| tokens).collect();
    for n in tokens {
        let row = ways.map(|way| cells.get(&(n, way)).map_or("left out", String::as_str));
        println!("| {n} | {} |", row.join(" | "));
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
