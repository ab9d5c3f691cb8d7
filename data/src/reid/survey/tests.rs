use super::*;
use crate::image_io::write_jpeg;
use crate::vehicles::{Layout, write_layout};
use ndarray::Array3;
use std::cell::RefCell;
use tempfile::TempDir;

/// Writes a picture of two spectra, its grey decided by `grey`.
fn write(dir: &TempDir, part: Part, name: &str, grey: u8) {
    let folder = dir.path().join("rgbir").join(part.folder());
    fs::create_dir_all(&folder).unwrap();
    let pixels = Array3::from_elem((3, 8, 32), f32::from(grey) / 255.0);
    write_jpeg(&folder.join(name).with_extension("jpg"), pixels.view()).unwrap();
}

fn look_at(dir: &TempDir) -> ReidSurvey {
    survey(dir.path(), 2, &|_, _| ())
}

/// A set without faults: identity 1 to train on, identity 2 to test with.
fn sound() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(&dir, Part::Train, "0001_c1_1", 10);
    write(&dir, Part::Train, "0001_c2_1", 30);
    write(&dir, Part::Query, "0002_c1_1", 50);
    write(&dir, Part::Gallery, "0002_c2_1", 70);
    dir
}

#[test]
fn a_drawn_set_is_described_and_has_no_fault() {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout { seed: 5, train_ids: 3, test_ids: 4, cams: 3, per_cam: 4, height: 16 };
    write_layout(dir.path(), &layout, &|_| ()).unwrap();
    let told = RefCell::new(Vec::new());
    let found = survey(dir.path(), 2, &|done, all| told.borrow_mut().push((done, all)));
    assert_eq!(told.into_inner(), [(64, 84), (84, 84)]);
    assert_eq!((found.problems, found.remarks), (vec![], vec![]));
    assert_eq!(
        found.parts.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "bounding_box_train: 36 pictures of 3 identities by 3 cameras, 12 to 12 of each (median 12), 16 x 32 (height x width) in 2 spectra",
            "query: 6 pictures of 4 identities by 3 cameras, 1 to 2 of each (median 2), 16 x 32 (height x width) in 2 spectra",
            "bounding_box_test: 42 pictures of 4 identities by 3 cameras, 10 to 11 of each (median 11), 16 x 32 (height x width) in 2 spectra",
        ]
    );
}

#[test]
fn faults_of_the_set_are_found() {
    let dir = sound();
    assert_eq!(look_at(&dir).problems, Vec::<String>::new());
    assert_eq!(look_at(&dir).remarks, Vec::<String>::new());

    write(&dir, Part::Train, "0002_c1_9", 90); // an identity of the test
    write(&dir, Part::Train, "0003_c1_1", 110); // seen by one camera
    write(&dir, Part::Train, "0003_c1_2", 10); // the bytes of 0001_c1_1
    write(&dir, Part::Gallery, "0002_c1_1", 50); // the query itself, as the public set has it
    write(&dir, Part::Query, "0004_c1_1", 130); // of which the gallery has no other camera's
    write(&dir, Part::Gallery, "0004_c1_2", 150);
    let found = look_at(&dir);
    assert_eq!(
        found.problems,
        [
            "1 identities are both trained on and tested with (2)",
            "1 files hold the same bytes as another one (bounding_box_train/0001_c1_1 = bounding_box_train/0003_c1_2)",
        ]
    );
    assert_eq!(
        found.remarks,
        [
            "1 queries have no picture of their identity by another camera in the gallery: they are not scored (0004_c1_1)",
            "1 queries are in the gallery under the same name: scoring passes over pictures of a query's own camera (0002_c1_1)",
            "2 training identities were seen by one camera only: they do not teach what a camera changes (2, 3)",
        ]
    );
}

#[test]
fn faults_of_files_are_found_at_once() {
    let dir = sound();
    let train = dir.path().join("rgbir/bounding_box_train");
    write(&dir, Part::Train, "0601_c1_1", 90);
    write(&dir, Part::Gallery, "front", 110);
    let cut = train.join("0001_c3_1.jpg");
    let detail = Array3::from_shape_fn((3, 8, 32), |(_, y, x)| ((3 * x + 5 * y) % 7) as f32 / 7.0);
    write_jpeg(&cut, detail.view()).unwrap();
    let bytes = fs::read(&cut).unwrap();
    fs::write(&cut, &bytes[..bytes.len() - 20]).unwrap();
    let narrow = Array3::zeros((3, 8, 16));
    write_jpeg(&train.join("0001_c4_1.jpg"), narrow.view()).unwrap();
    write_jpeg(&train.join("0001_c5_1.jpg"), Array3::zeros((3, 8, 48)).view()).unwrap();
    fs::remove_dir_all(dir.path().join("rgbir/query")).unwrap();
    let found = look_at(&dir);
    let expected = [
        "1 files do not hold 2 spectra (",
        "0601_c1_1.jpg: identity 0601",
        "neither a folder rgbir/query nor query",
        "front.jpg: its name should hold",
        "0001_c3_1.jpg is cut short",
    ];
    assert_eq!(found.problems.len(), expected.len(), "{:#?}", found.problems);
    for (problem, expected) in found.problems.iter().zip(expected) {
        assert!(problem.contains(expected), "{problem}");
    }
    let third = survey(dir.path(), 3, &|_, _| ()).problems;
    assert!(
        third[0].starts_with("5 files do not hold 3 spectra (") && third[0].contains("0001_c1_1.jpg, "),
        "{third:#?}"
    );
    assert_eq!(found.parts.len(), 2, "there are no queries");
    assert_eq!(found.parts[0].spectra, [2, 3]);
    assert_eq!(found.remarks, ["files hold different numbers of spectra; the first ones of each are read"]);
}

#[test]
fn a_set_that_cannot_be_scored_is_a_fault() {
    let dir = sound();
    fs::remove_file(dir.path().join("rgbir/bounding_box_test/0002_c2_1.jpg")).unwrap();
    write(&dir, Part::Gallery, "0002_c1_2", 70);
    let found = look_at(&dir);
    assert_eq!(found.problems.len(), 1);
    assert!(found.problems[0].starts_with("no query has a picture"), "{:?}", found.problems);
    assert!(look_at(&tempfile::tempdir().unwrap()).to_string() == "no picture is fine");
}
