//! k-reciprocal re-ranking: Zhong, Zheng, Cao, Li, "Re-ranking Person Re-identification with k-reciprocal Encoding",
//! CVPR 2017.
//!
//! Two pictures that count each other among their nearest are likely to show the same object; and if they do, they have
//! the same neighbours. Every picture is therefore described by its reciprocal neighbours, each with a weight, and
//! pictures are compared by how far these sets overlap (their Jaccard distance).
//!
//! The usual formulation holds tables of N × N. Only a picture's 21 nearest and its largest distance are needed of the
//! distances, and only the weights that are not 0: both are kept in lists.

use super::Features;
use super::distance::{squared_distance, squared_distances};
use autograd::Tensor;
use rayon::prelude::*;

/// Neighbours that are asked whether they are reciprocal.
const K1: usize = 20;
/// Pictures, itself among them, whose weights are averaged for a picture.
const K2: usize = 6;
/// Share of the original distance in the final one.
const LAMBDA: f64 = 0.3;

/// Weights of pictures by number, ascending; what is not listed weighs 0.
type Weights = Vec<(u32, f64)>;

/// What re-ranking needs to know about every picture. Pictures are numbered: queries first, then the gallery.
pub(super) struct Reranking {
    /// Largest squared distance of every query to any picture.
    farthest: Vec<f64>,
    /// Weights of every query.
    queries: Vec<Weights>,
    /// For every picture, the gallery's pictures that give it a weight, by place in the gallery.
    holders: Vec<Weights>,
}

impl Reranking {
    /// Compares all pictures with each other. `progress` hears how many have been compared with all.
    pub(super) fn new(query: &Features, gallery: &Features, progress: &dyn Fn(usize)) -> Reranking {
        assert!(query.dim() == gallery.dim(), "features of {} and {} numbers", query.dim(), gallery.dim());
        let blocks: Vec<Tensor<f64>> = query.blocks().iter().chain(gallery.blocks()).cloned().collect();
        let rows: Vec<&[f64]> =
            blocks.iter().flat_map(|block| block.as_slice().chunks(query.dim())).collect();
        let mut neighbours: Vec<Neighbours> = Vec::with_capacity(rows.len());
        for block in &blocks {
            let distances = squared_distances(block, &blocks); // [M, N]
            neighbours.par_extend(distances.par_chunks(rows.len()).map(Neighbours::of));
            progress(neighbours.len());
        }
        let pictures = 0..neighbours.len();
        let own: Vec<Weights> =
            pictures.clone().into_par_iter().map(|i| reciprocal_weights(i, &neighbours, &rows)).collect();
        let mut queries: Vec<Weights> =
            pictures.into_par_iter().map(|i| mean_weights(neighbours[i].nearest(K2), &own)).collect();
        let of_gallery = queries.split_off(query.len());

        let mut holders = vec![Weights::new(); neighbours.len()];
        for (place, weights) in of_gallery.into_iter().enumerate() {
            weights.iter().for_each(|&(i, weight)| holders[i as usize].push((place as u32, weight)));
        }
        let farthest = neighbours[..query.len()].iter().map(|known| known.farthest).collect();
        Reranking { farthest, queries, holders }
    }

    /// Turns the squared distances of query `i` to the gallery `[G]` into the final ones.
    pub(super) fn apply(&self, i: usize, distances: &mut [f64]) {
        let mut common = vec![0.0; distances.len()]; // Σ min of both weights
        for &(picture, weight) in &self.queries[i] {
            for &(place, other) in &self.holders[picture as usize] {
                common[place as usize] += weight.min(other);
            }
        }
        for (distance, common) in distances.iter_mut().zip(common) {
            // Weights sum to 1, so that Σ max = 2 − Σ min.
            let jaccard = 1.0 - common / (2.0 - common);
            *distance = (1.0 - LAMBDA) * jaccard + LAMBDA * relative(*distance, self.farthest[i]);
        }
    }
}

/// A distance as a share of the largest; 0 if all features are the same.
fn relative(distance: f64, farthest: f64) -> f64 {
    if farthest > 0.0 { distance / farthest } else { 0.0 }
}

/// What a picture's distances to all say.
struct Neighbours {
    /// The nearest, as many as are asked for at all; itself comes first, unless another has the same features.
    nearest: Vec<u32>,
    /// The largest distance.
    farthest: f64,
}

impl Neighbours {
    fn of(distances: &[f64]) -> Neighbours {
        let mut nearest: Vec<(f64, u32)> = Vec::with_capacity(K1 + 2);
        for (i, &distance) in distances.iter().enumerate() {
            if nearest.len() <= K1 || distance < nearest[K1].0 {
                // Behind those at the same distance, which come earlier among queries and gallery.
                let place = nearest.partition_point(|&(known, _)| known <= distance);
                nearest.insert(place, (distance, i as u32));
                nearest.truncate(K1 + 1);
            }
        }
        Neighbours {
            nearest: nearest.into_iter().map(|(_, i)| i).collect(),
            farthest: distances.iter().copied().fold(0.0, f64::max),
        }
    }

    /// The first `count`, or all there are.
    fn nearest(&self, count: usize) -> &[u32] {
        &self.nearest[..count.min(self.nearest.len())]
    }
}

/// The `k` nearest neighbours of picture `i`, and itself, that have it among theirs.
fn reciprocal(i: u32, k: usize, neighbours: &[Neighbours]) -> Vec<u32> {
    let nearest = |i: u32| neighbours[i as usize].nearest(k + 1);
    nearest(i).iter().copied().filter(|&j| nearest(j).contains(&i)).collect()
}

/// Weights exp(−d) of the reciprocal neighbours of picture `i`, scaled to the sum 1. A neighbour's own closer reciprocal
/// neighbours join if more than two thirds of them are there already.
fn reciprocal_weights(i: usize, neighbours: &[Neighbours], rows: &[&[f64]]) -> Weights {
    let core = reciprocal(i as u32, K1, neighbours);
    let mut members = core.clone();
    for &candidate in &core {
        let more = reciprocal(candidate, K1 / 2, neighbours);
        let known = more.iter().filter(|j| core.contains(j)).count();
        if 3 * known > 2 * more.len() {
            members.extend(more);
        }
    }
    members.sort_unstable();
    members.dedup();
    let weight = |&j: &u32| {
        let distance = squared_distance(rows[i], rows[j as usize]);
        (j, (-relative(distance, neighbours[i].farthest)).exp())
    };
    let mut weights: Weights = members.iter().map(weight).collect();
    let sum: f64 = weights.iter().map(|(_, weight)| weight).sum();
    weights.iter_mut().for_each(|(_, weight)| *weight /= sum);
    weights
}

/// The mean of the weights of some pictures.
fn mean_weights(pictures: &[u32], own: &[Weights]) -> Weights {
    let mut all: Weights = pictures.iter().flat_map(|&j| own[j as usize].iter().copied()).collect();
    // Stable: terms of the same picture stay in the order of `pictures`, in which they are added.
    all.sort_by_key(|&(picture, _)| picture);
    let mean = |terms: &[(u32, f64)]| {
        (terms[0].0, terms.iter().map(|(_, weight)| weight).sum::<f64>() / pictures.len() as f64)
    };
    all.chunk_by(|a, b| a.0 == b.0).map(mean).collect()
}
