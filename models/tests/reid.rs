//! The re-identification networks: size, shapes, and that every part takes part.

use autograd::random::Key;
use autograd::{Ctx, ParamKind, Params, Real, Tensor, Var};
use models::reid::cam::cam_fusion;
use models::{
    ReidConfig, ReidConfigError, ReidFeature, ReidFusion, ReidNetwork, ReidOutput, ReidTrunk, Spectrum,
};

const SPECTRA: [Spectrum; 3] = [Spectrum::Rgb, Spectrum::Nir, Spectrum::Tir];

fn build<T: Real>(config: &ReidConfig) -> (Params<T>, ReidNetwork) {
    let (params, net) = Params::build(1, |scope| ReidNetwork::new(scope, config));
    (params, net.unwrap())
}

/// A network that is computed in milliseconds.
fn tiny(fusion: ReidFusion, streams: usize) -> ReidConfig {
    ReidConfig {
        trunk: ReidTrunk::Tiny,
        streams: SPECTRA[..streams].to_vec(),
        fusion,
        dim: 16,
        num_heads: 2,
        classes: 5,
        ..ReidConfig::default()
    }
}

/// Four pictures of 64×32 pixels for each stream.
fn noise<T: Real>(streams: usize) -> Vec<Var<T>> {
    let draw = |m: usize| Tensor::randn(&[4, 3, 64, 32], Key::default(), m as u64);
    (0..streams).map(|m| Var::constant(draw(m))).collect()
}

fn forward<T: Real>(net: &ReidNetwork, ctx: &Ctx<T>, streams: usize) -> ReidOutput<T> {
    net.forward(ctx, &noise(streams))
}

/// Learned scalars whose names begin like this.
fn count(params: &Params, prefix: &str) -> usize {
    let ids = params.ids().filter(|&id| params.kind(id) == ParamKind::Parameter);
    ids.filter(|&id| params.name(id).starts_with(prefix)).map(|id| params.get(id).numel()).sum()
}

#[test]
fn a_block_of_width_768_has_14_million_parameters_and_one_of_512_has_6() {
    let default = || ReidConfig { classes: 150, ..ReidConfig::default() };
    let small = || ReidConfig { trunk: ReidTrunk::Tiny, dim: 512, num_heads: 8, ..default() };
    let resnet50 = (default(), 2048, 23_508_032, 14_168_832);
    for (config, channels, trunk, block) in [resnet50, (small(), 128, 163_672, 6_300_160)] {
        let (params, _) = build::<f32>(&config);
        let (dim, classes) = (config.dim, config.classes);
        for stream in ["rgb", "nir"] {
            assert_eq!(count(&params, &format!("{stream}.trunk.")), trunk);
            assert_eq!(count(&params, &format!("{stream}.")), trunk + 2 * channels);
        }
        let pair = |name: &str| count(&params, &format!("pairs.rgb_nir.{name}"));
        assert_eq!((pair("embed_r."), pair("embed_d.")), ((channels + 1) * dim, (channels + 1) * dim));
        assert_eq!(pair("embed_rd."), (2 * dim + 1) * dim);
        assert_eq!(pair("blocks."), block);
        assert_eq!(count(&params, "classifier."), (channels + 1) * classes);
        assert_eq!(count(&params, "neck."), 2 * dim);
        assert_eq!(count(&params, "fused_classifier."), (dim + 1) * classes);
        let pair = 2 * (channels + 1) * dim + (2 * dim + 1) * dim + block;
        let heads = (channels + 1) * classes + 2 * dim + (dim + 1) * classes;
        assert_eq!(params.num_learned(), 2 * (trunk + 2 * channels) + pair + heads);
    }
}

#[test]
fn hamnet_has_its_trunks_and_little_more() {
    let config = ReidConfig { fusion: ReidFusion::Cam, classes: 150, ..ReidConfig::default() };
    let (params, _) = build::<f32>(&config);
    assert_eq!((count(&params, "rgb.cam."), count(&params, "nir.cam.")), (2048 * 150, 2048 * 150));
    assert_eq!(params.num_learned(), 2 * (23_508_032 + 2 * 2048 + 2048 * 150) + 2049 * 150);
}

