//! `demo reid`: three rows, a sheet, and everything it names.

use super::TINY;
use crate::desk::Desk;
use std::sync::atomic::AtomicBool;
use train::device::Place;
use train::reid::demo::train_all;

/// A row for each of the runs, with the numbers of its summary.
fn assert_rows(desk: &Desk, out: &str, table: &str) {
    let rows: Vec<&str> = table.lines().filter(|line| line.contains(" mAP ")).collect();
    let runs = [("rgb", "RGB only"), ("nir", "NIR only"), ("mutualformer", "MutualFormer (both)")];
    assert_eq!(rows.len(), runs.len(), "{table}");
    for (row, (folder, name)) in rows.iter().zip(runs) {
        let summary = desk.json(&format!("{out}/{folder}/summary.json"));
        let [map, rank1] = ["mAP", "rank1"].map(|key| summary[key].as_f64().unwrap());
        assert_eq!(*row, format!("{name:<20} mAP {map:.3}  rank-1 {rank1:.3}"));
    }
}

#[test]
fn the_demo_trains_each_spectrum_and_both() {
    let desk = Desk::new();
    let changes = TINY.map(str::to_owned);
    let table = train_all(&desk.path("demo"), &changes, Some(2), &Place::default(), &AtomicBool::new(false))
        .unwrap()
        .unwrap();
    assert_rows(&desk, "demo", &table);
    // Two searches of four, in rows of the query and what was found.
    let sheet = image::open(desk.path("demo/mutualformer/samples/found.png")).unwrap();
    assert!(sheet.width() > 8 * 178 && sheet.height() > 2 * 160, "{} x {}", sheet.width(), sheet.height());
}

#[test]
fn an_interrupted_demo_says_so() {
    let desk = Desk::new();
    let changes = TINY.map(str::to_owned);
    assert!(
        train_all(&desk.path("demo"), &changes, None, &Place::default(), &AtomicBool::new(true))
            .unwrap()
            .is_none()
    );
    desk.ok("train --resume --out demo/rgb --steps 1");
}

#[test]
#[ignore = "draws thousands of vehicles three times over: two minutes"]
fn the_demo_leaves_all_that_it_names() {
    let desk = Desk::new();
    let said = desk.ok("demo reid --steps 2");
    assert_rows(&desk, "runs/demo-reid", &said);
    for path in said.split_whitespace().filter(|word| word.starts_with("runs/demo-reid/")) {
        assert!(desk.path(path).exists(), "{path} is named but not there");
    }
}
