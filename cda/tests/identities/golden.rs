//! One block with weights and inputs given by formulas, against numbers computed by hand-written matrix code in
//! another language, in `f64`. Small enough to repeat on paper: B = 1, N = 4, C = 4, two heads, MLP ratio 2.

use autograd::{Ctx, Params, Tensor, Var};
use cda::{
    BlockConfig, CdaConfig, CrossAffinity, Fusion, FusionKind, MutualFormerBlock, Preset, affinity,
    cross_diffusion,
};

/// The printed numbers have nine digits.
const PRINTED: f64 = 6e-10;

/// The argument s of every layer's weights and biases; qkv projections have no bias.
const LAYERS: [(&str, f64); 9] = [
    ("attn.qkv_r", 1.0),
    ("attn.qkv_d", 2.0),
    ("attn.qkv", 3.0),
    ("attn.proj_rd", 4.0),
    ("attn.proj_r", 5.0),
    ("attn.proj_d", 6.0),
    ("attn.proj", 7.0),
    ("mlp.fc1", 8.0),
    ("mlp.fc2", 9.0),
];

/// W[k] = 0.3·sin(0.7k + s) and b[k] = 0.1·cos(0.3k + s), row-major; the norms keep weight 1 and bias 0.
fn block(preset: Preset) -> (Params<f64>, MutualFormerBlock) {
    let fusion = Fusion { kind: FusionKind::Cda, cda: CdaConfig::preset(preset) };
    let config = BlockConfig { mlp_ratio: 2.0, fusion, ..BlockConfig::new(4, 2) };
    let (mut params, block) = Params::build(0, |scope| MutualFormerBlock::new(scope, config));
    for (layer, s) in LAYERS {
        fill(&mut params, &format!("{layer}.weight"), |k| 0.3 * (0.7 * k + s).sin());
        if !layer.contains("qkv") {
            fill(&mut params, &format!("{layer}.bias"), |k| 0.1 * (0.3 * k + s).cos());
        }
    }
    (params, block.unwrap())
}

fn fill(params: &mut Params<f64>, name: &str, f: impl Fn(f64) -> f64) {
    let id = params.find(name).unwrap_or_else(|| panic!("the block has no {name}"));
    let value = Tensor::from_fn(params.get(id).shape(), |k| f(k as f64));
    params.set(id, value);
}

/// x[k] = cos(0.37k) `[1, 4, 8]` and x_rd[k] = sin(0.53k) `[1, 4, 4]`.
fn inputs() -> (Var<f64>, Var<f64>) {
    let x = Tensor::from_fn(&[1, 4, 8], |k| (0.37 * k as f64).cos());
    let x_rd = Tensor::from_fn(&[1, 4, 4], |k| (0.53 * k as f64).sin());
    (Var::constant(x), Var::constant(x_rd))
}

#[track_caller]
fn assert_rows<const C: usize>(what: &str, ours: &Tensor<f64>, first_row: usize, expected: &[[f64; C]]) {
    let ours = &ours.as_slice()[first_row * C..];
    for (i, expected) in expected.as_flattened().iter().enumerate() {
        let ours = ours[i];
        assert!((ours - expected).abs() < PRINTED, "{what}[{i}]: {ours:.12} instead of {expected}");
    }
}

#[test]
fn the_cross_affinities_are_those_of_the_released_code() {
    let (params, block) = block(Preset::Official);
    let (r, d) = block.projections(&Ctx::eval(&params), &inputs().0);
    let CrossAffinity { rd, dr } =
        cross_diffusion((&affinity(&r), &affinity(&d)), (&r, &d), &CdaConfig::default());
    let head_0_of_rd = [
        [0.344616003, 0.350450115, 0.362390032, 0.335789222],
        [0.363791571, 0.324471291, 0.351270715, 0.345161438],
        [0.330300284, 0.377246407, 0.347022826, 0.361122224],
        [0.393425232, 0.306935021, 0.380119286, 0.325888332],
    ];
    assert_rows("A_rd", rd.value(), 0, &head_0_of_rd);
    assert_rows("A_dr row 0", dr.value(), 0, &[[0.344616003, 0.357773183, 0.362871172, 0.356721347]]);
    assert_rows("A_dr row 3", dr.value(), 3, &[[0.372493107, 0.308076223, 0.371771919, 0.325888332]]);
}

#[test]
fn the_block_is_that_of_the_released_code() {
    let (params, block) = block(Preset::Official);
    let (x, x_rd) = inputs();
    let expected = [
        [-0.07495534, 0.480678666, 0.735329972, 0.999305524],
        [0.999755586, 0.558171367, -0.046777801, -0.657792476],
        [-1.00311514, -1.028556052, -0.914419845, -0.374900067],
        [-0.003307665, 0.485199992, 0.68177539, 0.917857335],
    ];
    assert_rows("official", block.forward(&Ctx::eval(&params), &x, &x_rd).value(), 0, &expected);
}

#[test]
fn the_paper_preset_differs_in_s_and_the_values_only() {
    let (params, block) = block(Preset::Paper);
    let (x, x_rd) = inputs();
    let expected = [[-0.051532117, 0.488995539, 0.724807315, 0.974666624]];
    assert_rows("paper", block.forward(&Ctx::eval(&params), &x, &x_rd).value(), 0, &expected);
}
