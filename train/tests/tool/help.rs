//! `--help` of every command.

use crate::desk::Desk;

/// Every command with the options it must explain.
pub const COMMANDS: [(&str, &[&str]); 28] = [
    ("demo", &["--out", "--steps", "--device"]),
    ("config", &[]),
    ("check", &["--depth-format"]),
    ("devices", &["--json"]),
    ("train", &["--set", "--out", "--resume", "--device", "--seed", "--steps"]),
    ("predict", &["--run", "--weights", "--rgb", "--depth", "--data", "--out", "--depth-format", "--device"]),
    ("predict reid", &["--run", "--weights", "--query", "--gallery", "--top", "--out", "--device"]),
    ("explain", &["--rgb", "--depth", "--depth-format", "--run", "--weights", "--out", "--png", "--token"]),
    ("explain reid", &["--run", "--weights", "--query", "--out", "--png", "--token"]),
    ("embed", &["--run", "--weights", "--data", "--out", "--device"]),
    ("score sod", &["--pred", "--gt", "--json", "--csv", "--curves"]),
    ("score reid", &["--features", "--rerank", "--json"]),
    ("inspect", &[]),
    ("shrink", &["--out"]),
    ("synth sod", &["--out", "--count", "--seed", "--first", "--photos", "--size"]),
    ("synth reid", &["--out", "--ids", "--cams", "--per-cam", "--seed", "--size"]),
    ("import-depth", &["--out", "--format"]),
    ("replay", &["--out", "--dtype", "--path", "--device"]),
    ("bench gemm", &["--m", "--k", "--n", "--batch", "--all", "--repeat", "--device", "--json"]),
    (
        "bench conv",
        &[
            "--net", "--in", "--out", "--kernel", "--stride", "--groups", "--size", "--batch", "--repeat",
            "--device", "--json",
        ],
    ),
    (
        "bench block",
        &["--batch", "--tokens", "--dim", "--heads", "--fusion", "--path", "--repeat", "--device", "--json"],
    ),
    ("bench trunk", &["--net", "--batch", "--size", "--repeat", "--device", "--json"]),
    ("bench sod", &["--config", "--size", "--batch", "--set", "--repeat", "--device", "--json"]),
    ("bench reid", &["--config", "--batch", "--set", "--repeat", "--device", "--json"]),
    (
        "bench curve",
        &[
            "--tokens",
            "--fusions",
            "--paths",
            "--batch",
            "--dim",
            "--heads",
            "--memory-limit",
            "--repeat",
            "--out",
            "--json",
        ],
    ),
    ("completions", &[]),
    ("man", &["--out"]),
    ("", &[]),
];

#[test]
fn every_option_has_a_line_that_explains_it() {
    let desk = Desk::new();
    for (command, options) in COMMANDS {
        let help = desk.ok(&format!("{command} -h"));
        for option in options.iter().chain(&["--threads"]) {
            let mut lines = help.lines().skip_while(|line| line.split_whitespace().next() != Some(option));
            let line = lines.next().unwrap_or_else(|| panic!("{command}: {option} is missing"));
            // The explanation stands behind the option after a gap, or below it where there is no room.
            let behind = line.trim().split_once("  ").map_or("", |(_, text)| text.trim());
            let text = if behind.is_empty() { lines.next().unwrap_or_default().trim() } else { behind };
            assert!(text.starts_with(char::is_uppercase), "{command}: {line}");
        }
    }
}
