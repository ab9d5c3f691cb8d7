//! Does a search for an object by picture find it? The measures of re-identification.
//!
//! Every query picture ranks the gallery by the distance of features. Pictures of the same object (the same id) are
//! what it should find, but those of its own camera are left out: they are nearly the query itself. A query without
//! a match in another camera is skipped. With the ranks r₁ < r₂ < … < r_R of a query's R matches, counted from 1:
//!
//! | key | per query | source |
//! |---|---|---|
//! | `mAP` | average precision, the mean of i / rᵢ | Zheng et al., ICCV 2015 |
//! | `rank1` `rank5` `rank10` | 1 if r₁ ≤ k, otherwise 0 | cumulative matching characteristic |
//! | `mINP` | inverse negative penalty R / r_R: how soon the hardest match is found | Ye et al., TPAMI 2022 |
//!
//! Each number is the mean over the queries that are not skipped. Of pictures at the same distance the one that comes
//! first in the gallery ranks first, so that the order never depends on a sorting algorithm.
//!
//! Features are normalised to length 1, where squared Euclidean distance is 2 − 2·cosine: both rank alike, and there is
//! nothing to choose. Everything is computed in `f64`.
//!
//! # Memory and time
//!
//! The features in `f64` and the distances of 512 queries to the gallery; distances cost 2·Q·G·D FLOP. A full table of
//! distances never exists, with re-ranking neither: see [`score_reranked`].

mod distance;
mod features;
mod rerank;
#[cfg(test)]
mod tests;

use distance::squared_distances;
pub use features::Features;
use rayon::prelude::*;
use rerank::Reranking;
use serde::{Deserialize, Serialize};

/// What a search scores, as fractions of 1; serialised under the usual names.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReidScores {
    /// Mean average precision.
    #[serde(rename = "mAP")]
    pub mean_ap: f64,
    /// Share of queries whose nearest picture is a match.
    pub rank1: f64,
    /// Share of queries with a match among the nearest five.
    pub rank5: f64,
    /// Share of queries with a match among the nearest ten.
    pub rank10: f64,
    /// Mean inverse negative penalty.
    #[serde(rename = "mINP")]
    pub mean_inp: f64,
    /// Queries that were averaged.
    pub queries: usize,
    /// Queries left out, because no other camera saw their object.
    pub skipped: usize,
}

/// Scores the search for every query in the gallery. `None` if there is not one query with a match.
///
/// # Panics
/// If the two kinds of features differ in length.
pub fn score(query: &Features, gallery: &Features) -> Option<ReidScores> {
    score_rows(query, gallery, |_, _| ())
}

/// As [`score`], after k-reciprocal re-ranking (Zhong et al., CVPR 2017) with its usual k1 = 20, k2 = 6 and λ = 0.3:
/// pictures are near if they have the same neighbours, too.
///
/// All N = Q + G pictures are compared with each other, 2·N²·D FLOP more. The memory grows with N, not with N²: the
/// neighbours of a picture that share a weight are a hundred or two.
///
/// # Panics
/// As [`score`].
pub fn score_reranked(query: &Features, gallery: &Features) -> Option<ReidScores> {
    let reranking = Reranking::new(query, gallery);
    score_rows(query, gallery, |i, distances| reranking.apply(i, distances))
}

/// Scores after `change(i, distances)` has had its way with the distances of query i to the gallery.
fn score_rows(
    query: &Features,
    gallery: &Features,
    change: impl Fn(usize, &mut [f64]) + Sync,
) -> Option<ReidScores> {
    assert!(query.dim() == gallery.dim(), "features of {} and {} numbers", query.dim(), gallery.dim());
    let mut found = Vec::with_capacity(query.len());
    for block in query.blocks() {
        let mut distances = squared_distances(block, gallery.blocks()); // [M, G]
        let first = found.len();
        // Collected in order: the averages are the same for any number of threads.
        let rows = distances.par_chunks_mut(gallery.len()).enumerate();
        found.par_extend(rows.map(|(row, distances)| {
            change(first + row, distances);
            ranks_of_matches(distances, query.label(first + row), gallery)
        }));
    }
    let skipped = found.iter().filter(|ranks| ranks.is_empty()).count();
    found.retain(|ranks| !ranks.is_empty());
    (!found.is_empty()).then(|| average(&found, skipped))
}

/// Ranks from 1 on, ascending, of the pictures with the query's id from other cameras, when those with its id from its
/// own camera are left out.
///
/// Nothing is sorted but the matches: every other picture is counted before the first match that it precedes.
fn ranks_of_matches(distances: &[f64], (id, cam): (i64, i64), gallery: &Features) -> Vec<usize> {
    let places = || distances.iter().copied().enumerate().map(|(place, distance)| (distance, place));
    let precedes = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    let is_match = |&(_, place): &(f64, usize)| {
        let (other, from) = gallery.label(place);
        other == id && from != cam
    };
    let mut matches: Vec<(f64, usize)> = places().filter(is_match).collect();
    matches.sort_by(precedes);
    let Some(&last) = matches.last() else { return Vec::new() };

    let mut strangers = vec![0; matches.len()];
    for other in places().filter(|other| gallery.label(other.1).0 != id && precedes(other, &last).is_lt()) {
        strangers[matches.partition_point(|known| precedes(known, &other).is_lt())] += 1;
    }
    let mut before = 0;
    let rank = |(i, strangers): (usize, usize)| {
        before += strangers;
        before + i + 1
    };
    strangers.into_iter().enumerate().map(rank).collect()
}

/// The means over queries, each of which has one rank at least.
fn average(found: &[Vec<usize>], skipped: usize) -> ReidScores {
    let mean =
        |of: &dyn Fn(&[usize]) -> f64| found.iter().map(|ranks| of(ranks)).sum::<f64>() / found.len() as f64;
    let within = |k: usize| mean(&|ranks| f64::from(u8::from(ranks[0] <= k)));
    ReidScores {
        mean_ap: mean(&average_precision),
        rank1: within(1),
        rank5: within(5),
        rank10: within(10),
        mean_inp: mean(&|ranks| ranks.len() as f64 / ranks[ranks.len() - 1] as f64),
        queries: found.len(),
        skipped,
    }
}

/// The mean of i / rᵢ, the precision at every match.
fn average_precision(ranks: &[usize]) -> f64 {
    let precision = |(i, &rank): (usize, &usize)| (i + 1) as f64 / rank as f64;
    ranks.iter().enumerate().map(precision).sum::<f64>() / ranks.len() as f64
}
