//! Re-identification networks: parity with PyTorch, gradients of every fusion, the same bits for any number of threads.
//! `fixtures/networks/make_reid.py` recorded the other side.

use super::networks::{Recorded, formula_pictures, with_formula_weights};
use super::threads::{hash, hashes_with};
use autograd::checkpoint::{HostTensor, TensorFile};
use autograd::gradcheck::{GradcheckOptions, gradcheck_params};
use autograd::random::Key;
use autograd::{Ctx, Params, Real, Tape, Tensor, Var};
use models::reid::cam::cam_fusion;
use models::trunk::{Trunk, TrunkKind};
use models::{ReidConfig, ReidFusion, ReidNetwork, ReidOutput, ReidTrunk, Spectrum};

const FUSIONS: [ReidFusion; 6] = [
    ReidFusion::Sum,
    ReidFusion::Cam,
    ReidFusion::Cda,
    ReidFusion::CdaPaper,
    ReidFusion::Ca,
    ReidFusion::CaCda,
];

const SPECTRA: [Spectrum; 3] = [Spectrum::Rgb, Spectrum::Nir, Spectrum::Tir];

fn build<T: Real>(config: &ReidConfig) -> (Params<T>, ReidNetwork) {
    let (params, net) = Params::build(1, |scope| ReidNetwork::new(scope, config));
    (params, net.unwrap())
}

/// Everything the network puts out, as the script has it.
fn outputs<T: Real>(output: ReidOutput<T>) -> Vec<Var<T>> {
    let heads = output.streams.into_iter().chain(output.fused);
    [output.feature].into_iter().chain(heads.flat_map(|head| [head.logits, head.feature])).collect()
}

#[test]
fn cam_fusion_is_what_loops_over_numbers_compute() {
    let recorded = Recorded::read("reid-cam");
    let [batch, classes, pixels] = [2, 3, 4];
    let count = batch * classes * pixels;
    for streams in [2, 3] {
        // As the script: streams 0 and 1 agree in the last pixel of class 0.
        let value = |m: usize, e: usize| {
            let tie = m == 1 && e % (classes * pixels) == pixels - 1;
            2.0 * (1.3 * e as f64 + if tie { 0.0 } else { 0.7 * m as f64 }).cos()
        };
        let tape = Tape::new();
        let maps: Vec<Var<f64>> = (0..streams)
            .map(|m| tape.leaf(Tensor::from_fn(&[batch, classes, 2, 2], |e| value(m, e))))
            .collect();
        let fused = cam_fusion(&maps);
        recorded.compare(&format!("{streams}.fs"), fused.classes.value().as_slice(), 1e-14);
        recorded.compare(&format!("{streams}.w"), fused.weights.value().as_slice(), 1e-14);

        let of_classes = Var::constant(Tensor::from_fn(&[batch, classes], |i| (i as f64).cos()));
        let of_weights = Var::constant(Tensor::from_fn(&[streams, batch, 1], |j| (2.0 * j as f64).sin()));
        let loss = fused.classes.mul(&of_classes).sum_all().add(&fused.weights.mul(&of_weights).sum_all());
        let grads = loss.backward();
        let found: Vec<f64> =
            maps.iter().flat_map(|map| grads.of(map).unwrap().as_slice().to_vec()).collect();
        assert_eq!(found.len(), streams * count);
        recorded.compare(&format!("{streams}.df"), &found, 1e-13);
    }
}

fn parity(config: &ReidConfig, name: &str) {
    let (params, net) = build::<f64>(config);
    let (params, recorded) = (with_formula_weights(params), Recorded::read(name));
    let forward = |ctx: &Ctx<f64>| {
        let streams = config.streams.len();
        let pictures = formula_pictures([4, 3 * streams, 64, 96]).split(1, &vec![3; streams]);
        outputs(net.forward(ctx, &pictures))
    };
    recorded.compare_outputs("eval", &forward(&Ctx::eval(&params)), 1e-11);
    recorded.compare_training(params, forward);
}

#[test]
fn hamnet_is_the_one_in_pytorch_which_runs_its_trunks_twice() {
    parity(
        &ReidConfig { fusion: ReidFusion::Cam, classes: 5, norm_momentum: 0.19, ..ReidConfig::default() },
        "reid-hamnet-resnet50",
    );
}

#[test]
fn mutualformer_between_three_streams_is_the_one_in_pytorch() {
    let config = ReidConfig {
        trunk: ReidTrunk::MobileNetV2,
        streams: SPECTRA.to_vec(),
        dim: 24,
        num_heads: 3,
        classes: 5,
        ..ReidConfig::default()
    };
    parity(&config, "reid-cda-mobilenetv2");
}

