//! What becomes of trained networks when the features of one modality are changed in ways that cannot matter to that modality
//! itself, or matter little: the first two experiments of paper-repro.md, section 7.
//!
//! `cargo run --release -p train --example modality_gap -- runs/claims results/modality-gap` takes the runs named
//! VARIANT-SEED that it knows how to use, and writes a file of numbers for each.
//!
//! Every change is an edit of weights: queries and keys of depth are `W·n + b` of the same normalised tokens n, so another W and
//! b give changed queries and keys in every picture, and nothing else in the network moves.

use anyhow::{Context, Result};
use autograd::random::Key;
use autograd::{Ctx, Tensor, Var};
use cda::{Affinity, CdaConfig, FusionKind, Qkv, Steps, affinity, cross_attention_map, cross_diffusion};
use data::{Batch, Sample, transform};
use models::SodConfig;
use ndarray::{Array1, Array2, Axis, Ix2, concatenate, s};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use train::config::Config;
use train::detector::Detector;
use train::source::{Dataset, Inputs};
use train::summary::Headline;
use train::task::Task;

/// Scenes over whose tokens the change of the maps is averaged.
const SCENES_OF_MAPS: usize = 16;

/// A change of depth's queries and keys, the same in both blocks and every head.
#[derive(Clone, Copy)]
struct Change {
    name: &'static str,
    /// One random orthogonal map for each head, on queries and keys alike.
    rotate: bool,
    /// Factor of queries and keys.
    gain: f64,
    /// Length of a random offset of all queries, in root mean squares of a query's length.
    offset_q: f64,
    /// The same of keys.
    offset_k: f64,
}

const NO_CHANGE: Change = Change { name: "none", rotate: false, gain: 1.0, offset_q: 0.0, offset_k: 0.0 };

const CHANGES: [Change; 7] = [
    NO_CHANGE,
    Change { name: "orthogonal map of Q and K", rotate: true, ..NO_CHANGE },
    Change { name: "offset of K", offset_k: 1.0, ..NO_CHANGE },
    Change { name: "offset of Q", offset_q: 1.0, ..NO_CHANGE },
    Change { name: "gain 2 of Q and K", gain: 2.0, ..NO_CHANGE },
    Change { name: "gain 1/2 of Q and K", gain: 0.5, ..NO_CHANGE },
    // Every comparison with depth comes out alike: how much does the network need these maps at all?
    Change { name: "gain 0 of Q and K", gain: 0.0, ..NO_CHANGE },
];

/// A network's scores, and how far its maps are from the unchanged network's: Σ|x' − x|/Σ|x| over all entries of both
/// directions, heads and blocks.
#[derive(Serialize)]
struct Outcome {
    ca_map_change: f64,
    cda_map_change: f64,
    #[serde(flatten)]
    scores: Headline,
}

#[derive(Serialize)]
struct Report {
    /// By change.
    changes: BTreeMap<String, Outcome>,
    /// By kind of diffusion and α: the scores of a network trained with cross-attention when its maps are diffused afterwards.
    diffused_afterwards: BTreeMap<String, Headline>,
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).map(PathBuf::from);
    let runs = arguments.next().context("name the folder that holds the runs")?;
    let out = arguments.next().context("name the folder for the numbers")?;
    std::fs::create_dir_all(&out)?;
    for variant in ["ca", "cda", "ca+cda", "paper", "separate-norms", "concat"] {
        for seed in 1..=3 {
            let (run, file) =
                (runs.join(format!("{variant}-{seed}")), out.join(format!("{variant}-{seed}.json")));
            if file.exists() || !run.join("summary.json").exists() {
                continue;
            }
            let trained = Detector::load(&run.join("best.safetensors"))?;
            let text = serde_json::to_string_pretty(&report(&trained)?)?;
            std::fs::write(&file, text + "\n").with_context(|| format!("cannot write {}", file.display()))?;
            println!("{}", file.display());
        }
    }
    Ok(())
}

