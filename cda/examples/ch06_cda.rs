//! Chapter 6: affinities instead of features. A strip of eight tokens: colour sees the edge of a shadow, depth sees a
//! near object, and CDA passes what each knows through the other.
//!
//! `cargo run -p cda --example ch06_cda`

use autograd::{Tensor, Var};
use cda::{CdaConfig, Preset, Qkv, Steps, affinity, cross_attention_map, cross_diffusion};
use std::process::ExitCode;

#[path = "../../autograd/examples/course/mod.rs"]
mod course;

/// Tokens.
const N: usize = 8;

// ANCHOR: strip
/// A modality that sees one number per token, and compares tokens by its sign: queries and keys are `[1, 1, N, 2]`.
fn modality(seen: [f64; N]) -> Qkv<f64> {
    let x = Tensor::from_fn(&[1, 1, N, 2], |e| if e % 2 == 0 { 1.5 * seen[e / 2] } else { 0.0 });
    let x = Var::constant(x);
    Qkv { q: x.clone(), k: x.clone(), v: x }
}

/// Colour: light, then shadow from token 4 on. The object wears the colours of its ground.
fn colour() -> Qkv<f64> {
    modality([1.1, 1.0, 0.9, 1.0, -1.0, -1.1, -0.9, -1.0])
}

/// Depth: tokens 2 to 5 are near.
fn depth() -> Qkv<f64> {
    modality([-1.0, -0.9, 1.0, 1.1, 1.0, 0.9, -1.1, -1.0])
}
// ANCHOR_END: strip

/// The same modality with the opposite sign: far is now positive. Its own affinity is the same to the last bit.
fn negated(x: &Qkv<f64>) -> Qkv<f64> {
    Qkv { q: x.q.neg(), k: x.k.neg(), v: x.v.clone() }
}

/// X_rd after `steps` steps.
fn x_rd(preset: Preset, steps: Steps) -> Var<f64> {
    let (r, d) = (colour(), depth());
    let config = CdaConfig { steps, ..CdaConfig::preset(preset) };
    cross_diffusion((&affinity(&r), &affinity(&d)), (&r, &d), &config).rd
}

fn print_map(name: &str, map: &Var<f64>) {
    println!("{name}");
    for row in map.value().as_slice().chunks(N) {
        let cells: Vec<String> = row.iter().map(|x| format!("{x:5.2}")).collect();
        println!("   {}", cells.join(""));
    }
}

/// What share of token 3's row falls on the quarter of the strip that both modalities agree on (tokens 2 and 3), on
/// those that one of them joins to it (0, 1 by colour; 4, 5 by depth), and on those that neither does (6, 7).
fn shares(map: &Var<f64>) -> [f64; 4] {
    let row = &map.value().as_slice()[3 * N..4 * N];
    let all: f64 = row.iter().sum();
    let share = |tokens: [usize; 2]| (row[tokens[0]] + row[tokens[1]]) / all;
    [share([2, 3]), share([0, 1]), share([4, 5]), share([6, 7])]
}

/// Mean over the rows of X of their sums.
fn mean_row_sum(x: &Var<f64>) -> f64 {
    x.value().as_slice().iter().sum::<f64>() / N as f64
}

fn lesson() {
    let one = Steps::Finite(1);
    let (p_r, p_d) = (affinity(&colour()), affinity(&depth()));
    print_map("P_r, colour: light | shadow", &p_r);
    print_map("P_d, depth: far | near | far", &p_d);
    print_map("X_rd, official, one step", &x_rd(Preset::Official, one));

    println!("\nwhere token 3 looks       both agree   colour only   depth only   neither   mean row sum");
    let maps = [
        ("P_r", p_r),
        ("P_d", p_d),
        ("cross-attention", cross_attention_map(&colour(), &depth())),
        ("the same, depth negated", cross_attention_map(&colour(), &negated(&depth()))),
        ("X_rd, official, T = 1", x_rd(Preset::Official, one)),
        ("X_rd, official, T = 2", x_rd(Preset::Official, Steps::Finite(2))),
        ("X_rd, official, T = 3", x_rd(Preset::Official, Steps::Finite(3))),
        ("X_rd, official, T = inf", x_rd(Preset::Official, Steps::Infinite)),
        ("X_rd, paper, T = 1", x_rd(Preset::Paper, one)),
    ];
    for (name, map) in maps {
        let [both, colour, depth, neither] = shares(&map);
        let sum = mean_row_sum(&map);
        println!("{name:<25}{both:11.2}{colour:14.2}{depth:13.2}{neither:10.2}{sum:15.3}");
    }
}

/// Mean row sum of X_rd for α = 0.5 and two steps.
fn truth() -> Vec<f64> {
    let (r, d) = (colour(), depth());
    let config = CdaConfig { alpha: 0.5, steps: Steps::Finite(2), ..CdaConfig::default() };
    vec![mean_row_sum(&cross_diffusion((&affinity(&r), &affinity(&d)), (&r, &d), &config).rd)]
}

fn main() -> ExitCode {
    course::run(
        lesson,
        "with α = 0.5 and two steps from the identity (official), what do the rows of X_rd sum to on average?",
        truth,
        "Let s be the sum of all elements of X, divided by N. One step makes it α·s + (1 − α)·2. Start with s = 1.",
    )
}
