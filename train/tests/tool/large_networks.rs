//! The large networks train through the same tool.

use crate::desk::{Desk, metrics, tensors};
use train::config::{Config, RunConfig, built_in};
use train::detector::Detector;
use train::device::Place;
use train::run_folder::RunFolder;
use train::trainer::Trainer;

/// A built-in configuration on four scenes of 96 pixels.
fn small(name: &str) -> Config {
    let changes = [
        "data.size=96",
        "data.train=[{scenes={seed=1,first=0,count=4}}]",
        "data.validation=[{scenes={seed=2,first=0,count=1}}]",
        "data.test=[{scenes={seed=3,first=0,count=1}}]",
        "train.epochs=1",
        "train.batch=2",
        "train.accumulate=1",
    ];
    Config::parse(built_in(name).unwrap(), &changes.map(str::to_owned)).unwrap()
}

#[test]
fn mobilenet_v2_trains_is_saved_and_predicts() {
    let desk = Desk::new();
    desk.write("small.toml", small("mutualformer-mobilenetv2").to_toml());
    // One network for pictures of several sizes: it learns from 128 pixels and is validated at 96.
    let said = desk.ok("train small.toml --set data.train_sizes=[128] --out run");
    assert!(said.contains("unseen scenes: S-measure"), "{said}");
    assert_eq!(metrics(&desk.path("run/metrics.jsonl")).len(), 3); // two updates, one validation
    let names: Vec<String> =
        tensors(&desk.path("run/best.safetensors")).into_iter().map(|(name, ..)| name).collect();
    assert!(names.contains(&"depth.trunk.features.17.conv.0.0.weight".to_owned()));
    desk.ok("synth sod --out set --count 1 --size 64");
    desk.ok("predict --run run --rgb set/RGB --depth set/depth --out maps");
    assert_eq!(std::fs::read_dir(desk.path("maps")).unwrap().count(), 1);
}

#[test]
fn mobilenet_v2_is_checked() {
    let desk = Desk::new();
    desk.write("small.toml", small("mutualformer-mobilenetv2").to_toml());
    let said = desk.ok("check small.toml");
    assert!(said.contains("network: 8225992 parameters") && said.contains("time: 2 updates of"), "{said}");
}

#[test]
fn resnet50_makes_two_updates() {
    // Not through the tool, which would write three files of some hundred megabytes each.
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::create(&folder.path().join("run")).unwrap();
    let mut trainer =
        Trainer::<Detector>::new(&small("mutualformer-resnet50"), run, None, &Place::default()).unwrap();
    let before = trainer.task().params.clone();
    trainer.time_updates(1).unwrap(); // an update ends with an error if its loss or gradient is not finite
    let after = &trainer.task().params;
    let moved = |name: &str| {
        let id = before.find(name).unwrap();
        before.get(id).as_slice() != after.get(id).as_slice()
    };
    for name in [
        "rgb.trunk.conv1.weight",
        "depth.trunk.layer4.2.conv3.weight",
        "depth.trunk.bn1.running_mean",
        "fuse8.blocks.1.attn.qkv_r.weight",
        "decoder2.cfm23.conv4v.weight",
        "linearr5.weight",
    ] {
        assert!(moved(name), "{name}");
    }
}
