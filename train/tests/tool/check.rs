//! `check`: says what is wrong with data before a run finds out, and what a run will take.

use crate::desk::{Desk, tiny};
use image::GrayImage;
use std::fs;

/// A data set of six scenes in `set`.
fn desk_with_set() -> Desk {
    let desk = Desk::new();
    desk.ok("synth sod --out set --count 6 --size 32");
    desk
}

/// The first picture of the set, by its stem.
fn a_stem(desk: &Desk) -> String {
    let list = desk.text("set/kinds.csv");
    list.lines().nth(1).unwrap().split(',').next().unwrap().to_owned()
}

#[test]
fn a_good_folder_passes() {
    let said = desk_with_set().ok("check set");
    assert_eq!(said, "set: 6 pictures, 0 with problems\n");
}

#[test]
fn an_empty_mask_is_named() {
    let desk = desk_with_set();
    let stem = a_stem(&desk);
    GrayImage::new(32, 32).save(desk.path(&format!("set/GT/{stem}.png"))).unwrap();
    let output = desk.tool("check set").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{stem}: the mask is empty\n"));
    assert_eq!(desk.refuses("check set"), "set: 6 pictures, 1 with problems");
}

#[test]
fn a_picture_that_is_cut_short_is_named() {
    let desk = desk_with_set();
    let path = format!("set/depth/{}.png", a_stem(&desk));
    let bytes = desk.read(&path);
    // The header, and with it the size, is whole: only decoding the pixels tells.
    desk.write(&path, &bytes[..bytes.len() / 2]);
    let output = desk.tool("check set").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains(&path) && said.lines().count() == 1, "{said}");
    assert_eq!(desk.refuses("check set"), "set: 6 pictures, 1 with problems");
}

#[test]
fn all_missing_partners_are_named_at_once() {
    let desk = desk_with_set();
    let stem = a_stem(&desk);
    fs::remove_file(desk.path(&format!("set/depth/{stem}.png"))).unwrap();
    fs::write(desk.path("set/GT/odd.png"), desk.read(&format!("set/GT/{stem}.png"))).unwrap();
    let error = desk.refuses("check set");
    for words in [format!("{stem}: no depth picture"), "odd: no colour picture".to_owned()] {
        assert!(error.contains(&words), "{words:?} is not in {error:?}");
    }
}

#[test]
fn a_configuration_is_measured() {
    let desk = desk_with_set();
    let data = "data.train=[{scenes={seed=1,first=0,count=8}},{folder={path=\"set\",depth=\"near-bright\"}}]";
    desk.write("mixed.toml", tiny(&[data]).to_toml());
    let said = desk.ok("check mixed.toml");
    for line in
        ["train: 8 scenes of series 1", "train: 6 pictures in set", "validation: 3 scenes of series 2"]
    {
        assert!(said.lines().any(|other| other == line), "{line:?} is not in\n{said}");
    }
    // Fourteen pictures are three batches of four, twice.
    assert!(said.contains("\ntime: 6 updates of ") && said.contains("\nnetwork: "), "{said}");
    assert!(!desk.path("runs").exists(), "a check leaves no run behind");
}
