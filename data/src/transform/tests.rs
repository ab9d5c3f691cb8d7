//! By hand, and as properties.

use super::*;
use ndarray::{Zip, array};
use proptest::prelude::*;

fn assert_close(found: &Array2<f32>, expected: &Array2<f32>) {
    assert_eq!(found.dim(), expected.dim());
    assert!(Zip::from(found).and(expected).all(|a, b| (a - b).abs() < 1e-6), "{found} is not {expected}");
}

#[test]
fn values_between_pixels_match_a_hand_computation() {
    // 2 -> 4: centres at -0.25 (clamped to 0), 0.25, 0.75, 1.25 (clamped to 1).
    let plane = array![[0.0, 4.0], [8.0, 12.0]];
    let up = resize_plane(plane.view(), 4, 4);
    let column = [0.0, 2.0, 6.0, 8.0];
    let row = [0.0, 1.0, 3.0, 4.0];
    assert_close(&up, &Array2::from_shape_fn((4, 4), |(y, x)| column[y] + row[x]));
    // 5 -> 2 along a row: centres at 0.75 and 3.25.
    let line = array![[0.0, 10.0, 20.0, 30.0, 40.0]];
    assert_close(&resize_plane(line.view(), 1, 2), &array![[7.5, 32.5]]);
}

#[test]
fn missing_depth_does_not_bleed() {
    let depth = array![[0.8, 0.0, 0.4]];
    // 3 -> 6: centres at 0, 0.25, 0.75, 1.25, 1.75, 2; validity there 1, 0.75, 0.25, 0.25, 0.75, 1.
    assert_close(&resize_depth(depth.view(), 1, 6), &array![[0.8, 0.8, 0.0, 0.0, 0.4, 0.4]]);
    // A pixel half-way between two valid ones is their mean, as always.
    assert_close(&resize_depth(array![[0.2, 0.6]].view(), 1, 1), &array![[0.4]]);
}

#[test]
fn a_whole_sample_is_resized_and_its_mask_stays_binary() {
    let sample = Sample {
        name: "a".into(),
        rgb: Array3::from_shape_fn((3, 1, 2), |(c, _, x)| (c * 2 + x) as f32 / 10.0),
        depth: array![[0.5, 1.0]],
        mask: array![[0.0, 1.0]],
    };
    let large = resize(&sample, 2, 4);
    assert_eq!((large.name.as_str(), large.rgb.dim()), ("a", (3, 2, 4)));
    assert_close(
        &large.rgb.index_axis(Axis(0), 1).to_owned(),
        &array![[0.2, 0.225, 0.275, 0.3], [0.2, 0.225, 0.275, 0.3]],
    );
    assert_close(&large.depth, &array![[0.5, 0.625, 0.875, 1.0], [0.5, 0.625, 0.875, 1.0]]);
    assert_eq!(large.mask, array![[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]]);
    assert_eq!(resize(&sample, 1, 2), sample);
}

#[test]
fn flip_and_crop_by_hand() {
    let plane = array![[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]];
    let sample = Sample {
        name: String::new(),
        rgb: plane.broadcast((3, 2, 3)).unwrap().to_owned(),
        depth: plane.clone(),
        mask: plane,
    };
    let mirrored = flip(&sample);
    assert_eq!(mirrored.depth, array![[0.3, 0.2, 0.1], [0.6, 0.5, 0.4]]);
    assert!(mirrored.rgb.is_standard_layout() && mirrored.depth.is_standard_layout());
    assert_eq!(flip(&mirrored), sample);
    let part = crop(&sample, 1, 1, 1, 2);
    assert_eq!(part.mask, array![[0.5, 0.6]]);
    assert_eq!(part.rgb, array![[[0.5, 0.6]], [[0.5, 0.6]], [[0.5, 0.6]]]);
}

#[test]
fn normalised_colours() {
    let white = normalise(Array3::ones((3, 1, 1)).view());
    let expected = [(1.0 - 0.485) / 0.229, (1.0 - 0.456) / 0.224, (1.0 - 0.406) / 0.225];
    assert_eq!(white.into_raw_vec_and_offset().0, expected);
    let mean = normalise(Array3::from_shape_fn((3, 1, 1), |(c, _, _)| IMAGENET_MEAN[c]).view());
    assert_eq!(mean, Array3::<f32>::zeros((3, 1, 1)));
}

proptest! {
    #[test]
    fn resized_depth_stays_within_what_was_measured(
        (height, width, to_height, to_width) in (1usize..9, 1usize..9, 1usize..20, 1usize..20),
        values in proptest::collection::vec(prop_oneof![Just(0.0f32), 0.1f32..=1.0], 64),
    ) {
        let depth = Array2::from_shape_fn((height, width), |(y, x)| values[y * 8 + x]);
        let far = depth.iter().copied().filter(|&d| d > 0.0).fold(1.0, f32::min);
        let near = depth.iter().copied().fold(0.0, f32::max);
        let resized = resize_depth(depth.view(), to_height, to_width);
        prop_assert!(resized.iter().all(|&d| d == 0.0 || (far - 1e-6..=near + 1e-6).contains(&d)));
        let all_valid = depth.iter().all(|&d| d > 0.0);
        prop_assert!(!all_valid || resized.iter().all(|&d| d > 0.0));
    }
}

