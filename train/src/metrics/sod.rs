//! How good is a saliency map? The measures every paper on salient object detection reports.
//!
//! | key | measure | source |
//! |---|---|---|
//! | `S` | structure measure, alpha 0.5 | Fan et al., ICCV 2017 |
//! | `MAE` | mean absolute error | Perazzi et al., CVPR 2012 |
//! | `adpF` `meanF` `maxF` | F-measure, beta² = 0.3 | Achanta et al., CVPR 2009 |
//! | `adpE` `meanE` `maxE` | enhanced-alignment measure | Fan et al., IJCAI 2018 |
//! | `wF` | weighted F-measure, beta² = 1 | Margolin et al., CVPR 2014 |
//!
//! The papers leave room for choices (when is a mask pixel foreground? what of an empty mask?), and each
//! choice moves the third digit. Here every choice is the one of PySODMetrics 1.6.2, the evaluator that
//! current papers use, so that the numbers can be compared with theirs. Everything is computed in `f64`.
//!
//! Two conventions surprise everybody once. The E-measure divides by N − 1, so a perfect map of 8 × 8
//! pixels scores 64/63. And a picture whose mask is empty has F = 0 however good the prediction is.

mod curves;
mod nearest;
mod pair;
mod structure;
mod sum;
mod weighted_f;

use serde::Serialize;

use curves::{Detected, e_measure, f_measure};
use pair::Pair;

/// Thresholds of a curve: one for every value of a byte.
pub const THRESHOLDS: usize = 256;

/// PySODMetrics' guard against division by zero: `numpy.spacing(1)`.
const EPS: f64 = f64::EPSILON;

/// The nine numbers, of one picture or of a whole set; serialised under their usual names.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// Structure measure.
    #[serde(rename = "S")]
    pub structure: f64,
    /// Mean absolute error: the only one of the nine where less is better.
    #[serde(rename = "MAE")]
    pub mae: f64,
    /// F-measure at the adaptive threshold, twice the mean prediction.
    #[serde(rename = "adpF")]
    pub adaptive_f: f64,
    /// F-measure averaged over the thresholds.
    #[serde(rename = "meanF")]
    pub mean_f: f64,
    /// F-measure at the best threshold.
    #[serde(rename = "maxF")]
    pub max_f: f64,
    /// E-measure at the adaptive threshold.
    #[serde(rename = "adpE")]
    pub adaptive_e: f64,
    /// E-measure averaged over the thresholds.
    #[serde(rename = "meanE")]
    pub mean_e: f64,
    /// E-measure at the best threshold.
    #[serde(rename = "maxE")]
    pub max_e: f64,
    /// Weighted F-measure.
    #[serde(rename = "wF")]
    pub weighted_f: f64,
}

/// Precision, recall, F and E at every threshold t = 0, 1, …, 255: a pixel counts as detected where its
/// prediction, scaled to 0..=255, is at least t.
#[derive(Clone, Debug, PartialEq)]
pub struct Curves {
    /// Share of the detected pixels that are foreground.
    pub precision: [f64; THRESHOLDS],
    /// Share of the foreground that is detected.
    pub recall: [f64; THRESHOLDS],
    /// F-measure.
    pub f: [f64; THRESHOLDS],
    /// E-measure.
    pub e: [f64; THRESHOLDS],
}

/// What one picture scores.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ImageScores {
    /// The numbers.
    #[serde(flatten)]
    pub scores: Scores,
    /// The curves behind them.
    #[serde(skip)]
    pub curves: Curves,
}

/// What a set of pictures scores.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SetScores {
    /// How many pictures were averaged.
    pub images: usize,
    /// The numbers; `mean…` and `max…` are taken from the averaged curves.
    #[serde(flatten)]
    pub scores: Scores,
    /// The averaged curves.
    #[serde(skip)]
    pub curves: Curves,
}

/// Scores the grey picture `pred` against the grey picture `mask`, both row by row.
///
/// A mask pixel is foreground above 128. The prediction is stretched to fill [0, 1] unless it is constant.
///
/// Where the reference yields NaN this yields a number: if the foreground's centroid falls into the last
/// row or column, one or more of the S-measure's four blocks are empty, and an empty block counts nothing.
///
/// # Panics
/// If a picture is empty or its length is not `height * width`.
pub fn score_image(pred: &[u8], mask: &[u8], height: usize, width: usize) -> ImageScores {
    let pair = Pair::new(pred, mask, height, width);
    let adaptive = Detected::at_adaptive_threshold(&pair);
    let curves = Curves::of(&pair);
    let scores = Scores {
        structure: structure::s_measure(&pair),
        mae: mean_absolute_error(&pair),
        adaptive_f: f_measure(adaptive, &pair),
        mean_f: mean(&curves.f),
        max_f: max(&curves.f),
        adaptive_e: e_measure(adaptive, &pair),
        mean_e: mean(&curves.e),
        max_e: max(&curves.e),
        weighted_f: weighted_f::weighted_f(&pair),
    };
    ImageScores { scores, curves }
}

/// Scores a network's output and its truth, both in [0, 1], exactly as if both had been saved as PNG
/// and scored from the files: validation during training and scoring afterwards agree to the last bit.
///
/// # Panics
/// As [`score_image`].
pub fn score_prediction(pred: &[f32], mask: &[f32], height: usize, width: usize) -> ImageScores {
    let bytes = |values: &[f32]| values.iter().map(|&v| quantise(v)).collect::<Vec<u8>>();
    score_image(&bytes(pred), &bytes(mask), height, width)
}

/// The byte that stands for `p` in a saved picture: 255 p, rounded, limited to 0..=255 (NaN gives 0).
pub fn quantise(p: f32) -> u8 {
    // `as` saturates, and turns NaN into 0.
    (255.0 * p).round() as u8
}

impl SetScores {
    /// Averages over pictures, in their order, so that the sums do not depend on who computed them.
    ///
    /// Curves are averaged first; their mean and maximum are taken after. The maximum is therefore the
    /// score at the one threshold that is best for the set, not the average of every picture's best.
    ///
    /// # Panics
    /// If there are no pictures.
    pub fn average(images: &[ImageScores]) -> SetScores {
        assert!(!images.is_empty(), "there are no scores to average");
        let number = |of: fn(&Scores) -> f64| {
            images.iter().map(|image| of(&image.scores)).sum::<f64>() / images.len() as f64
        };
        let curve = |of: fn(&Curves) -> &[f64; THRESHOLDS]| {
            std::array::from_fn(|t| {
                images.iter().map(|image| of(&image.curves)[t]).sum::<f64>() / images.len() as f64
            })
        };
        let curves = Curves {
            precision: curve(|c| &c.precision),
            recall: curve(|c| &c.recall),
            f: curve(|c| &c.f),
            e: curve(|c| &c.e),
        };
        let scores = Scores {
            structure: number(|s| s.structure),
            mae: number(|s| s.mae),
            adaptive_f: number(|s| s.adaptive_f),
            mean_f: mean(&curves.f),
            max_f: max(&curves.f),
            adaptive_e: number(|s| s.adaptive_e),
            mean_e: mean(&curves.e),
            max_e: max(&curves.e),
            weighted_f: number(|s| s.weighted_f),
        };
        SetScores { images: images.len(), scores, curves }
    }
}

/// MAE = mean |p − g|.
fn mean_absolute_error(pair: &Pair) -> f64 {
    let errors = pair.pred.iter().zip(&pair.truth).map(|(&p, &g)| (p - f64::from(u8::from(g))).abs());
    errors.sum::<f64>() / pair.pixels() as f64
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn max(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}
