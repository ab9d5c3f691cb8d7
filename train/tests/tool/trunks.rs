//! Trunks that start from published weights, learn slowly, or not at all.

use crate::desk::{Desk, tensors};
use autograd::Tensor;
use autograd::checkpoint::{HostTensor, TensorFile};
use std::path::Path;
use train::config::{Config, RunConfig, built_in};
use train::detector::Detector;
use train::task::Task;

fn small(changes: &[&str]) -> Config {
    let small = [
        "data.size=64",
        "data.train=[{scenes={seed=1,first=0,count=2}}]",
        "data.validation=[{scenes={seed=2,first=0,count=1}}]",
        "data.test=[{scenes={seed=3,first=0,count=1}}]",
        "model.stream_decoders=false",
        "model.decoders=1",
        "train.epochs=1",
        "train.batch=2",
        "train.warmup=0.0",
    ];
    let changes: Vec<String> = small.iter().chain(changes).map(|&change| change.to_owned()).collect();
    Config::parse(built_in("mutualformer-mobilenetv2").unwrap(), &changes).unwrap()
}

/// The RGB trunk of a fresh network as torchvision would write it, with a classifier behind it.
fn published(seed: u64) -> TensorFile {
    let detector = Detector::new(&Config { seed, ..small(&[]) }).unwrap();
    let mut all = TensorFile::new();
    detector.params.export("", &mut all).unwrap();
    let mut file = TensorFile::new();
    for (name, tensor) in all.tensors {
        if let Some(name) = name.strip_prefix("rgb.trunk.") {
            file.push(name, tensor);
        }
    }
    file.push("classifier.1.bias", HostTensor::F32(Tensor::full(&[1000], 0.5)));
    file
}

fn values(detector: &Detector, name: &str) -> Vec<f32> {
    detector.params.get(detector.params.find(name).unwrap()).as_slice().to_vec()
}

#[test]
fn both_trunks_start_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trunk.safetensors");
    let mut file = published(7);
    file.tensors.retain(|(name, _)| !name.ends_with("num_batches_tracked")); // as files before 2018
    file.write(&path).unwrap();

    let mut detector = Detector::new(&small(&[])).unwrap();
    let (before, source) = (detector.clone(), Detector::new(&Config { seed: 7, ..small(&[]) }).unwrap());
    detector.load_trunks(&path).unwrap();
    let name = "features.17.conv.1.0.weight";
    let expected = values(&source, &format!("rgb.trunk.{name}"));
    assert_ne!(values(&before, &format!("rgb.trunk.{name}")), expected);
    for trunk in ["rgb.trunk", "depth.trunk"] {
        assert_eq!(values(&detector, &format!("{trunk}.{name}")), expected);
    }
    assert_eq!(
        values(&detector, "decoder1.cfm23.conv1h.weight"),
        values(&before, "decoder1.cfm23.conv1h.weight")
    );
}

#[test]
fn a_file_of_another_network_is_refused_with_what_does_not_fit() {
    let desk = Desk::new();
    let mut file = published(7);
    file.tensors.remove(0);
    file.tensors[3].1 = HostTensor::F32(Tensor::full(&[5], 0.0));
    file.write(desk.path("other.safetensors")).unwrap();
    desk.write("small.toml", small(&["train.trunk_weights=other.safetensors"]).to_toml());
    let error = desk.refuses("train small.toml --out run");
    for words in ["train.trunk_weights", "features.0.0.weight", "not [5]"] {
        assert!(error.contains(words), "{words}: {error}");
    }
    let error = desk.refuses("train tiny.toml --set train.trunk_weights=other.safetensors --out run");
    assert!(error.contains("\"tiny\" has no trunks"), "{error}");
    let error = desk.refuses("train small.toml --set train.trunk_weights=absent.pth --out run");
    assert!(error.contains("absent.pth"), "{error}");
    assert!(!desk.path("run").exists());
}

#[test]
fn trunks_learn_at_their_own_rate_and_frozen_parameters_not_at_all() {
    let desk = Desk::new();
    published(7).write(desk.path("trunk.safetensors")).unwrap();
    let moved = |changes: &[&str], name: &str| {
        let changes: Vec<&str> =
            ["train.trunk_weights=trunk.safetensors"].iter().chain(changes).copied().collect();
        desk.write("small.toml", small(&changes).to_toml());
        desk.ok("train small.toml --out run");
        let published = desk.path("trunk.safetensors");
        distance(&desk.path("run/last.safetensors"), &format!("rgb.trunk.{name}"), &published, name)
    };
    let (stem, last) = ("features.0.0.weight", "features.17.conv.1.0.weight");
    assert_eq!(moved(&["train.trunk_lr=0.0"], last), 0.0);
    // Adam's first step moves every weight by the learning rate, whatever the gradient.
    let (slow, fast) = (moved(&["train.trunk_lr=0.1"], last), moved(&["train.trunk_lr=1.0"], last));
    assert!((fast / slow - 10.0).abs() < 0.1, "{slow} {fast}");
    assert_eq!(moved(&["train.frozen=[\"*.features.0.*\"]"], stem), 0.0);
    assert!(moved(&["train.frozen=[\"*.features.0.*\"]"], last) > 0.0);
    let error = desk.refuses("train small.toml --set train.frozen=[\"*.conv9.*\"] --out run");
    assert!(error.contains("no parameter is called \"*.conv9.*\""), "{error}");
}

/// Largest difference between a tensor of one file and a tensor of another.
fn distance(one: &Path, name: &str, other: &Path, other_name: &str) -> f64 {
    let find = |path: &Path, name: &str| {
        let found = tensors(path).into_iter().find(|(found, ..)| found == name);
        found.unwrap_or_else(|| panic!("{name} is not in {}", path.display())).2
    };
    let pairs = find(one, name).into_iter().zip(find(other, other_name));
    pairs.map(|(a, b)| (f64::from_bits(a) - f64::from_bits(b)).abs()).fold(0.0, f64::max)
}
