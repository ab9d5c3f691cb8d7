//! What every picture must be, what sets twins apart, and what a written set holds.

use super::*;
use crate::image_io::read_rgb;
use ndarray::{ArrayView3, Axis, s};
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const SEED: u64 = 5;
/// Camera 1 records by day, camera 3 at night.
const DAY: u32 = 1;
const NIGHT: u32 = 3;

fn ids(role: Role) -> impl Iterator<Item = u32> {
    (1..=60).filter(move |&id| Role::of(id) == role)
}

/// Mean absolute difference.
fn distance(left: &Array3<f32>, right: &Array3<f32>) -> f32 {
    (left - right).mapv(f32::abs).mean().expect("pictures have pixels")
}

/// Two identities in the very same pose, with the same noise: only what they are differs.
fn same_shot(ids: [u32; 2], cam: u32) -> [Picture; 2] {
    let (place, key) = (Place::new(SEED, cam), key(SEED, ids[0], cam, 1));
    ids.map(|id| photograph(&Identity::new(SEED, id), &place, key, 32))
}

#[test]
fn the_same_bits_again_and_from_any_thread() {
    let draw = |id: u32| render(SEED, id, id % 8 + 1, 7, 24);
    let alone: Vec<Picture> = (1..9).map(draw).collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let together: Vec<Picture> = pool.install(|| (1..9).into_par_iter().map(draw).collect());
    assert_eq!(alone, together);
    let first = render(SEED, 1, 1, 1, 24);
    for other in [
        render(SEED + 1, 1, 1, 1, 24),
        render(SEED, 2, 1, 1, 24),
        render(SEED, 1, 2, 1, 24),
        render(SEED, 1, 1, 2, 24),
    ] {
        assert_ne!(first.nir, other.nir);
    }
}

#[test]
fn values_are_in_range_and_vehicles_fill_the_picture() {
    (1..=40).into_par_iter().for_each(|id| {
        let cam = id % 8 + 1;
        let Picture { rgb, nir } = render(SEED, id, cam, 1, 32);
        assert_eq!((rgb.dim(), nir.dim()), ((3, 32, 64), (1, 32, 64)));
        // A comparison with NaN is false.
        assert!(rgb.iter().chain(&nir).all(|value| (0.0..=1.0).contains(value)));
        let body = Identity::new(SEED, id).body;
        let rng = &mut key(SEED, id, cam, 1).rng(site("vehicle.shot"));
        let share = Shot::aim(&Place::new(SEED, cam), &body, rng).coverage(&body);
        assert!((0.3..0.98).contains(&share), "identity {id} covers {share} under camera {cam}");
    });
}

#[test]
fn each_role_has_a_third_of_the_identities_and_twins_name_each_other() {
    for role in [Role::RgbTwin, Role::NirTwin, Role::Distinct] {
        assert_eq!(ids(role).count(), 20);
    }
    for id in 1..=60 {
        match twin(id) {
            Some(other) => {
                assert_eq!((Role::of(other), twin(other), other != id), (Role::of(id), Some(id), true))
            }
            None => assert_eq!(Role::of(id), Role::Distinct),
        }
    }
}

#[test]
fn twins_are_alike_in_one_spectrum_and_differ_in_the_other() {
    for (role, cam) in [(Role::RgbTwin, DAY), (Role::RgbTwin, NIGHT), (Role::NirTwin, DAY)] {
        for id in ids(role).step_by(2) {
            let [one, other] = same_shot([id, twin(id).unwrap()], cam);
            let mut differences = [distance(&one.rgb, &other.rgb), distance(&one.nir, &other.nir)];
            if role == Role::NirTwin {
                differences.reverse();
            }
            let [alike, different] = differences;
            assert_eq!(alike, 0.0, "{role} {id}");
            assert!(different > 0.03, "{role} {id}: {different}");
        }
    }
}

