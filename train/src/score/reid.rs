//! `mutualformer score reid`: features of queries and gallery from one file.
//!
//! The file holds `query.feat` `[Q, D]`, `query.id` and `query.cam` `[Q]`, and the same three of the gallery.

use crate::metrics::reid::{Features, ReidScores, score, score_reranked};
use anyhow::{Context, Result, bail, ensure};
use autograd::{HostTensor, TensorFile};
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt::Write as _;
use std::path::Path;

/// Scores the features in a safetensors file, if asked after k-reciprocal re-ranking.
///
/// # Errors
/// If the file cannot be read; one error that names every tensor that is missing; if types, shapes or numbers are not
/// what [`Features::new`] takes; if no query has a match.
pub fn score_features(path: &Path, rerank: bool) -> Result<ReidScores> {
    let (query, gallery) = read(path).with_context(|| format!("in {}", path.display()))?;
    let scores = if rerank { with_progress(&query, &gallery) } else { score(&query, &gallery) };
    scores.with_context(|| {
        format!(
            "in {}: no query has a picture of the same id from another camera in the gallery",
            path.display()
        )
    })
}

/// Re-ranking takes minutes where a search takes seconds: a bar shows how far it is.
fn with_progress(query: &Features, gallery: &Features) -> Option<ReidScores> {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} rows of distances, {elapsed} + {eta}");
    let rows = 2 * query.len() + gallery.len();
    let bar = ProgressBar::new(rows as u64).with_style(style.expect("the template is well-formed"));
    let scores = score_reranked(query, gallery, &|done| bar.set_position(done as u64));
    bar.finish_and_clear();
    scores
}

/// Queries and gallery. What was read is dropped here, before distances need memory.
fn read(path: &Path) -> Result<(Features, Features)> {
    let file = TensorFile::read(path)?;
    let names = ["query", "gallery"].into_iter().flat_map(|part| PARTS.map(|name| format!("{part}.{name}")));
    let missing: Vec<String> = names.filter(|name| file.get(name).is_none()).collect();
    ensure!(missing.is_empty(), "no tensor {}", missing.join(", "));
    let (query, gallery) = (features(&file, "query")?, features(&file, "gallery")?);
    let (q, g) = (query.dim(), gallery.dim());
    ensure!(q == g, "query.feat has {q} numbers a picture, gallery.feat has {g}");
    Ok((query, gallery))
}

/// The tensors of queries and of the gallery.
const PARTS: [&str; 3] = ["feat", "id", "cam"];

fn features(file: &TensorFile, part: &str) -> Result<Features> {
    let [feat, id, cam] = PARTS.map(|name| file.get(&format!("{part}.{name}")).expect("nothing is missing"));
    let labels = |tensor: &HostTensor, name: &str| match tensor {
        HostTensor::I64(labels) if labels.shape().len() == 1 => Ok(labels.values().to_vec()),
        HostTensor::I64(labels) => bail!("{part}.{name} has shape {:?}, not [pictures]", labels.shape()),
        HostTensor::F32(_) | HostTensor::F64(_) => bail!("{part}.{name} holds floats, not integers"),
    };
    let (ids, cams) = (labels(id, "id")?, labels(cam, "cam")?);
    let features = match feat {
        HostTensor::F32(feat) => Features::new(feat, &ids, &cams),
        HostTensor::F64(feat) => Features::new(feat, &ids, &cams),
        HostTensor::I64(_) => bail!("{part}.feat holds integers, not floats"),
    };
    features.with_context(|| format!("the features of {part}"))
}

impl ReidScores {
    /// For people: one line per measure.
    pub fn table(&self) -> String {
        let numbers = [
            ("mAP", self.mean_ap),
            ("rank1", self.rank1),
            ("rank5", self.rank5),
            ("rank10", self.rank10),
            ("mINP", self.mean_inp),
        ];
        let mut text =
            format!("{:<9}{:>10}\n{:<9}{:>10}\n", "queries", self.queries, "skipped", self.skipped);
        for (key, value) in numbers {
            writeln!(text, "{key:<9}{value:>10.6}").expect("writing to a string succeeds");
        }
        text
    }
}
