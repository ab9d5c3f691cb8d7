//! Drawn scenes as files, and training from files.

use crate::desk::{Desk, tiny};

#[test]
fn scenes_written_as_files_can_be_trained_on() {
    let desk = Desk::new();
    assert_eq!(desk.ok("synth sod --out set --count 8 --seed 4 --size 48"), "8 scenes in set\n");
    assert_eq!(desk.ok("check set"), "set: 8 pictures, 0 with problems\n");
    let source = "[{folder={path=\"set\",depth=\"near-bright\"}}]";
    let changes = ["train", "validation", "test"].map(|part| format!("data.{part}={source}"));
    desk.write("files.toml", tiny(&changes.each_ref().map(String::as_str)).to_toml());
    desk.ok("train files.toml --out run");
    let summary = desk.json("run/summary.json");
    assert!(summary["S"].as_f64().unwrap() > 0.0);
    assert_eq!(
        desk.text("run/metrics.jsonl").lines().count(),
        2 * (2 + 1),
        "two batches and a validation, twice"
    );
}

#[test]
fn a_series_goes_on_where_the_first_part_ended() {
    let desk = Desk::new();
    desk.ok("synth sod --out all --count 4 --size 32");
    desk.ok("synth sod --out tail --count 2 --first 2 --size 32");
    let tail = desk.text("tail/kinds.csv");
    assert_eq!(tail.lines().count(), 3);
    for stem in tail.lines().skip(1).map(|line| line.split(',').next().unwrap()) {
        for file in [format!("RGB/{stem}.jpg"), format!("depth/{stem}.png"), format!("GT/{stem}.png")] {
            assert!(desk.read(&format!("all/{file}")) == desk.read(&format!("tail/{file}")), "{file}");
        }
    }
}
