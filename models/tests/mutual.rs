//! The large detectors: size, shapes, and that every part takes part.

use autograd::random::Key;
use autograd::{Ctx, ParamKind, Params, Real, Tensor, Var};
use cda::FusionKind;
use models::trunk::TrunkKind;
use models::{LevelConfig, Modality, MutualConfig, MutualSod, SodOutput};

fn build<T: Real>(trunk: TrunkKind, config: &MutualConfig) -> (Params<T>, MutualSod) {
    let (params, net) = Params::build(1, |scope| MutualSod::new(scope, trunk, config));
    (params, net.unwrap())
}

/// Noise, the same for the same seed.
fn noise<T: Real>(channels: usize, [height, width]: [usize; 2], seed: u64) -> Var<T> {
    Var::constant(Tensor::randn(&[2, channels, height, width], Key { seed, ..Key::default() }, 0))
}

fn forward<T: Real>(net: &MutualSod, ctx: &Ctx<T>, size: [usize; 2]) -> SodOutput<T> {
    net.forward(ctx, &noise(3, size, 1), &noise(1, size, 2))
}

/// Learned scalars whose names begin like this.
fn count(params: &Params, prefix: &str) -> usize {
    let ids = params.ids().filter(|&id| params.kind(id) == ParamKind::Parameter);
    ids.filter(|&id| params.name(id).starts_with(prefix)).map(|id| params.get(id).numel()).sum()
}

#[test]
fn on_resnet50_it_has_the_papers_52_05_million_parameters() {
    let (params, _) = build::<f32>(TrunkKind::ResNet50, &MutualConfig::default());
    let decoder = 3 * 8 * (9 * 64 * 64 + 64 + 2 * 64); // three modules of eight convolutions with batch norms
    let head = 9 * 64 + 1;
    let block = 24 * 64 * 64 + 17 * 64;
    for stream in ["rgb", "depth"] {
        let part = |name: &str| count(&params, &format!("{stream}.{name}"));
        assert_eq!(part("trunk."), 23_508_032);
        assert_eq!(part("squeeze"), (256 + 512 + 1024 + 2048) * 64 + 4 * 3 * 64);
        assert_eq!((part("decoder."), part("linearp.")), (decoder, head));
    }
    for (stride, patch) in [(8, 8), (16, 4), (32, 2)] {
        let part = |name: &str| count(&params, &format!("fuse{stride}.{name}"));
        assert_eq!(part("a."), 128 * 64 + 3 * 64);
        assert_eq!(part("embed."), patch * patch * 64 * 64 + 64);
        assert_eq!(part("blocks."), 2 * block);
        assert_eq!(part("out."), 64 * 64 + 3 * 64);
    }
    assert_eq!((count(&params, "decoder1."), count(&params, "decoder2.")), (decoder, decoder));
    assert_eq!((count(&params, "linearp"), count(&params, "linearr")), (2 * head, 4 * head));
    assert_eq!(params.num_learned(), 52_049_736);
}

#[test]
fn on_mobilenet_v2_it_has_8_million() {
    let (params, _) = build::<f32>(TrunkKind::MobileNetV2, &MutualConfig::default());
    assert_eq!(count(&params, "depth.trunk."), 1_811_712);
    // The rest is as on ResNet-50, but for narrower maps to squeeze.
    let narrower = (256 + 512 + 1024 + 2048) - (24 + 32 + 96 + 320);
    assert_eq!(params.num_learned(), 52_049_736 - 2 * (23_508_032 - 1_811_712) - 2 * narrower * 64);
}

#[test]
fn pictures_of_352_pixels_give_100_tokens_at_every_level() {
    for level in MutualConfig::default().levels {
        assert_eq!(level.grid([352, 352]), Some([10, 10]));
        assert_eq!(level.grid([96, 256]), Some([2, 7]));
        assert_eq!(level.grid([32, 64]), None);
    }
}

#[test]
fn other_sizes_work_and_need_not_be_square() {
    let (params, net) = build::<f32>(TrunkKind::MobileNetV2, &MutualConfig::default());
    for [height, width] in [[64, 64], [96, 160]] {
        let output = forward(&net, &Ctx::train(&params, Key::default()), [height, width]);
        let full = [2, 1, height, width];
        assert_eq!(output.logits.shape(), full);
        assert_eq!(output.earlier.iter().map(|x| x.shape()).collect::<Vec<_>>(), [full]);
        assert_eq!(output.streams.iter().map(|x| x.shape()).collect::<Vec<_>>(), [full, full]);
        let sides = [4, 8, 16, 32].map(|stride| [2, 1, height / stride, width / stride]);
        assert_eq!(output.sides.iter().map(|x| x.shape()).collect::<Vec<_>>(), sides);
        for level in &output.levels {
            let grid = [height / 32 - 1, width / 32 - 1];
            assert_eq!((level.grid, level.x.shape()), (grid, &[2, grid[0] * grid[1], 128][..]));
        }
        assert_eq!(output.levels.len(), 3);
        let inference = forward(&net, &Ctx::eval(&params), [height, width]);
        assert!(inference.streams.is_empty());
    }
}

#[test]
#[should_panic(expected = "96×100 pixels; both sides must be divisible by 32")]
fn a_size_that_is_not_divisible_by_32_is_refused() {
    let (params, net) = build::<f32>(TrunkKind::MobileNetV2, &MutualConfig::default());
    forward(&net, &Ctx::eval(&params), [96, 100]);
}

