//! Chapter 10: the detector. Shapes through the network, the loss of a tiny picture by hand, and what the measures say of
//! six predictions.
//!
//! `cargo run -p train --example ch10_detector`

use autograd::random::{Key, site};
use autograd::{Ctx, Params, Tensor, Var};
use models::{SodOutput, TinyConfig, TinySod};
use std::process::ExitCode;
use train::losses::{LossConfig, detection_loss};
use train::metrics::sod::score_prediction;

#[path = "../../autograd/examples/course/mod.rs"]
mod course;

/// Side of the tiny picture.
const SIDE: usize = 8;

fn shapes() {
    // ANCHOR: shapes
    let (params, network) = Params::<f32>::build(1, |scope| TinySod::new(scope, &TinyConfig::default()));
    let network = network.expect("the heads divide the widths");
    let draw = |name: &str, c: usize| Tensor::randn(&[1, c, 64, 64], Key::default(), site(name));
    let (rgb, depth) = (Var::constant(draw("rgb", 3)), Var::constant(draw("depth", 1)));
    let output = network.forward(&Ctx::eval(&params), &rgb, &depth);
    // ANCHOR_END: shapes
    println!("RGB {:?} and depth {:?}, {} parameters", rgb.shape(), depth.shape(), params.num_learned());
    for level in &output.levels {
        println!("tokens [x_r, x_d] of a block {:?}, a grid of {:?}", level.x.shape(), level.grid);
    }
    for side in &output.sides {
        println!("side logits {:?}", side.shape());
    }
    println!("logits {:?}", output.logits.shape());
}

/// What `inside` says of each pixel, 1 or 0, `[8 · 8]`.
fn picture(inside: impl Fn(usize, usize) -> bool) -> Vec<f32> {
    (0..SIDE * SIDE).map(|e| f32::from(u8::from(inside(e / SIDE, e % SIDE)))).collect()
}

/// The object: 4 × 4 pixels.
fn truth_picture() -> Vec<f32> {
    picture(|row, column| (2..6).contains(&row) && (2..6).contains(&column))
}

// ANCHOR: by_hand
/// Mean cross-entropy plus 1 − IoU, of probabilities p and truth g.
fn loss_by_hand(p: &[f32], g: &[f32]) -> f32 {
    let pairs = || p.iter().zip(g);
    let bce = pairs().map(|(p, g)| -(g * p.ln() + (1.0 - g) * (1.0 - p).ln())).sum::<f32>() / p.len() as f32;
    let both: f32 = pairs().map(|(p, g)| p * g).sum();
    let either = pairs().map(|(p, g)| p + g).sum::<f32>() - both;
    bce + 1.0 - (both + 1.0) / (either + 1.0) // + 1: an empty truth has an IoU, too
}
// ANCHOR_END: by_hand

/// The library's loss of the same probabilities.
fn loss(p: &[f32], g: &[f32]) -> f32 {
    let var = |x: Vec<f32>| Var::constant(Tensor::from_vec(x, &[1, 1, SIDE, SIDE]));
    let logits = var(p.iter().map(|p| (p / (1.0 - p)).ln()).collect());
    let none = Vec::new;
    let output = SodOutput { logits, earlier: none(), sides: none(), streams: none(), levels: Vec::new() };
    detection_loss(&output, &var(g.to_vec()), &LossConfig::default()).value().as_slice()[0]
}

fn measures() {
    let g = truth_picture();
    // ANCHOR: predictions
    let predictions = [
        ("perfect", g.clone()),
        ("one pixel to the right", picture(|row, column| (2..6).contains(&row) && (3..7).contains(&column))),
        (
            "one pixel more all round",
            picture(|row, column| (1..7).contains(&row) && (1..7).contains(&column)),
        ),
        ("half of the object", picture(|row, column| (2..6).contains(&row) && (2..4).contains(&column))),
        ("perfect, but half as bright", g.iter().map(|g| 0.5 * g).collect()),
        ("nothing", vec![0.0; SIDE * SIDE]),
    ];
    // ANCHOR_END: predictions
    println!("\nprediction                      loss  by hand      S   max F   max E     MAE");
    for (name, p) in predictions {
        let scores = score_prediction(&p, &g, SIDE, SIDE).scores;
        let sure: Vec<f32> = p.iter().map(|p| p.clamp(0.01, 0.99)).collect(); // logits are finite
        let (loss, by_hand) = (loss(&sure, &g), loss_by_hand(&sure, &g));
        print!("{name:<28}{loss:8.3} {by_hand:8.3}");
        println!("{:7.3} {:7.3} {:7.3} {:7.3}", scores.structure, scores.max_f, scores.max_e, scores.mae);
    }
}

fn lesson() {
    shapes();
    measures();
}

/// Max F and MAE of a map that finds 12 of the object's 16 pixels and marks 8 others.
fn truth() -> Vec<f64> {
    let found = picture(|row, column| (2..6).contains(&row) && (3..8).contains(&column)); // 3 columns of 4, and 2 more
    let scores = score_prediction(&found, &truth_picture(), SIDE, SIDE).scores;
    vec![scores.max_f, scores.mae]
}

fn main() -> ExitCode {
    course::run(
        lesson,
        "of 64 pixels 16 are the object. A map of zeros and ones marks 12 of these and 8 others. What are F (β² = 0.3) and MAE?",
        truth,
        "Precision is 12/20, recall 12/16, F = 1.3·P·R/(0.3·P + R). MAE counts the wrong pixels.",
    )
}
