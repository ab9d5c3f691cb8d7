//! Weighted F-measure: errors count by where they are (Margolin et al., "How to evaluate foreground
//! maps?", CVPR 2014).

use super::EPS;
use super::nearest::nearest_foreground;
use super::pair::Pair;

/// Half the width of the 7 × 7 smoothing window.
const REACH: usize = 3;
/// Standard deviation of the smoothing window, in pixels.
const SIGMA: f64 = 5.0;
/// Pixels off the object over which a false alarm's extra weight grows halfway from 0 to 1.
const HALFWAY: f64 = 5.0;

/// F with β = 1 from weighted counts; 0 if there is no foreground.
///
/// On the object, an error is excused as far as its neighbourhood is right (errors are smoothed, and the
/// smaller of both counts). Off the object, an error weighs 2 − exp(ln(½) d / 5), between 1 and 2, the more
/// the farther away the object is.
pub(super) fn weighted_f(pair: &Pair) -> f64 {
    if pair.foreground == 0 {
        return 0.0;
    }
    let nearest = nearest_foreground(&pair.truth, pair.height, pair.width);
    let error: Vec<f64> =
        pair.pred.iter().zip(&pair.truth).map(|(&p, &g)| if g { 1.0 - p } else { p }).collect();
    // Off the object the smoothing sees the error at the object's edge, so that it does not blur across.
    let extended: Vec<f64> = nearest.iter().map(|&i| error[i]).collect();
    let smoothed = smooth(&extended, pair.height, pair.width);

    let (mut missed, mut false_alarms) = (0.0, 0.0);
    for (i, &e) in error.iter().enumerate() {
        if pair.truth[i] {
            missed += e.min(smoothed[i]);
        } else {
            let distance = (square_distance(i, nearest[i], pair.width) as f64).sqrt();
            false_alarms += e * (2.0 - (0.5_f64.ln() / HALFWAY * distance).exp());
        }
    }
    let foreground = pair.foreground as f64;
    let hits = foreground - missed;
    let recall = 1.0 - missed / foreground;
    let precision = hits / (hits + false_alarms + EPS);
    2.0 * recall * precision / (recall + precision + EPS)
}

fn square_distance(a: usize, b: usize, width: usize) -> usize {
    (a / width).abs_diff(b / width).pow(2) + (a % width).abs_diff(b % width).pow(2)
}

/// Gaussian smoothing, zero outside the picture. exp(−(x² + y²)/2σ²) is a product, so the 7 × 7 window is
/// a row of seven applied along both axes.
fn smooth(values: &[f64], height: usize, width: usize) -> Vec<f64> {
    let bell = |offset: usize| (-(offset as f64 - REACH as f64).powi(2) / (2.0 * SIGMA * SIGMA)).exp();
    let total: f64 = (0..=2 * REACH).map(bell).sum();
    let window: [f64; 2 * REACH + 1] = std::array::from_fn(|offset| bell(offset) / total);

    let mut along_rows = vec![0.0; values.len()];
    for (line, smoothed) in values.chunks(width).zip(along_rows.chunks_mut(width)) {
        for (column, value) in smoothed.iter_mut().enumerate() {
            for source in column.saturating_sub(REACH)..(column + REACH + 1).min(width) {
                *value += window[source + REACH - column] * line[source];
            }
        }
    }
    let mut along_both = vec![0.0; values.len()];
    for (row, smoothed) in along_both.chunks_mut(width).enumerate() {
        for source in row.saturating_sub(REACH)..(row + REACH + 1).min(height) {
            let weight = window[source + REACH - row];
            for (value, &v) in smoothed.iter_mut().zip(&along_rows[source * width..][..width]) {
                *value += weight * v;
            }
        }
    }
    along_both
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_keeps_a_constant_inside_and_darkens_the_border() {
        let smoothed = smooth(&[1.0; 81], 9, 9);
        assert!((smoothed[4 * 9 + 4] - 1.0).abs() < 1e-15, "{}", smoothed[4 * 9 + 4]);
        assert!(smoothed[0] < 0.4, "{}", smoothed[0]);
    }

    #[test]
    fn one_bright_pixel_spreads_as_the_window() {
        let mut values = vec![0.0; 11 * 13];
        values[5 * 13 + 6] = 1.0;
        let smoothed = smooth(&values, 11, 13);
        let ratio = smoothed[2 * 13 + 4] / smoothed[5 * 13 + 6];
        assert!((ratio - (-(9.0 + 4.0) / 50.0_f64).exp()).abs() < 1e-15, "{ratio}");
        assert_eq!(smoothed[5 * 13 + 10], 0.0, "four pixels away is out of reach");
    }
}
