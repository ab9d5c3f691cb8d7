//! Chapter 11: three searches among seven pictures, their measures computed by hand and by the library.
//!
//! `cargo run -p train --example ch11_reid`

use autograd::Tensor;
use std::process::ExitCode;
use train::metrics::reid::{Features, ReidScores, score};

#[path = "../../autograd/examples/course/mod.rs"]
mod course;

// ANCHOR: pictures
/// A picture: its feature, here the direction of a vector of two numbers in degrees; its vehicle; its camera.
type Picture = (f64, i64, i64);

const QUERIES: [Picture; 3] = [(0.0, 1, 1), (84.0, 2, 1), (180.0, 3, 1)];
const GALLERY: [Picture; 7] =
    [(2.0, 1, 1), (10.0, 1, 2), (25.0, 2, 2), (40.0, 1, 3), (75.0, 3, 1), (100.0, 2, 3), (130.0, 1, 2)];
// ANCHOR_END: pictures

/// A vector of length 1.
fn feature(degrees: f64) -> [f64; 2] {
    let (sin, cos) = degrees.to_radians().sin_cos();
    [cos, sin]
}

// ANCHOR: ranking
/// 2 − 2·cosine of two features: the squared distance of vectors of length 1.
fn distance(a: &Picture, b: &Picture) -> f64 {
    let [a, b] = [feature(a.0), feature(b.0)];
    2.0 - 2.0 * (a[0] * b[0] + a[1] * b[1])
}

/// The gallery from near to far, without the query's own vehicle in its own camera.
fn ranking(query: &Picture, gallery: &[Picture]) -> Vec<Picture> {
    let mut found = gallery.to_vec();
    found.retain(|picture| (picture.1, picture.2) != (query.1, query.2));
    found.sort_by(|a, b| distance(query, a).total_cmp(&distance(query, b)));
    found
}
// ANCHOR_END: ranking

// ANCHOR: measures
/// The ranks of the query's vehicle, from 1 on.
fn ranks(query: &Picture, found: &[Picture]) -> Vec<usize> {
    (1..=found.len()).filter(|&rank| found[rank - 1].1 == query.1).collect()
}

/// The mean of the precisions at the matches: of the first rᵢ pictures i are right.
fn average_precision(ranks: &[usize]) -> f64 {
    ranks.iter().zip(1..).map(|(&rank, i)| f64::from(i) / rank as f64).sum::<f64>() / ranks.len() as f64
}

/// Inverse negative penalty: matches over the rank of the last of them.
fn inverse_negative_penalty(ranks: &[usize]) -> f64 {
    ranks.len() as f64 / ranks[ranks.len() - 1] as f64
}
// ANCHOR_END: measures

fn by_library(queries: &[Picture], gallery: &[Picture]) -> ReidScores {
    let features = |pictures: &[Picture]| {
        let values = pictures.iter().flat_map(|picture| feature(picture.0)).collect();
        let column = |of: fn(&Picture) -> i64| pictures.iter().map(of).collect::<Vec<_>>();
        let tensor = Tensor::from_vec(values, &[pictures.len(), 2]);
        Features::new(&tensor, &column(|p| p.1), &column(|p| p.2)).expect("finite features of length 1")
    };
    score(&features(queries), &features(gallery)).expect("a query with a match")
}

fn lesson() {
    let mut measures = vec![]; // of each query that has a match: AP, hit at 1, hit at 5, INP
    for query in &QUERIES {
        println!("query: vehicle {} in camera {}", query.1, query.2);
        let found = ranking(query, &GALLERY);
        for (rank, picture) in found.iter().enumerate() {
            let mark = if picture.1 == query.1 { "  <- match" } else { "" };
            let far = distance(query, picture);
            println!(
                "  {}. vehicle {} in camera {}, distance {far:.2}{mark}",
                rank + 1,
                picture.1,
                picture.2
            );
        }
        let ranks = ranks(query, &found);
        if ranks.is_empty() {
            println!("  no match in another camera: the query does not count");
            continue;
        }
        let (ap, inp) = (average_precision(&ranks), inverse_negative_penalty(&ranks));
        println!("  ranks of the matches {ranks:?}: AP {ap:.3}, INP {inp:.3}");
        let within = |k: usize| f64::from(u8::from(ranks[0] <= k));
        measures.push([ap, within(1), within(5), inp]);
    }
    let mean = |i: usize| measures.iter().map(|query| query[i]).sum::<f64>() / measures.len() as f64;
    let [ap, rank1, rank5, inp] = [0, 1, 2, 3].map(mean);
    println!("\nby hand:     mAP {ap:.3}, rank-1 {rank1:.3}, rank-5 {rank5:.3}, mINP {inp:.3}");
    println!("the library: {}", by_library(&QUERIES, &GALLERY));
}

/// AP and INP of a query whose matches have the ranks 1, 4 and 6.
fn truth() -> Vec<f64> {
    let picture = |rank: i64| (10.0 * rank as f64, if [1, 4, 6].contains(&rank) { 1 } else { 2 }, 2);
    let gallery: Vec<Picture> = (1..=7).map(picture).collect();
    let scores = by_library(&[(0.0, 1, 1)], &gallery);
    vec![scores.mean_ap, scores.mean_inp]
}

fn main() -> ExitCode {
    course::run(
        lesson,
        "a query's matches have the ranks 1, 4 and 6. What are its AP and its INP?",
        truth,
        "AP is the mean of 1/r₁, 2/r₂ and 3/r₃; INP looks at the last rank only.",
    )
}
