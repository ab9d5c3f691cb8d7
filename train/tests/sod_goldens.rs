//! The SOD measures against values of the reference, PySODMetrics 1.6.2.

use std::path::{Path, PathBuf};

use train::metrics::sod::{ImageScores, Scores, score_image};
use train::score::score_folders;

fn goldens(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/goldens/sod").join(folder)
}

/// `expected` holds S, MAE, adpF, maxF, meanF, adpE, maxE, meanE.
fn assert_scores(name: &str, scores: &Scores, expected: [f64; 8]) {
    let found = [
        ("S", scores.structure),
        ("MAE", scores.mae),
        ("adpF", scores.adaptive_f),
        ("maxF", scores.max_f),
        ("meanF", scores.mean_f),
        ("adpE", scores.adaptive_e),
        ("maxE", scores.max_e),
        ("meanE", scores.mean_e),
    ];
    for ((key, found), expected) in found.into_iter().zip(expected) {
        assert!((found - expected).abs() < 1e-9, "{name} {key}: found {found}, expected {expected}");
    }
}

#[test]
#[rustfmt::skip] // One picture, one line.
fn the_three_pictures() {
    let report = score_folders(&goldens("preds"), &goldens("masks")).unwrap();
    let table = [
        ("0001", [0.9210707604, 0.0329845414, 0.9112183811, 0.9228291978, 0.9081914125, 0.9726025219, 0.9763442756, 0.9556087835]),
        ("19", [0.7899653645, 0.0760745617, 0.8338068661, 0.8437945271, 0.8229617661, 0.9314162682, 0.9332416118, 0.9200852473]),
        // Its mask is empty, and coded as RGB.
        ("aerial-1867541__340", [0.9978923488, 0.0021076512, 0.0, 0.0, 0.0, 0.91860923, 1.0, 0.9941834572]),
    ];
    assert_eq!(report.images.len(), table.len());
    for ((name, image), (expected_name, expected)) in report.images.iter().zip(table) {
        assert_eq!(name, expected_name);
        assert_scores(name, &image.scores, expected);
    }
}

#[test]
#[rustfmt::skip] // The order of the table above.
fn the_set_of_three() {
    let set = score_folders(&goldens("preds"), &goldens("masks")).unwrap().set;
    assert_eq!(set.images, 3);
    assert_scores("the set", &set.scores, [0.9029761579, 0.0370555848, 0.5816750824, 0.5886784581, 0.5770510595, 0.9408760067, 0.9669544828, 0.9566258294]);
    assert!((set.scores.weighted_f - 0.5579812754).abs() < 1e-9, "wF {}", set.scores.weighted_f);
}

const SIDE: usize = 8;

fn score(pred: &[u8], mask: &[u8]) -> ImageScores {
    score_image(pred, mask, SIDE, SIDE)
}

/// Foreground in rows 2 to 4, columns 3 to 6.
fn object() -> Vec<u8> {
    let inside = |i: usize| (2..=4).contains(&(i / SIDE)) && (3..=6).contains(&(i % SIDE));
    (0..SIDE * SIDE).map(|i| if inside(i) { 255 } else { 0 }).collect()
}

/// (17 x + 13 y + 11 (x y mod 7)) mod 256.
fn texture() -> Vec<u8> {
    let value = |x: usize, y: usize| (17 * x + 13 * y + 11 * ((x * y) % 7)) % 256;
    (0..SIDE * SIDE).map(|i| value(i % SIDE, i / SIDE) as u8).collect()
}

