//! X is no stochastic matrix, but what its rows sum to on average is known exactly in the official preset: there the
//! sums of all entries obey Σ S_r·X·S_dᵀ = Σ X, because S = Pᵀ has columns that sum to 1. Y contributes 2N, so the
//! average m of a row sum goes as m ← α·m + 2(1−α): from 1 (the identity) it reaches 2 − αᵀ, and 2 is its fixed point.

use crate::helpers::{cross_affinities, modalities};
use autograd::{Tensor, Var};
use cda::{CdaConfig, Start, Steps, affinity};

const SHAPE: [usize; 4] = [2, 3, 7, 4];

/// Average row sum of X of every batch and head, `[B·H]`.
fn mean_row_sums(x: &Var<f64>) -> Tensor<f64> {
    let n = x.size(-1);
    x.sum(&[-2, -1], false).mul_scalar(1.0 / n as f64).reshape(&[-1]).value().clone()
}

#[track_caller]
fn assert_mean_row_sums(config: &CdaConfig, expected: f64) {
    let (r, d) = modalities(SHAPE);
    let x = cross_affinities(&r, &d, config);
    for mean in [mean_row_sums(&x.rd), mean_row_sums(&x.dr)].iter().flat_map(Tensor::as_slice) {
        assert!((mean - expected).abs() < 1e-12, "{config:?}: row sums average {mean}, not {expected}");
    }
}

#[test]
fn rows_average_two_minus_alpha_to_the_number_of_steps() {
    for alpha in [0.0, 0.3, 0.6, 0.9, 1.0] {
        for steps in [1, 2, 3, 5] {
            let config = CdaConfig { alpha, steps: Steps::Finite(steps), ..CdaConfig::default() };
            assert_mean_row_sums(&config, 2.0 - alpha.powi(steps as i32));
        }
    }
}

#[test]
fn rows_average_two_at_the_fixed_point() {
    for alpha in [0.0, 0.3, 0.6, 0.9, 0.99] {
        assert_mean_row_sums(&CdaConfig { alpha, steps: Steps::Infinite, ..CdaConfig::default() }, 2.0);
    }
}

#[test]
fn rows_average_two_throughout_if_the_diffusion_starts_at_y() {
    for steps in [1, 2, 5] {
        let config = CdaConfig { init: Start::Affinity, steps: Steps::Finite(steps), ..CdaConfig::default() };
        assert_mean_row_sums(&config, 2.0);
    }
}

/// A single row of the released X_rd sums to α·c + 2(1−α), where c is that token's column sum in P_r.
#[test]
fn one_row_sums_to_its_tokens_share_of_attention() {
    let (r, d) = modalities(SHAPE);
    let rows = cross_affinities(&r, &d, &CdaConfig::default()).rd.sum(&[-1], false); // [B, H, N]
    let columns = affinity(&r).sum(&[-2], false); // [B, H, N]
    for (row, c) in rows.value().as_slice().iter().zip(columns.value().as_slice()) {
        assert!((row - (0.6 * c + 0.8)).abs() < 1e-12, "{row} {c}");
    }
}