fn report(trained: &Detector) -> Result<Report> {
    let data = &trained.config.data;
    let scenes = Dataset::open(&data.test, data.size)?;
    let samples: Vec<Sample> = (0..SCENES_OF_MAPS)
        .map(|i| Ok(transform::resize(&scenes.load(i)?, data.size, data.size)))
        .collect::<Result<_>>()?;
    let inputs = Inputs::of(&Batch::stack(&(0..samples.len()).collect::<Vec<_>>(), &samples)?);

    let base = with_config(trained, |_| ())?;
    let unchanged = maps(&base, &inputs);
    let (queries, keys) = lengths(&base, &inputs);
    let mut changes = BTreeMap::new();
    for change in CHANGES {
        let mut changed = base.clone();
        for block in 0..queries.len() {
            apply(&mut changed, change, block, [queries[block], keys[block]])?;
        }
        let [ca_map_change, cda_map_change] = distances(&unchanged, &maps(&changed, &inputs));
        let scores = Headline::of(&changed.evaluate(&scenes)?);
        changes.insert(change.name.to_owned(), Outcome { ca_map_change, cda_map_change, scores });
    }
    Ok(Report { changes, diffused_afterwards: diffused_afterwards(trained, &scenes)? })
}

/// The network of another configuration with the trained weights. Biases that the trained one has not are zero.
fn with_config(trained: &Detector, change: impl FnOnce(&mut models::TinyConfig)) -> Result<Detector> {
    let mut model = models::TinyConfig { qkv_bias: true, ..tiny(&trained.config)?.clone() };
    change(&mut model);
    let config = Config { model: SodConfig::Tiny(model), ..trained.config.clone() };
    let mut detector = Detector::new(&config)?;
    for id in detector.params.ids() {
        let value = match trained.params.find(detector.params.name(id)) {
            Some(same) => trained.params.get(same).clone(),
            None => Tensor::zeros(detector.params.get(id).shape()),
        };
        detector.params.set(id, value);
    }
    Ok(detector)
}

fn tiny(config: &Config) -> Result<&models::TinyConfig> {
    match &config.model {
        SodConfig::Tiny(model) => Ok(model),
        _ => anyhow::bail!("only the tiny network is meant"),
    }
}

/// Q, K and V of both modalities in both blocks.
fn projections(detector: &Detector, inputs: &Inputs) -> Vec<(Qkv, Qkv)> {
    let ctx = Ctx::eval(&detector.params);
    let levels = detector.forward(&ctx, inputs).levels;
    levels.iter().enumerate().map(|(i, level)| detector.net.block(i).projections(&ctx, &level.x)).collect()
}

/// Root mean square lengths of depth's queries and keys in each block.
fn lengths(detector: &Detector, inputs: &Inputs) -> (Vec<f64>, Vec<f64>) {
    let length = |x: &Var| {
        let squares: f64 = x.value().as_slice().iter().map(|&x| f64::from(x).powi(2)).sum();
        (squares / (x.value().numel() / x.size(-1)) as f64).sqrt()
    };
    projections(detector, inputs).iter().map(|(_, d)| (length(&d.q), length(&d.k))).unzip()
}

/// The cross-affinities of cross-attention and of CDA as released, both from the same Q and K: every block, both directions.
fn maps(detector: &Detector, inputs: &Inputs) -> [Vec<Tensor>; 2] {
    let (mut ca, mut cda) = (Vec::new(), Vec::new());
    for (r, d) in projections(detector, inputs) {
        ca.extend([cross_attention_map(&r, &d), cross_attention_map(&d, &r)].map(|map| map.value().clone()));
        let x = cross_diffusion((&affinity(&r), &affinity(&d)), (&r, &d), &CdaConfig::default());
        cda.extend([x.rd, x.dr].map(|map| map.value().clone()));
    }
    [ca, cda]
}

/// Σ|x' − x|/Σ|x| over all maps of a kind, for both kinds.
fn distances(before: &[Vec<Tensor>; 2], after: &[Vec<Tensor>; 2]) -> [f64; 2] {
    [0, 1].map(|kind| {
        let (mut difference, mut total) = (0.0, 0.0);
        for (x, y) in before[kind].iter().zip(&after[kind]) {
            for (&x, &y) in x.as_slice().iter().zip(y.as_slice()) {
                difference += f64::from((y - x).abs());
                total += f64::from(x.abs());
            }
        }
        difference / total
    })
}

