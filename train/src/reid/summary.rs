//! The numbers a re-identification run ends with.

use crate::metrics::reid::ReidScores;
use serde::Serialize;

/// The final numbers of a run; serialised as `summary.json`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ReidSummary {
    /// Of the test set's queries in its gallery.
    #[serde(flatten)]
    pub scores: ReidScores,
    /// Seconds of training and evaluation in this process.
    pub seconds: f64,
    /// Largest resident set in MiB, where the system tells.
    pub peak_mb: Option<f64>,
}
