//! What a run has saved survives whatever goes wrong after it.

use crate::desk::{Desk, metrics, tensors, tiny};
use train::config::RunConfig;

const FILES: [&str; 4] = ["config.toml", "last.safetensors", "best.safetensors", "last.state.safetensors"];

fn contents(desk: &Desk, run: &str) -> Vec<Vec<u8>> {
    FILES.iter().map(|file| desk.read(&format!("{run}/{file}"))).collect()
}

#[test]
fn a_run_that_cannot_start_does_not_touch_the_run_before_it() {
    let desk = Desk::new();
    desk.ok("train tiny.toml --steps 1 --out run");
    let before = contents(&desk, "run");
    desk.refuses("train tiny.toml --set data.validation=[] --out run");
    desk.refuses("train tiny.toml --set model.num_heads=3 --out run");
    assert!(contents(&desk, "run") == before);
    // One that can takes its place.
    desk.ok("train tiny.toml --steps 1 --seed 2 --out run");
    assert!(contents(&desk, "run") != before);
}

#[test]
fn a_diverging_run_names_the_update_and_keeps_its_checkpoint() {
    let desk = Desk::new();
    desk.ok("train tiny.toml --steps 5 --out run");
    let before = contents(&desk, "run");
    // As if the learning rate had been absurd from the sixth update on.
    let mut state = autograd::checkpoint::TensorFile::read(desk.path("run/last.state.safetensors")).unwrap();
    let config = tiny(&["train.lr=1e30"]).to_toml();
    state.metadata.insert("config".to_owned(), config);
    state.write(desk.path("run/last.state.safetensors")).unwrap();
    let error = desk.refuses("train --resume --out run --steps 10");
    assert!(error.starts_with("update 7: the loss is NaN"), "{error}");
    assert!(error.contains("first bad gradient: stem_r.0.conv.weight"), "{error}");
    assert!(error.contains("pictures: ") && error.contains("plain_0"), "{error}");
    assert!(error.contains("The weights before it are saved") && error.contains("train.lr"), "{error}");
    assert!(contents(&desk, "run")[2] == before[2], "the best weights are as they were");
    let saved = tensors(&desk.path("run/last.safetensors"));
    let finite = |bits: &u64| f64::from_bits(*bits).is_finite();
    assert!(saved.iter().all(|(.., values)| values.iter().all(finite)), "the running statistics too");
    let last = metrics(&desk.path("run/metrics.jsonl")).pop().unwrap();
    assert_eq!(last["step"], 6, "the update that failed is not on record");
}

#[test]
fn a_picture_that_breaks_in_the_middle_is_named_and_costs_no_updates() {
    let desk = Desk::new();
    desk.ok("synth sod --out set --count 20 --size 32");
    desk.write("files.toml", tiny(&["data.train=[{folder={path=\"set\",depth=\"near-bright\"}}]"]).to_toml());
    desk.ok("train files.toml --out straight");

    // The file keeps its header, so that it is found when its batch comes.
    let stem = desk.text("set/kinds.csv").lines().nth(9).unwrap().split(',').next().unwrap().to_owned();
    let picture = format!("set/RGB/{stem}.jpg");
    let bytes = desk.read(&picture);
    desk.write(&picture, &bytes[..bytes.len() * 2 / 3]);
    let error = desk.refuses("train files.toml --out broken");
    assert!(error.starts_with("stopped after update "), "{error}");
    assert!(error.contains(&picture) && error.contains("--resume"), "{error}");

    desk.write(&picture, &bytes);
    desk.ok("train --resume --out broken");
    assert!(contents(&desk, "straight") == contents(&desk, "broken"));
}

/// Files that may not grow beyond a size fail like those on a full disk.
#[cfg(unix)]
#[test]
fn a_full_disk_is_reported_and_the_run_goes_on_once_there_is_room() {
    let desk = Desk::new();
    for run in ["straight", "run"] {
        desk.ok(&format!("train tiny.toml --steps 5 --out {run}"));
    }
    desk.ok("train --resume --out straight --steps 10");
    let before = contents(&desk, "run");
    let blocks = desk.read("run/last.safetensors").len() / 512 / 2;
    let tool = desk.tool("train --resume --out run --steps 10");
    let limit = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
    let output = std::process::Command::new("sh")
        .args(["-c", &limit, "sh"])
        .arg(tool.get_program())
        .args(tool.get_args())
        .current_dir(desk.path("."))
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("cannot write run/last.safetensors"), "{error}");
    assert!(contents(&desk, "run") == before);
    let files = std::fs::read_dir(desk.path("run")).unwrap().map(|entry| entry.unwrap().file_name());
    let leftover: Vec<_> = files.filter(|name| name.to_string_lossy().contains("partial")).collect();
    assert!(leftover.is_empty(), "{leftover:?}");

    desk.ok("train --resume --out run --steps 10");
    assert!(contents(&desk, "run") == contents(&desk, "straight"));
}

#[test]
fn the_number_of_updates_asked_for_survives_an_interruption() {
    let desk = Desk::new();
    desk.ok("train tiny.toml --steps 7 --out run");
    let before = contents(&desk, "run");
    // Nothing is left to do: without its --steps it would go on to the tenth update.
    desk.ok("train --resume --out run");
    assert!(contents(&desk, "run") == before);
    assert_eq!(metrics(&desk.path("run/metrics.jsonl")).pop().unwrap()["step"], 7);
}