#[test]
fn three_streams_make_three_pairs_and_one_makes_none() {
    let (params, net) = build::<f32>(&tiny(ReidFusion::Cda, 3));
    let pairs = ["pairs.rgb_nir.", "pairs.rgb_tir.", "pairs.nir_tir."].map(|name| count(&params, name));
    assert_eq!(pairs, [2 * 129 * 16 + 33 * 16 + 24 * 16 * 16 + 17 * 16; 3]);
    assert_eq!(count(&params, "pairs."), 3 * pairs[0]);
    assert_eq!(count(&params, "neck."), 2 * 3 * 16);
    let tokens = net.tokens(&Ctx::eval(&params), &noise(3));
    assert_eq!(
        tokens.iter().map(|level| (level.grid, level.x.shape())).collect::<Vec<_>>(),
        [([4, 2], &[4, 8, 32][..]); 3]
    );
    assert!(net.block(2).is_some() && net.block(3).is_none());

    let (params, net) = build::<f32>(&tiny(ReidFusion::Cda, 1));
    assert_eq!(params.num_learned(), 163_672 + 2 * 128 + 129 * 5);
    assert!(net.block(0).is_none() && net.tokens(&Ctx::eval(&params), &noise(1)).is_empty());
    let output = forward(&net, &Ctx::eval(&params), 1);
    assert!(output.fused.is_none());
    assert_eq!(output.feature.value().as_slice(), output.streams[0].feature.value().as_slice());
}

#[test]
fn features_are_as_wide_as_what_they_are_made_of() {
    // C = 128 channels of the trunk's map, D = 16 of the tokens, K = 5.
    let widths = |fusion, streams, feature| {
        let (params, net) = build::<f32>(&ReidConfig { feature, ..tiny(fusion, streams) });
        let output = forward(&net, &Ctx::eval(&params), streams);
        assert!(output.streams.iter().all(|head| head.feature.shape() == [4, 128]));
        let heads = output.streams.iter().chain(&output.fused);
        assert!(heads.into_iter().all(|head| head.logits.shape() == [4, 5]));
        (output.feature.size(1), output.fused.unwrap().feature.size(1))
    };
    let (fused, concat) = (ReidFeature::Fused, ReidFeature::Concat);
    assert_eq!(widths(ReidFusion::Sum, 2, fused), (128, 128));
    assert_eq!(widths(ReidFusion::Sum, 2, concat), (3 * 128, 128));
    assert_eq!(widths(ReidFusion::Cam, 3, fused), (128, 5));
    assert_eq!(widths(ReidFusion::Cam, 2, concat), (128, 5));
    assert_eq!(widths(ReidFusion::Cda, 2, fused), (16, 16));
    assert_eq!(widths(ReidFusion::Ca, 2, concat), (2 * 128 + 16, 16));
    assert_eq!(widths(ReidFusion::Cda, 3, concat), (3 * 128 + 3 * 16, 3 * 16));
}

#[test]
fn maps_are_at_16_or_with_a_last_stride_of_2_at_32() {
    for trunk in [ReidTrunk::MobileNetV2, ReidTrunk::Tiny] {
        for (last_stride, grid) in [(1, [4, 2]), (2, [2, 1])] {
            let grid = if trunk == ReidTrunk::Tiny { [4, 2] } else { grid };
            let (params, net) = build::<f32>(&ReidConfig { trunk, last_stride, ..tiny(ReidFusion::Cda, 2) });
            let tokens = net.tokens(&Ctx::eval(&params), &noise(2));
            assert_eq!(tokens[0].grid, grid, "{trunk:?}, last stride {last_stride}");
        }
    }
}

#[test]
fn weights_of_the_streams_sum_to_1_and_ties_count_0() {
    let maps: Vec<Var<f64>> =
        (0..3).map(|m| Var::constant(Tensor::randn(&[2, 7, 4, 3], Key::default(), m))).collect();
    for streams in [&maps[..2], &maps[..]] {
        let weights = cam_fusion(streams).weights;
        assert_eq!(weights.shape(), [streams.len(), 2, 1]);
        let sums = weights.sum(&[0], false);
        assert!(
            sums.value().as_slice().iter().all(|sum| (sum - 1.0).abs() < 1e-15),
            "{sums:?}",
            sums = sums.value()
        );
    }
    // One pixel, two classes; s = 3/4 and 1/2 for class 0, 1/2 twice for class 1, which therefore has g = 0.
    let pixel = |class0: f64| Var::constant(Tensor::from_vec(vec![class0, 0.0], &[1, 2, 1, 1]));
    let fused = cam_fusion(&[pixel(3f64.ln()), pixel(0.0)]);
    let near = |found: &Var<f64>, expected: [f64; 2]| {
        found.value().as_slice().iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15)
    };
    assert!(near(&fused.weights, [0.6, 0.4])); // 3/4 to 1/2
    assert!(near(&fused.classes, [0.6 * 0.75 + 0.4 * 0.5, 0.0]));
    // With a third stream the tie between the other two is of no account.
    let fused = cam_fusion(&[pixel(3f64.ln()), pixel(0.0), pixel(0.0)]);
    assert!(near(&fused.classes, [(0.75 * 0.75 + 2.0 * 0.25) / 1.75, 0.0]));
}

