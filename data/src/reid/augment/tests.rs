use super::*;
use crate::transform::IMAGENET_STD;
use ndarray::Array2;

/// Two spectra whose pixels tell their places; no value is black.
fn sample(height: usize, width: usize) -> ReidSample {
    let place = Array3::from_shape_fn((3, height, width), |(c, y, x)| {
        0.1 + (c * height * width + y * width + x) as f32 / (4 * height * width) as f32
    });
    ReidSample { name: "a".into(), id: 3, cam: 2, pictures: vec![place.clone(), place] }
}

fn key(step: u64) -> Key {
    Key { seed: 5, epoch: 2, step }
}

/// Both pictures of a variation at the sample's own size, in [0, 1] again.
fn varied(sample: &ReidSample, settings: ReidAugment, step: u64) -> Vec<Array3<f32>> {
    let (_, height, width) = sample.pictures[0].dim();
    let Normalised(varied) = augment(sample, &settings, [height, width], key(step));
    let undo = |mut picture: Array3<f32>| {
        for (c, mut plane) in picture.outer_iter_mut().enumerate() {
            plane.mapv_inplace(|v| v * IMAGENET_STD[c] + IMAGENET_MEAN[c]);
        }
        picture
    };
    varied.pictures.into_iter().map(undo).collect()
}

fn close(a: &Array3<f32>, b: &Array3<f32>) -> bool {
    a.dim() == b.dim() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5)
}

fn mirrored(picture: &Array3<f32>) -> Array3<f32> {
    picture.slice(s![.., .., ..;-1]).to_owned()
}

#[test]
fn the_default_is_the_shipped_recipe() {
    let settings = ReidAugment::default();
    assert!(settings.check().is_ok());
    assert_eq!((settings.flip, settings.pad, settings.erase), (0.5, 10, 0.5));
    assert_eq!((settings.erase_fill, settings.jitter, settings.together), (EraseFill::PixelMean, 0.0, false));
    for (settings, name) in [
        (ReidAugment { flip: 1.5, ..settings }, "flip"),
        (ReidAugment { pad: 101, ..settings }, "pad"),
        (ReidAugment { erase: -0.1, ..settings }, "erase"),
        (ReidAugment { jitter: f32::NAN, ..settings }, "jitter"),
    ] {
        assert!(settings.check().unwrap_err().to_string().starts_with(name));
    }
}

#[test]
fn without_variations_a_sample_is_resized_and_normalised() {
    let sample = sample(8, 16);
    for size in [[8, 16], [4, 8], [12, 20]] {
        let Normalised(made) = unchanged(&sample, size);
        assert_eq!(Normalised(made.clone()), augment(&sample, &ReidAugment::NONE, size, key(1)));
        assert_eq!((made.name.as_str(), made.id, made.cam), ("a", 3, 2));
        for (c, plane) in made.pictures[1].outer_iter().enumerate() {
            let resized = resize_plane(sample.pictures[1].index_axis(Axis(0), c), size[0], size[1]);
            assert_eq!(plane, resized.mapv(|v| (v - IMAGENET_MEAN[c]) / IMAGENET_STD[c]));
        }
    }
}

#[test]
fn the_key_decides_and_one_switch_does_not_disturb_another() {
    let sample = sample(32, 64);
    let all = ReidAugment { jitter: 0.3, ..ReidAugment::default() };
    assert_eq!(varied(&sample, all, 1), varied(&sample, all, 1));
    assert_ne!(varied(&sample, all, 1), varied(&sample, all, 2));
    let moved = ReidAugment { flip: 0.5, pad: 10, ..ReidAugment::NONE };
    let erased = ReidAugment { erase: 1.0, ..moved };
    for step in 0..20 {
        let [without, with] = [moved, erased].map(|settings| varied(&sample, settings, step)[0].clone());
        let same = without.iter().zip(&with).filter(|(a, b)| a == b).count();
        assert!(
            (0.55..0.99).contains(&(same as f32 / with.len() as f32)),
            "outside of the rectangle nothing changes"
        );
    }
}

#[test]
fn spectra_are_mirrored_by_themselves_or_together() {
    let sample = sample(4, 8);
    let original = &sample.pictures[0];
    let count = |together: bool, wanted: [bool; 2]| {
        let settings = ReidAugment { flip: 0.5, together, ..ReidAugment::NONE };
        let flips =
            |step| varied(&sample, settings, step).iter().map(|p| close(p, &mirrored(original))).collect();
        (0..400)
            .filter(|&step| -> bool {
                let flips: Vec<bool> = flips(step);
                flips == wanted
            })
            .count()
    };
    let outcomes = [[false, false], [false, true], [true, false], [true, true]];
    let apart = outcomes.map(|wanted| count(false, wanted)); // 100 each, with a deviation of 9
    assert!(apart.iter().all(|n| (60..140).contains(n)), "{apart:?}");
    let together = outcomes.map(|wanted| count(true, wanted));
    assert_eq!((together[1], together[2]), (0, 0));
    assert!((150..250).contains(&together[0]), "{together:?}");
}

