//! Parity of the trunks with torchvision: the same names in the same order, and with the same weights the same feature
//! maps, running statistics and gradients. `fixtures/trunks/make.py` recorded torchvision's side.

use autograd::checkpoint::TensorFile;
use autograd::random::Key;
use autograd::{Ctx, ParamKind, Params, Real, Scope, Tensor, Var};
use models::trunk::{ResNet50, ResNetOptions, Trunk, TrunkKind};
use std::path::PathBuf;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/trunks").join(name)
}

/// Number `e` of a stream, in [−1, 1): SplitMix64, exact in any language. The script's `uniform`.
fn uniform(stream: usize, e: usize) -> f64 {
    let mut z = ((e as u64) + ((stream as u64) << 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    (z >> 11) as f64 * 2f64.powi(-52) - 1.0
}

/// The script's `weights`: every entry by its place and kind.
fn with_formula_weights(mut params: Params<f64>) -> Params<f64> {
    for id in params.ids() {
        let (name, shape) = (params.name(id), params.get(id).shape().to_vec());
        let (offset, scale) = match name.rsplit('.').next().unwrap() {
            _ if shape.len() == 4 => (0.0, (6.0 / shape[1..].iter().product::<usize>() as f64).sqrt()),
            "running_var" => (1.0, 0.5),
            "weight" => (1.0, 0.2),
            "num_batches_tracked" => continue,
            _ => (0.0, 0.1),
        };
        params.set(id, Tensor::from_fn(&shape, |e| offset + scale * uniform(id.index(), e)));
    }
    params
}

fn picture<T: Real>() -> Var<T> {
    Var::constant(Tensor::from_fn(&[2, 3, 64, 96], |e| T::of(uniform(1 << 20, e))))
}

fn build(kind: TrunkKind) -> (Params<f64>, Trunk) {
    Params::build(0, |scope: &mut Scope<f64>| Trunk::new(scope, kind, false))
}

/// Largest difference relative to the largest recorded value.
fn difference(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0, |max: f64, x| max.max(x.abs()));
    let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    differences.max_by(f64::total_cmp).unwrap() / largest // total_cmp puts NaN above everything
}

/// The recorded results of one network.
struct Recorded(TensorFile);

impl Recorded {
    fn values(&self, name: &str) -> Vec<f64> {
        self.0.get(name).unwrap_or_else(|| panic!("{name} was not recorded")).to::<f64>().as_slice().to_vec()
    }

    #[track_caller]
    fn compare(&self, name: &str, found: &[f64], tolerance: f64) {
        let difference = difference(found, &self.values(name));
        assert!(difference <= tolerance, "{name} differs by {difference:e}, allowed {tolerance:e}");
    }

    /// Shapes, and evenly spaced values of every map.
    #[track_caller]
    fn compare_maps<T: Real>(&self, kind: &str, maps: &[Var<T>; 4], tolerance: f64) {
        for (i, map) in maps.iter().enumerate() {
            let shape: Vec<f64> = map.shape().iter().map(|&n| n as f64).collect();
            assert_eq!(shape, self.values(&format!("{kind}.{i}.shape")));
            let values = map.value().as_slice();
            let step = (values.len() / 100).max(1);
            let found: Vec<f64> = values.iter().step_by(step).map(|x| x.f64()).collect();
            self.compare(&format!("{kind}.{i}"), &found, tolerance);
        }
    }
}

fn norm(tensor: &Tensor<f64>) -> f64 {
    tensor.as_slice().iter().map(|x| x * x).sum::<f64>().sqrt()
}

fn assert_parity(kind: TrunkKind, name: &str, learned: usize) {
    let (params, trunk) = build(kind);
    assert_eq!(params.num_learned(), learned);
    let listed: Vec<String> =
        params.ids().map(|id| format!("{} {:?}", params.name(id), params.get(id).shape())).collect();
    let expected = std::fs::read_to_string(fixture(&format!("{name}.txt"))).unwrap();
    for (found, expected) in listed.iter().zip(expected.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(listed.len(), expected.lines().count());

    let recorded = Recorded(TensorFile::read(fixture(&format!("{name}.safetensors"))).unwrap());
    let mut params = with_formula_weights(params);
    recorded.compare_maps("eval", &trunk.forward(&Ctx::eval(&params), &picture(), false), 1e-12);
    let single = params.cast::<f32>();
    recorded.compare_maps("eval", &trunk.forward(&Ctx::eval(&single), &picture::<f32>(), false), 1e-4);

    let ctx = Ctx::train(&params, Key::default());
    let maps = trunk.forward(&ctx, &picture(), false);
    recorded.compare_maps("train", &maps, 1e-11);
    let loss = maps.iter().map(|map| map.mul(map).mean_all()).reduce(|a, b| a.add(&b)).unwrap();
    let grads = loss.backward();
    let is_learned = |id: &_| params.kind(*id) == ParamKind::Parameter;
    let norms: Vec<f64> =
        params.ids().filter(is_learned).map(|id| norm(grads.param(id).expect("a gradient"))).collect();
    recorded.compare("gradient_norms", &norms, 1e-9);
    params.apply(ctx.finish());
    let running = params.ids().filter(|&id| params.name(id).contains("running"));
    let norms: Vec<f64> = running.map(|id| norm(params.get(id))).collect();
    recorded.compare("running_norms", &norms, 1e-11);
}

#[test]
fn resnet50_is_torchvisions() {
    assert_parity(TrunkKind::ResNet50, "resnet50", 23_508_032);
}

#[test]
fn mobilenet_v2_is_torchvisions() {
    // 2,223,872 in all of `features`, 412,160 of them in the last layer, which is left out.
    assert_parity(TrunkKind::MobileNetV2, "mobilenet_v2", 2_223_872 - 412_160);
}

#[test]
fn last_stride_1_doubles_the_coarsest_map_and_adds_no_parameter() {
    let options = ResNetOptions { last_stride: 1, ..ResNetOptions::default() };
    let (params, trunk) = Params::<f32>::build(0, |scope| ResNet50::new(scope, options));
    assert_eq!(params.num_learned(), 23_508_032);
    let x = Var::constant(Tensor::zeros(&[1, 3, 64, 32]));
    let shapes = trunk.forward(&Ctx::eval(&params), &x, false).map(|map| map.shape().to_vec());
    assert_eq!(shapes[2..], [vec![1, 1024, 4, 2], vec![1, 2048, 4, 2]]);
}

#[test]
fn frozen_norms_compute_as_in_inference_and_note_nothing() {
    let (params, trunk) =
        Params::<f64>::build(0, |scope: &mut Scope<f64>| Trunk::new(scope, TrunkKind::MobileNetV2, true));
    let params = with_formula_weights(params);
    let expected = trunk.forward(&Ctx::eval(&params), &picture(), false);
    let ctx = Ctx::train(&params, Key::default());
    let found = trunk.forward(&ctx, &picture(), false);
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found.value().as_slice(), expected.value().as_slice());
    }
    assert!(ctx.finish().is_empty());
}
