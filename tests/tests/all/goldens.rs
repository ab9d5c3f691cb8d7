//! Parity with PyTorch: every recorded case, values, gradients and optimiser losses, in both types and on both paths.

use autograd::Real;
use autograd::checkpoint::TensorFile;
use cda::Path as How;
use std::path::{Path, PathBuf};
use train::replay::replay;

/// Largest differences allowed, relative to the tensor's largest value.
pub struct Tolerance {
    values: f64,
    gradients: f64,
}

/// The cases of one folder of `fixtures/goldens`, sorted.
fn cases(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/goldens").join(folder);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Replays a case and compares everything that was written; prints the worst difference by name.
fn compare(path: &Path, how: How, tolerance: &Tolerance, replay: impl Fn(&TensorFile, How) -> TensorFile) {
    let case = TensorFile::read(path).unwrap();
    let ours = replay(&case, how);
    let is_result = |name: &str| {
        ["y", "loss", "adamw.losses", "o_r", "o_d", "u_rd", "u_dr"].contains(&name)
            || name.starts_with("grad.")
    };
    let mut compared = 0;
    let mut worst = (0.0, String::new());
    for (name, expected) in case.tensors.iter().filter(|(name, _)| is_result(name)) {
        let expected = expected.to::<f64>();
        let found = ours
            .get(name)
            .unwrap_or_else(|| panic!("{}: {name} was not written", path.display()))
            .to::<f64>();
        assert_eq!(found.shape(), expected.shape(), "{}: {name}", path.display());
        // total_cmp puts NaN above everything, where f64::max would drop it.
        let max = |values: &mut dyn Iterator<Item = f64>| values.max_by(f64::total_cmp).expect("not empty");
        let largest = max(&mut expected.as_slice().iter().map(|x| x.abs()));
        let difference =
            max(&mut expected.as_slice().iter().zip(found.as_slice()).map(|(a, b)| (a - b).abs()));
        let relative = if largest > 0.0 { difference / largest } else { difference };
        let allowed = if name.starts_with("grad.") { tolerance.gradients } else { tolerance.values };
        assert!(
            relative <= allowed,
            "{}: {name} differs by {relative:e}, allowed {allowed:e}",
            path.display()
        );
        if relative > worst.0 {
            worst = (relative, name.clone());
        }
        compared += 1;
    }
    assert!(compared >= 10, "{}: only {compared} tensors were compared", path.display());
    println!(
        "{:<40} {how:?} {compared:>3} tensors, worst {:.1e} ({})",
        path.file_stem().unwrap().display(),
        worst.0,
        worst.1
    );
}

const F64: Tolerance = Tolerance { values: 1e-10, gradients: 1e-10 };
pub const F32: Tolerance = Tolerance { values: 1e-5, gradients: 1e-4 };

/// All cases of a folder, on both paths, as `replay` replays them.
pub fn compare_all(
    folder: &str,
    count: usize,
    tolerance: &Tolerance,
    replay: impl Fn(&TensorFile, How) -> TensorFile,
) {
    let cases = cases(folder);
    assert_eq!(cases.len(), count);
    for how in [How::Plain, How::Fast] {
        cases.iter().for_each(|case| compare(case, how, tolerance, &replay));
    }
}

fn on_host<T: Real>(case: &TensorFile, how: How) -> TensorFile {
    replay::<T>(case, how).unwrap()
}

#[test]
fn cda_cases_in_f64() {
    compare_all("cda", 10, &F64, on_host::<f64>);
}

#[test]
fn cda_cases_in_f32() {
    compare_all("cda", 10, &F32, on_host::<f32>);
}

#[test]
fn block_cases_in_f64() {
    compare_all("block", 6, &F64, on_host::<f64>);
}

#[test]
fn block_cases_in_f32() {
    compare_all("block", 6, &F32, on_host::<f32>);
}