#[test]
fn a_moved_picture_is_black_where_it_came_from_outside() {
    let sample = sample(12, 20);
    let original = &sample.pictures[0];
    let settings = ReidAugment { pad: 3, together: true, ..ReidAugment::NONE };
    let mut moves = std::collections::BTreeSet::new();
    for step in 0..600 {
        let pictures = varied(&sample, settings, step);
        assert_eq!(pictures[0], pictures[1], "together");
        let found = (-3isize..=3).flat_map(|dy| (-3isize..=3).map(move |dx| (dy, dx))).find(|&(dy, dx)| {
            let shifted = Array3::from_shape_fn(original.dim(), |(c, y, x)| {
                let [y, x] =
                    [y as isize + dy, x as isize + dx].map(|at| usize::try_from(at).unwrap_or(usize::MAX));
                original.get([c, y, x]).copied().unwrap_or(0.0)
            });
            close(&pictures[0], &shifted)
        });
        moves.insert(found.expect("one of the 49 moves"));
    }
    assert_eq!(moves.len(), 49, "every move occurs"); // each is missed by 600 draws once in 230,000
    let apart = ReidAugment { together: false, ..settings };
    assert!((0..20).any(|step| {
        let p = varied(&sample, apart, step);
        p[0] != p[1]
    }));
}

#[test]
fn a_rectangle_is_erased_with_its_probability_area_and_fill() {
    let black = ReidSample { pictures: vec![Array3::zeros((3, 64, 128)); 2], ..sample(1, 1) };
    let rectangles = |fill: EraseFill, erase: f32, step: u64| -> Vec<Array2<bool>> {
        let settings = ReidAugment { erase, erase_fill: fill, together: true, ..ReidAugment::NONE };
        let Normalised(varied) = augment(&black, &settings, [64, 128], key(step));
        let erased = varied.pictures.iter().map(|picture| {
            let filled = |c: usize| {
                let value = if fill == EraseFill::Zero { 0.0 } else { IMAGENET_MEAN[c] };
                picture.index_axis(Axis(0), c).mapv(|v| v == value)
            };
            let [red, green, blue] = [0, 1, 2].map(filled);
            assert!(red == green && green == blue, "all channels alike");
            red
        });
        erased.collect()
    };
    let area = |erased: &Array2<bool>| erased.iter().filter(|e| **e).count();
    let side = |erased: &Array2<bool>, axis: usize| {
        erased.axis_iter(Axis(axis)).filter(|line| line.iter().any(|e| *e)).count()
    };
    for fill in [EraseFill::PixelMean, EraseFill::Zero] {
        let mut areas = Vec::new();
        for step in 0..200 {
            let both = rectangles(fill, 1.0, step);
            assert_ne!(both[0], both[1], "each spectrum loses its own");
            for erased in both {
                let (rows, columns) = (side(&erased, 0), side(&erased, 1));
                assert_eq!(area(&erased), rows * columns, "one rectangle");
                assert!(rows < 64 && columns < 128);
                let aspect = rows as f32 / columns as f32;
                assert!((0.27..3.6).contains(&aspect), "{rows} x {columns}"); // sides are rounded
                areas.push(area(&erased) as f32 / (64.0 * 128.0));
            }
        }
        assert!(areas.iter().all(|share| (0.018..0.41).contains(share)));
        assert!(areas.iter().any(|&share| share < 0.05) && areas.iter().any(|&share| share > 0.35));
    }
    let erased = (0..400).filter(|&step| area(&rectangles(EraseFill::Zero, 0.5, step)[0]) > 0).count();
    assert!((150..250).contains(&erased), "{erased} of 400 at probability 1/2");
}

#[test]
fn brightness_changes_by_spectrum_and_padding_stays_black() {
    let sample = sample(16, 32);
    let settings = ReidAugment { jitter: 0.4, pad: 4, together: true, ..ReidAugment::NONE };
    for step in 0..20 {
        let [plain, bright] = [ReidAugment { jitter: 0.0, ..settings }, settings]
            .map(|settings| varied(&sample, settings, step));
        assert!(!close(&bright[0], &bright[1]) && !close(&bright[0], &plain[0]));
        assert!(bright.iter().flatten().all(|v| (-1e-5..=1.00001).contains(v)));
        let outside = |picture: &Array3<f32>| picture.mapv(|v| v.abs() < 1e-5);
        assert!(outside(&plain[0]).iter().zip(&outside(&bright[0])).all(|(plain, bright)| !plain || *bright));
    }
}

#[test]
fn fills_have_names_in_a_configuration() {
    use serde::de::value::{Error, StrDeserializer};
    for (name, fill) in [("pixel-mean", EraseFill::PixelMean), ("zero", EraseFill::Zero)] {
        assert_eq!(EraseFill::deserialize(StrDeserializer::<Error>::new(name)).unwrap(), fill);
    }
}
