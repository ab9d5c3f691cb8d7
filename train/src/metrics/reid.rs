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
mod relation;
mod rerank;
#[cfg(test)]
mod tests;

use distance::squared_distances;
pub use features::Features;
use rayon::prelude::*;
use relation::Relation;
pub use relation::UNKNOWN_ID;
use rerank::Reranking;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;

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
    /// Queries left out, because no other camera saw their object, or because it is not known.
    pub skipped: usize,
}

impl fmt::Display for ReidScores {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let ReidScores { mean_ap, rank1, rank5, rank10, mean_inp, skipped, .. } = self;
        write!(
            f,
            "mAP {mean_ap:.3}, rank-1 {rank1:.3}, rank-5 {rank5:.3}, rank-10 {rank10:.3}, mINP {mean_inp:.3}"
        )?;
        if *skipped > 0 { write!(f, " ({skipped} queries skipped)") } else { Ok(()) }
    }
}

/// A picture of the gallery that a search found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Its row in the gallery, counted from 0.
    pub row: usize,
    /// Squared distance of its normalised feature from the query's, 0 to 4.
    pub distance: f64,
    /// Whether it shows the query's object; unknown if one of the ids is.
    pub right: Option<bool>,
}

/// Scores the search for every query in the gallery. `None` if there is not one query with a match.
///
/// # Panics
/// If the two kinds of features differ in length.
pub fn score(query: &Features, gallery: &Features) -> Option<ReidScores> {
    average(search(query, gallery, &|_| (), |i, distances| {
        ranks_of_matches(distances, query.label(i), gallery)
    }))
}

/// As [`score`], after k-reciprocal re-ranking (Zhong et al., CVPR 2017) with its usual k1 = 20, k2 = 6 and λ = 0.3:
/// pictures are near if they have the same neighbours, too.
///
/// All N = Q + G pictures are compared with each other, 2·N²·D FLOP more. The memory grows with N, not with N²: the
/// neighbours of a picture that share a weight are a hundred or two. `progress` hears how many rows of distances are done,
/// of Q + N.
///
/// # Panics
/// As [`score`].
pub fn score_reranked(query: &Features, gallery: &Features, progress: &dyn Fn(usize)) -> Option<ReidScores> {
    let reranking = Reranking::new(query, gallery, progress);
    let all = query.len() + gallery.len();
    average(search(query, gallery, &|done| progress(all + done), |i, distances| {
        reranking.apply(i, distances);
        ranks_of_matches(distances, query.label(i), gallery)
    }))
}

/// For every query the `top` nearest pictures of the gallery (all, if it has fewer), nearest first, in the order and with
/// the omissions that [`score`] judges: ties by place, without pictures of the query's object from its own camera. Of
/// a picture whose id is [`UNKNOWN_ID`] nothing is left out.
///
/// # Panics
/// As [`score`].
pub fn rank(query: &Features, gallery: &Features, top: usize) -> Vec<Vec<Hit>> {
    search(query, gallery, &|_| (), |i, distances| nearest(distances, query.label(i), gallery, top))
}

/// What `judge(i, distances)` makes of the squared distances of every query i to the gallery `[G]`, in the order of the
/// queries for any number of threads. `progress` hears how many queries are done.
fn search<R: Send>(
    query: &Features,
    gallery: &Features,
    progress: &dyn Fn(usize),
    judge: impl Fn(usize, &mut [f64]) -> R + Sync,
) -> Vec<R> {
    assert!(query.dim() == gallery.dim(), "features of {} and {} numbers", query.dim(), gallery.dim());
    let mut found = Vec::with_capacity(query.len());
    for block in query.blocks() {
        let mut distances = squared_distances(block, gallery.blocks()); // [M, G]
        let first = found.len();
        let rows = distances.par_chunks_mut(gallery.len()).enumerate();
        found.par_extend(rows.map(|(row, distances)| judge(first + row, distances)));
        progress(found.len());
    }
    found
}

/// A place in the gallery with its distance.
type Place = (f64, usize);

/// The order of a search: by distance, equal ones as they stand in the gallery.
fn precedence(a: &Place, b: &Place) -> Ordering {
    a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
}

/// All places with their distances.
fn places(distances: &[f64]) -> impl Iterator<Item = Place> {
    distances.iter().copied().enumerate().map(|(place, distance)| (distance, place))
}

/// The first `top` pictures in the order of the search, without those of the query's object from its own camera.
fn nearest(distances: &[f64], query: (i64, i64), gallery: &Features, top: usize) -> Vec<Hit> {
    let relation = |place: usize| Relation::of(query, gallery.label(place));
    let mut found: Vec<Place> =
        places(distances).filter(|&(_, place)| relation(place) != Relation::OwnCamera).collect();
    if top < found.len() {
        found.select_nth_unstable_by(top, precedence);
        found.truncate(top);
    }
    found.sort_unstable_by(precedence);
    let hit = |(distance, row)| Hit { row, distance, right: relation(row).right() };
    found.into_iter().map(hit).collect()
}

/// Ranks from 1 on, ascending, of the pictures with the query's id from other cameras, when those with its id from its
/// own camera are left out.
///
/// Nothing is sorted but the matches: every other picture is counted before the first match that it precedes.
fn ranks_of_matches(distances: &[f64], query: (i64, i64), gallery: &Features) -> Vec<usize> {
    let relation = |&(_, place): &Place| Relation::of(query, gallery.label(place));
    let mut matches: Vec<Place> =
        places(distances).filter(|place| relation(place) == Relation::Match).collect();
    matches.sort_unstable_by(precedence);
    let Some(&last) = matches.last() else { return Vec::new() };

    let is_stranger = |place: &Place| matches!(relation(place), Relation::Other | Relation::Unknown);
    let mut strangers = vec![0; matches.len()];
    for other in places(distances).filter(|other| is_stranger(other) && precedence(other, &last).is_lt()) {
        strangers[matches.partition_point(|known| precedence(known, &other).is_lt())] += 1;
    }
    let mut before = 0;
    let rank = |(i, strangers): (usize, usize)| {
        before += strangers;
        before + i + 1
    };
    strangers.into_iter().enumerate().map(rank).collect()
}

/// The means over the queries whose matches have ranks; `None` if none has.
fn average(mut found: Vec<Vec<usize>>) -> Option<ReidScores> {
    let all = found.len();
    found.retain(|ranks| !ranks.is_empty());
    if found.is_empty() {
        return None;
    }
    let mean =
        |of: &dyn Fn(&[usize]) -> f64| found.iter().map(|ranks| of(ranks)).sum::<f64>() / found.len() as f64;
    let within = |k: usize| mean(&|ranks| f64::from(u8::from(ranks[0] <= k)));
    Some(ReidScores {
        mean_ap: mean(&average_precision),
        rank1: within(1),
        rank5: within(5),
        rank10: within(10),
        mean_inp: mean(&|ranks| ranks.len() as f64 / ranks[ranks.len() - 1] as f64),
        queries: found.len(),
        skipped: all - found.len(),
    })
}

/// The mean of i / rᵢ, the precision at every match.
fn average_precision(ranks: &[usize]) -> f64 {
    let precision = |(i, &rank): (usize, &usize)| (i + 1) as f64 / rank as f64;
    ranks.iter().enumerate().map(precision).sum::<f64>() / ranks.len() as f64
}
