//! Against a plain reference, by properties, and one example by hand.

use super::*;
use autograd::Tensor;

mod plain;

use plain::{plain_reranked, plain_score, plain_table};

/// Rows with ids and cameras, not yet normalised.
#[derive(Clone)]
struct Set {
    rows: Vec<Vec<f64>>,
    labels: Vec<(i64, i64)>,
}

impl Set {
    fn features(&self) -> Features {
        let values = Tensor::from_vec(self.rows.concat(), &[self.rows.len(), self.rows[0].len()]);
        let (ids, cams): (Vec<i64>, Vec<i64>) = self.labels.iter().copied().unzip();
        Features::new(&values, &ids, &cams).unwrap()
    }
}

/// Reproducible numbers in 0..below.
struct Noise(u64);

impl Noise {
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    fn value(&mut self) -> f64 {
        self.below(1 << 20) as f64 / f64::from(1 << 19) - 1.0
    }

    /// `n` rows of `dim` numbers; the pictures of an id lie around a point of its own, as far as `spread` says.
    fn clusters(&mut self, n: usize, dim: usize, ids: u64, cams: u64, spread: f64) -> Set {
        let labels: Vec<(i64, i64)> =
            (0..n).map(|_| (self.below(ids) as i64, self.below(cams) as i64)).collect();
        let centre = |id: i64| {
            let mut own = Noise(id as u64 + 1);
            (0..dim).map(|_| own.value()).collect::<Vec<f64>>()
        };
        let near = |noise: &mut Noise, id| centre(id).iter().map(|x| x + spread * noise.value()).collect();
        let rows = labels.iter().map(|&(id, _)| near(self, id)).collect();
        Set { rows, labels }
    }

    /// `n` rows of 4 signs: lengths, products and distances are exact, and most of the distances are equal.
    fn signs(&mut self, n: usize, ids: u64, cams: u64) -> Set {
        let mut set = self.clusters(n, 4, ids, cams, 3.0);
        set.rows.iter_mut().flatten().for_each(|x| *x = x.signum());
        set
    }
}

fn assert_close(ours: Option<ReidScores>, plain: Option<ReidScores>) {
    let (Some(a), Some(b)) = (&ours, &plain) else {
        assert_eq!(ours, plain);
        return;
    };
    assert_eq!((a.queries, a.skipped), (b.queries, b.skipped));
    let numbers = |s: &ReidScores| [s.mean_ap, s.rank1, s.rank5, s.rank10, s.mean_inp];
    for (a, b) in numbers(a).into_iter().zip(numbers(b)) {
        assert!((a - b).abs() < 1e-12, "{ours:?}\n{plain:?}");
    }
}

/// A unit vector of the plane.
fn at(degrees: f64) -> Vec<f64> {
    let angle = degrees.to_radians();
    vec![angle.cos(), angle.sin()]
}

#[test]
fn an_example_by_hand() {
    let query = Set { rows: vec![at(0.0), at(90.0), at(0.0)], labels: vec![(1, 1), (3, 1), (8, 1)] };
    let degrees = [1.0, 2.0, 3.0, -4.0, 5.0, 30.0];
    let labels = vec![(1, 1), (2, 1), (1, 2), (2, 2), (1, 3), (3, 2)];
    let gallery = Set { rows: degrees.map(at).to_vec(), labels };
    // Query 1: its own camera's picture is left out, then ranks 2 and 4 are matches. Query 2: the nearest is the match.
    // Query 3: nobody has its id.
    let expected = ReidScores {
        mean_ap: (0.5 + 1.0) / 2.0, // (1/2 + 2/4) / 2 and 1
        rank1: 0.5,
        rank5: 1.0,
        rank10: 1.0,
        mean_inp: (0.5 + 1.0) / 2.0, // 2/4 and 1
        queries: 2,
        skipped: 1,
    };
    assert_eq!(score(&query.features(), &gallery.features()), Some(expected));
}

#[test]
fn random_searches_score_as_the_reference_says() {
    for seed in 0..40 {
        let mut noise = Noise(seed);
        let (q, g) = (1 + noise.below(12) as usize, 1 + noise.below(60) as usize);
        let (ids, cams, dim) = (1 + noise.below(6), 1 + noise.below(3), 1 + noise.below(20) as usize);
        let query = noise.clusters(q, dim, ids + 1, cams, 2.0);
        let gallery = noise.clusters(g, dim, ids, cams, 2.0);
        let plain = plain_score(&query, &gallery, &plain_table(&query, &gallery));
        assert_close(score(&query.features(), &gallery.features()), plain);
    }
}

#[test]
fn ties_are_broken_by_the_place_in_the_gallery() {
    let mut skipped = 0;
    for seed in 0..60 {
        let mut noise = Noise(seed);
        let (q, g) = (1 + noise.below(6) as usize, 1 + noise.below(80) as usize);
        let (query, gallery) = (noise.signs(q, 5, 2), noise.signs(g, 4, 3));
        let plain = plain_score(&query, &gallery, &plain_table(&query, &gallery));
        skipped += plain.as_ref().map_or(q, |plain| plain.skipped);
        assert_close(score(&query.features(), &gallery.features()), plain);
    }
    assert!(skipped > 0, "queries without a match are among them");
}

