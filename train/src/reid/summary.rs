//! The numbers a re-identification run ends with.

use crate::metrics::reid::ReidScores;
use serde::Serialize;
use std::fmt;

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

impl fmt::Display for ReidScores {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let ReidScores { mean_ap, rank1, rank5, rank10, mean_inp, .. } = self;
        write!(
            f,
            "mAP {mean_ap:.3}, rank-1 {rank1:.3}, rank-5 {rank5:.3}, rank-10 {rank10:.3}, mINP {mean_inp:.3}"
        )
    }
}