/// Edits weight `[3C, C]` and bias `[3C]` of depth's projection in a block, whose rows are q heads, k heads, v heads; `lengths` are
/// those of queries and keys.
fn apply(detector: &mut Detector, change: Change, block: usize, lengths: [f64; 2]) -> Result<()> {
    let (model, params) = (tiny(&detector.config)?, &mut detector.params);
    let name = format!("mutual{}.block.attn.qkv_d", model.scales.strides()[block]);
    let heads = model.num_heads;
    let find =
        |part: &str| params.find(&format!("{name}.{part}")).with_context(|| format!("no {name}.{part}"));
    let (weight, bias) = (find("weight")?, find("bias")?);
    let mut w = params.get(weight).view().into_dimensionality::<Ix2>()?.to_owned();
    let mut b = Array1::from(params.get(bias).as_slice().to_vec());
    let c = w.ncols();
    let d = c / heads;
    for head in 0..heads {
        let site = (block * heads + head) as u64;
        let map = if change.rotate { orthogonal(d, site) } else { Array2::eye(d) } * change.gain as f32;
        for (part, offset) in [change.offset_q, change.offset_k].into_iter().enumerate() {
            let rows = part * c + head * d..part * c + (head + 1) * d;
            let mapped = map.dot(&w.slice(s![rows.clone(), ..]));
            w.slice_mut(s![rows.clone(), ..]).assign(&mapped);
            let shift = direction(d, site) * (offset * lengths[part]) as f32;
            let mapped = map.dot(&b.slice(s![rows.clone()])) + shift;
            b.slice_mut(s![rows]).assign(&mapped);
        }
    }
    params.set(weight, Tensor::from_array(w.into_dyn()));
    params.set(bias, Tensor::from_array(b.into_dyn()));
    Ok(())
}

/// A random unit vector of `d` entries.
fn direction(d: usize, site: u64) -> Array1<f32> {
    let x = Array1::from(Tensor::<f32>::randn(&[d], Key::default(), 1000 + site).as_slice().to_vec());
    let length = x.dot(&x).sqrt();
    x / length
}

/// A random orthogonal matrix: Gram and Schmidt on rows of normal numbers, twice for rounding's sake.
fn orthogonal(d: usize, site: u64) -> Array2<f32> {
    let random = Tensor::<f64>::randn(&[d, d], Key::default(), site);
    let mut rows = Array2::<f64>::zeros((0, d));
    for row in random.as_slice().chunks(d) {
        let mut row = Array1::from(row.to_vec());
        for _ in 0..2 {
            row = &row - &rows.t().dot(&rows.dot(&row));
        }
        let length = row.dot(&row).sqrt();
        let unit = (row / length).insert_axis(Axis(0));
        rows = concatenate(Axis(0), &[rows.view(), unit.view()]).expect("rows of d entries");
    }
    rows.mapv(|x| x as f32)
}

/// For a network trained with cross-attention: its maps C diffused without any training. Y = C, and X⁽⁰⁾ = C where nothing
/// else is said.
fn diffused_afterwards(trained: &Detector, scenes: &Dataset) -> Result<BTreeMap<String, Headline>> {
    let mut scores = BTreeMap::new();
    if trained.config.model.fusion().kind != FusionKind::Ca {
        return Ok(scores);
    }
    let once = CdaConfig::default();
    for (name, fusion, cda) in [
        ("T = 1", FusionKind::CaCda, once),
        ("T = ∞", FusionKind::CaCda, CdaConfig { steps: Steps::Infinite, ..once }),
        ("T = 1, rows back to sum 1", FusionKind::CaCda, CdaConfig { renormalise_rows: true, ..once }),
        ("T = 1, X⁽⁰⁾ = I", FusionKind::Cda, CdaConfig { affinity: Affinity::Cross, ..once }),
    ] {
        for alpha in [0.0, 0.2, 0.4, 0.6, 0.8] {
            let diffused = with_config(trained, |model| {
                model.fusion = fusion;
                model.cda = CdaConfig { alpha, ..cda };
            })?;
            scores.insert(format!("{name}, α = {alpha:.1}"), Headline::of(&diffused.evaluate(scenes)?));
        }
    }
    Ok(scores)
}