#[test]
fn copies_of_a_picture_tie_wherever_they_stand() {
    // Between a picture and its copy at the gallery's end there are tiles and blocks of all kinds. The copy is the match:
    // whatever ranks before the picture ranks before the copy, and the picture itself, which comes first.
    let mut noise = Noise(5);
    let strangers = noise.clusters(700, 37, 1000, 1, 2.0);
    let mut gallery = strangers.clone();
    gallery.rows.extend(strangers.rows.iter().rev().cloned());
    gallery.labels = (0..700).map(|i| (-1 - i, 1)).chain((0..700).rev().map(|i| (i, 1))).collect();
    let mut query = noise.clusters(15, 37, 1, 1, 2.0);
    query.labels = (0..15).map(|i| (i * 47, 0)).collect();
    let features = gallery.features();
    for (i, block) in query.features().blocks().iter().enumerate() {
        let distances = squared_distances(block, features.blocks());
        for (row, distances) in distances.chunks(1400).enumerate() {
            let (id, _) = query.labels[i * 512 + row];
            let own = distances[id as usize];
            assert_eq!(own, distances[1399 - id as usize], "a copy has the same distance");
            let nearer = distances.iter().filter(|&&d| d < own).count();
            assert_eq!(ranks_of_matches(distances, (id, 0), &features), [nearer + 2]);
        }
    }
}

#[test]
fn blocks_of_queries_and_gallery_are_put_together_in_order() {
    let mut noise = Noise(9);
    let (query, gallery) = (noise.clusters(600, 3, 50, 4, 0.5), noise.clusters(1100, 3, 50, 4, 0.5));
    let plain = plain_score(&query, &gallery, &plain_table(&query, &gallery));
    assert_close(score(&query.features(), &gallery.features()), plain);
}

#[test]
fn nearly_equal_pictures_are_told_apart() {
    // 1e-9 apart: 2 - 2 a·b is 0 for all of them.
    let rows = [3.0, 1.0, 2.0, 0.0].map(|k| vec![1.0, k * 1e-9, 0.5]).to_vec();
    let gallery = Set { rows, labels: vec![(1, 2), (2, 2), (1, 3), (2, 2)] };
    let query = Set { rows: vec![vec![1.0, 0.0, 0.5]], labels: vec![(1, 1)] };
    let scores = score(&query.features(), &gallery.features()).unwrap();
    assert_eq!((scores.mean_ap, scores.mean_inp), ((1.0 / 3.0 + 2.0 / 4.0) / 2.0, 0.5));
}

#[test]
fn a_ranking_lists_what_the_scores_judge() {
    let mut noise = Noise(4);
    for (spread, g) in [(0.0, 90), (2.0, 90), (2.0, 3), (2.0, 1200)] {
        // Without spread the pictures of an object are the same: every distance has ties.
        let (query, gallery) = (noise.clusters(9, 6, 5, 2, spread), noise.clusters(g, 6, 4, 3, spread));
        let (plain, table) = (plain_table(&query, &gallery), rank(&query.features(), &gallery.features(), 7));
        for ((hits, distances), (id, cam)) in table.iter().zip(&plain).zip(&query.labels) {
            let mut order: Vec<usize> = (0..g).filter(|&j| gallery.labels[j] != (*id, *cam)).collect();
            order.sort_by(|&a, &b| distances[a].total_cmp(&distances[b]));
            assert_eq!(hits.len(), order.len().min(7));
            for (hit, place) in hits.iter().zip(order) {
                if spread > 0.0 {
                    assert_eq!(hit.row, place);
                }
                assert!((hit.distance - distances[place]).abs() < 1e-14);
                assert_eq!(hit.right, Some(gallery.labels[hit.row].0 == *id));
            }
            assert!(hits.is_sorted_by(|a, b| (a.distance, a.row) < (b.distance, b.row)), "{hits:?}");
        }
        let best = score(&query.features(), &gallery.features()).map(|s| s.rank1 * s.queries as f64);
        let with_match =
            |i: &usize| gallery.labels.iter().any(|l| l.0 == query.labels[*i].0 && l.1 != query.labels[*i].1);
        let right = (0..9).filter(with_match).filter(|&i| table[i][0].right == Some(true)).count();
        assert!((best.unwrap_or(0.0) - right as f64).abs() < 1e-12, "{best:?} {right}");
    }
}

