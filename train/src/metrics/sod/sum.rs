//! Sums that round as NumPy's do.
//!
//! Two measures compare a mean with the values it was made of: the adaptive threshold (is a pixel at least
//! twice the mean?) and the S-measure (is a block flat?). There the last bit of the sum decides, and to
//! agree with the reference on such a tie the terms must be added in the reference's order. The order is
//! a good one anyway: its rounding error grows with log n, a running total's with n.

/// Runs up to this long are added directly, longer ones are halved.
const RUN: usize = 128;
/// Independent partial sums within a run.
const LANES: usize = 8;
/// Rows of a block that is not contiguous in memory are added in groups of at most this many values
/// (NumPy 2; NumPy 1 cut in the middle of a row).
const BUFFER: usize = 8192;

/// Mean of contiguous values.
pub(super) fn mean(values: &[f64]) -> f64 {
    pairwise_sum(values) / values.len() as f64
}

/// Mean of a block cut out of a picture, its values row by row, `width` in each row.
pub(super) fn block_mean(values: &[f64], width: usize) -> f64 {
    let rows = (BUFFER / width).max(1);
    values.chunks(rows * width).map(pairwise_sum).sum::<f64>() / values.len() as f64
}

/// Pairwise summation: sum(halves) until the halves are short, then eight interleaved running totals.
fn pairwise_sum(values: &[f64]) -> f64 {
    if values.len() > RUN {
        let half = values.len() / 2;
        let (left, right) = values.split_at(half - half % LANES);
        return pairwise_sum(left) + pairwise_sum(right);
    }
    let (groups, rest) = values.as_chunks::<LANES>();
    let mut lane = [0.0; LANES];
    for group in groups {
        for (total, &value) in lane.iter_mut().zip(group) {
            *total += value;
        }
    }
    let paired = ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
    rest.iter().fold(paired, |total, &value| total + value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_added_once() {
        for n in [1, 7, 8, 9, 127, 128, 129, 137, 1000, 20_000] {
            let values: Vec<f64> = (1..=n).map(f64::from).collect();
            assert_eq!(mean(&values), f64::from(n + 1) / 2.0, "1..={n}");
            assert_eq!(block_mean(&values, 1), f64::from(n + 1) / 2.0, "1..={n} as a block");
        }
    }

    /// For which n NumPy answers True to `numpy.full(n, 77 / 255).mean() == 77 / 255`.
    #[test]
    fn the_mean_of_equal_values_rounds_as_in_numpy() {
        let c = 77.0 / 255.0;
        let exact: Vec<usize> = (1..=40).filter(|&n| mean(&vec![c; n]) == c).collect();
        assert_eq!(exact, [1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 18, 19, 24, 25, 27, 28, 32, 33, 40]);
    }
}