#[test]
fn distinct_pairs_differ_in_both_spectra() {
    for id in ids(Role::Distinct).step_by(2) {
        let [one, other] = same_shot([id, id + 1], DAY);
        let [rgb, nir] = [distance(&one.rgb, &other.rgb), distance(&one.nir, &other.nir)];
        assert!(rgb > 0.03 && nir > 0.03, "{id}: {rgb} and {nir}");
    }
}

#[test]
fn nights_are_dark_in_colour_and_bright_in_infrared() {
    let mean = |cam: u32| {
        let pictures: Vec<Picture> = (1..=24).map(|id| render(SEED, id, cam, 1, 16)).collect();
        let rgb: f32 = pictures.iter().map(|picture| picture.rgb.mean().unwrap()).sum();
        let nir: f32 = pictures.iter().map(|picture| picture.nir.mean().unwrap()).sum();
        [rgb, nir]
    };
    let [day, night] = [DAY, NIGHT].map(mean);
    assert!(night[0] < 0.5 * day[0], "{day:?} by day, {night:?} at night");
    assert!(night[1] > 0.8 * day[1], "{day:?} by day, {night:?} at night");
    assert!(at_night(NIGHT) && !at_night(DAY));
}

#[test]
fn pictures_of_one_identity_are_nearer_to_each_other_than_to_others() {
    for cam in [1, 2, 3, 4] {
        let draw = |seq: u32| (1..=24).map(move |id| render(SEED, id, cam, seq, 32)).collect::<Vec<_>>();
        let [first, second] = [draw(1), draw(2)];
        let apart = |a: &Picture, b: &Picture| distance(&a.rgb, &b.rgb) + distance(&a.nir, &b.nir);
        let (mut within, mut between) = (0.0, 0.0);
        for (i, one) in first.iter().enumerate() {
            for (j, other) in second.iter().enumerate() {
                *(if i == j { &mut within } else { &mut between }) += apart(one, other);
            }
        }
        let (within, between) = (within / 24.0, between / (24.0 * 23.0));
        assert!(within < 0.85 * between, "camera {cam}: {within} within, {between} between");
    }
}

const LAYOUT: Layout = Layout { seed: SEED, train_ids: 3, test_ids: 4, cams: 3, per_cam: 2, height: 16 };

/// Identity and camera of every file of a folder, by its name.
fn names(dir: &Path, folder: &str) -> BTreeSet<(u32, u32, u32)> {
    let files = fs::read_dir(dir.join("rgbir").join(folder)).unwrap();
    let parse = |name: &str| -> (u32, u32, u32) {
        let parts: Vec<&str> = name.strip_suffix(".jpg").unwrap().split('_').collect();
        let [id, cam, seq] = parts[..] else { panic!("{name}") };
        assert_eq!((id.len(), cam.len(), seq.len()), (4, 4, 3), "{name}");
        (id.parse().unwrap(), cam.strip_prefix('c').unwrap().parse().unwrap(), seq.parse().unwrap())
    };
    files.map(|file| parse(file.unwrap().file_name().to_str().unwrap())).collect()
}

#[test]
fn a_written_set_has_the_public_layout() {
    let dir = tempfile::tempdir().unwrap();
    write_layout(dir.path(), &LAYOUT, &|_| ()).unwrap();
    let [train, query, gallery] =
        ["bounding_box_train", "query", "bounding_box_test"].map(|folder| names(dir.path(), folder));
    assert_eq!((train.len(), query.len() + gallery.len()), (3 * 3 * 2, 4 * 3 * 2));
    assert_eq!(LAYOUT.count(), 18 + 24);
    assert!(train.iter().all(|(id, ..)| (1..=3).contains(id)));
    assert!(query.iter().chain(&gallery).all(|(id, cam, _)| (4..=7).contains(id) && (1..=3).contains(cam)));
    assert!(query.is_disjoint(&gallery));
    for (id, cam, _) in &query {
        assert!(gallery.iter().any(|(other, by, _)| other == id && by != cam), "{id} under {cam}");
    }
    assert_eq!(query.iter().map(|(id, ..)| id).collect::<BTreeSet<_>>().len(), 4, "each is asked for");

    let list = fs::read_to_string(dir.path().join("identities.csv")).unwrap();
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(
        lines[..4],
        ["id,split,role,twin", "1,train,rgb-twin,2", "2,train,rgb-twin,1", "3,train,nir-twin,4"]
    );
    assert_eq!(lines[7], "7,test,rgb-twin,8");
}

