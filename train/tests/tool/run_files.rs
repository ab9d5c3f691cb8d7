//! `train`: what a run writes.

use crate::desk::{Desk, metrics, tiny};
use train::config::RunConfig;

#[test]
fn options_reach_the_run_and_its_files_are_complete() {
    let desk = Desk::new();
    let said = desk
        .ok("train tiny.toml --set train.lr=0.01 --set model.fusion=ca+cda --seed 7 --out here --threads 1");
    assert_eq!(
        desk.text("here/config.toml"),
        tiny(&["train.lr=0.01", "model.fusion=ca+cda", "seed=7"]).to_toml()
    );

    let lines = metrics(&desk.path("here/metrics.jsonl"));
    let kinds: Vec<&str> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    let epoch = ["step"; 5].into_iter().chain(["validation"]);
    assert_eq!(kinds, epoch.clone().chain(epoch).collect::<Vec<_>>());
    let steps: Vec<u64> = lines.iter().map(|line| line["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, [1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10, 10]);

    let summary = desk.json("here/summary.json");
    for key in ["S", "maxF", "maxE", "MAE"] {
        assert!((0.0..=1.01).contains(&summary[key].as_f64().unwrap()), "{key}: {summary}");
    }
    assert!(
        summary["seconds"].as_f64().unwrap() > 0.0 && summary["peak_mb"].as_f64().is_none_or(|mb| mb > 1.0)
    );
    let last = said.lines().last().unwrap();
    let words = ["unseen scenes: S-measure 0.", ", max F 0.", ", max E ", ", MAE 0."];
    assert!(last.starts_with(words[0]) && words.iter().all(|word| last.contains(word)), "{said}");
}

#[test]
fn the_default_folder_is_named_after_the_configuration() {
    let desk = Desk::new();
    desk.ok("train tiny.toml --steps 1");
    assert!(desk.path("runs/tiny/best.safetensors").exists());
}

#[test]
fn inspect_lists_every_tensor() {
    let desk = Desk::new();
    desk.ok("train tiny.toml --steps 1 --out run");
    let listing = desk.ok("inspect run/best.safetensors");
    let row = listing.lines().find(|line| line.starts_with("mutual8.block.attn.qkv_r.weight ")).unwrap();
    assert!(row.contains("f32") && row.contains("[48, 16]"), "{row}");
    assert!(listing.contains("    num_heads = 4"), "the configuration is in the file");
    let state = desk.ok("inspect run/last.state.safetensors");
    for name in ["exp_avg.head.weight", "exp_avg_sq.head.weight", "param.head.weight", "step: 1"] {
        assert!(state.lines().any(|line| line.starts_with(name)), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let desk = Desk::new();
    desk.ok("train tiny.toml --steps 1 --out run");
    let mut child =
        desk.tool("inspect run/last.state.safetensors").stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}
