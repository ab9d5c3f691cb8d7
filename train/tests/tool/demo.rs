//! `demo`: everything it promises lies in the folder it names.

use crate::desk::Desk;

#[test]
fn the_demo_leaves_a_whole_run_behind() {
    let desk = Desk::new();
    let said = desk.ok("demo --steps 3");
    let run = desk.path("runs/demo");
    for file in ["config.toml", "best.safetensors", "last.safetensors", "last.state.safetensors"] {
        assert!(run.join(file).metadata().unwrap().len() > 0, "{file}");
    }
    // Nine rows of four 96-pixel tiles; six tiles with a side of at least 192.
    let sheet = image::open(run.join("samples/predictions.png")).unwrap();
    assert!(sheet.width() >= 4 * 96 && sheet.height() >= 9 * 96, "{} x {}", sheet.width(), sheet.height());
    assert!(sheet.width() < 5 * 96 && sheet.height() < 12 * 96, "{} x {}", sheet.width(), sheet.height());
    let sheet = image::open(run.join("samples/affinity.png")).unwrap();
    assert!(sheet.width() >= 6 * 192 && sheet.height() >= 192, "{} x {}", sheet.width(), sheet.height());
    assert!(sheet.width() < 7 * 192 && sheet.height() < 2 * 192, "{} x {}", sheet.width(), sheet.height());
    for plot in ["loss", "lr", "metrics"] {
        assert!(desk.text(&format!("runs/demo/plots/{plot}.svg")).starts_with("<svg"), "{plot}");
    }
    assert_eq!(desk.text("runs/demo/metrics.jsonl").lines().count(), 3 + 1, "three updates, one validation");

    let summary = desk.json("runs/demo/summary.json");
    let [s, f, e, mae] = ["S", "maxF", "maxE", "MAE"].map(|key| summary[key].as_f64().unwrap());
    let expected = format!("unseen scenes: S-measure {s:.3}, max F {f:.3}, max E {e:.3}, MAE {mae:.3}");
    assert_eq!(said.lines().last(), Some(expected.as_str()), "{said}");
    let images = |kind: &serde_json::Value| kind["images"].as_u64().unwrap();
    assert_eq!(summary["kinds"].as_object().unwrap().values().map(images).sum::<u64>(), 200);
    for path in said.split_whitespace().filter(|word| word.starts_with("runs/demo/")) {
        assert!(desk.path(path).exists(), "{path} is named but not there");
    }
}
