//! The kinds of fusion against the formulas they stand for.

use crate::helpers::{assert_close, distance, modalities, side_by_side};
use autograd::{Ctx, Params, Tensor, Var};
use cda::{
    Affinity, BlockConfig, CdaConfig, Fusion, FusionKind, MutualFormerBlock, Preset, Qkv, Start, Steps,
    cross_diffusion_attention,
};

const SHAPE: [usize; 4] = [2, 2, 5, 3];

const KINDS: [FusionKind; 6] = [
    FusionKind::Cda,
    FusionKind::CdaPaper,
    FusionKind::Ca,
    FusionKind::CaCda,
    FusionKind::Concat,
    FusionKind::Sum,
];

fn fusion(kind: FusionKind) -> Fusion {
    Fusion { kind, cda: CdaConfig { alpha: 0.7, steps: Steps::Finite(2), ..CdaConfig::default() } }
}

fn mixed(kind: FusionKind) -> Var<f64> {
    let (r, d) = modalities(SHAPE);
    side_by_side(&fusion(kind).mix(&r, &d, Var::clone))
}

/// softmax(Q·Kᵀ/√d)·V.
fn attention(queries: &Qkv<f64>, keys: &Qkv<f64>) -> Var<f64> {
    let scale = 1.0 / (SHAPE[3] as f64).sqrt();
    queries.q.matmul_t(&keys.k).mul_scalar(scale).softmax(-1).matmul(&keys.v)
}

#[test]
fn every_kind_has_the_self_attentions() {
    let (r, d) = modalities(SHAPE);
    for kind in KINDS {
        let mixed = fusion(kind).mix(&r, &d, Var::clone);
        assert_close(&format!("{kind:?} o_r"), mixed.o_r.value(), attention(&r, &r).value(), 1e-15);
        assert_close(&format!("{kind:?} o_d"), mixed.o_d.value(), attention(&d, &d).value(), 1e-15);
    }
}

#[test]
fn ca_reads_the_other_modality() {
    let (r, d) = modalities(SHAPE);
    let mixed = fusion(FusionKind::Ca).mix(&r, &d, Var::clone);
    assert_close("U_rd", mixed.u_rd.value(), attention(&r, &d).value(), 1e-15);
    assert_close("U_dr", mixed.u_dr.value(), attention(&d, &r).value(), 1e-15);
}

/// Diffusion that does not diffuse, α = 0, gives back its Y: cross-attention.
#[test]
fn ca_cda_at_alpha_zero_is_ca() {
    let (r, d) = modalities(SHAPE);
    let cda = CdaConfig { alpha: 0.0, ..CdaConfig::default() };
    let post = Fusion { kind: FusionKind::CaCda, cda }.mix(&r, &d, Var::clone);
    assert_close("alpha 0", side_by_side(&post).value(), mixed(FusionKind::Ca).value(), 1e-15);
}

#[test]
fn ca_cda_is_cda_with_the_cross_affinity_as_source_and_start() {
    let (r, d) = modalities(SHAPE);
    let cda = fusion(FusionKind::CaCda).cda;
    let config = CdaConfig { affinity: Affinity::Cross, init: Start::Affinity, ..cda };
    let expected = side_by_side(&cross_diffusion_attention(&r, &d, &config, Var::clone));
    assert_close("ca+cda", mixed(FusionKind::CaCda).value(), expected.value(), 0.0);
}

#[test]
fn cda_paper_is_cda_with_the_other_preset() {
    let (r, d) = modalities(SHAPE);
    for (kind, preset) in [(FusionKind::Cda, Preset::Official), (FusionKind::CdaPaper, Preset::Paper)] {
        let config = CdaConfig { preset, ..fusion(kind).cda };
        let expected = side_by_side(&cross_diffusion_attention(&r, &d, &config, Var::clone));
        assert_close(&format!("{kind:?}"), mixed(kind).value(), expected.value(), 0.0);
    }
}

#[test]
fn concat_shows_each_side_the_other_self_attention() {
    let (r, d) = modalities(SHAPE);
    let mixed = fusion(FusionKind::Concat).mix(&r, &d, Var::clone);
    assert_close("U_rd", mixed.u_rd.value(), attention(&d, &d).value(), 1e-15);
    assert_close("U_dr", mixed.u_dr.value(), attention(&r, &r).value(), 1e-15);
}

#[test]
fn sum_shows_both_sides_the_sum() {
    let (r, d) = modalities(SHAPE);
    let mixed = fusion(FusionKind::Sum).mix(&r, &d, Var::clone);
    let sum = attention(&r, &r).add(&attention(&d, &d));
    assert_close("U_rd", mixed.u_rd.value(), sum.value(), 1e-15);
    assert_close("U_dr", mixed.u_dr.value(), sum.value(), 1e-15);
}

#[test]
fn no_two_kinds_are_the_same() {
    for (i, &a) in KINDS.iter().enumerate() {
        for &b in &KINDS[..i] {
            assert!(distance(mixed(a).value(), mixed(b).value()) > 1e-3, "{a:?} and {b:?}");
        }
    }
}

/// Whatever fills U, the block has the same parameters: an experiment that swaps one word compares equals.
#[test]
fn every_kind_fits_the_same_block() {
    let outputs = KINDS.map(|kind| {
        let config = BlockConfig { fusion: fusion(kind), ..BlockConfig::new(6, 2) };
        let (params, block) = Params::<f64>::build(1, |scope| MutualFormerBlock::new(scope, config));
        assert_eq!(params.num_learned(), 24 * 36 + 17 * 6);
        let ctx = Ctx::eval(&params);
        let (x, x_rd) = (ctx.input(Tensor::ones(&[1, 4, 12])), ctx.input(Tensor::ones(&[1, 4, 6])));
        block.unwrap().forward(&ctx, &x, &x_rd).shape().to_vec()
    });
    assert!(outputs.iter().all(|shape| shape == &[1, 4, 6]));
}
