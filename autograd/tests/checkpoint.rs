//! Checkpoint files: the same bits back, and a clear error for everything that is not a checkpoint.

use autograd::checkpoint::{CheckpointError, HostTensor, LoadMode, TensorFile};
use autograd::nn::{BatchNorm1d, Linear};
use autograd::{Indices, Params, Real, Tensor};
use std::collections::BTreeMap;
use std::fs;

fn model<T: Real>(seed: u64, outputs: usize) -> Params<T> {
    let build = |scope: &mut autograd::Scope<T>| {
        Linear::new(&mut scope.sub("fc"), 3, outputs, true);
        BatchNorm1d::new(&mut scope.sub("bn"), 4);
    };
    Params::build(seed, build).0
}

fn text() -> BTreeMap<String, String> {
    [("epoch", "7"), ("config", "lr = 0.1\n\"ünïcode\"")].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
}

fn assert_same(a: &Params<f32>, b: &Params<f32>) {
    for id in a.ids() {
        let bits = |p: &Params<f32>| p.get(id).as_slice().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(a), bits(b), "{}", a.name(id));
    }
}

#[test]
fn a_model_comes_back_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let mut saved = model::<f32>(1, 2);
    let special = [-0.0, f32::INFINITY, f32::MIN_POSITIVE / 3.0, f32::MAX, 0.1, -1.0];
    saved.set(saved.find("fc.weight").unwrap(), Tensor::from_vec(special.to_vec(), &[2, 3]));
    saved.set(saved.find("bn.num_batches_tracked").unwrap(), Tensor::scalar(12.0));
    saved.save(&path, text()).unwrap();
    let first_bytes = fs::read(&path).unwrap();
    let mut loaded = model::<f32>(2, 2);
    assert!(loaded.load(&path, LoadMode::Strict).unwrap().is_exact());
    assert_same(&saved, &loaded);
    loaded.save(&path, text()).unwrap();
    assert_eq!(fs::read(&path).unwrap(), first_bytes, "equal contents give equal bytes");

    let file = TensorFile::read(&path).unwrap();
    assert_eq!(file.metadata, text());
    let HostTensor::I64(count) = file.get("bn.num_batches_tracked").unwrap() else {
        panic!("not an integer")
    };
    assert_eq!((count.values(), count.shape()), (&[12][..], &[][..]));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no partial file stays");
}

#[test]
fn precision_is_converted_on_loading() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let double = model::<f64>(3, 2);
    double.save(&path, BTreeMap::new()).unwrap();
    let mut single = model::<f32>(4, 2);
    single.load(&path, LoadMode::Strict).unwrap();
    assert_same(&single, &double.cast());
    single.save(&path, BTreeMap::new()).unwrap();
    let mut widened = model::<f64>(5, 2);
    widened.load(&path, LoadMode::Strict).unwrap();
    assert_same(&widened.cast(), &single);
}

#[test]
fn half_precision_is_widened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.safetensors");
    // 1, −2, 65504 (the largest), 2⁻²⁴ (the smallest), 0.333251953125, −∞
    let half: [u16; 6] = [0x3c00, 0xc000, 0x7bff, 0x0001, 0x3555, 0xfc00];
    let expected = [1.0, -2.0, 65504.0, 2f32.powi(-24), 0.333_251_95, f32::NEG_INFINITY];
    fs::write(&path, raw_file("F16", &[6], &half.map(u16::to_le_bytes).concat())).unwrap();
    assert_eq!(TensorFile::read(&path).unwrap().get("x").unwrap().to::<f32>().as_slice(), expected);
    let brain: [u16; 2] = [0x3f80, 0xc040];
    fs::write(&path, raw_file("BF16", &[2], &brain.map(u16::to_le_bytes).concat())).unwrap();
    assert_eq!(TensorFile::read(&path).unwrap().get("x").unwrap().to::<f32>().as_slice(), [1.0, -3.0]);
}

/// A file with one tensor `x`, laid out by hand.
fn raw_file(dtype: &str, shape: &[usize], bytes: &[u8]) -> Vec<u8> {
    let header =
        format!(r#"{{"x":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[0,{}]}}}}"#, bytes.len());
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), bytes].concat()
}