#[test]
fn every_stream_takes_published_weights() {
    let kind = TrunkKind::MobileNetV2;
    let (source, _) = Params::<f32>::build(2, |scope| Trunk::new(scope, kind, false));
    let mut file = TensorFile::new();
    source.export("", &mut file).unwrap();
    file.push("classifier.1.bias", HostTensor::F32(Tensor::zeros(&[10])));
    let config = ReidConfig { trunk: ReidTrunk::MobileNetV2, ..small(ReidFusion::Cam, 3) };
    assert_eq!(config.trunk.kind(), Some(kind));
    let (mut params, _) = build::<f32>(&config);
    for stream in &config.streams {
        let prefix = format!("{}.trunk.", stream.name());
        kind.load(&mut params, &prefix, &file).unwrap();
        for id in source.ids() {
            let loaded = params.find(&format!("{prefix}{}", source.name(id))).unwrap();
            assert_eq!(params.get(loaded).as_slice(), source.get(id).as_slice(), "{}", params.name(loaded));
        }
        let others = params.ids().filter(|&id| params.name(id).starts_with(&prefix)).count();
        assert_eq!(others, source.len());
    }
}

/// A network that is computed in milliseconds.
fn small(fusion: ReidFusion, streams: usize) -> ReidConfig {
    ReidConfig {
        trunk: ReidTrunk::Tiny,
        streams: SPECTRA[..streams].to_vec(),
        fusion,
        dim: 8,
        num_heads: 2,
        classes: 3,
        ..ReidConfig::default()
    }
}

/// Pictures of 32×48 pixels, four for each stream.
fn noise<T: Real>(streams: usize) -> Vec<Var<T>> {
    let draw = |m: usize| Tensor::randn(&[4, 3, 32, 48], Key::default(), m as u64);
    (0..streams).map(|m| Var::constant(draw(m))).collect()
}

/// All outputs against random cotangents, as one number: what a batch norm leaves of a sum of squares would not depend on
/// the weights before it.
fn against_cotangents<T: Real>(output: ReidOutput<T>) -> Var<T> {
    let term = |(i, x): (usize, Var<T>)| {
        let cotangent = Tensor::randn(x.shape(), Key { seed: 1, ..Key::default() }, i as u64);
        x.mul(&Var::constant(cotangent)).mean_all()
    };
    outputs(output).into_iter().enumerate().map(term).reduce(|a, b| a.add(&b)).unwrap()
}

#[test]
fn gradients_of_every_fusion_are_slopes() {
    let two = FUSIONS.iter().map(|&fusion| small(fusion, 2));
    let others = [small(ReidFusion::Cda, 1), small(ReidFusion::Cam, 3), small(ReidFusion::Cda, 3)];
    for config in two.chain(others) {
        let (params, net) = build::<f64>(&config);
        let pictures = noise(config.streams.len());
        let loss = |params: &Params<f64>| {
            let mut params = params.clone();
            // Biases of the necks are parameters that stay as they are.
            let fixed: Vec<_> = params.ids().filter(|&id| params.name(id).ends_with("neck.bias")).collect();
            for id in fixed {
                params.set(id, Tensor::zeros(params.get(id).shape()));
            }
            against_cotangents(net.forward(&Ctx::train(&params, Key::default()), &pictures))
        };
        let checked = gradcheck_params(loss, &params, 3, GradcheckOptions::for_networks());
        checked.unwrap_or_else(|error| panic!("{:?} of {:?}: {error}", config.fusion, config.streams));
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let one = hashes_with("reid::print_hashes", 1);
    assert_eq!(one.len(), FUSIONS.len());
    for threads in [2, 3] {
        assert_eq!(hashes_with("reid::print_hashes", threads), one);
    }
}

#[test]
#[ignore = "prints the hashes for the test above, which runs it in child processes"]
fn print_hashes() {
    println!();
    for fusion in FUSIONS {
        let (params, net) = build::<f32>(&ReidConfig { dim: 64, num_heads: 4, ..small(fusion, 3) });
        let draw = |m| Var::constant(Tensor::randn(&[8, 3, 64, 128], Key::default(), m));
        let loss =
            against_cotangents(net.forward(&Ctx::train(&params, Key::default()), &[0, 1, 2].map(draw)));
        let grads = loss.backward();
        let gradients = params.ids().filter_map(|id| grads.param(id));
        println!("hash {:016x} {fusion:?}", hash([loss.value()].into_iter().chain(gradients)));
    }
}