/// Statistics of a network after `passes` passes in one step.
fn statistics(config: &ReidConfig, passes: usize) -> Vec<(String, Vec<f64>)> {
    let (mut params, net) = build::<f64>(config);
    let ctx = Ctx::train(&params, Key::default());
    for _ in 0..passes {
        forward(&net, &ctx, 2);
    }
    params.apply(ctx.finish());
    let of_trunks = params.ids().filter(|&id| params.name(id).contains("trunk."));
    let running = of_trunks.filter(|&id| params.name(id).contains("running"));
    running.map(|id| (params.name(id).to_owned(), params.get(id).as_slice().to_vec())).collect()
}

#[test]
fn a_momentum_of_0_19_is_two_updates_of_0_1() {
    let config = tiny(ReidFusion::Cam, 2);
    let once = statistics(&ReidConfig { norm_momentum: 0.19, ..config.clone() }, 1);
    let twice = statistics(&config, 2);
    assert_eq!(once.len(), 2 * 4 * 2);
    for ((name, a), (_, b)) in once.iter().zip(&twice) {
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-14 * b.abs().max(1.0)), "{name}");
    }
    let other = statistics(&config, 1);
    assert!(once.iter().zip(&other).all(|(a, b)| a != b));
}

/// Everything the network puts out as one number that batch norms do not make constant.
fn sum<T: Real>(output: &ReidOutput<T>) -> Var<T> {
    let heads = output.streams.iter().chain(&output.fused).flat_map(|head| [&head.logits, &head.feature]);
    let terms = [&output.feature].into_iter().chain(heads).enumerate().map(|(i, x)| {
        let cotangent = Tensor::randn(x.shape(), Key { seed: 1, ..Key::default() }, i as u64);
        x.mul(&Var::constant(cotangent)).mean_all()
    });
    terms.reduce(|a, b| a.add(&b)).unwrap()
}

/// Gradients by parameter, and the noted statistics by buffer.
fn pass<T: Real>(params: &Params<T>, net: &ReidNetwork, streams: usize) -> [Vec<(String, Vec<f64>)>; 2] {
    let ctx = Ctx::train(params, Key::default());
    let grads = sum(&forward(net, &ctx, streams)).backward();
    let named = |id, x: &Tensor<T>| {
        (params.name(id).to_owned(), x.as_slice().iter().map(|x| x.f64()).collect::<Vec<_>>())
    };
    let gradients = params.ids().filter_map(|id| Some(named(id, grads.param(id)?))).collect();
    [gradients, ctx.finish().into_iter().map(|(id, x)| named(id, &x)).collect()]
}

#[test]
fn every_parameter_but_the_necks_biases_gets_a_gradient_and_every_batch_norm_its_statistics() {
    for fusion in [ReidFusion::Sum, ReidFusion::Cam, ReidFusion::Cda] {
        let (params, net) = build::<f32>(&tiny(fusion, 3));
        let [gradients, statistics] = pass(&params, &net, 3);
        let learned: Vec<_> = params
            .ids()
            .filter(|&id| params.kind(id) == ParamKind::Parameter)
            .map(|id| params.name(id))
            .collect();
        let (fixed, learned): (Vec<_>, Vec<_>) =
            learned.into_iter().partition(|name| name.ends_with("neck.bias"));
        assert_eq!(fixed.len(), if fusion == ReidFusion::Cam { 3 } else { 4 });
        assert_eq!(gradients.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), learned);
        for (name, gradient) in &gradients {
            assert!(gradient.iter().any(|&x| x != 0.0) && gradient.iter().all(|x| x.is_finite()), "{name}");
        }
        let buffers = params.ids().filter(|&id| params.kind(id) != ParamKind::Parameter).count();
        assert_eq!(statistics.len(), buffers);
    }
}

