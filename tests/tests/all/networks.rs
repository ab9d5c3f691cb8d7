//! Parity of whole networks with PyTorch: torchvision's trunks, and the large detectors written in PyTorch on top of them.
//! The same names, and with the same weights the same outputs, running statistics and gradients.
//! `fixtures/networks/make.py` recorded the other side. The module `reid` does the same for re-identification.

use autograd::checkpoint::{HostTensor, TensorFile};
use autograd::random::Key;
use autograd::{Ctx, ParamId, ParamKind, Params, Real, Scope, Tensor, Var};
use models::trunk::{ResNet50, Trunk, TrunkKind, TrunkOptions};
use models::{MutualConfig, MutualSod, SodOutput};
use std::path::PathBuf;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/networks").join(name)
}

/// Number `e` of a stream, in [−1, 1): SplitMix64, exact in any language. The script's `uniform`.
fn uniform(stream: usize, e: usize) -> f64 {
    let mut z = ((e as u64) + ((stream as u64) << 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    (z >> 11) as f64 * 2f64.powi(-52) - 1.0
}

/// All entries in alphabetical order.
fn sorted(params: &Params<f64>) -> Vec<ParamId> {
    let mut ids: Vec<ParamId> = params.ids().collect();
    ids.sort_by_key(|&id| params.name(id));
    ids
}

/// The script's `weights`: every entry by its place in alphabetical order and its kind.
pub(super) fn with_formula_weights(mut params: Params<f64>) -> Params<f64> {
    for (i, id) in sorted(&params).into_iter().enumerate() {
        let (name, shape) = (params.name(id), params.get(id).shape().to_vec());
        let (offset, scale) = match name.rsplit('.').next().unwrap() {
            _ if shape.len() >= 2 => (0.0, (6.0 / shape[1..].iter().product::<usize>() as f64).sqrt()),
            "running_var" => (1.0, 0.5),
            "weight" => (1.0, 0.2),
            "num_batches_tracked" => continue,
            _ => (0.0, 0.1),
        };
        params.set(id, Tensor::from_fn(&shape, |e| offset + scale * uniform(i, e)));
    }
    params
}

/// The script's `pictures`, `[B, channels, H, W]`.
pub(super) fn formula_pictures<T: Real>(shape: [usize; 4]) -> Var<T> {
    Var::constant(Tensor::from_fn(&shape, |e| T::of(uniform(1 << 20, e))))
}

/// Two of them.
fn pictures<T: Real>(channels: usize, [height, width]: [usize; 2]) -> Var<T> {
    formula_pictures([2, channels, height, width])
}

/// The recorded results of one network.
pub(super) struct Recorded(TensorFile);

impl Recorded {
    pub(super) fn read(name: &str) -> Recorded {
        Recorded(TensorFile::read(fixture(&format!("{name}.safetensors"))).unwrap())
    }

    pub(super) fn values(&self, name: &str) -> Vec<f64> {
        self.0.get(name).unwrap_or_else(|| panic!("{name} was not recorded")).to::<f64>().as_slice().to_vec()
    }

    /// The largest difference may be `tolerance` of the largest value.
    #[track_caller]
    pub(super) fn compare(&self, name: &str, found: &[f64], tolerance: f64) {
        let expected = self.values(name);
        assert_eq!(found.len(), expected.len(), "{name}");
        let largest = expected.iter().fold(0.0, |max: f64, x| max.max(x.abs()));
        let differences = found.iter().zip(&expected).map(|(a, b)| (a - b).abs());
        let difference = differences.max_by(f64::total_cmp).unwrap() / largest; // total_cmp: NaN is above everything
        assert!(difference <= tolerance, "{name} differs by {difference:e}, allowed {tolerance:e}");
    }

    /// Shapes, and evenly spaced values of every output.
    #[track_caller]
    pub(super) fn compare_outputs<T: Real>(&self, kind: &str, outputs: &[Var<T>], tolerance: f64) {
        for (i, output) in outputs.iter().enumerate() {
            let shape: Vec<f64> = output.shape().iter().map(|&n| n as f64).collect();
            assert_eq!(shape, self.values(&format!("{kind}.{i}.shape")));
            let values = output.value().as_slice();
            let step = (values.len() / 100).max(1);
            let found: Vec<f64> = values.iter().step_by(step).map(|x| x.f64()).collect();
            self.compare(&format!("{kind}.{i}"), &found, tolerance);
        }
        assert!(self.0.get(&format!("{kind}.{}", outputs.len())).is_none(), "an output is missing");
    }

    /// Outputs of a training pass, the gradient of their weighted sum of mean squares, new running statistics.
    pub(super) fn compare_training(
        &self,
        mut params: Params<f64>,
        forward: impl Fn(&Ctx<f64>) -> Vec<Var<f64>>,
    ) {
        let ctx = Ctx::train(&params, Key::default());
        let outputs = forward(&ctx);
        self.compare_outputs("train", &outputs, 1e-10);
        let term = |(i, x): (usize, &Var<f64>)| x.mul(x).mean_all().mul_scalar((i + 1) as f64);
        let grads = outputs.iter().enumerate().map(term).reduce(|a, b| a.add(&b)).unwrap().backward();
        let ids = sorted(&params);
        let learned = ids.iter().filter(|&&id| params.kind(id) == ParamKind::Parameter);
        let norms: Vec<f64> = learned.filter_map(|&id| grads.param(id).map(norm)).collect();
        self.compare("gradient_norms", &norms, 1e-9);
        params.apply(ctx.finish());
        let running = ids.iter().filter(|&&id| params.name(id).contains("running"));
        let norms: Vec<f64> = running.map(|&id| norm(params.get(id))).collect();
        self.compare("running_norms", &norms, 1e-11);
    }
}

fn norm(tensor: &Tensor<f64>) -> f64 {
    tensor.as_slice().iter().map(|x| x * x).sum::<f64>().sqrt()
}

fn build(kind: TrunkKind, frozen_norms: bool) -> (Params<f64>, Trunk) {
    Params::build(0, |scope: &mut Scope<f64>| Trunk::new(scope, kind, frozen_norms))
}

fn trunk_parity(kind: TrunkKind, name: &str, learned: usize) {
    let (params, trunk) = build(kind, false);
    assert_eq!(params.num_learned(), learned);
    let listed: Vec<String> =
        params.ids().map(|id| format!("{} {:?}", params.name(id), params.get(id).shape())).collect();
    let expected = std::fs::read_to_string(fixture(&format!("{name}.txt"))).unwrap();
    for (found, expected) in listed.iter().zip(expected.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(listed.len(), expected.lines().count());

    let recorded = Recorded::read(name);
    let params = with_formula_weights(params);
    let size = [64, 96];
    recorded.compare_outputs("eval", &trunk.forward(&Ctx::eval(&params), &pictures(3, size), false), 1e-12);
    let ctx = Ctx::eval(&params.cast::<f32>());
    recorded.compare_outputs("eval", &trunk.forward(&ctx, &pictures(3, size), false), 1e-4);
    recorded.compare_training(params, |ctx| trunk.forward(ctx, &pictures(3, size), false).to_vec());
}

#[test]
fn resnet50_is_torchvisions() {
    trunk_parity(TrunkKind::ResNet50, "resnet50", 23_508_032);
}

#[test]
fn mobilenet_v2_is_torchvisions() {
    // 2,223,872 in all of `features`, 412,160 of them in the last layer, which is left out.
    trunk_parity(TrunkKind::MobileNetV2, "mobilenet_v2", 2_223_872 - 412_160);
}

#[test]
#[ignore = "needs the file that data/fetch_weights.sh fetches"]
fn published_mobilenet_v2_sees_what_torchvisions_sees() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../weights/mobilenet_v2-b0353104.pth");
    let file = TensorFile::read(path).unwrap();
    let (mut params, trunk) = build(TrunkKind::MobileNetV2, false);
    let report = TrunkKind::MobileNetV2.load(&mut params, "", &file).unwrap();
    assert_eq!(report.unexpected.len(), 6 + 2, "convolution and norm of layer 18, and the classifier");
    assert!(report.missing.is_empty(), "{report}");

    let recorded = Recorded::read("imagenet_mobilenet_v2");
    let size = [64, 96];
    recorded.compare_outputs("eval", &trunk.forward(&Ctx::eval(&params), &pictures(3, size), false), 1e-12);
    let ctx = Ctx::eval(&params.cast::<f32>());
    recorded.compare_outputs("eval", &trunk.forward(&ctx, &pictures(3, size), false), 1e-4);
}

#[test]
fn trunks_take_their_own_networks_weights_with_a_classifier_and_no_others() {
    let (source, _) = build(TrunkKind::MobileNetV2, false);
    let source = with_formula_weights(source);
    let mut file = TensorFile::new();
    source.export("", &mut file).unwrap();
    for name in ["features.18.0.weight", "classifier.1.bias"] {
        file.push(name, HostTensor::F32(Tensor::zeros(&[10])));
    }
    let (mut params, _) = Params::<f64>::build(1, |scope| {
        ["rgb", "depth"]
            .map(|name| Trunk::new(&mut scope.sub(name).sub("trunk"), TrunkKind::MobileNetV2, false))
    });
    let before = params.clone();
    let report = TrunkKind::MobileNetV2.load(&mut params, "depth.trunk.", &file).unwrap();
    assert_eq!(report.unexpected, ["features.18.0.weight", "classifier.1.bias"]);
    let values =
        |params: &Params<f64>, name: &str| params.get(params.find(name).unwrap()).as_slice().to_vec();
    for id in source.ids() {
        let name = source.name(id);
        assert_eq!(values(&params, &format!("depth.trunk.{name}")), source.get(id).as_slice(), "{name}");
        let other = format!("rgb.trunk.{name}");
        assert_eq!(values(&params, &other), values(&before, &other), "{other}");
    }

    let refused = |kind: TrunkKind, file: &TensorFile, words: &str| {
        let message = kind.load(&mut params.clone(), "rgb.trunk.", file).unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    };
    refused(TrunkKind::ResNet50, &file, "not expected: features.18.0.weight");
    let mut deeper = file.clone();
    deeper.push("features.19.0.weight", HostTensor::F32(Tensor::zeros(&[1])));
    refused(TrunkKind::MobileNetV2, &deeper, "not expected: features.19.0.weight");
    file.tensors.retain(|(name, _)| name != "features.0.1.running_mean");
    refused(TrunkKind::MobileNetV2, &file, "missing in the file: features.0.1.running_mean");
}

/// The last pass first, as the script has them.
fn outputs<T: Real>(output: SodOutput<T>) -> Vec<Var<T>> {
    let SodOutput { logits, earlier, sides, streams, .. } = output;
    [vec![logits], earlier, sides, streams].concat()
}

fn detector_parity(kind: TrunkKind, name: &str) {
    let (params, net) =
        Params::<f64>::build(0, |scope| MutualSod::new(scope, kind, &MutualConfig::default()));
    let (params, net, recorded) = (with_formula_weights(params), net.unwrap(), Recorded::read(name));
    let forward = |ctx: &Ctx<f64>| {
        let pictures = pictures(4, [96, 128]);
        outputs(net.forward(ctx, &pictures.slice(1, 0..3), &pictures.slice(1, 3..4)))
    };
    recorded.compare_outputs("eval", &forward(&Ctx::eval(&params)), 1e-11);
    recorded.compare_training(params, forward);
}

#[test]
fn the_detector_on_resnet50_is_the_one_in_pytorch() {
    detector_parity(TrunkKind::ResNet50, "mutualformer-resnet50");
}

#[test]
fn the_detector_on_mobilenet_v2_is_the_one_in_pytorch() {
    detector_parity(TrunkKind::MobileNetV2, "mutualformer-mobilenetv2");
}

#[test]
fn last_stride_1_doubles_the_coarsest_map_and_adds_no_parameter() {
    let options = TrunkOptions { last_stride: 1, ..TrunkOptions::default() };
    let (params, trunk) = Params::<f32>::build(0, |scope| ResNet50::new(scope, &options));
    assert_eq!(params.num_learned(), 23_508_032);
    let x = Var::constant(Tensor::zeros(&[1, 3, 64, 32]));
    let shapes = trunk.forward(&Ctx::eval(&params), &x, false).map(|map| map.shape().to_vec());
    assert_eq!(shapes[2..], [vec![1, 1024, 4, 2], vec![1, 2048, 4, 2]]);
}

#[test]
fn frozen_norms_compute_as_in_inference_and_note_nothing() {
    let (params, trunk) = build(TrunkKind::MobileNetV2, true);
    let params = with_formula_weights(params);
    let expected = trunk.forward(&Ctx::eval(&params), &pictures(3, [64, 64]), false);
    let ctx = Ctx::train(&params, Key::default());
    let found = trunk.forward(&ctx, &pictures(3, [64, 64]), false);
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found.value().as_slice(), expected.value().as_slice());
    }
    assert!(ctx.finish().is_empty());
}