#[test]
fn whatever_is_not_a_checkpoint_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.safetensors");
    let refused = |bytes: &[u8], words: &str| {
        fs::write(&path, bytes).unwrap();
        let message = TensorFile::read(&path).unwrap_err().to_string();
        assert!(message.contains("broken.safetensors") && message.contains(words), "{message}");
    };
    model::<f32>(1, 2).save(&path, text()).unwrap();
    let whole = fs::read(&path).unwrap();
    for tenth in 0..10 {
        refused(&whole[..whole.len() * tenth / 10], "cut short or not a safetensors file");
    }
    refused(&whole[..whole.len() - 1], "cut short");
    refused(&[&whole[..], b"x"].concat(), "cut short");
    refused(b"PK\x03\x04 a zip archive of something else", "not a PyTorch file");
    refused(&raw_file("F8_E5M2", &[2], &[1, 2]), "tensor x has type F8_E5M2");
    refused(&raw_file("F32", &[usize::MAX, 2], &[0; 8]), "not a safetensors file");
    refused(&raw_file("F32", &[0, usize::MAX / 2, 4], &[]), "not a safetensors file");
    let message = TensorFile::read(folder.path().join("absent")).unwrap_err().to_string();
    assert!(message.starts_with("cannot read") && message.contains("absent"), "{message}");
}

#[test]
fn a_failed_write_names_the_path_and_keeps_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no such folder").join("model.safetensors");
    let error = model::<f32>(1, 2).save(&missing, text()).unwrap_err();
    assert!(matches!(error, CheckpointError::Io { action: "write", .. }));
    assert!(error.to_string().contains("no such folder"), "{error}");

    // A folder stands where the file should go: everything is written, only the last step fails.
    let taken = folder.path().join("taken");
    fs::create_dir_all(taken.join("inside")).unwrap();
    assert!(model::<f32>(1, 2).save(&taken, text()).is_err());
    assert!(taken.join("inside").is_dir());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no partial file stays");
}

#[test]
fn strict_loading_lists_what_does_not_fit_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let mut file = TensorFile::new();
    model::<f32>(1, 5).export("", &mut file).unwrap();
    file.tensors.retain(|(name, _)| name != "bn.bias");
    file.push("head.weight", HostTensor::I64(Indices::new(vec![1, 2], &[2])));
    file.write(&path).unwrap();

    let mut own = model::<f32>(2, 2);
    let before = own.clone();
    let message = own.load(&path, LoadMode::Strict).unwrap_err().to_string();
    for words in [
        "model.safetensors does not fit",
        "missing in the file: bn.bias",
        "not expected: head.weight",
        "fc.weight should have shape [2, 3], not [5, 3]",
        "fc.bias should have shape [2], not [5]",
    ] {
        assert!(message.contains(words), "{words:?} is not in {message:?}");
    }
    assert_same(&own, &before);

    let report = own.load(&path, LoadMode::Lenient).unwrap();
    assert_eq!(report.missing, ["bn.bias"]);
    assert_eq!(report.unexpected, ["head.weight"]);
    assert_eq!(report.misshaped.len(), 2);
    assert_same(&own, &before); // bn starts alike everywhere, and nothing else fitted
}

#[test]
fn lenient_loading_takes_what_fits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let other = model::<f32>(1, 2);
    let mut file = TensorFile::new();
    other.export("", &mut file).unwrap();
    file.tensors.retain(|(name, _)| name == "fc.weight");
    file.write(&path).unwrap();
    let mut own = model::<f32>(2, 2);
    own.load(&path, LoadMode::Lenient).unwrap();
    let values = |p: &Params<f32>, name: &str| p.get(p.find(name).unwrap()).as_slice().to_vec();
    assert_eq!(values(&own, "fc.weight"), values(&other, "fc.weight"));
    assert_eq!(values(&own, "fc.bias"), values(&model::<f32>(2, 2), "fc.bias"));
}

#[test]
fn a_part_of_a_model_is_loaded_from_a_file_of_its_own() {
    // "fc" and "bn" twice in one model; the file knows one of them, under its own names, and has a head besides.
    let build = |scope: &mut autograd::Scope<f32>| {
        for part in ["left", "right"] {
            let mut scope = scope.sub(part);
            Linear::new(&mut scope.sub("fc"), 3, 2, true);
            BatchNorm1d::new(&mut scope.sub("bn"), 4);
        }
    };
    let fresh = Params::<f32>::build(1, build).0;
    let mut file = TensorFile::new();
    model::<f32>(7, 2).export("", &mut file).unwrap();
    file.push("head.weight", HostTensor::F32(Tensor::zeros(&[9, 2])));
    let values = |p: &Params<f32>, name: &str| p.get(p.find(name).unwrap()).as_slice().to_vec();

    let mut own = fresh.clone();
    let report = own.import_part("left.", &file, &["head."]).unwrap();
    assert_eq!(report.unexpected, ["head.weight"]);
    assert!(report.missing.is_empty() && report.misshaped.is_empty());
    assert_eq!(values(&own, "left.fc.weight"), values(&model::<f32>(7, 2), "fc.weight"));
    assert_eq!(values(&own, "right.fc.weight"), values(&fresh, "right.fc.weight"));

    // Old files count no batches.
    file.tensors.retain(|(name, _)| name != "bn.num_batches_tracked");
    let report = own.import_part("right.", &file, &["head."]).unwrap();
    assert_eq!(report.missing, ["bn.num_batches_tracked"]);
    assert_eq!(values(&own, "right.fc.weight"), values(&model::<f32>(7, 2), "fc.weight"));

    file.tensors.retain(|(name, _)| name != "bn.bias");
    file.push("fc2.weight", HostTensor::F32(Tensor::zeros(&[1])));
    file.tensors[0].1 = HostTensor::F32(Tensor::zeros(&[5, 3]));
    let mut own = fresh.clone();
    let message = own.import_part("left.", &file, &["head."]).unwrap_err().to_string();
    for words in
        ["missing in the file: bn.bias", "not expected: fc2.weight", "should have shape [2, 3], not [5, 3]"]
    {
        assert!(message.contains(words), "{words:?} is not in {message:?}");
    }
    assert!(!message.contains("head") && !message.contains("num_batches"), "{message}");
    assert_same(&own, &fresh);
}

