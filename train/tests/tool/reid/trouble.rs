//! What a run has saved survives whatever goes wrong after it.

use super::{desk, desk_with_set, tiny};
use crate::desk::{Desk, metrics, tensors};
use std::fs;
use train::config::RunConfig;

/// A run of one update that goes on as if its learning rate had been absurd from the second one on.
fn desk_with_absurd_run() -> Desk {
    let desk = desk();
    desk.ok("train reid.toml --steps 1 --out run");
    let mut state = autograd::checkpoint::TensorFile::read(desk.path("run/last.state.safetensors")).unwrap();
    state.metadata.insert("config".to_owned(), tiny(&["train.lr=1e30", "model.classes=4"]).to_toml());
    state.write(desk.path("run/last.state.safetensors")).unwrap();
    desk
}

#[test]
fn a_diverging_run_names_the_pictures_and_keeps_its_checkpoint() {
    let desk = desk_with_absurd_run();
    let best = desk.read("run/best.safetensors");
    let error = desk.refuses("train --resume --out run --steps 6");
    assert!(error.starts_with("update 3: the loss is NaN"), "{error}");
    assert!(error.contains("first bad gradient: rgb.trunk") && error.contains("_c00"), "{error}");
    assert!(error.contains("The weights before it are saved") && error.contains("train.lr"), "{error}");
    assert!(desk.read("run/best.safetensors") == best, "the best weights are as they were");
    let finite = |bits: &u64| f64::from_bits(*bits).is_finite();
    let saved = tensors(&desk.path("run/last.safetensors"));
    assert!(saved.iter().all(|(.., values)| values.iter().all(finite)), "the running statistics too");
    assert_eq!(metrics(&desk.path("run/metrics.jsonl")).pop().unwrap()["step"], 2);
}

#[test]
fn a_run_that_diverges_before_its_validation_says_so() {
    let desk = desk_with_absurd_run();
    let best = desk.read("run/best.safetensors");
    let error = desk.refuses("train --resume --out run --steps 2");
    assert!(error.starts_with("the network has diverged") && error.contains("train.lr"), "{error}");
    assert!(desk.read("run/best.safetensors") == best, "the best weights are as they were");
}

#[test]
fn a_picture_that_breaks_in_the_middle_is_named_and_costs_no_updates() {
    let desk = desk_with_set();
    desk.ok("train reid.toml --out straight");
    // The file keeps its header, so that it is found when its batch comes.
    let picture = "set/rgbir/bounding_box_train/0002_c001_001.jpg";
    let bytes = desk.read(picture);
    desk.write(picture, &bytes[..bytes.len() - 60]);
    let error = desk.refuses("train reid.toml --out broken");
    assert!(error.starts_with("stopped after update "), "{error}");
    assert!(error.contains(picture) && error.contains("--resume"), "{error}");
    desk.write(picture, &bytes);
    desk.ok("train --resume --out broken");
    for file in ["last.safetensors", "best.safetensors"] {
        assert!(desk.read(&format!("straight/{file}")) == desk.read(&format!("broken/{file}")), "{file}");
    }
}

/// Resumes a run of one update, which must end; returns what it says besides its results.
fn resumed(desk: &Desk) -> String {
    let output = desk.tool("train --resume --out run --steps 100").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_set_that_has_changed_since_the_interruption_is_told() {
    let desk = desk_with_set();
    desk.ok("train reid.toml --steps 1 --out run");
    assert!(!resumed(&desk).contains("warning"));

    // A run in the middle of an epoch that has become shorter than what is done of it.
    desk.ok("train reid.toml --steps 3 --out run");
    let train = desk.path("set/rgbir/bounding_box_train");
    for entry in fs::read_dir(&train).unwrap() {
        let path = entry.unwrap().path();
        if !path.to_string_lossy().contains("_001.jpg") {
            fs::remove_file(path).unwrap();
        }
    }
    let said = resumed(&desk);
    assert!(said.contains("warning: the training pictures are not those the run was saved with"), "{said}");

    // Without one of its identities the classifier has a column too many.
    for camera in [1, 2] {
        fs::remove_file(train.join(format!("0002_c00{camera}_001.jpg"))).unwrap();
    }
    let error = desk.refuses("train --resume --out run");
    assert_eq!(error, "data.train: there are 3 identities, the network knows 4");
    fs::remove_dir_all(desk.path("set")).unwrap();
    assert!(desk.refuses("train --resume --out run").contains("data.train: set"));
}

#[test]
fn a_run_that_cannot_start_does_not_touch_the_run_before_it() {
    let desk = desk_with_set();
    desk.ok("train reid.toml --steps 1 --out run");
    let before = desk.read("run/last.state.safetensors");
    desk.refuses("train reid.toml --set data.test={folder={path=\"gone\"}} --out run");
    desk.refuses("train reid.toml --set model.classes=9 --out run");
    assert!(desk.read("run/last.state.safetensors") == before);
    // One of the other task takes its place.
    desk.ok("train tiny.toml --steps 1 --out run");
    assert!(desk.text("run/config.toml").starts_with("task = \"sod\"\n"));
}
