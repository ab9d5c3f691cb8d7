//! Batches of P identities with K pictures of each, as a triplet loss wants them.

use autograd::random::{Key, site};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// One epoch in batches of `p` identities with `k` pictures of each, those of an identity side by side, after HAMNet's
/// sampler. `ids` are the identities of all pictures in the order of their indices; the batches hold indices.
///
/// The pictures of every identity are shuffled and cut into chunks of k; a last chunk that is not full is left out. An
/// identity with fewer than k pictures gets one chunk, drawn with replacement. Then p different identities that still
/// have chunks are drawn, and give one each, until fewer than p identities are left. What is left over is not
/// visited in that epoch.
///
/// The same `key` gives the same batches; its step should be 0. There are none if there are fewer than p identities.
///
/// # Panics
/// If `p` or `k` is zero.
pub fn identity_batches(ids: &[u32], p: usize, k: usize, key: Key) -> Vec<Vec<usize>> {
    assert!(p > 0 && k > 0, "a batch needs at least one identity and one picture of it, not {p} x {k}");
    let mut rng = key.rng(site("reid.identities"));
    let mut pictures: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (index, &id) in ids.iter().enumerate() {
        pictures.entry(id).or_default().push(index);
    }
    // The chunks that each identity has left.
    let mut left: Vec<Vec<Vec<usize>>> =
        pictures.into_values().map(|pictures| chunks(pictures, k, &mut rng)).collect();
    let mut batches = Vec::new();
    while left.len() >= p {
        draw_to_front(&mut left, p, &mut rng);
        batches.push(left[..p].iter_mut().filter_map(Vec::pop).flatten().collect());
        left.retain(|chunks| !chunks.is_empty());
    }
    batches
}

/// The pictures of one identity, shuffled, in chunks of k; at least one.
fn chunks(mut pictures: Vec<usize>, k: usize, rng: &mut ChaCha8Rng) -> Vec<Vec<usize>> {
    let count = pictures.len();
    if count < k {
        return vec![(0..k).map(|_| pictures[rng.random_range(0..count)]).collect()];
    }
    draw_to_front(&mut pictures, count, rng);
    pictures.chunks_exact(k).map(<[usize]>::to_vec).collect()
}

/// Brings `count` of the items to the front, drawn without replacement, in a random order (Fisher and Yates).
fn draw_to_front<T>(items: &mut [T], count: usize, rng: &mut ChaCha8Rng) {
    for place in 0..count {
        items.swap(place, rng.random_range(place..items.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const KEY: Key = Key { seed: 3, epoch: 1, step: 0 };

    #[test]
    fn the_key_decides() {
        let ids: Vec<u32> = (0..200).map(|index| index % 20 + 1).collect();
        let plan = identity_batches(&ids, 4, 3, KEY);
        assert_eq!(plan, identity_batches(&ids, 4, 3, KEY));
        assert_ne!(plan, identity_batches(&ids, 4, 3, Key { epoch: 2, ..KEY }));
        assert_ne!(plan, identity_batches(&ids, 4, 3, Key { seed: 4, ..KEY }));
    }

    #[test]
    fn too_few_identities_make_no_batch() {
        assert!(identity_batches(&[7, 7, 7, 8, 8], 3, 2, KEY).is_empty());
        assert!(identity_batches(&[], 1, 1, KEY).is_empty());
    }

    #[test]
    fn identities_with_few_pictures_repeat_theirs() {
        let plan = identity_batches(&[5, 9, 9, 9, 9], 2, 4, KEY);
        assert_eq!(plan.len(), 1);
        let of = |id| plan[0].iter().filter(|&&index| (index == 0) == (id == 5)).count();
        assert_eq!((of(5), of(9)), (4, 4));
        assert_eq!(plan[0].iter().collect::<BTreeSet<_>>().len(), 5, "the four of the other all occur");
    }

    #[test]
    fn most_of_a_large_set_is_visited() {
        // 300 identities x 84 pictures, 8 x 4 a batch: 788 batches would be all of it.
        let ids: Vec<u32> = (0..300 * 84).map(|index| index / 84).collect();
        let plan = identity_batches(&ids, 8, 4, KEY);
        assert!((770..=787).contains(&plan.len()), "{} batches", plan.len());
        let visited: BTreeSet<usize> = plan.iter().flatten().copied().collect();
        assert_eq!(visited.len(), plan.len() * 32);
    }

    #[test]
    fn every_identity_comes_first_as_often() {
        let ids: Vec<u32> = (0..24).map(|index| index % 6).collect();
        let mut first = [0; 6];
        for epoch in 0..3000 {
            let plan = identity_batches(&ids, 2, 2, Key { epoch, ..KEY });
            first[ids[plan[0][0]] as usize] += 1;
        }
        // 500 are expected, with a deviation of 20.
        assert!(first.iter().all(|count| (400..600).contains(count)), "{first:?}");
    }

    proptest! {
        #[test]
        fn a_batch_holds_p_identities_with_k_pictures_and_no_picture_comes_twice(
            (ids, p, k, seed) in (prop::collection::vec(0u32..12, 0..120), 1usize..5, 1usize..6, any::<u64>()),
        ) {
            let pictures = |id: u32| ids.iter().filter(|&&other| other == id).count();
            let plan = identity_batches(&ids, p, k, Key { seed, ..KEY });
            let mut visited = BTreeSet::new();
            let mut chunks_given = BTreeMap::new();
            for batch in &plan {
                prop_assert_eq!(batch.len(), p * k);
                let batch_ids: Vec<u32> = batch.chunks(k).map(|chunk| ids[chunk[0]]).collect();
                prop_assert_eq!(batch_ids.iter().collect::<BTreeSet<_>>().len(), p);
                for (chunk, &id) in batch.chunks(k).zip(&batch_ids) {
                    prop_assert!(chunk.iter().all(|&index| ids[index] == id));
                    *chunks_given.entry(id).or_insert(0) += 1;
                    let fresh = chunk.iter().filter(|&&index| visited.insert(index)).count();
                    prop_assert!(fresh == k || pictures(id) < k);
                }
            }
            // It stops for want of identities: those with a chunk left are fewer than p.
            let chunks_of = |id: u32| match pictures(id) {
                0 => 0,
                few if few < k => 1,
                count => count / k,
            };
            let left = (0..12).filter(|id| chunks_of(*id) > chunks_given.get(id).copied().unwrap_or(0)).count();
            prop_assert!(left < p, "{} identities have chunks left", left);
        }
    }
}