/// Everything the network puts out, weighted differently, as one number.
fn sum<T: Real>(output: &SodOutput<T>) -> Var<T> {
    let all = [&output.logits].into_iter().chain(&output.earlier).chain(&output.sides).chain(&output.streams);
    let terms = all.enumerate().map(|(i, x)| x.mul(x).mean_all().mul_scalar(1.0 + i as f64));
    terms.reduce(|a, b| a.add(&b)).unwrap()
}

/// Gradients by parameter, and the noted statistics by buffer.
fn pass<T: Real>(params: &Params<T>, net: &MutualSod) -> [Vec<(String, Vec<f64>)>; 2] {
    let ctx = Ctx::train(params, Key::default());
    let grads = sum(&forward(net, &ctx, [96, 96])).backward();
    let named = |id, x: &Tensor<T>| {
        (params.name(id).to_owned(), x.as_slice().iter().map(|x| x.f64()).collect::<Vec<_>>())
    };
    let gradients = params.ids().filter_map(|id| Some(named(id, grads.param(id)?))).collect();
    [gradients, ctx.finish().into_iter().map(|(id, x)| named(id, &x)).collect()]
}

#[test]
fn every_parameter_gets_a_gradient_and_every_batch_norm_its_statistics() {
    let (params, net) = build::<f32>(TrunkKind::MobileNetV2, &MutualConfig::default());
    let [gradients, statistics] = pass(&params, &net);
    let learned = params.ids().filter(|&id| params.kind(id) == ParamKind::Parameter).count();
    assert_eq!(gradients.len(), learned);
    for (name, gradient) in &gradients {
        assert!(gradient.iter().any(|&x| x != 0.0) && gradient.iter().all(|x| x.is_finite()), "{name}");
    }
    assert_eq!(statistics.len(), params.len() - learned);
}

#[test]
fn checkpointing_changes_the_order_of_some_sums_and_nothing_else() {
    let config = MutualConfig { attn_drop: 0.3, ..MutualConfig::default() };
    let (params, net) = build::<f64>(TrunkKind::MobileNetV2, &config);
    let [plain, statistics] = pass(&params, &net);
    let [checkpointed, other_statistics] = pass(&params, &net.with_checkpointing(true));
    assert!(statistics == other_statistics);
    assert_eq!(plain.len(), checkpointed.len());
    let largest = plain.iter().flat_map(|(_, g)| g).fold(0.0, |max: f64, x| max.max(x.abs()));
    for ((name, one), (other_name, other)) in plain.iter().zip(&checkpointed) {
        assert_eq!(name, other_name);
        assert!(one.iter().zip(other).all(|(a, b)| (a - b).abs() <= 1e-12 * largest), "{name}");
    }
}

#[test]
fn a_network_of_one_modality_does_not_see_the_other() {
    for (modality, sees_rgb) in [(Modality::Rgb, true), (Modality::Depth, false)] {
        let config = MutualConfig { modality, ..MutualConfig::default() };
        let (params, net) = build::<f32>(TrunkKind::MobileNetV2, &config);
        let size = [64, 64];
        let logits = |rgb, depth| {
            let output = net.forward(&Ctx::eval(&params), &noise(3, size, rgb), &noise(1, size, depth));
            output.logits.value().as_slice().to_vec()
        };
        assert_eq!(logits(1, 2) == logits(1, 3), sees_rgb);
        assert_eq!(logits(1, 2) == logits(4, 2), !sees_rgb);
    }
}

#[test]
fn every_option_makes_another_network_that_works() {
    let level = |stride, blocks| LevelConfig { stride, patch: 2, step: 2, blocks };
    let default = MutualConfig::default;
    let configs = [
        default(),
        MutualConfig { fusion: FusionKind::CdaPaper, ..default() },
        MutualConfig { fusion: FusionKind::Ca, ..default() },
        MutualConfig { fusion: FusionKind::CaCda, ..default() },
        MutualConfig { fusion: FusionKind::Concat, ..default() },
        MutualConfig { fusion: FusionKind::Sum, ..default() },
        MutualConfig { joint_norm: false, ..default() },
        MutualConfig { third_branch: false, ..default() },
        MutualConfig { stream_decoders: false, ..default() },
        MutualConfig { decoders: 1, ..default() },
        MutualConfig { decoders: 3, ..default() },
        MutualConfig { levels: vec![level(4, 1), level(32, 3)], ..default() },
        MutualConfig { dim: 32, num_heads: 4, ..default() },
    ];
    let mut seen: Vec<Vec<f32>> = Vec::new();
    for config in configs {
        let (params, net) = build::<f32>(TrunkKind::MobileNetV2, &config);
        // In training: running statistics are not yet those of any data, and activations would die out.
        let output = forward(&net, &Ctx::train(&params, Key::default()), [96, 96]);
        let logits = output.logits.value().as_slice().to_vec();
        assert!(logits.iter().all(|x| x.is_finite()) && !seen.contains(&logits), "{config:?}");
        assert_eq!(output.earlier.len(), config.decoders - 1);
        assert_eq!(output.levels.len(), config.levels.len());
        seen.push(logits);
    }
}
