//! Locks the numerics of the small detector in every variant, and of the large ones as they are: a change of any weight's initial value, op, gradient or
//! optimiser shows here as a line of text that differs.
//!
//! Everything is computed in `f64` and printed to nine digits, so the texts hold on any CPU. After an intended change:
//! `INSTA_UPDATE=always cargo test -p tests snapshots::`, then read the difference before committing it.

use autograd::optim::Optimizer;
use autograd::random::Key;
use autograd::{Ctx, Params, Tensor, Var};
use cda::{CdaConfig, FusionKind, Steps};
use models::{MutualConfig, SodConfig, SodNetwork, SodOutput, TinyConfig};
use std::fmt::Write;
use train::losses::{LossConfig, LossKind, detection_loss};

const BATCH: usize = 2;

/// Values of a function of (row, column, plane), `[B, channels, S, S]`; planes count through batch and channels.
fn pictures(size: usize, channels: usize, f: impl Fn(f64, f64, f64) -> f64) -> Var<f64> {
    Var::constant(Tensor::from_fn(&[BATCH, channels, size, size], |e| {
        let (row, column, plane) = (e / size % size, e % size, e / (size * size));
        f(row as f64, column as f64, plane as f64)
    }))
}

/// Stripes in another direction for every colour, a slope in the depth, and a disc that is to be found in both.
struct Batch {
    rgb: Var<f64>,
    depth: Var<f64>,
    truth: Var<f64>,
}

impl Batch {
    fn new(size: usize) -> Batch {
        let disc = |row: f64, column: f64, picture: f64| {
            let distance = (row - 24.0).hypot(column - 18.0 - 10.0 * picture);
            if distance < 12.0 { 1.0 } else { 0.0 }
        };
        Batch {
            rgb: pictures(size, 3, |row, column, plane| {
                (0.3 * row + (0.2 + 0.1 * plane) * column).sin() + disc(row, column, (plane / 3.0).floor())
            }),
            depth: pictures(size, 1, |row, column, plane| row / 48.0 + 0.5 * disc(row, column, plane)),
            truth: pictures(size, 1, disc),
        }
    }
}

/// Mean, spread (standard deviation) and first values, to nine digits.
pub(super) fn describe(text: &mut String, name: &str, tensor: &Tensor<f64>) {
    let values = tensor.as_slice();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let spread = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
    let first: Vec<String> = values.iter().take(4).map(|x| format!("{x:.8e}")).collect();
    writeln!(text, "{name} {:?}", tensor.shape()).unwrap();
    writeln!(text, "  mean {mean:.8e}  spread {spread:.8e}").unwrap();
    writeln!(text, "  first {}", first.join(" ")).unwrap();
}

fn describe_output(text: &mut String, output: &SodOutput<f64>) {
    describe(text, "logits", output.logits.value());
    for (i, logits) in output.earlier.iter().enumerate() {
        describe(text, &format!("earlier {i}"), logits.value());
    }
    for (i, side) in output.sides.iter().enumerate() {
        describe(text, &format!("side {i}"), side.value());
    }
    for (i, logits) in output.streams.iter().enumerate() {
        describe(text, &format!("stream {i}"), logits.value());
    }
    for (i, level) in output.levels.iter().enumerate() {
        describe(text, &format!("tokens {i}, grid {:?}", level.grid), level.x.value());
    }
}

