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