#[test]
fn halves_are_written_rounded_and_everything_else_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, half) = (folder.path().join("whole"), folder.path().join("half"));
    let mut file = TensorFile::new();
    file.metadata = text();
    // Exact; 1/3 as nearest half; half-way between two halves, to the even one; beyond the smallest.
    let values = [1.5, 1.0 / 3.0, 2049.0, 2051.0, 1e-9, f32::INFINITY];
    file.push("a", HostTensor::F32(Tensor::from_vec(values.to_vec(), &[2, 3])));
    file.push("odd", HostTensor::F32(Tensor::full(&[3, 1], 0.5)));
    file.push("vector", HostTensor::F32(Tensor::from_vec(vec![1.0 / 3.0, 1e-9, 1e9], &[3])));
    file.push("b", HostTensor::F64(Tensor::from_vec(vec![1.0 / 3.0, 1e300], &[2])));
    file.push("count", HostTensor::count(70_000));
    file.write(&whole).unwrap();
    file.write_half(&half).unwrap();
    let read = TensorFile::read(&half).unwrap();
    assert_eq!(read.metadata, text());
    let stored = ["a", "odd", "vector", "b", "count"].map(|name| read.stored_dtype(name).unwrap());
    assert_eq!(stored, ["F16", "F16", "F32", "F64", "I64"]);
    let expected = [1.5, 0.333_251_95, 2048.0, 2052.0, 0.0, f32::INFINITY];
    assert_eq!(read.get("a").unwrap().to::<f32>().as_slice(), expected);
    assert_eq!(read.get("vector").unwrap().to::<f32>().as_slice(), [1.0 / 3.0, 1e-9, 1e9]);
    assert_eq!(read.get("b").unwrap().to::<f64>().as_slice(), [1.0 / 3.0, 1e300]);
    assert_eq!(read.get("count").unwrap().to::<f64>().as_slice(), [70_000.0]);
    let size = |path| fs::metadata(path).unwrap().len();
    assert_eq!(size(&whole) - size(&half), 2 * 9, "the header is as long, 9 numbers take 2 bytes less each");
}

#[test]
fn what_16_bits_cannot_hold_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half");
    let mut file = TensorFile::new();
    file.push("fits", HostTensor::F32(Tensor::from_vec(vec![65_519.0, f32::NAN], &[2, 1])));
    file.write_half(&path).unwrap();
    let read = TensorFile::read(&path).unwrap().get("fits").unwrap().to::<f32>();
    assert!(read.as_slice()[0] == 65_504.0 && read.as_slice()[1].is_nan());
    let before = fs::read(&path).unwrap();
    file.push("fc.weight", HostTensor::F32(Tensor::from_vec(vec![1.0, -65_520.0], &[1, 2])));
    let message = file.write_half(&path).unwrap_err().to_string();
    assert_eq!(message, "tensor fc.weight holds -6.552e4; the largest 16-bit float is 65504");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn integers_and_truth_values_are_widened() {
    for (dtype, bytes, expected) in [
        ("BOOL", vec![0, 1], [0, 1]),
        ("U8", vec![255, 1], [255, 1]),
        ("I8", vec![255, 1], [-1, 1]),
        ("U16", vec![255, 255, 1, 0], [65_535, 1]),
        ("I16", vec![255, 255, 1, 0], [-1, 1]),
        ("U32", vec![255, 255, 255, 255, 1, 0, 0, 0], [4_294_967_295, 1]),
        ("I32", vec![255, 255, 255, 255, 1, 0, 0, 0], [-1, 1]),
    ] {
        let file = TensorFile::parse(&raw_file(dtype, &[2], &bytes), "it".as_ref()).unwrap();
        let Some(HostTensor::I64(integers)) = file.get("x") else { panic!("{dtype}: not integers") };
        assert_eq!((integers.values(), integers.shape()), (&expected[..], &[2][..]), "{dtype}");
        assert_eq!(file.stored_dtype("x").unwrap(), dtype);
    }
}
