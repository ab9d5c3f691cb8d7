//! Cross-Diffusion Attention on a device, with matrices and without: both equal the host's, with any of its switches.

use crate::device::{Subject, compare};
use autograd::device::DeviceHandle;
use autograd::ops::concat;
use autograd::random::{Key, site};
use autograd::{Ctx, Params, Tape, Tensor, Var};
use cda::{
    Affinity, AttentionConfig, CdaConfig, Fusion, FusionKind, Mixed, MultiAttention, Norm, Path, Preset, Qkv,
    Start, Steps,
};
use tests::ref_device::RefDevice;

/// [B, H, N, d]: two row tiles of the device's, and a part of a third column tile.
const SHAPE: [usize; 4] = [1, 2, 70, 5];

type Place<'a> = &'a dyn Fn(Tensor) -> Tensor;

fn random(name: &str, shape: &[usize]) -> Tensor {
    Tensor::randn(shape, Key::default(), site(name))
}

/// The four outputs side by side, and the gradients of q, k and v of both modalities.
fn outcome(fusion: Fusion, matrix_free: bool, place: Place) -> Vec<Tensor> {
    let tape = Tape::new();
    let leaf = |name: &str| tape.leaf(place(random(name, &SHAPE)));
    let leaves = ["q_r", "k_r", "v_r", "q_d", "k_d", "v_d"].map(leaf);
    let [r, d] = [0, 3].map(|first| {
        let [q, k, v] = [0, 1, 2].map(|part| leaves[first + part].clone());
        Qkv { q, k, v }
    });
    let mixed = if matrix_free { fusion.mix_matrix_free(&r, &d) } else { fusion.mix(&r, &d, Var::clone) };
    let Mixed { o_r, o_d, u_rd, u_dr } = mixed;
    let all = concat(&[&o_r, &o_d, &u_rd, &u_dr], -1);
    let grads = all.backward_with(place(random("cotangent", all.shape())));
    let gradients = leaves.iter().map(|leaf| grads.of(leaf).expect("every input is used").clone());
    std::iter::once(all.value().clone()).chain(gradients).collect()
}

fn fusions() -> Vec<Fusion> {
    let released = CdaConfig::default();
    let paper = CdaConfig { preset: Preset::Paper, ..released };
    let endless = CdaConfig { steps: Steps::Infinite, alpha: 0.3, ..released };
    let all = CdaConfig {
        preset: Preset::Paper,
        affinity: Affinity::Cross,
        steps: Steps::Finite(2),
        init: Start::Affinity,
        norm: Norm::Degree,
        renormalise_rows: true,
        ..released
    };
    let configs = [
        released,
        CdaConfig { steps: Steps::Finite(3), ..released },
        paper,
        CdaConfig { steps: Steps::Finite(3), ..paper },
        CdaConfig { norm: Norm::Degree, ..released },
        CdaConfig { init: Start::Affinity, renormalise_rows: true, ..released },
        endless,
        CdaConfig { preset: Preset::Paper, ..endless },
        all,
    ];
    let diffusions = configs.map(|cda| Fusion { kind: FusionKind::Cda, cda });
    let ca = Fusion { kind: FusionKind::Ca, ..Fusion::default() };
    diffusions.into_iter().chain([ca]).collect()
}

/// Every configuration, on the device by both paths, against the host's plain path.
pub fn compare_paths(subject: &Subject) {
    let there = |x: Tensor| x.to_device(&subject.handle).expect("uploads succeed");
    for fusion in fusions() {
        let expected = outcome(fusion, false, &|x| x);
        for matrix_free in [false, true] {
            let found = outcome(fusion, matrix_free, &there);
            for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let what = format!("{fusion:?}, matrix-free: {matrix_free}, result or gradient {i}");
                compare(&what, found, expected).unwrap_or_else(|error| panic!("{error}"));
            }
        }
    }
}

fn reference() -> (Subject, std::sync::Arc<tests::ref_device::Probe>) {
    let device = RefDevice::new();
    let probe = device.probe();
    let counter = probe.clone();
    let handle = DeviceHandle::new(device);
    (Subject { handle, downloads: Box::new(move || counter.count("download")) }, probe)
}

#[test]
fn both_paths_on_a_device_equal_the_host() {
    compare_paths(&reference().0);
}

/// What a layer with this path calls on a device, forward and backward.
fn calls(path: Path, attn_drop: f64) -> Vec<&'static str> {
    let config = AttentionConfig {
        dim: 6,
        num_heads: 2,
        qkv_bias: false,
        third_branch: true,
        attn_drop,
        proj_drop: 0.0,
        fusion: Fusion::default(),
        path,
    };
    let (params, layer) = Params::build(1, |scope| MultiAttention::new(scope, config));
    let layer = layer.expect("the configuration is valid");
    let (subject, probe) = reference();
    let params = params.to_device(&subject.handle).expect("uploads succeed");
    let ctx = Ctx::train(&params, Key::default());
    let tokens = ["n_r", "n_d", "m"]
        .map(|name| ctx.input(random(name, &[1, 4, 6]).to_device(&subject.handle).expect("uploads succeed")));
    let y = layer.forward(&ctx, &tokens[0], &tokens[1], Some(&tokens[2]));
    y.sum_all().backward();
    subject.handle.sync().expect("nothing failed");
    probe.calls()
}

#[test]
fn auto_and_fast_form_no_maps_on_a_device_plain_and_dropout_do() {
    let fused = ["attention", "attention_backward", "cda", "cda_backward"];
    for path in [Path::Auto, Path::Fast] {
        let calls = calls(path, 0.0);
        assert!(fused.iter().all(|name| calls.contains(name)), "{path:?}: {calls:?}");
        assert!(!calls.contains(&"softmax"), "{path:?} forms maps: {calls:?}");
    }
    for (path, drop) in [(Path::Plain, 0.0), (Path::Fast, 0.3)] {
        let calls = calls(path, drop);
        assert!(calls.contains(&"softmax"), "{path:?}, dropout {drop}: {calls:?}");
        assert!(!fused.iter().any(|name| calls.contains(name)), "{path:?}, dropout {drop}: {calls:?}");
    }
}