#[test]
fn checkpointing_changes_the_order_of_some_sums_and_nothing_else() {
    for (trunk, fusion) in [(ReidTrunk::Tiny, ReidFusion::Cam), (ReidTrunk::MobileNetV2, ReidFusion::Cda)] {
        let config = ReidConfig { trunk, attn_drop: 0.3, ..tiny(fusion, 2) };
        let (params, net) = build::<f64>(&config);
        let [plain, statistics] = pass(&params, &net, 2);
        let [checkpointed, other_statistics] = pass(&params, &net.with_checkpointing(true), 2);
        assert!(statistics == other_statistics);
        assert_eq!(plain.len(), checkpointed.len());
        let largest = plain.iter().flat_map(|(_, g)| g).fold(0.0, |max: f64, x| max.max(x.abs()));
        for ((name, one), (other_name, other)) in plain.iter().zip(&checkpointed) {
            assert_eq!(name, other_name);
            assert!(one.iter().zip(other).all(|(a, b)| (a - b).abs() <= 1e-12 * largest), "{name}");
        }
    }
}

#[test]
fn every_option_makes_another_network_that_works() {
    let default = || tiny(ReidFusion::Cda, 2);
    let configs = [
        default(),
        tiny(ReidFusion::Sum, 2),
        tiny(ReidFusion::Cam, 2),
        tiny(ReidFusion::CdaPaper, 2),
        tiny(ReidFusion::Ca, 2),
        tiny(ReidFusion::CaCda, 2),
        ReidConfig { streams: vec![Spectrum::Nir, Spectrum::Tir], ..default() },
        ReidConfig { blocks: 2, ..default() },
        ReidConfig { joint_norm: false, ..default() },
        ReidConfig { third_branch: false, ..default() },
        ReidConfig { trunk: ReidTrunk::MobileNetV2, ..default() },
        ReidConfig { trunk: ReidTrunk::MobileNetV2, last_stride: 2, ..default() },
        ReidConfig { trunk: ReidTrunk::ResNet50, ..default() },
        ReidConfig { trunk: ReidTrunk::ResNet50, stem_relu: true, ..default() },
        ReidConfig { frozen_norms: true, ..default() },
    ];
    let mut seen: Vec<Vec<f32>> = Vec::new();
    for config in configs {
        let (params, net) = build::<f32>(&config);
        let output = forward(&net, &Ctx::train(&params, Key::default()), 2);
        let logits = output.fused.unwrap().logits.value().as_slice().to_vec();
        assert!(logits.iter().all(|x| x.is_finite()) && !seen.contains(&logits), "{config:?}");
        seen.push(logits);
    }
}

#[test]
fn what_means_nothing_is_refused_in_words() {
    let refused = |config: ReidConfig, words: &str| {
        let message = config.validate().unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    };
    let default = || tiny(ReidFusion::Cda, 2);
    refused(ReidConfig { streams: Vec::new(), ..default() }, "one, two or three different spectra");
    refused(ReidConfig { streams: vec![Spectrum::Nir; 2], ..default() }, "[\"nir\", \"nir\"]");
    refused(ReidConfig { last_stride: 3, ..default() }, "last_stride = 3");
    refused(ReidConfig { norm_momentum: 0.0, ..default() }, "norm_momentum = 0");
    refused(ReidConfig { blocks: 0, ..default() }, "at least one block");
    refused(
        ReidConfig { num_heads: 3, ..default() },
        "3 heads do not divide dim = 16: choose num_heads among its divisors",
    );
    // Options of a fusion that does not take place are not looked at.
    for config in [tiny(ReidFusion::Cda, 1), tiny(ReidFusion::Cam, 2)] {
        assert_eq!(ReidConfig { num_heads: 3, blocks: 0, ..config }.validate(), Ok(()));
    }
    let unknown = ReidConfig { classes: 0, ..default() };
    assert_eq!(unknown.validate(), Ok(()));
    let (_, net) = Params::<f32>::build(1, |scope| ReidNetwork::new(scope, &unknown));
    assert_eq!(net.unwrap_err(), ReidConfigError::NoClasses);
}

#[test]
#[should_panic(expected = "1 pictures for 2 streams")]
fn a_picture_too_few_is_refused() {
    let (params, net) = build::<f32>(&tiny(ReidFusion::Sum, 2));
    forward(&net, &Ctx::eval(&params), 1);
}

#[test]
#[should_panic(expected = "picture 1 is [4, 1, 64, 32], not [B, 3, H, W]")]
fn a_grey_channel_alone_is_refused() {
    let (params, net) = build::<f32>(&tiny(ReidFusion::Sum, 2));
    let mut pictures = noise(2);
    pictures[1] = pictures[1].slice(1, 0..1);
    net.forward(&Ctx::eval(&params), &pictures);
}
