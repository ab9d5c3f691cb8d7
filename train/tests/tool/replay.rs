//! `replay`: a recorded case in, the same names out, in the type asked for.

use crate::desk::Desk;
use autograd::checkpoint::{HostTensor, TensorFile};
use std::path::PathBuf;

fn case(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/goldens").join(name)
}

/// Replays a case with further options and returns what was written.
fn replayed(desk: &Desk, name: &str, options: &str) -> TensorFile {
    let output = desk.tool("replay --out out.safetensors").arg(case(name)).args(options.split(' ')).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    TensorFile::read(desk.path("out.safetensors")).unwrap()
}

/// The outputs and gradients a recorded case holds.
fn results(file: &TensorFile) -> Vec<String> {
    let outputs = ["y", "loss", "adamw.losses", "o_r", "o_d", "u_rd", "u_dr"];
    let is_result = |name: &String| outputs.contains(&name.as_str()) || name.starts_with("grad.");
    let mut names: Vec<String> =
        file.tensors.iter().map(|(name, _)| name.clone()).filter(is_result).collect();
    names.sort();
    names
}

fn bits(file: &TensorFile) -> Vec<Vec<u64>> {
    let of = |(_, tensor): &(String, HostTensor)| {
        tensor.to::<f64>().as_slice().iter().map(|x| x.to_bits()).collect()
    };
    file.tensors.iter().map(of).collect()
}

#[test]
fn names_are_the_cases_and_the_type_is_the_asked_one() {
    let desk = Desk::new();
    for name in ["cda/official_t3.safetensors", "block/c16_h4_n12.safetensors"] {
        let recorded = TensorFile::read(case(name)).unwrap();
        for dtype in ["f32", "f64"] {
            let written = replayed(&desk, name, &format!("--dtype {dtype} --device cpu --path plain"));
            assert_eq!(results(&written), results(&recorded), "{name}");
            assert_eq!(written.tensors.len(), results(&written).len(), "{name}: nothing else is written");
            let fast = replayed(&desk, name, &format!("--dtype {dtype} --path fast"));
            assert_eq!(results(&fast), results(&recorded), "{name}");
            assert!(bits(&fast) != bits(&written), "{name}: two ways to add up round differently somewhere");
            for (tensor, value) in &written.tensors {
                let found = if matches!(value, HostTensor::F64(_)) { "f64" } else { "f32" };
                assert_eq!(found, dtype, "{name}: {tensor}");
            }
        }
    }
}

#[test]
fn without_a_type_the_files_own_is_taken() {
    let desk = Desk::new();
    let written = replayed(&desk, "cda/paper_t1.safetensors", "--threads 1");
    let recorded = TensorFile::read(case("cda/paper_t1.safetensors")).unwrap();
    let is_f64 = |file: &TensorFile| matches!(file.get("u_rd"), Some(HostTensor::F64(_)));
    assert_eq!(is_f64(&written), is_f64(&recorded));
}

#[test]
fn broken_cases_are_refused() {
    let desk = Desk::new();
    let whole = TensorFile::read(case("cda/official_t1.safetensors")).unwrap();
    let broken = |name: &str, change: fn(&mut TensorFile)| {
        let mut file = whole.clone();
        change(&mut file);
        file.write(desk.path(name)).unwrap();
    };
    broken("headless", |file| file.metadata.clear());
    broken("odd", |file| drop(file.metadata.insert("kind".to_owned(), "sudoku".to_owned())));
    broken("lacking", |file| file.tensors.retain(|(name, _)| name != "v_d"));
    broken("wild", |file| drop(file.metadata.insert("alpha".to_owned(), "1.5".to_owned())));
    let bytes = std::fs::read(case("cda/official_t1.safetensors")).unwrap();
    desk.write("short", &bytes[..bytes.len() / 2]);
    for (name, words) in [
        ("headless", "names no \"kind\""),
        ("odd", "\"sudoku\""),
        ("lacking", "tensor v_d is missing"),
        ("wild", "alpha = 1.5"),
        ("short", "short is cut short"),
        ("absent", "cannot read absent"),
    ] {
        let error = desk.refuses(&format!("replay {name} --out out.safetensors"));
        assert!(error.contains(words) && error.contains(name), "{name}: {error}");
    }
    assert!(!desk.path("out.safetensors").exists());
}
