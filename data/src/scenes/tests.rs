//! What every scene must be, and what sets the kinds apart.

use super::*;
use ndarray::Array2;
use rayon::prelude::*;

const SEED: u64 = 5;

/// Scenes of one kind, 64 pixels square.
fn scenes(kind: SceneKind, count: u64) -> Vec<Scene> {
    (0..count).into_par_iter().map(|index| render_kind(kind, SEED, index, 64)).collect()
}

fn average(values: impl Iterator<Item = f32>) -> f32 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    sum / count as f32
}

/// Pairs of pixels straddling the mask's outline: one on the object, one a few columns beside it and off it.
fn straddling(mask: &Array2<f32>) -> Vec<([usize; 2], [usize; 2])> {
    const REACH: isize = 5;
    let width = mask.ncols() as isize;
    let on = mask.indexed_iter().filter(|(_, value)| **value == 1.0).map(|(at, _)| at);
    on.flat_map(|(row, column)| [-REACH, REACH].map(|step| (row, column, column as isize + step)))
        .filter(|&(row, _, other)| (0..width).contains(&other) && mask[[row, other as usize]] == 0.0)
        .map(|(row, column, other)| ([row, column], [row, other as usize]))
        .collect()
}

/// Distance between the mean colours on both sides of the outline.
fn colour_contrast(sample: &Sample) -> f32 {
    let pairs = straddling(&sample.mask);
    let channel = |c: usize| {
        let colour = |[row, column]: [usize; 2]| sample.rgb[[c, row, column]];
        average(pairs.iter().map(|&(on, off)| colour(on) - colour(off)))
    };
    (0..3).map(|c| channel(c).powi(2)).sum::<f32>().sqrt()
}

/// How much nearer the object is than what is beside it, by measured depth; `None` if the outline lies in a hole.
fn depth_contrast(sample: &Sample) -> Option<f32> {
    let depth = |at: [usize; 2]| sample.depth[at];
    let pairs = straddling(&sample.mask).into_iter().map(|(on, off)| (depth(on), depth(off)));
    let steps: Vec<f32> =
        pairs.filter(|&(on, off)| on > 0.0 && off > 0.0).map(|(on, off)| on - off).collect();
    (!steps.is_empty()).then(|| average(steps.into_iter()))
}

#[test]
fn the_same_bits_again_and_from_any_thread() {
    let alone: Vec<Scene> = (0..6).map(|index| render(SEED, index, 48)).collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let together: Vec<Scene> =
        pool.install(|| (0..6).into_par_iter().map(|index| render(SEED, index, 48)).collect());
    assert_eq!(alone, together);
    assert_ne!(alone[0].sample.rgb, alone[1].sample.rgb);
    assert_ne!(alone[0].sample.rgb, render(SEED + 1, 0, 48).sample.rgb);
}

#[test]
fn values_are_in_range_and_masks_are_neither_tiny_nor_huge() {
    for kind in SceneKind::ALL {
        for Scene { sample, .. } in scenes(kind, 20) {
            assert_eq!(sample.rgb.dim(), (3, 64, 64));
            assert!(sample.rgb.iter().all(|value| (0.0..=1.0).contains(value)));
            let reportable = |value: &f32| {
                let byte = (value * 255.0).round();
                (byte == 0.0 || (8.0..=255.0).contains(&byte)) && *value == byte / 255.0
            };
            assert!(sample.depth.iter().all(reportable), "depth is 0 or one of 8/255 to 255/255");
            assert!(sample.depth.iter().any(|value| *value == 1.0), "the nearest point is the brightest");
            assert!(sample.mask.iter().all(|value| *value == 0.0 || *value == 1.0));
            let share = average(sample.mask.iter().copied());
            assert!((0.02..0.6).contains(&share), "{} covers {share}", sample.name);
        }
    }
}

#[test]
fn half_are_plain_and_the_rest_share_alike() {
    let count = |kind| (0..2000).filter(|&index| SceneKind::of(key(SEED, index)) == kind).count();
    let [plain, camouflaged, flat] = SceneKind::ALL.map(count);
    assert!((930..1070).contains(&plain), "{plain} plain");
    assert!((440..560).contains(&camouflaged), "{camouflaged} camouflaged");
    assert!((440..560).contains(&flat), "{flat} flat");
    assert!(render(SEED, 0, 32).sample.name.starts_with(&SceneKind::of(key(SEED, 0)).to_string()));
}

