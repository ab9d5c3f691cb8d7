//! Chapter 5: what becomes of cross-attention, and of CDA, when one modality is written in other coordinates.
//!
//! `cargo run -p cda --example ch05_modality_gap`

use autograd::ops::concat;
use autograd::random::{Key, site};
use autograd::{Tensor, Var};
use cda::{CdaConfig, Qkv, affinity, cross_attention_map, cross_diffusion};
use std::process::ExitCode;

#[path = "../../autograd/examples/course/mod.rs"]
mod course;

/// Things in the scene; token i shows thing i mod 4.
const THINGS: usize = 4;
/// Tokens.
const N: usize = 24;
/// Channels of a head.
const D: usize = 8;

fn random(name: &str, shape: &[usize]) -> Var<f64> {
    Var::constant(Tensor::randn(shape, Key::default(), site(name)))
}

// ANCHOR: modality
/// One modality's view of the scene: thing k is the k-th axis, three units long, and every token has some noise of its
/// own. Queries and keys are the features themselves, `[1, 1, N, D]`.
fn modality(name: &str) -> Qkv<f64> {
    let clean = Tensor::from_fn(&[1, 1, N, D], |e| if e % D == e / D % THINGS { 3.0 } else { 0.0 });
    let seen = Var::constant(clean).add(&random(name, &[1, 1, N, D]).mul_scalar(0.5));
    Qkv { q: seen.clone(), k: seen.clone(), v: seen }
}
// ANCHOR_END: modality

// ANCHOR: changes
/// x after D reflections at random planes: a random orthogonal map.
fn turned(x: &Var<f64>) -> Var<f64> {
    (0..D).fold(x.clone(), |x, i| {
        let u = random(&format!("plane {i}"), &[D, 1]);
        let along = x.matmul(&u).div(&u.mul(&u).sum_all()); // (x·u)/|u|²  [1, 1, N, 1]
        x.sub(&along.matmul(&u.with_shape(&[1, D])).mul_scalar(2.0))
    })
}

/// Channel c goes to channel c + 1, the last one to the front: orthogonal too.
fn shifted(x: &Var<f64>) -> Var<f64> {
    let parts = x.split(-1, &[D - 1, 1]);
    concat(&[&parts[1], &parts[0]], -1)
}

/// x + c with the same random c for every token.
fn offset(x: &Var<f64>) -> Var<f64> {
    x.add(&random("offset", &[D]))
}
// ANCHOR_END: changes

// ANCHOR: maps
/// Cross-attention's two maps side by side, `[1, 1, N, 2N]`: queries of one modality meet keys of the other.
fn ca(r: &Qkv<f64>, d: &Qkv<f64>) -> Var<f64> {
    concat(&[&cross_attention_map(r, d), &cross_attention_map(d, r)], -1)
}

/// CDA's two maps side by side, `[1, 1, N, 2N]`: each modality's own affinity, diffused through the other's.
fn cda_maps(r: &Qkv<f64>, d: &Qkv<f64>) -> Var<f64> {
    let x = cross_diffusion((&affinity(r), &affinity(d)), (r, d), &CdaConfig::default());
    concat(&[&x.rd, &x.dr], -1)
}
// ANCHOR_END: maps

// ANCHOR: measures
/// √Σx².
fn norm(x: &Var<f64>) -> f64 {
    x.value().as_slice().iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// Share of the maps' weight that joins two tokens of the same thing.
fn matched(maps: &Var<f64>) -> f64 {
    let same_thing = |e: usize| e / (2 * N) % THINGS == e % (2 * N) % THINGS;
    let weights = maps.value().as_slice();
    let hits: f64 = (0..weights.len()).filter(|&e| same_thing(e)).map(|e| weights[e]).sum();
    hits / weights.iter().sum::<f64>()
}
// ANCHOR_END: measures

fn lesson() {
    let (r, d) = (modality("r"), modality("d"));
    // ANCHOR: table
    type Change = fn(&Var<f64>) -> Var<f64>;
    let changes: [(&str, Change, Change); 8] = [
        ("nothing", Var::clone, Var::clone),
        ("Q, K turned by one orthogonal map", turned, turned),
        ("Q, K: channels shifted by one", shifted, shifted),
        ("Q times 3, K divided by 3", |q| q.mul_scalar(3.0), |k| k.mul_scalar(1.0 / 3.0)),
        ("K plus an offset", Var::clone, offset),
        ("Q plus an offset", offset, Var::clone),
        ("Q, K halved", |q| q.mul_scalar(0.5), |k| k.mul_scalar(0.5)),
        ("K alone turned", Var::clone, turned),
    ];
    // ANCHOR_END: table
    println!("                                     cross-attention          CDA");
    println!("what is done to modality d           moved   matched     moved   matched");
    for (name, change_q, change_k) in changes {
        let changed = Qkv { q: change_q(&d.q), k: change_k(&d.k), v: d.v.clone() };
        print!("{name:<34}");
        for maps in [ca, cda_maps] {
            let (before, after) = (maps(&r, &d), maps(&r, &changed));
            let moved = norm(&after.sub(&before)) / norm(&before);
            print!("{moved:8.2} {:9.2}", matched(&after));
        }
        println!();
    }
}

/// Growth of Q_d·K_dᵀ and of Q_r·K_dᵀ when Q_d and K_d are tripled.
fn truth() -> Vec<f64> {
    let (r, d) = (modality("r"), modality("d"));
    let tripled = d.q.mul_scalar(3.0); // K_d is the same here
    let growth = |after: Var<f64>, before: Var<f64>| norm(&after) / norm(&before);
    vec![
        growth(tripled.matmul_t(&tripled), d.q.matmul_t(&d.k)),
        growth(r.q.matmul_t(&tripled), r.q.matmul_t(&d.k)),
    ]
}

fn main() -> ExitCode {
    course::run(
        lesson,
        "the queries and keys of d are all tripled. How many times larger do the products Q_d·K_dᵀ become, and how \
         many times Q_r·K_dᵀ?",
        truth,
        "In one product both factors belong to d, in the other only one.",
    )
}
