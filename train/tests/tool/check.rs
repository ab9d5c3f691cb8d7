//! `check`: says what is wrong with data before a run finds out, and what a run will take.

use crate::desk::{Desk, tiny};
use image::GrayImage;
use std::fs;
use train::config::RunConfig;

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
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(
        lines[0].starts_with("6 pictures of 32 x 32 (height x width), ") && lines[0].contains("% foreground")
    );
    assert_eq!(lines[1], "set: 6 pictures are fine, 0 problems");
}

#[test]
fn an_empty_mask_is_named() {
    let desk = desk_with_set();
    let stem = a_stem(&desk);
    GrayImage::new(32, 32).save(desk.path(&format!("set/GT/{stem}.png"))).unwrap();
    let output = desk.tool("check set").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.starts_with(&format!("{stem}: the mask is empty\n5 pictures of 32 x 32 ")), "{said}");
    assert_eq!(desk.refuses("check set"), "set: 5 pictures are fine, 1 problems");
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
    assert!(said.lines().next().unwrap().contains(&path) && said.lines().count() == 2, "{said}");
    assert_eq!(desk.refuses("check set"), "set: 5 pictures are fine, 1 problems");
}

#[test]
fn all_missing_partners_are_named_at_once() {
    let desk = desk_with_set();
    let stem = a_stem(&desk);
    fs::remove_file(desk.path(&format!("set/depth/{stem}.png"))).unwrap();
    fs::write(desk.path("set/GT/odd.png"), desk.read(&format!("set/GT/{stem}.png"))).unwrap();
    let said = String::from_utf8(desk.tool("check set").output().unwrap().stdout).unwrap();
    for words in [format!("{stem}: no depth picture"), "odd: no colour picture".to_owned()] {
        assert!(said.contains(&words), "{words:?} is not in {said:?}");
    }
    assert_eq!(desk.refuses("check set"), "set: 5 pictures are fine, 3 problems");
}

#[test]
fn depth_read_the_wrong_way_round_is_remarked_on() {
    let desk = Desk::new();
    desk.ok("synth sod --out set --count 12 --size 32");
    assert!(!desk.ok("check set").contains("remark"));
    let said = desk.ok("check set --depth-format far-bright");
    assert!(said.starts_with("remark: the object is farther than the rest in "), "{said}");
    assert!(said.contains("is the depth near-bright, not far-bright?"), "{said}");
}

#[test]
fn one_half_of_a_set_is_a_folder_too() {
    let desk = desk_with_set();
    for (from, to) in [("RGB", "test_images"), ("depth", "test_depth"), ("GT", "test_masks")] {
        fs::rename(desk.path(&format!("set/{from}")), desk.path(&format!("set/{to}"))).unwrap();
    }
    assert!(desk.ok("check set/test").ends_with("set/test: 6 pictures are fine, 0 problems\n"));
    assert!(desk.refuses("check set/train").contains("0 pictures are fine, 3 problems"));
    assert!(desk.refuses("check absent").contains("cannot read absent"));
}

#[test]
fn the_folders_of_a_configuration_are_read_before_anything_is_timed() {
    let desk = desk_with_set();
    let stem = a_stem(&desk);
    desk.write("list.txt", format!("# one that is there, one that is not\n{stem}\nzebra\n"));
    let source = "{folder={path=\"set\",depth=\"near-bright\",list=\"list.txt\"}}";
    desk.write("listed.toml", tiny(&[&format!("data.test=[{source}]")]).to_toml());
    let output = desk.tool("check listed.toml").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("test: 1 pictures in set listed in list.txt\nzebra: named in line 3 of list.txt"),
        "{said}"
    );
    assert!(!said.contains("time: "), "{said}");
    assert!(desk.refuses("check listed.toml").contains("1 problems with its pictures"));
    let error = desk.refuses("train listed.toml --out run");
    assert!(error.contains("data.test") && error.contains("zebra: named in line 3 of list.txt"), "{error}");

    desk.write("list.txt", &stem);
    let said = desk.ok("check listed.toml");
    assert!(said.contains("test: 1 pictures in set listed in list.txt\n1 pictures of 32 x 32"), "{said}");
    assert!(said.contains("\ntime: "), "{said}");
}

#[test]
fn with_several_sizes_the_largest_is_timed() {
    let desk = Desk::new();
    desk.write("sizes.toml", tiny(&["data.train_sizes=[32,48]"]).to_toml());
    assert!(desk.ok("check sizes.toml").contains(" s each at 48 pixels, the largest size, about "));
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
