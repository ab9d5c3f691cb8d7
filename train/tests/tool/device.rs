//! `--device` and `devices`. What needs a Vulkan device says so and ends where there is none; with
//! `MUTUALFORMER_REQUIRE_VULKAN=1` it fails there.

use crate::desk::{Desk, metrics};
use std::process::{Command, Output};

/// Whether there is a device to test with.
pub fn vulkan() -> bool {
    let found = shaders::adapters();
    let required = std::env::var("MUTUALFORMER_REQUIRE_VULKAN").is_ok_and(|value| value == "1");
    if let Err(error) = &found {
        assert!(!required, "MUTUALFORMER_REQUIRE_VULKAN is set, but {error}");
        eprintln!("skipped: {error}");
    }
    found.is_ok()
}

/// The tool on a machine whose loader, if it has one, finds no driver.
fn without_drivers(desk: &Desk, arguments: &str) -> Output {
    let mut tool = desk.tool(arguments);
    tool.env("VK_DRIVER_FILES", "/nowhere").env("VK_ICD_FILENAMES", "/nowhere");
    tool.output().unwrap()
}

#[test]
fn the_list_begins_with_the_processor_and_says_what_to_install_if_it_ends_there() {
    let desk = Desk::new();
    let output = without_drivers(&desk, "devices --threads 2");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("cpu: 2 threads, vector instructions: "), "{said}");
    assert!(lines[1].starts_with("no vulkan: ") && lines[1].contains("install"), "{said}");
    assert_eq!(lines.len(), 2, "{said}");

    let output = without_drivers(&desk, "devices --json");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["devices"].as_array().unwrap().len(), 1);
    assert!(report["devices"][0]["threads"].as_u64().unwrap() > 0);
    assert!(report["no_vulkan_because"].as_str().unwrap().contains("install"));
}

#[test]
fn the_list_says_what_every_device_can_do() {
    if !vulkan() {
        return;
    }
    let desk = Desk::new();
    let report: serde_json::Value = serde_json::from_str(&desk.ok("devices --json")).unwrap();
    assert!(report["no_vulkan_because"].is_null());
    let devices = report["devices"].as_array().unwrap();
    assert_eq!(devices[0]["device"], "cpu");
    for (index, device) in devices[1..].iter().enumerate() {
        assert_eq!(device["device"], format!("vulkan:{index}"));
        for number in ["memory_bytes", "tensor_bytes", "workgroup", "shared_bytes"] {
            assert!(device[number].as_u64().unwrap() > 0, "{number}: {device}");
        }
        for truth in ["fp16", "timestamps", "subgroup_sums"] {
            assert!(device[truth].is_boolean(), "{truth}: {device}");
        }
    }
    let said = desk.ok("devices");
    assert_eq!(said.lines().count(), devices.len(), "{said}");
    assert!(said.lines().nth(1).unwrap().starts_with("vulkan:0 "), "{said}");
}

#[test]
fn a_device_that_is_not_there_is_refused_before_anything_is_written() {
    let desk = Desk::new();
    for command in ["train tiny.toml --out run", "demo --out run", "demo reid --out run", "bench gemm"] {
        let error = desk.misused(&format!("{command} --device cuda"));
        assert!(error.contains("cuda") && error.contains("vulkan:N"), "{command}: {error}");
        let output = without_drivers(&desk, &format!("{command} --device vulkan"));
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{command}: {error}");
        assert!(error.contains("--device vulkan:0: ") && error.contains("install"), "{command}: {error}");
        if vulkan() {
            let error = desk.refuses(&format!("{command} --device vulkan:99"));
            assert!(error.contains("there is no Vulkan device 99"), "{command}: {error}");
        }
    }
    assert!(!desk.path("run").exists());
}

#[cfg(unix)]
#[test]
fn a_run_on_vulkan_is_interrupted_resumed_and_used_on_either_device() {
    if !vulkan() {
        return;
    }
    let desk = Desk::new();
    let train = "train tiny.toml --device vulkan --set train.epochs=1000 --set train.schedule=constant \
                 --set train.warmup=0";
    let child = desk.tool(&format!("{train} --out run")).spawn().unwrap();
    desk.wait_for_lines("run/metrics.jsonl", 2);
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert!(child.wait_with_output().unwrap().status.success());
    let reached = metrics(&desk.path("run/metrics.jsonl")).last().unwrap()["step"].as_u64().unwrap();

    let steps = reached + 2;
    desk.ok(&format!("train --resume --out run --device vulkan --steps {steps}"));
    desk.ok(&format!("{train} --out straight --steps {steps}"));
    for file in ["last.safetensors", "best.safetensors", "last.state.safetensors"] {
        let [one, other] = ["run", "straight"].map(|run| desk.read(&format!("{run}/{file}")));
        assert!(one == other, "{file} differs after {reached} + 2 updates");
    }
    // The state does not know where it was made.
    desk.ok(&format!("train --resume --out run --steps {}", steps + 2));

    desk.ok("synth sod --out set --count 2 --size 32");
    for device in ["cpu", "vulkan"] {
        desk.ok(&format!(
            "predict --run run --rgb set/RGB --depth set/depth --out {device} --device {device}"
        ));
    }
    for map in std::fs::read_dir(desk.path("cpu")).unwrap() {
        let name = map.unwrap().file_name();
        let [here, there] =
            ["cpu", "vulkan"].map(|folder| image::open(desk.path(folder).join(&name)).unwrap().into_luma8());
        let furthest = here.iter().zip(there.iter()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(furthest <= Some(1), "{name:?}: maps differ by {furthest:?} of 255");
    }
}

#[test]
fn vulkan_replays_in_single_precision() {
    if !vulkan() {
        return;
    }
    let case = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/goldens/cda/official_t1.safetensors");
    let desk = Desk::new();
    let error = desk.refuses(&format!("replay {case} --out o.safetensors --device vulkan --dtype f64"));
    assert!(error.contains("computes in f32") && error.contains("--device cpu"), "{error}");
    desk.ok(&format!("replay {case} --out o.safetensors --device vulkan"));
    let written = autograd::TensorFile::read(desk.path("o.safetensors")).unwrap();
    assert!(matches!(written.get("u_rd"), Some(autograd::HostTensor::F32(_))));
}

#[test]
fn benchmarks_name_the_device_and_its_clock() {
    if !vulkan() {
        return;
    }
    let desk = Desk::new();
    for (arguments, bytes) in [
        ("gemm --m 8 --k 16 --n 4 --repeat 3", Some(4.0 * (8.0 * 16.0 + 16.0 * 4.0 + 8.0 * 4.0))),
        ("conv --in 2 --out 2 --size 5 --repeat 1", None),
        ("block --batch 1 --tokens 4 --dim 8 --heads 2 --repeat 1", None),
        ("sod --config tiny.toml --repeat 1", None),
    ] {
        let said = desk.ok(&format!("bench {arguments} --device vulkan --json"));
        let report: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert!(report["device"].as_str().unwrap().starts_with("vulkan:0 ("), "{report}");
        assert!(report["driver"].is_string(), "{report}");
        assert!(["timestamps", "host clock"].contains(&report["timing"].as_str().unwrap()), "{report}");
        if let Some(bytes) = bytes {
            let [ms, rate] = ["ms", "gb_per_s"].map(|key| report[key].as_f64().unwrap());
            assert!((rate * ms * 1e6 / bytes - 1.0).abs() < 1e-9, "{report}");
        }
        let said = desk.ok(&format!("bench {arguments} --device vulkan"));
        assert!(said.contains("on vulkan:0 (") && said.contains(", driver "), "{said}");
    }
}
