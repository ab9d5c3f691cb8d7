//! The small detector's options: what they add and leave out, and that every part takes part.

use autograd::random::Key;
use autograd::{Ctx, ParamKind, Params, Tensor, Var};
use models::{Scales, TinyConfig, TinySod};

fn build(config: &TinyConfig) -> (Params, TinySod) {
    let (params, net) = Params::build(1, |scope| TinySod::new(scope, config));
    (params, net.unwrap())
}

/// Noise, the same for the same seed.
fn noise(channels: usize, seed: u64) -> Var {
    Var::constant(Tensor::randn(&[2, channels, 48, 64], Key { seed, ..Key::default() }, 0))
}

/// Learned scalars of a block `c` channels wide, in the paper's notation 24C² + 17C.
fn block(c: usize) -> usize {
    24 * c * c + 17 * c
}

#[test]
fn a_scale_is_a_block_and_nothing_else() {
    let default = TinyConfig::default();
    let [_, _, w8, w16] = default.widths;
    let whole = build(&default).0.num_learned();
    for (scales, strides, absent) in [
        (Scales::Both, &[8, 16][..], 0),
        (Scales::Coarse, &[16], block(w8)),
        (Scales::Fine, &[8], block(w16)),
    ] {
        let config = TinyConfig { scales, ..default.clone() };
        let (params, net) = build(&config);
        assert_eq!(params.num_learned(), whole - absent, "{scales:?}");
        let output = net.forward(&Ctx::eval(&params), &noise(3, 1), &noise(1, 2));
        let grids: Vec<[usize; 2]> = strides.iter().map(|s| [48 / s, 64 / s]).collect();
        assert_eq!(output.levels.iter().map(|level| level.grid).collect::<Vec<_>>(), grids, "{scales:?}");
        assert_eq!(scales.strides(), strides);
    }
}

#[test]
fn biases_of_queries_keys_and_values_are_three_times_three_channels_a_block() {
    let default = TinyConfig::default();
    let [_, _, w8, w16] = default.widths;
    let (without, _) = build(&default);
    let (with, _) = build(&TinyConfig { qkv_bias: true, ..default });
    assert_eq!(with.num_learned(), without.num_learned() + 9 * (w8 + w16));
}

#[test]
fn gradients_reach_every_parameter() {
    for scales in [Scales::Both, Scales::Coarse, Scales::Fine] {
        let (params, net) = build(&TinyConfig { scales, qkv_bias: true, ..TinyConfig::default() });
        let ctx = Ctx::train(&params, Key::default());
        let output = net.forward(&ctx, &noise(3, 1), &noise(1, 2));
        let squares = output.sides.iter().chain([&output.logits]).map(|x| x.mul(x).mean_all());
        let grads = squares.reduce(|a, b| a.add(&b)).unwrap().backward();
        for id in params.ids().filter(|&id| params.kind(id) == ParamKind::Parameter) {
            let gradient = grads.param(id).map(|x| x.as_slice().to_vec()).unwrap_or_default();
            assert!(gradient.iter().any(|&g| g != 0.0), "{scales:?}: no gradient of {}", params.name(id));
        }
    }
}