#[test]
fn vehicles_in_memory_are_those_that_are_written() {
    let dir = tempfile::tempdir().unwrap();
    write_layout(dir.path(), &LAYOUT, &|_| ()).unwrap();
    let Layout { seed, train_ids, test_ids, cams, per_cam, height } = LAYOUT;
    let train = Series { seed, first: 1, ids: train_ids, cams, per_cam, height };
    let test = Series { first: train_ids + 1, ids: test_ids, ..train };
    assert_eq!(LAYOUT.count(), train.count() + test.count());
    let (query, gallery) = test.draw_split().unwrap();
    let parts =
        [("bounding_box_train", train.draw().unwrap()), ("query", query), ("bounding_box_test", gallery)];
    for (folder, samples) in parts {
        let numbers: Vec<(u32, u32, u32)> = samples
            .iter()
            .map(|sample| (sample.id, sample.cam, sample.name[sample.name.len() - 3..].parse().unwrap()))
            .collect();
        assert!(numbers.is_sorted());
        assert_eq!(numbers.iter().copied().collect::<BTreeSet<_>>(), names(dir.path(), folder));
        for (sample, (id, cam, seq)) in samples.iter().zip(numbers) {
            let Picture { rgb, nir } = render(seed, id, cam, seq, height);
            assert_eq!(sample.name, format!("{id:04}_c{cam:03}_{seq:03}"));
            assert_eq!(sample.pictures[0], rgb);
            assert!(sample.pictures[1].outer_iter().all(|plane| plane == nir.index_axis(Axis(0), 0)));
        }
    }
    let error = |series: Series| series.draw().unwrap_err().to_string();
    assert!(error(Series { first: 0, ..train }).starts_with("first"));
    assert!(error(Series { first: 599, ids: 3, ..train }).starts_with("first + ids - 1 = 601"));
    assert!(Series { first: 599, ids: 2, ..train }.check().is_ok());
    assert!(error(Series { ids: 0, ..train }).starts_with("ids"));
}

#[test]
fn a_file_holds_both_spectra_side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    write_layout(dir.path(), &Layout { height: 64, ..LAYOUT }, &|_| ()).unwrap();
    let file = read_rgb(&dir.path().join("rgbir/bounding_box_train/0002_c001_002.jpg")).unwrap();
    assert_eq!(file.dim(), (3, 64, 256));
    let Picture { rgb, nir } = render(SEED, 2, 1, 2, 64);
    let off = |part: ArrayView3<f32>, drawn: &Array3<f32>| {
        (&part - drawn).mapv(f32::abs).mean().expect("pictures have pixels")
    };
    // JPEG halves the colours' resolution and drops fine noise.
    assert!(off(file.slice(s![.., .., ..128]), &rgb) < 0.03);
    assert!(off(file.slice(s![1..2, .., 128..]), &nir) < 0.02);
}

#[test]
fn what_cannot_be_written_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (layout, name) in [
        (Layout { test_ids: 0, ..LAYOUT }, "ids"),
        (Layout { train_ids: 600, ..LAYOUT }, "ids"),
        (Layout { cams: 1, ..LAYOUT }, "cams"),
        (Layout { cams: 9, ..LAYOUT }, "cams"),
        (Layout { per_cam: 0, ..LAYOUT }, "per_cam"),
        (Layout { height: 8, ..LAYOUT }, "height"),
    ] {
        let error = write_layout(dir.path(), &layout, &|_| ()).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing was to be written");
    write_layout(dir.path(), &LAYOUT, &|_| ()).unwrap();
    let error = write_layout(dir.path(), &LAYOUT, &|_| ()).unwrap_err().to_string();
    assert!(error.contains("rgbir") && error.contains("exists already"), "{error}");
}
