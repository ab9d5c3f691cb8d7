//! What is omitted at random in training, and what is not.

use crate::helpers::{assert_close, distance, modalities, random};
use autograd::random::Key;
use autograd::{Ctx, Params, Tensor, Var};
use cda::{BlockConfig, CdaConfig, Fusion, MutualFormerBlock, cross_diffusion_attention};
use std::cell::RefCell;

const KEY: Key = Key { seed: 5, epoch: 0, step: 0 };

/// A block of width 8 and its output for one random batch of `samples`, in training and in inference.
struct Trial {
    params: Params<f64>,
    block: MutualFormerBlock,
    x: Var<f64>,
    x_rd: Var<f64>,
}

impl Trial {
    fn new(config: BlockConfig, samples: usize) -> Trial {
        let (params, block) = Params::build(3, |scope| MutualFormerBlock::new(scope, config));
        let input = |name: &str, channels: usize| Var::constant(random(name, &[samples, 5, channels]));
        Trial { params, block: block.unwrap(), x: input("x", 16), x_rd: input("x_rd", 8) }
    }

    fn run(&self, ctx: &Ctx<f64>) -> Tensor<f64> {
        self.block.forward(ctx, &self.x, &self.x_rd).value().clone()
    }

    fn train(&self) -> Tensor<f64> {
        self.run(&Ctx::train(&self.params, KEY))
    }

    fn infer(&self) -> Tensor<f64> {
        self.run(&Ctx::eval(&self.params))
    }

    /// Cuts half of what enters `proj_r` and `proj_d` off: input columns 0..8 carry o, 8..16 carry U.
    fn cut(&mut self, columns: std::ops::Range<usize>) {
        for name in ["attn.proj_r.weight", "attn.proj_d.weight"] {
            let id = self.params.find(name).unwrap();
            let weight = self.params.get(id).clone();
            let kept = |e: usize| if columns.contains(&(e % 16)) { 0.0 } else { weight.as_slice()[e] };
            self.params.set(id, Tensor::from_fn(weight.shape(), kept));
        }
    }
}

#[test]
fn the_two_cross_affinities_are_what_drop_gets() {
    let (r, d) = modalities([2, 2, 5, 3]);
    let config = CdaConfig::default();
    let seen = RefCell::new(Vec::new());
    let halved = cross_diffusion_attention(&r, &d, &config, |x| {
        seen.borrow_mut().push(x.shape().to_vec());
        x.mul_scalar(0.5)
    });
    assert_eq!(seen.into_inner(), [[2, 2, 5, 5], [2, 2, 5, 5]]);
    let whole = cross_diffusion_attention(&r, &d, &config, Var::clone);
    assert_close("o_r", halved.o_r.value(), whole.o_r.value(), 0.0);
    assert_close("o_d", halved.o_d.value(), whole.o_d.value(), 0.0);
    assert_close("U_rd", halved.u_rd.value(), whole.u_rd.mul_scalar(0.5).value(), 1e-15);
    assert_close("U_dr", halved.u_dr.value(), whole.u_dr.mul_scalar(0.5).value(), 1e-15);
}

#[test]
fn attn_drop_reaches_u_and_not_o() {
    // One path for both, or they would differ by rounding: with dropout the maps are formed.
    let plain = BlockConfig { path: cda::Path::Plain, ..BlockConfig::new(8, 2) };
    let config = BlockConfig { attn_drop: 0.5, third_branch: false, ..plain };
    let mut without_u = Trial::new(config, 2);
    without_u.cut(8..16);
    assert_close("o alone", &without_u.train(), &without_u.infer(), 0.0);
    let mut without_o = Trial::new(config, 2);
    without_o.cut(0..8);
    assert!(distance(&without_o.train(), &without_o.infer()) > 1e-2);
}

#[test]
fn attn_drop_reaches_the_third_branch() {
    let config = BlockConfig { attn_drop: 0.5, ..BlockConfig::new(8, 2) };
    let mut third_branch_only = Trial::new(config, 2);
    third_branch_only.cut(0..16);
    assert!(distance(&third_branch_only.train(), &third_branch_only.infer()) > 1e-2);
}

#[test]
fn every_dropout_acts_in_training_only() {
    let quiet = BlockConfig::new(8, 2);
    for config in [
        BlockConfig { drop: 0.5, ..quiet },
        BlockConfig { attn_drop: 0.5, ..quiet },
        BlockConfig { drop_path: 0.5, ..quiet },
    ] {
        let (trial, reference) = (Trial::new(config, 4), Trial::new(quiet, 4));
        assert_close("inference", &trial.infer(), &reference.infer(), 0.0);
        assert_close("the same key twice", &trial.train(), &trial.train(), 0.0);
        assert!(distance(&trial.train(), &reference.train()) > 1e-2, "{config:?} does nothing");
    }
}

/// `drop` reaches the MLP even where there is no third branch.
#[test]
fn drop_reaches_the_mlp() {
    let config = BlockConfig { drop: 0.5, third_branch: false, ..BlockConfig::new(8, 2) };
    let trial = Trial::new(config, 2);
    assert!(distance(&trial.train(), &trial.infer()) > 1e-2);
}

/// With both branches omitted a sample passes through unchanged; each is omitted with probability 1/2, so about a
/// quarter of 64 samples do.
#[test]
fn drop_path_omits_branches_of_whole_samples() {
    let config = BlockConfig { drop_path: 0.5, ..BlockConfig::new(8, 2) };
    let trial = Trial::new(config, 64);
    let (out, through) = (trial.train(), trial.x_rd.value());
    let per_sample = out.numel() / 64;
    let samples = out.as_slice().chunks(per_sample).zip(through.as_slice().chunks(per_sample));
    let untouched = samples.filter(|(out, through)| out == through).count();
    assert!((8..=26).contains(&untouched), "{untouched} of 64 samples pass through unchanged");
}

/// It acts on the last X, however many steps led there.
#[test]
fn attn_drop_follows_any_number_of_steps() {
    let base = BlockConfig { attn_drop: 0.3, ..BlockConfig::new(8, 2) };
    for steps in [cda::Steps::Finite(3), cda::Steps::Infinite] {
        let cda = CdaConfig { steps, ..CdaConfig::default() };
        let trial = Trial::new(BlockConfig { fusion: Fusion { cda, ..base.fusion }, ..base }, 2);
        assert!(distance(&trial.train(), &trial.infer()) > 1e-2, "{steps:?}");
    }
}
