//! The numbers a run ends with.

use crate::metrics::sod::{ImageScores, Scores, SetScores};
use crate::sets_table::sets_table;
use data::scenes::SceneKind;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// The four measures that papers on salient objects report.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Headline {
    /// S-measure.
    #[serde(rename = "S")]
    pub structure: f64,
    /// Maximum F-measure.
    #[serde(rename = "maxF")]
    pub max_f: f64,
    /// Maximum E-measure.
    #[serde(rename = "maxE")]
    pub max_e: f64,
    /// Mean absolute error.
    #[serde(rename = "MAE")]
    pub mae: f64,
}

impl Headline {
    /// Over a set of named pictures, curves averaged first.
    pub fn of(pictures: &[(String, ImageScores)]) -> Headline {
        SetSummary::of(pictures).scores
    }
}

impl fmt::Display for Headline {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Headline { structure, max_f, max_e, mae } = self;
        write!(f, "S-measure {structure:.3}, max F {max_f:.3}, max E {max_e:.3}, MAE {mae:.3}")
    }
}

/// The final numbers of a run; serialised as `summary.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Scores on the test set.
    #[serde(flatten)]
    pub scores: Headline,
    /// Seconds of training and evaluation in this process.
    pub seconds: f64,
    /// Largest resident set in MiB, where the system tells.
    pub peak_mb: Option<f64>,
    /// Scores by test set, in the configuration's order.
    #[serde(serialize_with = "as_object")]
    pub sets: Vec<(String, SetSummary)>,
    /// Scores by kind of scene, where the test set consists of procedural scenes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<String, SetSummary>,
}

/// The numbers of some pictures: a data set, or the scenes of a kind.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SetSummary {
    /// How many pictures.
    pub images: usize,
    /// Their scores.
    #[serde(flatten)]
    pub scores: Headline,
}

impl SetSummary {
    /// Over named pictures, curves averaged first.
    pub fn of(pictures: &[(String, ImageScores)]) -> SetSummary {
        let images: Vec<ImageScores> = pictures.iter().map(|(_, scores)| scores.clone()).collect();
        SetSummary::from(&SetScores::average(&images))
    }
}

impl From<&SetScores> for SetSummary {
    fn from(set: &SetScores) -> SetSummary {
        let Scores { structure, max_f, max_e, mae, .. } = set.scores;
        SetSummary { images: set.images, scores: Headline { structure, max_f, max_e, mae } }
    }
}

fn as_object<S: Serializer>(sets: &[(String, SetSummary)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(sets.iter().map(|(name, set)| (name, set)))
}

impl Summary {
    /// The line that `demo` and `train` end with.
    pub fn line(&self) -> String {
        format!("unseen scenes: {}", self.scores)
    }

    /// The numbers by test set, as papers have them.
    pub fn sets_table(&self) -> String {
        sets_table(self.sets.iter().map(|(name, set)| (name.as_str(), *set)))
    }

    /// The numbers by kind of scene, a line each; empty where the test set is no procedural one.
    pub fn kinds_table(&self) -> String {
        let line =
            |(kind, s): (&String, &SetSummary)| format!("{kind:<12} {:>4} scenes: {}\n", s.images, s.scores);
        self.kinds.iter().map(line).collect()
    }
}

/// Groups procedural scenes by kind, which their names begin with; empty for other pictures.
pub fn by_kind(pictures: &[(String, ImageScores)]) -> BTreeMap<String, SetSummary> {
    let mut groups: BTreeMap<String, Vec<(String, ImageScores)>> = BTreeMap::new();
    for (name, scores) in pictures {
        let kind =
            SceneKind::ALL.iter().map(|kind| format!("{kind}_")).find(|kind| name.starts_with(kind.as_str()));
        if let Some(kind) = kind {
            groups
                .entry(kind.trim_end_matches('_').to_owned())
                .or_default()
                .push((name.clone(), scores.clone()));
        }
    }
    groups.iter().map(|(kind, group)| (kind.clone(), SetSummary::of(group))).collect()
}

/// `mean ± deviation` of some runs, with three decimals; the deviation is the sample's, of n − 1 degrees of freedom.
pub fn mean_and_deviation(values: &[f64]) -> String {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let mean = if mean.abs() < 5e-4 { 0.0 } else { mean }; // no -0.000
    let deviation = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)).sqrt();
    format!("{mean:.3} ± {deviation:.3}")
}