#[test]
fn of_an_unknown_object_nothing_is_left_out_and_nothing_is_right() {
    let rows = [1.0, 2.0, 3.0].map(at).to_vec();
    let gallery = Set { rows, labels: vec![(UNKNOWN_ID, 1), (4, 1), (4, 2)] }.features();
    let ranked = |id: i64| {
        let query = Set { rows: vec![at(0.0)], labels: vec![(id, 1)] };
        let hits = rank(&query.features(), &gallery, 5);
        hits[0].iter().map(|hit| (hit.row, hit.right)).collect::<Vec<_>>()
    };
    assert_eq!(ranked(UNKNOWN_ID), [(0, None), (1, None), (2, None)]);
    assert_eq!(ranked(4), [(0, None), (2, Some(true))]);
    assert_eq!(ranked(5), [(0, None), (1, Some(false)), (2, Some(false))]);
    let query = |id: i64| Set { rows: vec![at(0.0)], labels: vec![(id, 1)] }.features();
    assert_eq!(score(&query(UNKNOWN_ID), &gallery), None);
    assert_eq!(score(&query(4), &gallery).unwrap().mean_ap, 0.5, "the unknown picture comes first");
}

#[test]
fn re_ranking_says_how_far_it_is() {
    let mut noise = Noise(8);
    let (query, gallery) = (noise.clusters(530, 3, 9, 3, 0.5), noise.clusters(600, 3, 9, 3, 0.5));
    let heard = std::cell::RefCell::new(Vec::new());
    score_reranked(&query.features(), &gallery.features(), &|done| heard.borrow_mut().push(done));
    // Blocks of 512: two of queries, two of the gallery, and the queries again.
    assert_eq!(heard.into_inner(), [512, 530, 1042, 1130, 1642, 1660]);
}

#[test]
fn lengths_and_the_number_of_threads_change_nothing() {
    let mut noise = Noise(2);
    let (query, gallery) = (noise.clusters(40, 24, 8, 3, 1.0), noise.clusters(130, 24, 8, 3, 1.0));
    let longer = |set: &Set, factor: f64| {
        let mut set = set.clone();
        set.rows.iter_mut().flatten().for_each(|x| *x *= factor);
        set
    };
    let both = |query: &Set, gallery: &Set| {
        let (query, gallery) = (query.features(), gallery.features());
        (score(&query, &gallery), score_reranked(&query, &gallery, &|_| ()))
    };
    let scores = both(&query, &gallery);
    assert_eq!(both(&longer(&query, 4.0), &longer(&gallery, 0.125)), scores);
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| both(&query, &gallery)), scores);
    }
}

#[test]
fn re_ranking_gives_the_distances_of_the_paper() {
    for (seed, q, g, spread) in
        [(1, 1, 1, 1.0), (2, 1, 4, 1.0), (3, 4, 18, 0.8), (4, 12, 90, 0.7), (5, 25, 150, 1.5)]
    {
        let mut noise = Noise(seed);
        let (query, gallery) = (noise.clusters(q, 12, 7, 3, spread), noise.clusters(g, 12, 7, 3, spread));
        let (ours, plain) = (
            Reranking::new(&query.features(), &gallery.features(), &|_| ()),
            plain_reranked(&query, &gallery),
        );
        let table = plain_table(&query, &gallery);
        for (i, plain) in plain.iter().enumerate() {
            let mut distances = table[i].clone();
            ours.apply(i, &mut distances);
            for (a, b) in distances.iter().zip(plain) {
                assert!((a - b).abs() < 1e-12, "query {i}: {a} for {b}");
            }
        }
        let scores = score_reranked(&query.features(), &gallery.features(), &|_| ());
        assert_close(scores, plain_score(&query, &gallery, &plain));
    }
}

#[test]
fn re_ranking_bears_pictures_that_are_all_the_same() {
    let gallery = Set { rows: vec![vec![1.0, 2.0]; 40], labels: (0..40).map(|i| (i % 4, 2)).collect() };
    let query = Set { rows: vec![vec![1.0, 2.0]; 3], labels: vec![(0, 1), (1, 1), (3, 1)] };
    let scores = score_reranked(&query.features(), &gallery.features(), &|_| ()).unwrap();
    assert!(scores.mean_ap > 0.0 && scores.mean_ap <= 1.0 && scores.mean_inp <= 1.0, "{scores:?}");
}

#[test]
fn rows_that_cannot_be_normalised_are_named() {
    let error = |values: Vec<f64>, ids: &[i64], cams: &[i64]| {
        let features = Features::new(&Tensor::from_vec(values, &[2, 2]), ids, cams);
        format!("{:#}", features.err().expect("an error"))
    };
    for (row, says) in [([0.0, 0.0], "length 0"), ([f64::NAN, 1.0], "NaN"), ([1.0, f64::INFINITY], "inf")] {
        let message = error([vec![1.0, 1.0], row.to_vec()].concat(), &[1, 2], &[1, 2]);
        assert!(message.contains("row 1") && message.contains(says), "{message}");
    }
    assert!(error(vec![1.0; 4], &[1, 2, 3], &[1, 2]).contains("2 rows, id has 3"));
    assert!(error(vec![1.0; 4], &[1, 2], &[1]).contains("2 rows, cam has 1"));
}
