//! `score sod`: its three outputs.

use crate::desk::Desk;
use image::{GrayImage, Luma};

const KEYS: [&str; 9] = ["S", "MAE", "adpF", "meanF", "maxF", "adpE", "meanE", "maxE", "wF"];

/// Three maps in `maps` and their masks in `masks`.
fn desk_with_maps() -> Desk {
    let desk = Desk::new();
    for folder in ["maps", "masks"] {
        std::fs::create_dir(desk.path(folder)).unwrap();
    }
    for (i, name) in ["a", "b", "c"].into_iter().enumerate() {
        let inside = |x: u32, y: u32| (6..14).contains(&x) && (4..12).contains(&y);
        let noise = |x: u32, y: u32| ((x * 7 + y * 13 + i as u32 * 5) % 60) as u8;
        GrayImage::from_fn(20, 16, |x, y| Luma([if inside(x, y) { 255 } else { 0 }]))
            .save(desk.path(&format!("masks/{name}.png")))
            .unwrap();
        GrayImage::from_fn(20, 16, |x, y| Luma([if inside(x, y) { 190 } else { 0 } + noise(x, y)]))
            .save(desk.path(&format!("maps/{name}.png")))
            .unwrap();
    }
    desk
}

#[test]
fn json_is_one_object_and_nothing_else() {
    let said = desk_with_maps().ok("score sod --pred maps --gt masks --json");
    let report: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&said).unwrap();
    let mut keys: Vec<&str> = report.keys().map(String::as_str).collect();
    keys.sort_unstable();
    let mut expected: Vec<&str> = KEYS.into_iter().chain(["images"]).collect();
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!(report["images"], 3);
    assert_eq!(said.lines().count(), 1);
    let s = report["S"].as_f64().unwrap();
    assert!(s > 0.8 && s < 1.0, "good maps that are not perfect: {s}");
}

#[test]
fn the_table_has_the_same_numbers() {
    let desk = desk_with_maps();
    let report: serde_json::Value =
        serde_json::from_str(&desk.ok("score sod --pred maps --gt masks --json")).unwrap();
    let table = desk.ok("score sod --pred maps --gt masks");
    for key in KEYS {
        let line = table.lines().find(|line| line.split_whitespace().next() == Some(key)).unwrap();
        let value: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!((value - report[key].as_f64().unwrap()).abs() < 1e-6, "{line}");
    }
}

#[test]
fn csv_and_curves_are_written() {
    let desk = desk_with_maps();
    desk.ok("score sod --pred maps --gt masks --csv pictures.csv --curves curves");
    let csv = desk.text("pictures.csv");
    let names: Vec<&str> = csv.lines().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(names, ["name", "a", "b", "c"]);
    assert!(csv.lines().all(|line| line.split(',').count() == 10));
    for curve in ["pr", "f", "e"] {
        assert!(desk.text(&format!("curves/{curve}.svg")).starts_with("<svg"), "{curve}");
    }
}

#[test]
fn all_that_is_missing_is_named() {
    let desk = desk_with_maps();
    std::fs::remove_file(desk.path("maps/a.png")).unwrap();
    std::fs::remove_file(desk.path("masks/b.png")).unwrap();
    let error = desk.refuses("score sod --pred maps --gt masks");
    assert!(error.contains("a: no prediction") && error.contains("b: no mask"), "{error}");
}

/// The maps and masks under `maps/SET` and in two layouts under `truth/SET`, three times.
fn desk_with_sets() -> Desk {
    let desk = desk_with_maps();
    for (set, truth) in [("NLPR", "truth/NLPR/GT"), ("Own", "truth/Own"), ("LFSD", "truth/LFSD/test_masks")] {
        for (from, to) in [("maps", format!("sets/{set}")), ("masks", truth.to_owned())] {
            std::fs::create_dir_all(desk.path(&to)).unwrap();
            for name in ["a.png", "b.png", "c.png"] {
                desk.write(&format!("{to}/{name}"), desk.read(&format!("{from}/{name}")));
            }
        }
    }
    std::fs::create_dir_all(desk.path("truth/NLPR/RGB")).unwrap();
    desk
}

#[test]
fn folders_of_sets_become_the_table_of_papers() {
    let desk = desk_with_sets();
    let one: serde_json::Value =
        serde_json::from_str(&desk.ok("score sod --pred maps --gt masks --json")).unwrap();
    let said = desk.ok("score sod --pred sets --gt truth --json --csv pictures.csv --curves curves");
    let all: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&said).unwrap();
    assert_eq!(all.keys().collect::<Vec<_>>(), ["LFSD", "NLPR", "Own"]);
    assert!(all.values().all(|set| *set == one), "{said}");

    let csv = desk.text("pictures.csv");
    let names: Vec<&str> = csv.lines().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(names[..5], ["name", "LFSD/a", "LFSD/b", "LFSD/c", "NLPR/a"]);
    assert_eq!(names.len(), 1 + 9);
    assert!(desk.text("curves/Own/pr.svg").starts_with("<svg"));

    let table = desk.ok("score sod --pred sets --gt truth");
    let names: Vec<&str> = table.lines().map(|line| line[..20].trim_end()).collect();
    assert_eq!(names, ["set", "LFSD", "  in the paper", "NLPR", "  in the paper", "Own"]);
    let [s, f, e, mae] = ["S", "maxF", "maxE", "MAE"].map(|key| one[key].as_f64().unwrap());
    let numbers = format!("{:>29}{s:>7.3}{f:>7.3}{e:>7.3}{mae:>7.3}", 3);
    assert_eq!(table.lines().last().unwrap()["Own".len()..], numbers["Own".len()..]);
}

#[test]
fn the_truth_may_be_a_data_set() {
    let desk = desk_with_sets();
    let plain = desk.ok("score sod --pred maps --gt masks");
    assert_eq!(desk.ok("score sod --pred maps --gt truth/NLPR"), plain);
    std::fs::remove_dir_all(desk.path("sets/Own")).unwrap();
    std::fs::remove_dir_all(desk.path("sets/NLPR")).unwrap();
    let of_one = desk.ok("score sod --pred sets --gt truth/LFSD");
    assert!(of_one.lines().nth(1).unwrap().starts_with("LFSD "), "{of_one}");
}

#[test]
fn everything_wrong_with_sets_is_named_at_once() {
    let desk = desk_with_sets();
    std::fs::remove_file(desk.path("sets/NLPR/b.png")).unwrap();
    std::fs::remove_dir_all(desk.path("truth/Own")).unwrap();
    std::fs::rename(desk.path("truth/LFSD/test_masks"), desk.path("truth/LFSD/answers")).unwrap();
    let error = desk.refuses("score sod --pred sets --gt truth");
    for words in [
        "b: no prediction for truth/NLPR/GT/b.png",
        "Own: no folder of this name in truth",
        "no truth folder",
    ] {
        assert!(error.contains(words), "{words:?} is not in {error}");
    }
    let error = desk.refuses("score sod --pred maps --gt absent");
    assert!(error.contains("cannot read the folder absent"), "{error}");
    std::fs::create_dir(desk.path("empty")).unwrap();
    let error = desk.refuses("score sod --pred empty --gt masks");
    assert!(error.contains("a: no prediction"), "{error}");
}
