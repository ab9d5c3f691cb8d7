//! Drawn scenes as files, and training from files.

use crate::desk::{Desk, metrics, tiny};
use data::image_io::{read_grey, write_grey};
use data::transform::resize_plane;
use train::config::{RunConfig, SourceConfig};
use train::detector::Detector;
use train::source::Dataset;
use train::task::Task;

const SET: &str = "{folder={path=\"set\",depth=\"near-bright\"}}";

/// The stems of a set that `synth sod` wrote, in its order.
fn stems(desk: &Desk) -> Vec<String> {
    desk.text("set/kinds.csv")
        .lines()
        .skip(1)
        .map(|line| line.split(',').next().unwrap().to_owned())
        .collect()
}

/// Puts the picture `set/FOLDER/stem.png` at another size.
fn resize(desk: &Desk, folder: &str, stem: &str, height: usize, width: usize) {
    let path = desk.path(&format!("set/{folder}/{stem}.png"));
    let plane = resize_plane(read_grey(&path).unwrap().values.view(), height, width);
    write_grey(&path, plane.mapv(|v| v as u8).view()).unwrap();
}

#[test]
fn scenes_written_as_files_can_be_trained_on() {
    let desk = Desk::new();
    assert_eq!(desk.ok("synth sod --out set --count 8 --seed 4 --size 48"), "8 scenes in set\n");
    assert!(desk.ok("check set").ends_with("set: 8 pictures are fine, 0 problems\n"));
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

#[test]
fn depth_and_masks_of_another_resolution_are_trained_on_and_scored_at_the_masks_size() {
    let desk = Desk::new();
    desk.ok("synth sod --out set --count 8 --size 32");
    for stem in stems(&desk) {
        resize(&desk, "depth", &stem, 24, 24);
        resize(&desk, "GT", &stem, 80, 80);
    }
    assert!(desk.ok("check set").contains("remark: 8 pictures have depth or masks of another size"));
    desk.write(
        "files.toml",
        tiny(&[&format!("data.train=[{SET}]"), &format!("data.test=[{SET}]")]).to_toml(),
    );
    desk.ok("train files.toml --out run");
    // The summary is what `score` says about maps of the masks' size.
    let detector = Detector::load(&desk.path("run/best.safetensors")).unwrap();
    let source = SourceConfig::Folder {
        path: desk.path("set"),
        depth: data::DepthFormat::NearBright,
        list: None,
        name: None,
    };
    let set = Dataset::open(&[source], 32).unwrap();
    let samples: Vec<_> = (0..8).map(|i| set.load_to_score(i).unwrap()).collect();
    std::fs::create_dir(desk.path("maps")).unwrap();
    for (sample, map) in samples.iter().zip(detector.predict(&samples).unwrap()) {
        assert_eq!(map.dim(), (80, 80));
        let map = map.mapv(train::metrics::sod::quantise);
        write_grey(&desk.path(&format!("maps/{}.png", sample.name)), map.view()).unwrap();
    }
    let scored: serde_json::Value =
        serde_json::from_str(&desk.ok("score sod --pred maps --gt set/GT --json")).unwrap();
    let summary = desk.json("run/summary.json");
    assert_eq!(scored["images"], 8);
    for key in ["S", "MAE"] {
        let [own, other] = [&summary, &scored].map(|from| from[key].as_f64().unwrap());
        assert!((own - other).abs() < 1e-4, "{key}: {own} and {other}"); // the summary's numbers are rounded
    }
    // Another view is not another resolution.
    resize(&desk, "depth", &stems(&desk)[3], 20, 32);
    let error = desk.refuses("train files.toml --out run");
    assert!(error.contains("depth is 20 x 32, the colour picture 32 x 32"), "{error}");
}

#[test]
fn masks_without_foreground_can_be_trained_on() {
    let desk = Desk::new();
    desk.ok("synth sod --out set --count 8 --size 32");
    for stem in stems(&desk) {
        write_grey(&desk.path(&format!("set/GT/{stem}.png")), ndarray::Array2::zeros((32, 32)).view())
            .unwrap();
    }
    let data = ["train", "validation", "test"].map(|part| format!("data.{part}=[{SET}]"));
    desk.write("files.toml", tiny(&data.each_ref().map(String::as_str)).to_toml());
    desk.ok("train files.toml --out run");
    let losses: Vec<f64> =
        metrics(&desk.path("run/metrics.jsonl")).iter().filter_map(|line| line["loss"].as_f64()).collect();
    assert!(losses.len() == 4 && losses.iter().all(|loss| loss.is_finite()), "{losses:?}");
    assert!(losses[3] < losses[0], "it learns that there is nothing: {losses:?}");
}

#[test]
fn a_run_whose_pictures_have_changed_says_so() {
    let desk = Desk::new();
    desk.ok("synth sod --out set --count 8 --size 32");
    desk.write("files.toml", tiny(&[&format!("data.train=[{SET}]")]).to_toml());
    desk.ok("train files.toml --out run --steps 1");
    let resume = |steps: u64| {
        let output = desk.tool(&format!("train --resume --out run --steps {steps}")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(!resume(2).contains("warning"));
    resize(&desk, "depth", &stems(&desk)[0], 16, 16);
    let said = resume(3);
    assert!(said.contains("warning: the training pictures are not those the run was saved with"), "{said}");
    assert!(!resume(4).contains("warning"), "what was saved since is the changed data");
}
