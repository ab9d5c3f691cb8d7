//! `score reid`: its outputs and its errors.

use crate::desk::Desk;
use autograd::{HostTensor, Indices, Tensor, TensorFile};
use serde_json::{Map, Value};

const KEYS: [&str; 7] = ["mAP", "mINP", "queries", "rank1", "rank10", "rank5", "skipped"];

fn floats(values: &[f32], shape: &[usize]) -> HostTensor {
    HostTensor::F32(Tensor::from_vec(values.to_vec(), shape))
}

fn integers(values: &[i64]) -> HostTensor {
    HostTensor::I64(Indices::new(values.to_vec(), &[values.len()]))
}

/// Three queries, of which one has no match, and a gallery of five; `change` makes another file of it.
fn desk_with(change: impl FnOnce(&mut TensorFile)) -> Desk {
    let desk = Desk::new();
    let mut file = TensorFile::new();
    file.push("query.feat", floats(&[2.0, 0.0, 0.0, 5.0, 1.0, 1.0], &[3, 2]));
    file.push("query.id", integers(&[1, 2, 9]));
    file.push("query.cam", integers(&[0, 0, 0]));
    file.push("gallery.feat", floats(&[1.0, 0.0, 1.0, 0.1, 1.0, 0.2, 0.0, 3.0, 1.0, 0.5], &[5, 2]));
    file.push("gallery.id", integers(&[1, 3, 1, 2, 1]));
    file.push("gallery.cam", integers(&[0, 1, 1, 1, 2]));
    change(&mut file);
    file.write(desk.path("f.safetensors")).unwrap();
    desk
}

/// Puts another tensor in the place of one.
fn replace(file: &mut TensorFile, name: &str, tensor: HostTensor) {
    file.tensors.retain(|(other, _)| other != name);
    file.push(name, tensor);
}

fn scores(desk: &Desk, options: &str) -> Map<String, Value> {
    let said = desk.ok(&format!("score reid --features f.safetensors --json {options}"));
    assert_eq!(said.lines().count(), 1);
    serde_json::from_str(&said).unwrap()
}

#[test]
fn json_is_one_object_and_nothing_else() {
    let scores = scores(&desk_with(|_| ()), "");
    let mut keys: Vec<&str> = scores.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, KEYS);
    // Query 1 finds a stranger and both matches, in this order; query 2 its match; query 3 has none.
    let ap = f64::midpoint(1.0 / 2.0, 2.0 / 3.0);
    assert_eq!(scores["mAP"], f64::midpoint(ap, 1.0));
    assert_eq!(scores["mINP"], f64::midpoint(2.0 / 3.0, 1.0));
    assert_eq!([&scores["rank1"], &scores["rank5"], &scores["rank10"]], [0.5, 1.0, 1.0]);
    assert_eq!([&scores["queries"], &scores["skipped"]], [2, 1]);
}

#[test]
fn the_table_has_the_same_numbers() {
    let desk = desk_with(|_| ());
    let scores = scores(&desk, "");
    let table = desk.ok("score reid --features f.safetensors");
    for key in KEYS {
        let line = table.lines().find(|line| line.split_whitespace().next() == Some(key)).unwrap();
        let value: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!((value - scores[key].as_f64().unwrap()).abs() < 1e-6, "{line}");
    }
}

#[test]
fn the_type_of_the_features_changes_nothing() {
    let single = desk_with(|_| ());
    let double = desk_with(|file| {
        for name in ["query.feat", "gallery.feat"] {
            let wide = HostTensor::F64(file.get(name).unwrap().to());
            replace(file, name, wide);
        }
    });
    assert_eq!(scores(&single, ""), scores(&double, ""));
}

#[test]
fn re_ranking_moves_pictures_with_other_neighbours_back() {
    // A stranger is the nearest, but stands in a group of its own, behind which the queries' group goes on.
    let row = |degrees: f32| [degrees.to_radians().cos(), degrees.to_radians().sin()];
    let own = (0..25).map(|i| (row(-2.0 - 0.1 * i as f32), 1));
    let strangers = (0..25).map(|i| (row(1.9 + 0.1 * i as f32), 2));
    let (rows, ids): (Vec<[f32; 2]>, Vec<i64>) = own.chain(strangers).unzip();
    let queries: Vec<f32> = [0.0, -0.1, -0.2, -0.3, -0.4].map(row).concat();
    let desk = desk_with(|file| {
        replace(file, "query.feat", floats(&queries, &[5, 2]));
        replace(file, "query.id", integers(&[1; 5]));
        replace(file, "query.cam", integers(&[0; 5]));
        replace(file, "gallery.feat", floats(&rows.concat(), &[50, 2]));
        replace(file, "gallery.id", integers(&ids));
        replace(file, "gallery.cam", integers(&[1; 50]));
    });
    let (plain, reranked) = (scores(&desk, ""), scores(&desk, "--rerank"));
    assert!(reranked["mAP"].as_f64() > plain["mAP"].as_f64(), "{plain:?}\n{reranked:?}");
}

#[test]
fn files_that_cannot_be_scored_are_refused_by_name() {
    let refused = |change: &dyn Fn(&mut TensorFile), parts: &[&str]| {
        let error = desk_with(change).refuses("score reid --features f.safetensors");
        for part in ["f.safetensors"].iter().chain(parts) {
            assert!(error.contains(part), "{part} in: {error}");
        }
    };
    refused(
        &|file| file.tensors.retain(|(name, _)| !name.ends_with("cam") && name != "gallery.feat"),
        &["no tensor query.cam, gallery.feat, gallery.cam"],
    );
    refused(&|file| replace(file, "query.id", integers(&[1, 2])), &["query", "3 rows, id has 2"]);
    refused(&|file| replace(file, "gallery.cam", floats(&[1.0; 5], &[5])), &["gallery.cam holds floats"]);
    refused(&|file| replace(file, "gallery.feat", integers(&[1; 5])), &["gallery.feat holds integers"]);
    refused(&|file| replace(file, "gallery.feat", floats(&[1.0; 5], &[5])), &["gallery", "shape [5]"]);
    refused(&|file| replace(file, "gallery.feat", floats(&[1.0; 15], &[5, 3])), &["2 numbers", "has 3"]);
    refused(&|file| replace(file, "gallery.feat", floats(&[], &[0, 2])), &["gallery", "empty"]);
    refused(
        &|file| replace(file, "query.feat", floats(&[1.0, 1.0, 0.0, 0.0, 1.0, 1.0], &[3, 2])),
        &["query", "row 1", "length 0"],
    );
    refused(
        &|file| replace(file, "query.feat", floats(&[1.0, 1.0, 1.0, 1.0, f32::NAN, 1.0], &[3, 2])),
        &["query", "row 2", "NaN"],
    );
    refused(&|file| replace(file, "query.id", integers(&[7, 8, 9])), &["no query has"]);
}
