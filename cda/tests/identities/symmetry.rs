//! What CDA does not see: the order of the tokens, and the basis in which a modality's queries and keys are written.

use crate::helpers::{assert_close, cda_of, distance, every_config, modalities, random, side_by_side};
use autograd::{Ctx, Indices, Params, Var};
use cda::{Affinity, BlockConfig, CdaConfig, Fusion, FusionKind, MutualFormerBlock, Preset, Qkv, Steps};

/// One modality after the same change of its queries, keys and values.
fn each(qkv: &Qkv<f64>, change: impl Fn(&Var<f64>) -> Var<f64>) -> Qkv<f64> {
    Qkv { q: change(&qkv.q), k: change(&qkv.k), v: change(&qkv.v) }
}

/// The tokens (last axis but one) in another order.
fn permuted(x: &Var<f64>) -> Var<f64> {
    x.index_select(-2, &Indices::new(vec![3, 0, 5, 1, 4, 2], &[6]))
}

#[test]
fn permuted_tokens_give_permuted_outputs() {
    let (r, d) = modalities([2, 2, 6, 3]);
    for config in every_config() {
        let expected = permuted(&cda_of(&r, &d, &config));
        let ours = cda_of(&each(&r, permuted), &each(&d, permuted), &config);
        assert_close(&format!("{config:?}"), ours.value(), expected.value(), 1e-13);
        // Tokens of the two modalities belong together: permuting one of them is another picture.
        let torn = cda_of(&each(&r, permuted), &d, &config);
        assert!(distance(torn.value(), expected.value()) > 1e-2, "{config:?}");
    }
}

#[test]
fn the_block_permutes_with_its_tokens_too() {
    let (params, block) = Params::build(1, |scope| MutualFormerBlock::new(scope, BlockConfig::new(8, 2)));
    let block = block.unwrap();
    let ctx = Ctx::eval(&params);
    let (x, x_rd) = (Var::constant(random("x", &[2, 6, 16])), Var::constant(random("x_rd", &[2, 6, 8])));
    let expected = permuted(&block.forward(&ctx, &x, &x_rd));
    let ours = block.forward(&ctx, &permuted(&x), &permuted(&x_rd));
    assert_close("block", ours.value(), expected.value(), 1e-13);
}

/// x − 2(x·u)u/|u|² for every row x: a reflection at a random hyperplane, which is an orthogonal map.
fn reflected(x: &Var<f64>, plane: &str) -> Var<f64> {
    let d = x.size(-1);
    let u = Var::constant(random(plane, &[d, 1]));
    let along = x.matmul(&u).div(&u.mul(&u).sum_all()); // [B, H, N, 1]
    x.sub(&along.matmul(&u.with_shape(&[1, d])).mul_scalar(2.0))
}

/// One rotation (two reflections) of a modality's queries and keys; the values stay.
fn rotated(qkv: &Qkv<f64>) -> Qkv<f64> {
    let turn = |x: &Var<f64>| reflected(&reflected(x, "first plane"), "second plane");
    Qkv { q: turn(&qkv.q), k: turn(&qkv.k), v: qkv.v.clone() }
}

/// How far the outputs move when one modality's queries and keys are rotated.
fn effect_of_rotation(output: impl Fn(&Qkv<f64>, &Qkv<f64>) -> Var<f64>) -> [f64; 2] {
    let (r, d) = modalities([2, 2, 6, 4]);
    let before = output(&r, &d);
    let moved = |after: Var<f64>| distance(before.value(), after.value());
    [moved(output(&rotated(&r), &d)), moved(output(&r, &rotated(&d)))]
}

#[test]
fn rotated_queries_and_keys_leave_cda_as_it_is() {
    for config in every_config().iter().filter(|config| config.affinity == Affinity::Intra) {
        for moved in effect_of_rotation(|r, d| cda_of(r, d, config)) {
            assert!(moved < 1e-13, "{config:?}: moved by {moved:e}");
        }
    }
}

#[test]
fn rotated_queries_and_keys_change_cross_attention() {
    for kind in [FusionKind::Ca, FusionKind::CaCda] {
        let fusion = Fusion { kind, ..Fusion::default() };
        for moved in effect_of_rotation(|r, d| side_by_side(&fusion.mix(r, d, Var::clone))) {
            assert!(moved > 1e-2, "{kind:?}: moved by {moved:e} only");
        }
    }
}

/// The map must be the same for queries and keys; CDA does see a change of the keys alone.
#[test]
fn rotated_keys_alone_change_cda() {
    let config = CdaConfig { steps: Steps::Infinite, ..CdaConfig::preset(Preset::Paper) };
    let keys_only = |m: &Qkv<f64>| Qkv { k: rotated(m).k, ..m.clone() };
    let (r, d) = modalities([2, 2, 6, 4]);
    let (before, after) = (cda_of(&r, &d, &config), cda_of(&keys_only(&r), &d, &config));
    assert!(distance(before.value(), after.value()) > 1e-2);
}
