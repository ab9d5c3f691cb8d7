//! Two and three spectra, and HAMNet as released.

use super::{FROM_SET, desk_with_set, tiny};
use crate::desk::{Desk, tensors};
use data::image_io::{read_rgb, write_jpeg};
use ndarray::{Axis, concatenate, s};
use std::fs;
use train::config::{RunConfig, built_in};
use train::device::Place;
use train::reid::Embedder;
use train::reid::config::ReidRunConfig;
use train::run_folder::RunFolder;
use train::trainer::Trainer;

/// As [`desk_with_set`], every file with a third crop, as in RGBNT100: the near infrared upside down.
fn desk_with_three() -> Desk {
    let desk = desk_with_set();
    for part in ["bounding_box_train", "query", "bounding_box_test"] {
        for entry in fs::read_dir(desk.path(&format!("set/rgbir/{part}"))).unwrap() {
            let path = entry.unwrap().path();
            let two = read_rgb(&path).unwrap(); // [3, 32, 128]
            let thermal = two.slice(s![.., ..;-1, 64..]);
            let three = concatenate(Axis(2), &[two.view(), thermal]).unwrap();
            write_jpeg(&path, three.view()).unwrap();
        }
    }
    desk
}

#[test]
fn three_spectra_train_under_every_fusion() {
    let desk = desk_with_three();
    for (fusion, name) in [("cda", "pairs.rgb_tir"), ("cam", "tir.trunk"), ("sum", "tir.trunk")] {
        let streams = "model.streams=[\"rgb\",\"nir\",\"tir\"]";
        let fused = format!("model.fusion={fusion}");
        let changes = [FROM_SET.as_slice(), &[streams, &fused]].concat();
        desk.write("three.toml", tiny(&changes).to_toml());
        let said = desk.ok("train three.toml --steps 2 --out run");
        assert!(said.contains("unseen identities: mAP "), "{fusion}: {said}");
        let weights = tensors(&desk.path("run/best.safetensors"));
        assert!(weights.iter().any(|(other, ..)| other.starts_with(name)), "{fusion}: no {name}");
        desk.ok("embed --run run --data set --out f.safetensors");
        desk.ok("score reid --features f.safetensors --rerank");
    }
    // All three are on the sheet: three pictures of 160 x 80 below each other.
    let query = "set/rgbir/query/0005_c001_001.jpg";
    desk.ok(&format!("predict reid --run run --query {query} --gallery set --top 1"));
    assert!(image::image_dimensions(desk.path("found.png")).unwrap().1 > 3 * 80);
    assert!(desk.ok("check three.toml").contains("in 3 spectra"));
}

#[test]
fn a_network_reads_its_own_spectra_only() {
    let desk = desk_with_three();
    let streams = |streams: &str| {
        desk.write("one.toml", tiny(&[FROM_SET.as_slice(), &[streams]].concat()).to_toml());
        desk.ok("train one.toml --steps 2 --out run");
        desk.ok("embed --run run --data set --out f.safetensors");
        desk.read("f.safetensors")
    };
    let (thermal, infrared) = (streams("model.streams=[\"tir\"]"), streams("model.streams=[\"nir\"]"));
    assert!(thermal != infrared);
    // What a network for near infrared sees does not change when colours do.
    for part in ["query", "bounding_box_test"] {
        for entry in fs::read_dir(desk.path(&format!("set/rgbir/{part}"))).unwrap() {
            let path = entry.unwrap().path();
            let mut picture = image::open(&path).unwrap().into_rgb8();
            (0..32).for_each(|y| (0..32).for_each(|x| picture.put_pixel(x, y, image::Rgb([255, 0, 0]))));
            picture.save(path.with_extension("png")).unwrap();
            fs::remove_file(path).unwrap();
        }
    }
    desk.ok("embed --run run --data set --out g.safetensors");
    assert!(desk.read("g.safetensors") == infrared);
}

#[test]
fn hamnet_as_released_makes_two_updates() {
    // Not through the tool, which would write three files of some hundred megabytes each.
    let desk = desk_with_set();
    let source = format!("{{folder={{path={:?}}}}}", desk.path("set"));
    let changes = [
        format!("data.train={source}"),
        format!("data.test={source}"),
        "data.size=[32,64]".into(),
        "train.batch=8".into(),
    ];
    let config = ReidRunConfig::parse(built_in("hamnet").unwrap(), &changes).unwrap();
    let run = RunFolder::create(&desk.path("run")).unwrap();
    let mut trainer = Trainer::<Embedder>::new(&config, run, None, &Place::default()).unwrap();
    let before = trainer.task().params.clone();
    trainer.time_updates(1).unwrap(); // an update ends with an error if its loss or gradient is not finite
    let after = &trainer.task().params;
    for name in ["rgb.trunk.conv1.weight", "nir.trunk.layer4.2.conv3.weight", "nir.trunk.bn1.running_mean"] {
        let id = before.find(name).unwrap_or_else(|| panic!("{name} is missing"));
        assert!(before.get(id).as_slice() != after.get(id).as_slice(), "{name}");
    }
}