#[test]
fn camouflage_hides_the_object_from_colour_only() {
    let [plain, hidden] = [SceneKind::Plain, SceneKind::Camouflaged].map(|kind| scenes(kind, 40));
    let colour = |scenes: &[Scene]| average(scenes.iter().map(|scene| colour_contrast(&scene.sample)));
    assert!(colour(&hidden) < 0.25 * colour(&plain), "{} against {}", colour(&hidden), colour(&plain));
    let depth = |scenes: &[Scene]| average(scenes.iter().filter_map(|scene| depth_contrast(&scene.sample)));
    assert!(depth(&hidden) > 0.8 * depth(&plain), "{} against {}", depth(&hidden), depth(&plain));
}

#[test]
fn a_broken_sensor_hides_the_object_from_depth_only() {
    let [plain, flat] = [SceneKind::Plain, SceneKind::Flat].map(|kind| scenes(kind, 40));
    let depth = |scenes: &[Scene]| average(scenes.iter().filter_map(|scene| depth_contrast(&scene.sample)));
    assert!(depth(&flat) < 0.25 * depth(&plain), "{} against {}", depth(&flat), depth(&plain));
    let colour = |scenes: &[Scene]| average(scenes.iter().map(|scene| colour_contrast(&scene.sample)));
    assert!(colour(&flat) > 0.8 * colour(&plain), "{} against {}", colour(&flat), colour(&plain));
}

#[test]
fn every_size_shows_the_same_scene() {
    let [small, large] = [32, 96].map(|size| render(SEED, 3, size).sample);
    let share = |sample: &Sample| average(sample.mask.iter().copied());
    assert!((share(&small) - share(&large)).abs() < 0.02);
    assert_eq!(small.name, large.name);
}

#[test]
fn the_layout_holds_every_scene() {
    let dir = tempfile::tempdir().unwrap();
    let reported = std::cell::Cell::new(0);
    write_layout(dir.path(), &Arc::default(), SEED, 10, 3, 32, &|done| reported.set(done)).unwrap();
    assert_eq!(reported.get(), 3);
    let list = std::fs::read_to_string(dir.path().join("kinds.csv")).unwrap();
    let drawn: Vec<Scene> = (10..13).map(|index| render(SEED, index, 32)).collect();
    let lines: Vec<String> =
        drawn.iter().map(|scene| format!("{},{}", scene.sample.name, scene.kind)).collect();
    assert_eq!(list.lines().skip(1).collect::<Vec<_>>(), lines);

    let Sample { name, rgb, depth, mask } = &drawn[0].sample;
    let open =
        |folder: &str, ending: &str| image::open(dir.path().join(folder).join(format!("{name}.{ending}")));
    let colour = open("RGB", "jpg").unwrap().into_rgb8();
    let error = average(
        colour
            .enumerate_pixels()
            .map(|(x, y, pixel)| (f32::from(pixel[1]) / 255.0 - rgb[[1, y as usize, x as usize]]).abs()),
    );
    assert!(error < 0.05, "mean error of green {error}");
    for (folder, values) in [("depth", depth), ("GT", mask)] {
        let picture = open(folder, "png").unwrap().into_luma8();
        let same = |(x, y, pixel): (u32, u32, &image::Luma<u8>)| {
            f32::from(pixel[0]) == (values[[y as usize, x as usize]] * 255.0).round()
        };
        assert!(picture.enumerate_pixels().all(same), "{folder}");
    }
}

#[test]
fn bad_requests_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let refused = write_layout(dir.path(), &Arc::default(), SEED, 0, 1, 16, &|_| ()).unwrap_err();
    assert_eq!(refused.to_string(), "a scene has 32 to 512 pixels a side, not 16");
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let refused = write_layout(&file, &Arc::default(), SEED, 0, 1, 32, &|_| ()).unwrap_err();
    assert!(matches!(refused, ExportError::Io { .. }));
}

#[test]
fn a_ray_along_the_walls_ends_at_the_back_wall() {
    // In these scenes one ray runs exactly along the side walls: once its pixels were not numbers.
    for (seed, index, size) in [(1, 18, 192), (3, 49, 192), (2, 230, 256)] {
        let Sample { name, rgb, depth, .. } = render(seed, index, size).sample;
        assert!(rgb.iter().chain(&depth).all(|value| (0.0..=1.0).contains(value)), "{name}, {size} px");
    }
}