/// A sample whose planes are functions of one binary picture, so that they agree if they were moved alike.
fn from_pattern(pattern: &Array2<f32>) -> Sample {
    let (height, width) = pattern.dim();
    Sample {
        name: String::new(),
        rgb: pattern.broadcast((3, height, width)).unwrap().to_owned(),
        depth: pattern.mapv(|v| 0.2 + 0.6 * v),
        mask: pattern.clone(),
    }
}

#[test]
fn quarter_turns_are_exact() {
    let plane = array![[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9]];
    // Counter-clockwise: the right column comes to the top.
    assert_close(
        &rotate_plane(plane.view(), 90.0),
        &array![[0.3, 0.6, 0.9], [0.2, 0.5, 0.8], [0.1, 0.4, 0.7]],
    );
    let oblong = array![[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]];
    assert_close(&rotate_plane(oblong.view(), 180.0), &array![[0.6, 0.5, 0.4], [0.3, 0.2, 0.1]]);
    assert_eq!(rotate_plane(oblong.view(), 0.0), oblong);
}

#[test]
fn a_turned_line_has_its_angle() {
    // A horizontal edge through the middle, turned by 15 degrees: it rises to the right by tan 15°.
    let plane = Array2::from_shape_fn((101, 101), |(y, _)| if y >= 50 { 1.0 } else { 0.0 });
    let turned = rotate_plane(plane.view(), 15.0);
    let height_at = |x: usize| turned.column(x).iter().filter(|&&v| v >= 0.5).count() as f32;
    let slope = (height_at(80) - height_at(20)) / 60.0;
    assert!((slope - 15.0f32.to_radians().tan()).abs() < 0.02, "{slope}");
}

#[test]
fn positions_beyond_the_border_are_mirrored() {
    // Pixels 0 1 2 | 2 1 0 | 0 1 2, as NumPy's pad mode "symmetric".
    let found: Vec<f32> = (-3..9).map(|position| mirrored(position as f32, 3)).collect();
    assert_eq!(found, [2.0, 1.0, 0.0, 0.0, 1.0, 2.0, 2.0, 1.0, 0.0, 0.0, 1.0, 2.0]);
    assert_eq!(mirrored(-0.75, 3), -0.25);
}

#[test]
fn sizes_of_one_view_agree_and_others_are_named() {
    let agree = |one, other| {
        let [there, back] = [(one, other), (other, one)].map(|(a, b)| same_view("p", "depth", a, b).is_ok());
        assert_eq!(there, back, "{one:?} {other:?}");
        there
    };
    for (one, other) in [
        ((480, 640), (240, 320)),
        ((480, 640), (424, 565)), // rounded
        ((375, 500), (374, 500)), // one row lost
        ((480, 640), (119, 160)),
        ((1080, 1920), (424, 754)),
    ] {
        assert!(agree(one, other), "{one:?} {other:?}");
    }
    for (one, other) in [
        ((480, 640), (640, 480)),
        ((480, 640), (256, 256)),
        ((480, 640), (116, 160)),
        ((424, 512), (1080, 1920)),
    ] {
        assert!(!agree(one, other), "{one:?} {other:?}");
    }
    let error = depth_at("p", Array2::zeros((4, 9)), (40, 40)).unwrap_err().to_string();
    assert!(error.contains("p: depth is 4 x 9, the colour picture 40 x 40"), "{error}");
}

#[test]
fn depth_and_mask_are_brought_to_the_picture() {
    let depth = array![[0.8, 0.0, 0.4]];
    let at = depth_at("p", depth.clone(), (2, 6)).unwrap();
    assert_close(&at, &array![[0.8, 0.8, 0.0, 0.0, 0.4, 0.4], [0.8, 0.8, 0.0, 0.0, 0.4, 0.4]]);
    assert_eq!(depth_at("p", depth.clone(), (1, 3)).unwrap(), depth);
    let mask = mask_at("p", array![[0.0, 1.0]], (2, 4)).unwrap();
    assert_eq!(mask, array![[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]]);
}

proptest! {
    #[test]
    fn a_turn_moves_the_triple_alike(
        (height, width, degrees) in (1usize..12, 1usize..12, -45.0f32..45.0),
        values in proptest::collection::vec(0u8..2, 144),
    ) {
        let pattern = Array2::from_shape_fn((height, width), |(y, x)| f32::from(values[y * 12 + x]));
        let turned = rotate(&from_pattern(&pattern), degrees);
        let place = turned.rgb.index_axis(Axis(0), 1);
        for plane in turned.rgb.outer_iter() {
            prop_assert_eq!(plane, place);
        }
        for ((&place, &depth), &mask) in place.iter().zip(&turned.depth).zip(&turned.mask) {
            prop_assert!((0.0..=1.0).contains(&place));
            prop_assert!((depth - (0.2 + 0.6 * place)).abs() < 1e-5);
            prop_assert_eq!(mask, if place >= 0.5 { 1.0 } else { 0.0 });
        }
    }

    #[test]
    fn a_turn_invents_no_depth(degrees in -45.0f32..45.0, holes in proptest::collection::vec(0u8..2, 64)) {
        let depth = Array2::from_shape_fn((8, 8), |(y, x)| if holes[y * 8 + x] == 0 { 0.0 } else { 0.7 });
        let sample = Sample { depth, ..from_pattern(&Array2::zeros((8, 8))) };
        let turned = rotate(&sample, degrees);
        prop_assert!(turned.depth.iter().all(|&d| d == 0.0 || (d - 0.7).abs() < 1e-5));
    }
}
