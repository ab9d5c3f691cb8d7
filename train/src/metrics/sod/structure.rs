//! S-measure: does the prediction have the structure of the truth? (Fan et al., ICCV 2017.)

use std::ops::Range;

use super::pair::Pair;
use super::{EPS, sum};

/// Weight of the object-aware half; the region-aware half gets the rest.
const ALPHA: f64 = 0.5;

/// S = max(0, α S_object + (1 − α) S_region); against an empty or a full truth, how empty or full the
/// prediction is.
pub(super) fn s_measure(pair: &Pair) -> f64 {
    if pair.foreground == 0 {
        1.0 - sum::mean(&pair.pred)
    } else if pair.foreground == pair.pixels() {
        sum::mean(&pair.pred)
    } else {
        (ALPHA * object_score(pair) + (1.0 - ALPHA) * region_score(pair)).max(0.0)
    }
}

/// S_object = y O(p on the object) + (1 − y) O(1 − p off the object), y the object's share of the picture.
fn object_score(pair: &Pair) -> f64 {
    let share = pair.foreground as f64 / pair.pixels() as f64;
    let mut on = Vec::with_capacity(pair.foreground);
    let mut off = Vec::with_capacity(pair.pixels() - pair.foreground);
    for (&p, &g) in pair.pred.iter().zip(&pair.truth) {
        if g { on.push(p) } else { off.push(1.0 - p) }
    }
    share * uniformly_bright(&on) + (1.0 - share) * uniformly_bright(&off)
}

/// O(x) = 2 m / (m² + 1 + σ): 1 where all x are 1, less where they are darker or uneven.
/// m is the mean and σ the standard deviation with n − 1 (0 for a single pixel).
fn uniformly_bright(x: &[f64]) -> f64 {
    let m = sum::mean(x);
    let squares = x.iter().map(|v| (v - m).powi(2)).sum::<f64>();
    let sigma = if x.len() > 1 { (squares / (x.len() as f64 - 1.0)).sqrt() } else { 0.0 };
    2.0 * m / (m * m + 1.0 + sigma + EPS)
}

/// The picture is cut into four blocks at the truth's centroid; their similarities are averaged, weighted
/// by area.
fn region_score(pair: &Pair) -> f64 {
    let (cy, cx) = centroid(pair);
    let (h, w) = (pair.height, pair.width);
    let area = pair.pixels() as f64;
    let top_left = (cy * cx) as f64 / area;
    let top_right = (cy * (w - cx)) as f64 / area;
    let bottom_left = ((h - cy) * cx) as f64 / area;
    let bottom_right = 1.0 - top_left - top_right - bottom_left;
    top_left * block_similarity(pair, 0..cy, 0..cx)
        + top_right * block_similarity(pair, 0..cy, cx..w)
        + bottom_left * block_similarity(pair, cy..h, 0..cx)
        + bottom_right * block_similarity(pair, cy..h, cx..w)
}

/// Where to cut: after the row and the column of the foreground's mean position, rounded half to even.
fn centroid(pair: &Pair) -> (usize, usize) {
    let (mut rows, mut columns) = (0, 0);
    for (i, _) in pair.truth.iter().enumerate().filter(|&(_, &g)| g) {
        rows += i / pair.width;
        columns += i % pair.width;
    }
    let cut = |total: usize| (total as f64 / pair.foreground as f64).round_ties_even() as usize + 1;
    (cut(rows), cut(columns))
}

/// Similarity of prediction x and truth y in one block (the SSIM index without its constants):
/// 4 x̄ ȳ σ_xy / ((x̄² + ȳ²)(σ_x² + σ_y²)), 1 if both are flat, and 0 in an empty block.
fn block_similarity(pair: &Pair, rows: Range<usize>, columns: Range<usize>) -> f64 {
    if rows.is_empty() || columns.is_empty() {
        return 0.0; // The reference divides by zero here, and the picture's score becomes NaN.
    }
    let mut x = Vec::with_capacity(rows.len() * columns.len());
    let mut y = Vec::with_capacity(rows.len() * columns.len());
    for row in rows {
        let line = row * pair.width + columns.start..row * pair.width + columns.end;
        x.extend_from_slice(&pair.pred[line.clone()]);
        y.extend(pair.truth[line].iter().map(|&g| f64::from(u8::from(g))));
    }
    // Whether a block is flat hangs on the last bit of its mean: see `sum`.
    let x_mean = sum::block_mean(&x, columns.len());
    let y_mean = sum::block_mean(&y, columns.len());
    let (mut x_var, mut y_var, mut covariance) = (0.0, 0.0, 0.0);
    for (x, y) in x.iter().zip(&y) {
        let (dx, dy) = (x - x_mean, y - y_mean);
        x_var += dx * dx;
        y_var += dy * dy;
        covariance += dx * dy;
    }
    let n = x.len() as f64 - 1.0 + EPS;
    let alike = 4.0 * x_mean * y_mean * (covariance / n);
    let most = (x_mean * x_mean + y_mean * y_mean) * (x_var / n + y_var / n);
    if alike != 0.0 {
        alike / (most + EPS)
    } else if most == 0.0 {
        1.0
    } else {
        0.0
    }
}