/// The network at the start, the loss before each of `steps` updates on pictures of `size` pixels a side, and, if the small
/// one, the network in inference afterwards. (Running statistics of a few updates do not normalise yet; through the depth
/// of the large networks that grows beyond all measure.)
fn run(config: &SodConfig, size: usize, steps: usize, (mut optimizer, lr): (Optimizer<f64>, f64)) -> String {
    let batch = Batch::new(size);
    let (mut params, network) = Params::<f64>::build(1, |scope| SodNetwork::new(scope, config));
    let network = network.unwrap();
    let (mut text, mut losses) = (String::new(), String::new());
    writeln!(text, "parameters {}", params.num_learned()).unwrap();
    for step in 0..steps {
        let ctx = Ctx::train(&params, Key { seed: 1, epoch: 0, step: step as u64 });
        let output = network.forward(&ctx, &batch.rgb, &batch.depth);
        if step == 0 {
            describe_output(&mut text, &output);
            let structure = LossConfig { kind: LossKind::Structure, focal: 1.0, ..LossConfig::default() };
            let loss = detection_loss(&output, &batch.truth, &structure);
            writeln!(text, "structure loss with focal regularisation {:.8e}", loss.value().item().unwrap())
                .unwrap();
        }
        let loss = detection_loss(&output, &batch.truth, &LossConfig::default());
        writeln!(losses, "  {:.8e}", loss.value().item().unwrap()).unwrap();
        let grads = loss.backward();
        params.apply(ctx.finish());
        optimizer.step(&mut params, &grads, lr);
    }
    write!(text, "losses\n{losses}").unwrap();
    if !matches!(network, SodNetwork::Tiny(_)) {
        return text;
    }
    let trained = network.forward(&Ctx::eval(&params), &batch.rgb, &batch.depth);
    describe(&mut text, "logits in inference, trained", trained.logits.value());
    text
}

/// Compares a text with the one recorded under the name.
#[track_caller]
pub(super) fn assert_text(name: &str, run: impl FnOnce() -> String) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, run()));
}

/// The small network with 6×6 and 3×3 tokens.
#[track_caller]
fn assert_snapshot(name: &str, config: &TinyConfig, steps: usize) {
    let adamw = (Optimizer::adamw([0.9, 0.999], 1e-8, 0.01), 1e-3);
    assert_text(name, || run(&SodConfig::Tiny(config.clone()), 48, steps, adamw));
}

/// Two losses of a large network with 2×2 tokens at every level. Not with AdamW: these networks have, as published, biases
/// before batch norms; their gradients are rounding noise, and AdamW makes whole steps of that.
#[track_caller]
fn assert_large(name: &str, config: &SodConfig) {
    let sgd = (Optimizer::sgd(0.9, true, 5e-4), 1e-2);
    assert_text(name, || run(config, 96, 2, sgd));
}

/// Two losses of another kind of fusion.
#[track_caller]
fn assert_fusion(name: &str, fusion: FusionKind) {
    assert_snapshot(name, &TinyConfig { fusion, ..TinyConfig::default() }, 2);
}

/// Two losses with another number of diffusion steps.
#[track_caller]
fn assert_steps(name: &str, steps: Steps) {
    let cda = CdaConfig { steps, ..CdaConfig::default() };
    assert_snapshot(name, &TinyConfig { cda, ..TinyConfig::default() }, 2);
}

#[test]
fn cda_as_released() {
    assert_snapshot("cda", &TinyConfig::default(), 10);
}

#[test]
fn cda_with_three_steps() {
    assert_steps("cda_3_steps", Steps::Finite(3));
}

#[test]
fn cda_at_the_fixed_point() {
    assert_steps("cda_fixed_point", Steps::Infinite);
}

#[test]
fn cda_of_the_paper() {
    assert_fusion("cda_paper", FusionKind::CdaPaper);
}

#[test]
fn block_of_the_figure() {
    let config = TinyConfig { joint_norm: false, third_branch: false, ..TinyConfig::default() };
    assert_snapshot("separate_norms_no_third_branch", &config, 2);
}

#[test]
fn cross_attention() {
    assert_fusion("ca", FusionKind::Ca);
}

#[test]
fn cross_attention_then_diffusion() {
    assert_fusion("ca_cda", FusionKind::CaCda);
}

#[test]
fn concatenation() {
    assert_fusion("concat", FusionKind::Concat);
}

#[test]
fn sum() {
    assert_fusion("sum", FusionKind::Sum);
}

#[test]
fn mutualformer_on_mobilenet_v2() {
    assert_large("mutualformer_mobilenetv2", &SodConfig::MutualMobileNetV2(MutualConfig::default()));
}

#[test]
fn mutualformer_on_resnet50() {
    assert_large("mutualformer_resnet50", &SodConfig::MutualResNet50(MutualConfig::default()));
}
