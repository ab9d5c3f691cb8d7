//! Every combination of switches runs and has the right gradients, and every switch does what it says.

use crate::helpers::{
    assert_close, assert_gradients, cda_of, cross_affinities, distance, every_config, inputs_of, modalities,
    modalities_of,
};
use autograd::{Tensor, Var};
use cda::{Affinity, CdaConfig, Norm, Preset, Start, Steps, affinity};

#[test]
fn every_combination_has_the_gradients_of_central_differences() {
    let (r, d) = modalities([1, 2, 3, 2]);
    for config in every_config() {
        assert_gradients(&format!("{config:?}"), &inputs_of(&r, &d), |x| {
            let (r, d) = modalities_of(x);
            cda_of(&r, &d, &config)
        });
    }
}

/// A switch that nobody reads would go unnoticed above.
#[test]
fn every_switch_changes_the_result() {
    let (r, d) = modalities([1, 2, 5, 3]);
    let base = CdaConfig { steps: Steps::Finite(2), ..CdaConfig::default() };
    let before = cda_of(&r, &d, &base);
    for changed in [
        CdaConfig { preset: Preset::Paper, ..base },
        CdaConfig { affinity: Affinity::Cross, ..base },
        CdaConfig { steps: Steps::Finite(3), ..base },
        CdaConfig { steps: Steps::Infinite, ..base },
        CdaConfig { init: Start::Affinity, ..base },
        CdaConfig { alpha: 0.7, ..base },
        CdaConfig { norm: Norm::Degree, ..base },
        CdaConfig { renormalise_rows: true, ..base },
    ] {
        let moved = distance(before.value(), cda_of(&r, &d, &changed).value());
        assert!(moved > 1e-3, "{changed:?}: moved by {moved:e} only");
    }
}

#[test]
fn renormalised_rows_sum_to_one() {
    let (r, d) = modalities([2, 2, 5, 3]);
    for config in every_config().into_iter().filter(|config| config.renormalise_rows) {
        let x = cross_affinities(&r, &d, &config);
        for sum in [&x.rd, &x.dr].map(|x| x.sum(&[-1], false)) {
            assert_close(&format!("{config:?}"), sum.value(), &Tensor::ones(sum.shape()), 1e-14);
        }
    }
}

/// Renormalising comes once, after the last step: the rows keep their proportions.
#[test]
fn renormalising_divides_the_last_x_by_its_row_sums() {
    let (r, d) = modalities([2, 2, 5, 3]);
    let plain = CdaConfig { steps: Steps::Finite(3), ..CdaConfig::default() };
    let renormalised = CdaConfig { renormalise_rows: true, ..plain };
    let x = cross_affinities(&r, &d, &plain).rd;
    let expected = x.div(&x.sum(&[-1], true));
    assert_close("X_rd", cross_affinities(&r, &d, &renormalised).rd.value(), expected.value(), 1e-15);
}

/// S[i][j] = P[i][j]/√(row sum i · column sum j), by loops.
fn degree_normalised(p: &Tensor<f64>) -> Tensor<f64> {
    let n = p.size(-1);
    let at = |head: usize, i: usize, j: usize| p.as_slice()[(head * n + i) * n + j];
    Tensor::from_fn(p.shape(), |e| {
        let (head, i, j) = (e / (n * n), e / n % n, e % n);
        let row: f64 = (0..n).map(|j| at(head, i, j)).sum();
        let column: f64 = (0..n).map(|i| at(head, i, j)).sum();
        at(head, i, j) / (row * column).sqrt()
    })
}

/// One step from the identity is α·S_r·S_dᵀ + (1−α)·Y; only S is normalised, Y is not.
#[test]
fn degrees_normalise_s_and_not_y() {
    let (r, d) = modalities([2, 2, 5, 3]);
    let (p_r, p_d) = (affinity(&r), affinity(&d));
    let y = p_r.add(&p_d).mul_scalar(0.4);
    let [n_r, n_d] = [&p_r, &p_d].map(|p| Var::constant(degree_normalised(p.value())));
    for (preset, product) in [
        (Preset::Official, n_r.matmul_with(true, &n_d, false, 0.6)), // S = Pᵀ
        (Preset::Paper, n_r.matmul_with(false, &n_d, true, 0.6)),    // S = P
    ] {
        let config = CdaConfig { norm: Norm::Degree, ..CdaConfig::preset(preset) };
        let ours = cross_affinities(&r, &d, &config).rd;
        assert_close(&format!("{preset:?}"), ours.value(), product.add(&y).value(), 1e-14);
    }
}

#[test]
fn the_presets_take_their_values_from_opposite_sides() {
    let (r, d) = modalities([1, 2, 5, 3]);
    for (preset, of_rd, of_dr) in [(Preset::Official, &d, &r), (Preset::Paper, &r, &d)] {
        let config = CdaConfig::preset(preset);
        let x = cross_affinities(&r, &d, &config);
        let mixed = cda::cross_diffusion_attention(&r, &d, &config, Var::clone);
        assert_close("U_rd", mixed.u_rd.value(), x.rd.matmul(&of_rd.v).value(), 1e-15);
        assert_close("U_dr", mixed.u_dr.value(), x.dr.matmul(&of_dr.v).value(), 1e-15);
    }
}
