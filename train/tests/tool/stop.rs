//! Ctrl-C in the real process: it saves, says how to go on, and going on is as if nothing had happened.
#![cfg(unix)]

use crate::desk::{Desk, metrics};
use std::process::{Command, Stdio};

#[test]
fn ctrl_c_saves_and_resume_goes_on() {
    let desk = Desk::new();
    // Far more epochs than are waited for. Their number decides nothing else: the learning rate is constant.
    let train =
        "train tiny.toml --set train.epochs=1000000 --set train.schedule=constant --set train.warmup=0.0";
    let child = desk
        .tool(&format!("{train} --out stopped"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // In the second of the epochs of 5 updates, most likely.
    desk.wait_for_lines("stopped/metrics.jsonl", 8);
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, "interrupted; go on with: mutualformer train --resume --out stopped\n");

    let reached = metrics(&desk.path("stopped/metrics.jsonl")).last().unwrap()["step"].as_u64().unwrap();
    let steps = reached + 7;
    desk.ok(&format!("train --resume --out stopped --steps {steps}"));
    desk.ok(&format!("{train} --out straight --steps {steps}"));
    for file in ["last.safetensors", "best.safetensors", "last.state.safetensors"] {
        let [one, other] = ["stopped", "straight"].map(|run| desk.read(&format!("{run}/{file}")));
        assert!(one == other, "{file} differs after {reached} + 7 updates");
    }
    let [one, other] =
        ["stopped", "straight"].map(|run| metrics(&desk.path(&format!("{run}/metrics.jsonl"))));
    assert_eq!(one, other);
}
