//! Locks the numerics of the re-identification networks, as `snapshots` does those of the detectors: every fusion, one to
//! three streams, every trunk.

use super::snapshots::{assert_text, describe};
use autograd::ops::CrossEntropy;
use autograd::optim::Optimizer;
use autograd::random::Key;
use autograd::{Ctx, Indices, Params, Tensor, Var};
use cda::{CdaConfig, Steps};
use models::{ReidConfig, ReidFeature, ReidFusion, ReidNetwork, ReidOutput, ReidTrunk, Spectrum};
use std::fmt::Write;

const SPECTRA: [Spectrum; 3] = [Spectrum::Rgb, Spectrum::Nir, Spectrum::Tir];

/// Two pictures each of two objects, 64×32 pixels: stripes, whose direction is the object's and whose width the spectrum's.
fn pictures(stream: usize) -> Var<f64> {
    let (height, width) = (64, 32);
    Var::constant(Tensor::from_fn(&[4, 3, height, width], |e| {
        let (row, column) = ((e / width % height) as f64, (e % width) as f64);
        let (channel, picture) = (e / (width * height) % 3, e / (3 * width * height));
        let angle = 0.9 * (picture / 2) as f64 + 0.2 * (picture % 2) as f64;
        let phase = (0.3 + 0.1 * stream as f64) * (angle.cos() * row + angle.sin() * column);
        (phase + 0.5 * channel as f64).sin()
    }))
}

/// Cross-entropy of every head, and something on the features that the classifiers do not see in every fusion.
fn loss(output: &ReidOutput<f64>) -> Var<f64> {
    let objects = Indices::new(vec![0, 0, 1, 1], &[4]);
    let heads = output.streams.iter().chain(&output.fused);
    let classified = heads.map(|head| head.logits.cross_entropy(&objects, CrossEntropy::default()));
    let of_feature = output.feature.tanh().mean_all();
    classified.fold(of_feature, |sum, loss| sum.add(&loss))
}

/// Features come out of batch norms: their mean is 0 up to rounding, which differs from CPU to CPU; that of their squares
/// is not.
fn describe_feature(text: &mut String, name: &str, feature: &Var<f64>) {
    describe(text, &format!("{name}, squared"), feature.mul(feature).value());
}

fn describe_output(text: &mut String, output: &ReidOutput<f64>) {
    describe_feature(text, "feature", &output.feature);
    for (i, head) in output.streams.iter().enumerate() {
        describe(text, &format!("logits of stream {i}"), head.logits.value());
        describe_feature(text, &format!("feature of stream {i}"), &head.feature);
    }
    if let Some(head) = &output.fused {
        describe(text, "fused logits", head.logits.value());
        describe_feature(text, "fused feature", &head.feature);
    }
}

/// The network at the start, the loss before each of `steps` updates, and, with the small trunk, the feature in inference
/// afterwards. With SGD: biases before the necks' batch norms have gradients that are rounding noise.
fn run(config: &ReidConfig, steps: usize) -> String {
    let pictures: Vec<Var<f64>> = (0..config.streams.len()).map(pictures).collect();
    let (mut params, network) = Params::<f64>::build(1, |scope| ReidNetwork::new(scope, config));
    let (network, mut optimizer) = (network.unwrap(), Optimizer::sgd(0.9, true, 5e-4));
    let (mut text, mut losses) = (String::new(), String::new());
    writeln!(text, "parameters {}", params.num_learned()).unwrap();
    for step in 0..steps {
        let ctx = Ctx::train(&params, Key { seed: 1, epoch: 0, step: step as u64 });
        let output = network.forward(&ctx, &pictures);
        if step == 0 {
            describe_output(&mut text, &output);
            for (i, level) in network.tokens(&Ctx::eval(&params), &pictures).iter().enumerate() {
                let name = format!("tokens of pair {i} in inference, grid {:?}", level.grid);
                describe(&mut text, &name, level.x.value());
            }
        }
        let loss = loss(&output);
        writeln!(losses, "  {:.8e}", loss.value().item().unwrap()).unwrap();
        let grads = loss.backward();
        params.apply(ctx.finish());
        optimizer.step(&mut params, &grads, 1e-2);
    }
    write!(text, "losses\n{losses}").unwrap();
    if config.trunk == ReidTrunk::Tiny {
        let trained = network.forward(&Ctx::eval(&params), &pictures);
        describe(&mut text, "feature in inference, trained", trained.feature.value());
    }
    text
}

/// 4×2 tokens, where there are tokens.
fn tiny(fusion: ReidFusion, streams: usize) -> ReidConfig {
    ReidConfig {
        trunk: ReidTrunk::Tiny,
        streams: SPECTRA[..streams].to_vec(),
        fusion,
        dim: 32,
        num_heads: 4,
        classes: 2,
        norm_momentum: 0.19, // HAMNet's
        ..ReidConfig::default()
    }
}

#[track_caller]
fn assert_snapshot(name: &str, config: &ReidConfig, steps: usize) {
    assert_text(name, || run(config, steps));
}

#[test]
fn one_stream() {
    assert_snapshot("reid_one_stream", &tiny(ReidFusion::Cda, 1), 2);
}

#[test]
fn sum() {
    assert_snapshot("reid_sum", &tiny(ReidFusion::Sum, 2), 2);
}

#[test]
fn class_activation_maps() {
    assert_snapshot("reid_cam", &tiny(ReidFusion::Cam, 2), 10);
}

#[test]
fn class_activation_maps_of_three_streams() {
    assert_snapshot("reid_cam_3_streams", &tiny(ReidFusion::Cam, 3), 2);
}

#[test]
fn cda_as_released() {
    assert_snapshot("reid_cda", &tiny(ReidFusion::Cda, 2), 10);
}

#[test]
fn cda_between_three_streams() {
    assert_snapshot("reid_cda_3_streams", &tiny(ReidFusion::Cda, 3), 2);
}

#[test]
fn cda_of_the_paper() {
    assert_snapshot("reid_cda_paper", &tiny(ReidFusion::CdaPaper, 2), 2);
}

#[test]
fn cross_attention() {
    assert_snapshot("reid_ca", &tiny(ReidFusion::Ca, 2), 2);
}

#[test]
fn cross_attention_then_diffusion() {
    assert_snapshot("reid_ca_cda", &tiny(ReidFusion::CaCda, 2), 2);
}

#[test]
fn every_other_option() {
    let config = ReidConfig {
        cda: CdaConfig { steps: Steps::Finite(2), ..CdaConfig::default() },
        blocks: 2,
        joint_norm: false,
        third_branch: false,
        feature: ReidFeature::Fused,
        norm_momentum: 0.1,
        ..tiny(ReidFusion::Cda, 2)
    };
    assert_snapshot("reid_other_options", &config, 2);
}

#[test]
fn mutualformer_on_mobilenet_v2() {
    let config = ReidConfig { trunk: ReidTrunk::MobileNetV2, ..tiny(ReidFusion::Cda, 2) };
    assert_snapshot("reid_mobilenetv2", &config, 2);
}

#[test]
fn hamnet_on_resnet50() {
    let config = ReidConfig { trunk: ReidTrunk::ResNet50, ..tiny(ReidFusion::Cam, 2) };
    assert_snapshot("reid_hamnet_resnet50", &config, 2);
}
