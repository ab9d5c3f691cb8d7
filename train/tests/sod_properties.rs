//! What must hold for the SOD measures whatever the pictures are.

use train::metrics::sod::{Scores, SetScores, score_image, score_prediction};

const HEIGHT: usize = 17;
const WIDTH: usize = 24;
const PIXELS: usize = HEIGHT * WIDTH;

/// Reproducible noise: the top byte of a linear congruential generator.
fn noise(seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..PIXELS).map(|_| next()).collect()
}

/// White where `inside(row, column)` holds.
fn shape(inside: fn(usize, usize) -> bool) -> Vec<u8> {
    (0..PIXELS).map(|i| if inside(i / WIDTH, i % WIDTH) { 255 } else { 0 }).collect()
}

fn disc() -> Vec<u8> {
    shape(|row, column| row.abs_diff(7).pow(2) + column.abs_diff(10).pow(2) < 30)
}

/// A blurred guess at the disc: what a network might answer.
fn guess() -> Vec<u8> {
    let noise = noise(3);
    disc().iter().zip(noise).map(|(&mask, n)| mask / 2 + n / 2).collect()
}

fn scores(pred: &[u8], mask: &[u8]) -> Scores {
    score_image(pred, mask, HEIGHT, WIDTH).scores
}

#[test]
fn a_perfect_prediction_gets_full_marks() {
    let s = scores(&disc(), &disc());
    let perfect_e = PIXELS as f64 / (PIXELS - 1) as f64;
    for (name, found, expected) in [
        ("S", s.structure, 1.0),
        ("MAE", s.mae, 0.0),
        ("adpF", s.adaptive_f, 1.0),
        ("maxF", s.max_f, 1.0),
        ("adpE", s.adaptive_e, perfect_e),
        ("maxE", s.max_e, perfect_e),
        ("wF", s.weighted_f, 1.0),
    ] {
        assert!((found - expected).abs() < 1e-12, "{name}: found {found}, expected {expected}");
    }
}

#[test]
fn a_better_prediction_scores_better() {
    let (good, poor) = (scores(&guess(), &disc()), scores(&noise(3), &disc()));
    assert!(good.mae < poor.mae);
    for (name, good, poor) in [
        ("S", good.structure, poor.structure),
        ("maxF", good.max_f, poor.max_f),
        ("meanF", good.mean_f, poor.mean_f),
        ("maxE", good.max_e, poor.max_e),
        ("meanE", good.mean_e, poor.mean_e),
        ("wF", good.weighted_f, poor.weighted_f),
    ] {
        assert!(good > poor + 0.05, "{name}: {good} for the guess, {poor} for noise");
    }
}

#[test]
fn measures_stay_in_their_ranges() {
    let perfect_e = PIXELS as f64 / (PIXELS - 1) as f64;
    for seed in 0..50 {
        let image = score_image(&noise(seed), &noise(seed + 1000), HEIGHT, WIDTH);
        let Scores { structure, mae, weighted_f, .. } = image.scores;
        for value in [structure, mae, weighted_f].into_iter().chain(image.curves.f) {
            assert!((0.0..=1.0).contains(&value), "seed {seed}: {value}");
        }
        assert!(image.curves.e.iter().all(|e| (0.0..=perfect_e + 1e-12).contains(e)), "seed {seed}");
        assert!(image.curves.recall.windows(2).all(|w| w[0] >= w[1]), "recall rises with the threshold");
    }
}

#[test]
fn mirroring_changes_nothing_but_the_cut_of_the_s_measure() {
    let mirrored = |picture: Vec<u8>| -> Vec<u8> {
        picture.chunks(WIDTH).flat_map(|row| row.iter().rev().copied()).collect()
    };
    let here = score_image(&guess(), &disc(), HEIGHT, WIDTH);
    let there = score_image(&mirrored(guess()), &mirrored(disc()), HEIGHT, WIDTH);
    assert_eq!(here.curves, there.curves);
    for (name, a, b) in [
        ("MAE", here.scores.mae, there.scores.mae),
        ("adpF", here.scores.adaptive_f, there.scores.adaptive_f),
        ("adpE", here.scores.adaptive_e, there.scores.adaptive_e),
    ] {
        assert!((a - b).abs() < 1e-12, "{name}: {a} became {b}");
    }
}

/// Both pictures shuffled alike: what counts pixels cannot notice, what looks at structure must.
#[test]
fn shuffled_pixels_leave_counts_alone() {
    // 5 and 408 have no factor in common, so every pixel is visited once.
    let shuffled = |picture: Vec<u8>| -> Vec<u8> { (0..PIXELS).map(|i| picture[5 * i % PIXELS]).collect() };
    let here = score_image(&guess(), &disc(), HEIGHT, WIDTH);
    let there = score_image(&shuffled(guess()), &shuffled(disc()), HEIGHT, WIDTH);
    assert_eq!(here.curves, there.curves);
    assert!((here.scores.mae - there.scores.mae).abs() < 1e-12);
    assert!((here.scores.structure - there.scores.structure).abs() > 1e-3);
    assert!((here.scores.weighted_f - there.scores.weighted_f).abs() > 1e-3);
}

/// The reference divides by zero when the centroid lies in the last column or row, and answers NaN.
#[test]
fn an_empty_block_counts_nothing() {
    for mask in [shape(|_, column| column == WIDTH - 1), shape(|row, _| row == HEIGHT - 1)] {
        let right = scores(&mask, &mask).structure;
        assert!((right - 1.0).abs() < 1e-12, "a perfect prediction scores {right}");
        let inverted: Vec<u8> = mask.iter().map(|m| 255 - m).collect();
        let wrong = scores(&inverted, &mask).structure;
        assert!((0.0..0.1).contains(&wrong), "the inverted prediction scores {wrong}");
    }
}

#[test]
fn every_curve_is_averaged_before_its_maximum_is_taken() {
    let images: Vec<_> =
        [guess(), disc()].iter().map(|pred| score_image(pred, &disc(), HEIGHT, WIDTH)).collect();
    let set = SetScores::average(&images);
    let best = (0..256).map(|t| (images[0].curves.f[t] + images[1].curves.f[t]) / 2.0).fold(0.0, f64::max);
    assert_eq!(set.scores.max_f, best);
    let [first, second] = [&images[0].scores, &images[1].scores];
    assert!((set.scores.mean_f - (first.mean_f + second.mean_f) / 2.0).abs() < 1e-12);
    assert!((set.scores.structure - (first.structure + second.structure) / 2.0).abs() < 1e-12);
}

#[test]
fn a_network_output_scores_as_its_saved_picture() {
    let pred: Vec<f32> = (0..PIXELS).map(|i| (i as f32 * 0.37).sin() * 0.6 + 0.5).collect();
    let truth: Vec<f32> = disc().iter().map(|&m| f32::from(m) / 255.0).collect();
    let saved: Vec<u8> = pred.iter().map(|p| (p * 255.0).round().clamp(0.0, 255.0) as u8).collect();
    assert!(saved.contains(&0) && saved.contains(&255), "the output should leave [0, 1] on both sides");
    let expected = score_image(&saved, &disc(), HEIGHT, WIDTH);
    assert_eq!(score_prediction(&pred, &truth, HEIGHT, WIDTH), expected);
}

#[test]
#[should_panic(expected = "a mask of 17 x 24 has 408 pixels")]
fn a_mask_of_another_size_is_refused() {
    score_image(&noise(0), &[0; 407], HEIGHT, WIDTH);
}