#[test]
#[rustfmt::skip] // One case, one line.
fn small_synthetic_pictures() {
    let (black, white) = (vec![0; SIDE * SIDE], vec![255; SIDE * SIDE]);
    // A perfect E-measure is N / (N − 1); one pixel is worth 1 / (N − 1).
    let (perfect, one) = (64.0 / 63.0, 1.0 / 63.0);
    let (e, f) = (0.253968253968, 0.230769230769);
    let cases = [
        ("texture, object", texture(), object(), [0.41523210697, 0.513988095238, 0.0, 0.355191256831, 0.260523678775, 0.320535182778, 0.766322925006, 0.349729790428]),
        ("texture, nothing", texture(), black.clone(), [0.396875, 0.603125, 0.0, 0.0, 0.0, 1.0, 1.0, 0.403645833333]),
        ("texture, everything", texture(), white.clone(), [0.603125, 0.396875, 0.064356435644, 1.0, 0.788162579355, one, perfect, 0.61222718254]),
        ("black, object", black.clone(), object(), [0.40625, 0.1875, f, f, 0.000901442308, e, e, e]),
        ("white, object", white, object(), [0.09375, 0.8125, f, f, f, e, e, e]),
        ("black, nothing", black.clone(), black, [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, perfect, 1.011904761905]),
        ("object, object", object(), object(), [1.0, 0.0, 1.0, 1.0, 0.996995192308, perfect, perfect, 1.012896825397]),
    ];
    for (name, pred, mask, expected) in cases {
        assert_scores(name, &score(&pred, &mask).scores, expected);
    }
}

#[test]
fn weighted_f_of_the_small_pictures() {
    let (black, white) = (vec![0; SIDE * SIDE], vec![255; SIDE * SIDE]);
    for (name, pred, mask, expected) in [
        ("texture, object", texture(), object(), 0.3332458779462169),
        ("texture, nothing", texture(), black.clone(), 0.0),
        ("texture, everything", texture(), white.clone(), 0.8777927173063932),
        ("black, object", black, object(), 0.24374965944874263),
        ("white, object", white, object(), 0.2700813210248844),
        ("object, object", object(), object(), 1.0),
    ] {
        let found = score(&pred, &mask).scores.weighted_f;
        assert!((found - expected).abs() < 1e-9, "{name}: found {found}, expected {expected}");
    }
}

/// In a block where prediction and truth are both flat the S-measure counts 1, unless the mean is off by a
/// rounding error: then the block is not quite flat, and counts 0. A plain running total would give the
/// first 0.44, an exact sum 0.69.
#[test]
fn flat_predictions_round_as_the_reference() {
    for (height, width, grey, expected) in [
        (40, 60, 17, 0.5674656011112745),
        (40, 60, 33, 0.5761170401586913),
        (240, 300, 61, 0.575127443316525),
        (240, 300, 77, 0.44526898310832314),
    ] {
        // Opposite corners: the blocks at the other two corners are all background.
        let (h, w) = (height / 4, width / 4);
        let object = |y: usize, x: usize| y < h && x < w || y >= height - h && x >= width - w;
        let mask: Vec<u8> =
            (0..height * width).map(|i| if object(i / width, i % width) { 255 } else { 0 }).collect();
        let found = score_image(&vec![grey; height * width], &mask, height, width).scores.structure;
        assert!((found - expected).abs() < 1e-9, "{grey}: found {found}, expected {expected}");
    }
}

/// The 8 is exactly twice the mean, but the rounded mean is above 4: it does not count as detected.
#[test]
fn ties_at_the_adaptive_threshold_round_as_the_reference() {
    let pred = [0, 8, 2, 4, 3, 10, 3, 4, 2];
    let mask = [0, 255, 0, 0, 0, 255, 0, 0, 0];
    let found = score_image(&pred, &mask, 1, 9).scores.adaptive_f;
    assert!((found - 0.8125).abs() < 1e-9, "found {found}");
}

#[test]
fn masks_are_foreground_above_128() {
    let scores =
        |level: u8| score(&object(), &object().iter().map(|&m| m.min(level)).collect::<Vec<u8>>()).scores;
    assert_eq!(scores(129), scores(255));
    assert_eq!(scores(128), score(&object(), &[0; SIDE * SIDE]).scores);
}
