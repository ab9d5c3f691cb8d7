//! `check` of a re-identification set, and of a configuration.

use super::{FROM_SET, desk, desk_with_set, tiny};
use crate::desk::Desk;
use std::fs;
use train::config::RunConfig;

/// What it prints, and the error it ends with.
fn complaints(desk: &Desk, path: &str) -> (String, String) {
    let output = desk.tool(&format!("check {path}")).output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), desk.refuses(&format!("check {path}")))
}

#[test]
fn a_good_set_passes() {
    let desk = desk_with_set();
    for path in ["set", "set/rgbir"] {
        let said = desk.ok(&format!("check {path}"));
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), 3, "{said}");
        assert!(
            lines[0].starts_with("bounding_box_train: 16 pictures of 4 identities by 2 cameras"),
            "{said}"
        );
        assert!(lines[1].starts_with("query: 4 pictures") && lines[2].starts_with("bounding_box_test: 12"));
    }
    assert!(desk.refuses("check absent").contains("cannot read absent"));
}

#[test]
fn every_problem_of_a_set_is_reported() {
    let desk = desk_with_set();
    let [train, query] = ["set/rgbir/bounding_box_train", "set/rgbir/query"];
    let copy = |from: &str, to: &str| desk.write(to, desk.read(from));
    copy(&format!("{train}/0001_c001_001.jpg"), &format!("{train}/front.jpg"));
    copy(&format!("{train}/0001_c001_001.jpg"), &format!("{train}/0005_c001_009.jpg"));
    copy(&format!("{train}/0002_c001_001.jpg"), &format!("{query}/0099_c001_001.jpg"));
    let bytes = desk.read(&format!("{train}/0003_c001_001.jpg"));
    desk.write(&format!("{train}/0003_c001_001.jpg"), &bytes[..bytes.len() / 2]);
    let (said, error) = complaints(&desk, "set");
    for words in [
        "front.jpg: its name should hold identity and camera as in 0001_c003_005.jpg",
        "0003_c001_001.jpg",
        "1 identities are both trained on and tested with (5)",
        "2 files hold the same bytes as another one (bounding_box_train/0001_c001_001 = bounding_box_train/0005_c001_009",
        "remark: 1 queries have no picture of their identity by another camera in the gallery: they are not scored \
         (0099_c001_001)",
    ] {
        assert!(said.contains(words), "{words:?} is not in\n{said}");
    }
    assert_eq!(error, "set: 4 problems");
}

#[test]
fn a_part_of_a_set_is_taken_for_one() {
    let desk = desk_with_set();
    fs::remove_dir_all(desk.path("set/rgbir/bounding_box_test")).unwrap();
    let (said, _) = complaints(&desk, "set");
    assert!(said.contains("neither a folder rgbir/bounding_box_test nor bounding_box_test"), "{said}");
}

#[test]
fn a_configuration_is_measured() {
    let desk = desk();
    let said = desk.ok("check reid.toml");
    for line in [
        "train: vehicles 1 to 4 of series 1",
        "validation: vehicles 5 to 8 of series 1",
        "test: vehicles 9 to 12 of series 1",
    ] {
        assert!(said.lines().any(|other| other == line), "{line:?} is not in\n{said}");
    }
    assert!(
        said.contains("\ntime: ") && said.contains("\nnetwork: ") && said.contains("\nmemory: "),
        "{said}"
    );
    assert!(!desk.path("runs").exists(), "a check leaves no run behind");
}

#[test]
fn the_folder_of_a_configuration_is_read_once_before_anything_is_timed() {
    let desk = desk_with_set();
    let said = desk.ok("check reid.toml");
    assert!(said.starts_with("train: set\nvalidation: set\ntest: set\nbounding_box_train: 16"), "{said}");
    assert!(said.matches("bounding_box_train").count() == 1 && said.contains("\ntime: "), "{said}");

    // The streams decide how many spectra must be there.
    let thermal = [FROM_SET.as_slice(), &["model.streams=[\"rgb\",\"tir\"]"]].concat();
    desk.write("thermal.toml", tiny(&thermal).to_toml());
    let (said, error) = complaints(&desk, "thermal.toml");
    assert!(said.contains("16 files do not hold 3 spectra (") && !said.contains("time: "), "{said}");
    assert!(
        error.starts_with("thermal.toml: ")
            && error.ends_with("problems with its pictures; its [data] names the folders"),
        "{error}"
    );

    desk.write("gone.toml", tiny(&["data.test={folder={path=\"gone\"}}"]).to_toml());
    let (said, _) = complaints(&desk, "gone.toml");
    assert!(said.contains("gone has neither a folder rgbir/query nor query"), "{said}");
}

#[test]
fn vehicles_that_are_trained_on_and_tested_with_are_a_problem() {
    let desk = Desk::new();
    let test = |vehicles: &str| {
        desk.write("reid.toml", tiny(&[&format!("data.test={{vehicles={{{vehicles}}}}}")]).to_toml());
    };
    test("seed=1,first=3,ids=4,cams=2,per_cam=2");
    let (said, error) = complaints(&desk, "reid.toml");
    assert!(error.starts_with("data.test: 2 of its identities are trained on, such as 3"), "{error}");
    assert!(!said.contains("time: "), "{said}");
    test("seed=2,first=3,ids=4,cams=2,per_cam=2"); // others, under the same numbers
    desk.ok("check reid.toml");
}
