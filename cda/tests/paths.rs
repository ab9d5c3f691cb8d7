//! The fast path equals the plain one: values and all gradients, in both types.
//!
//! Every combination of the diffusion's switches, steps and α is compared at one shape. Shapes are taken in turn; their
//! number is a prime that divides no number of switches' values, so every value of every switch meets every shape (which
//! a test counts). Sizes lie around those of register tiles (14 × 32, 14 × 16) and row tiles.

use autograd::ops::concat;
use autograd::random::{Key, site};
use autograd::{Ctx, Params, Real, Tape, Tensor, Var};
use cda::{
    Affinity, BlockConfig, CdaConfig, Fusion, FusionKind, Mixed, MutualFormerBlock, Norm, Path, Preset, Qkv,
    Start, Steps,
};
use std::collections::BTreeSet;

/// [B, H, N, d]
const SHAPES: [[usize; 4]; 11] = [
    [1, 1, 1, 1],
    [2, 3, 2, 3],
    [1, 2, 13, 8],
    [3, 1, 14, 1],
    [1, 3, 15, 16],
    [2, 1, 33, 33],
    [1, 1, 47, 8],
    [1, 1, 100, 3],
    [1, 1, 197, 16],
    [2, 2, 13, 33],
    [1, 2, 15, 3],
];

/// How far the paths may be apart, relative to a tensor's largest value.
fn tolerance<T: Real>() -> f64 {
    if size_of::<T>() == 8 { 1e-11 } else { 1e-5 }
}

/// A name, and a value or gradient.
type Named<T> = (String, Tensor<T>);

fn random<T: Real>(name: &str, shape: &[usize]) -> Tensor<T> {
    Tensor::randn(shape, Key::default(), site(name))
}

/// The four outputs, and the six inputs' gradients for a random cotangent.
fn mixed<T: Real>(shape: [usize; 4], mix: impl Fn(&Qkv<T>, &Qkv<T>) -> Mixed<T>) -> Vec<Named<T>> {
    let tape = Tape::new();
    let modality = |m: &str| {
        let leaf = |part: &str| tape.leaf(random(&format!("{part}_{m}"), &shape));
        Qkv { q: leaf("q"), k: leaf("k"), v: leaf("v") }
    };
    let (r, d) = (modality("r"), modality("d"));
    let Mixed { o_r, o_d, u_rd, u_dr } = mix(&r, &d);
    let outputs = [("o_r", &o_r), ("o_d", &o_d), ("u_rd", &u_rd), ("u_dr", &u_dr)];
    let all = concat(&outputs.map(|(_, y)| y), -1);
    let grads = all.backward_with(random("cotangent", all.shape()));
    let inputs = [("q_r", &r.q), ("k_r", &r.k), ("v_r", &r.v), ("q_d", &d.q), ("k_d", &d.k), ("v_d", &d.v)];
    let gradient = |(name, x): (&str, &Var<T>)| {
        let gradient = grads.of(x).cloned().unwrap_or_else(|| Tensor::zeros(x.shape()));
        (format!("gradient of {name}"), gradient)
    };
    let values = outputs.map(|(name, y)| (name.to_owned(), y.value().clone()));
    values.into_iter().chain(inputs.map(gradient)).collect()
}

/// What is further apart than the tolerance, in words. A tensor that is 0 but for rounding is held against 1.
fn differences<T: Real>(what: &str, fast: &[Named<T>], plain: &[Named<T>]) -> Vec<String> {
    assert_eq!(fast.len(), plain.len());
    let mut found = Vec::new();
    for ((name, fast), (_, plain)) in fast.iter().zip(plain) {
        assert_eq!(fast.shape(), plain.shape(), "{what}: {name}");
        let pairs = fast.as_slice().iter().zip(plain.as_slice());
        // By total_cmp a NaN is the largest of all.
        let apart = pairs.map(|(a, b)| (a.f64() - b.f64()).abs()).max_by(f64::total_cmp).expect("not empty");
        let largest = plain.as_slice().iter().map(|x| x.f64().abs()).fold(0.0, f64::max);
        let relative = apart / if largest > 1e-4 { largest } else { 1.0 };
        if relative.is_nan() || relative > tolerance::<T>() {
            found.push(format!("{what}: {name}: {relative:.1e} (largest {largest:.1e})"));
        }
    }
    found
}

fn both_paths<T: Real>(shape: [usize; 4], fusion: Fusion) -> Vec<String> {
    let fast = mixed::<T>(shape, |r, d| fusion.mix_matrix_free(r, d));
    let plain = mixed::<T>(shape, |r, d| fusion.mix(r, d, Var::clone));
    differences(&format!("{shape:?}, {fusion:?}"), &fast, &plain)
}

/// Every combination of the switches.
fn every_config() -> Vec<CdaConfig> {
    let mut configs = Vec::new();
    let steps = [1, 2, 3, 5].map(Steps::Finite).into_iter().chain([Steps::Infinite]);
    let steps = steps.flat_map(|steps| [0.0, 0.3, 0.6, 1.0].map(|alpha| (steps, alpha)));
    for (steps, alpha) in steps.filter(|&(steps, alpha)| steps != Steps::Infinite || alpha < 1.0) {
        for preset in [Preset::Official, Preset::Paper] {
            for affinity in [Affinity::Intra, Affinity::Cross] {
                for init in [Start::Identity, Start::Affinity] {
                    for norm in [Norm::None, Norm::Degree] {
                        for renormalise_rows in [false, true] {
                            configs.push(CdaConfig {
                                preset,
                                affinity,
                                steps,
                                init,
                                alpha,
                                norm,
                                renormalise_rows,
                            });
                        }
                    }
                }
            }
        }
    }
    configs
}

/// Every configuration with its shape.
fn cases() -> impl Iterator<Item = ([usize; 4], CdaConfig)> {
    every_config().into_iter().enumerate().map(|(i, config)| (SHAPES[i % SHAPES.len()], config))
}

#[test]
fn every_value_of_every_switch_meets_every_shape() {
    let mut met = BTreeSet::new();
    for (shape, c) in cases() {
        let CdaConfig { preset, affinity, steps, init, alpha, norm, renormalise_rows } = c;
        let values = [
            format!("{preset:?}"),
            format!("{affinity:?}"),
            format!("{steps:?}"),
            format!("X from {init:?}"),
            format!("{alpha}"),
            format!("norm {norm:?}"),
            format!("{renormalise_rows}"),
        ];
        met.extend(values.map(|value| (shape, value)));
    }
    let values: BTreeSet<&String> = met.iter().map(|(_, value)| value).collect();
    assert_eq!(values.len(), 2 + 2 + 5 + 2 + 4 + 2 + 2);
    assert_eq!(met.len(), SHAPES.len() * values.len());
}

fn every_configuration_agrees<T: Real>() {
    let fusion = |cda| Fusion { kind: FusionKind::Cda, cda };
    let failures: Vec<String> =
        cases().flat_map(|(shape, cda)| both_paths::<T>(shape, fusion(cda))).collect();
    assert!(failures.is_empty(), "{} tensors differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_configuration_agrees_in_f64() {
    every_configuration_agrees::<f64>();
}

#[test]
fn every_configuration_agrees_in_f32() {
    every_configuration_agrees::<f32>();
}

const KINDS: [FusionKind; 6] = [
    FusionKind::Cda,
    FusionKind::CdaPaper,
    FusionKind::Ca,
    FusionKind::CaCda,
    FusionKind::Concat,
    FusionKind::Sum,
];

#[test]
fn every_kind_of_fusion_agrees_at_every_shape() {
    let mut failures = Vec::new();
    for kind in KINDS {
        for shape in SHAPES {
            for cda in [CdaConfig::default(), CdaConfig { steps: Steps::Finite(2), ..CdaConfig::default() }] {
                failures.extend(both_paths::<f64>(shape, Fusion { kind, cda }));
                failures.extend(both_paths::<f32>(shape, Fusion { kind, cda }));
            }
        }
    }
    assert!(failures.is_empty(), "{} tensors differ:\n{}", failures.len(), failures.join("\n"));
}

/// Output and all gradients of a block for x `[2, N, 2C]`, training if there is a seed for the dropout.
fn block<T: Real>(config: BlockConfig, tokens: usize, dropout: Option<u64>) -> Vec<Named<T>> {
    let (params, block) = Params::<T>::build(3, |scope| MutualFormerBlock::new(scope, config));
    let block = block.expect("the configuration is valid");
    let ctx = match dropout {
        Some(seed) => Ctx::train(&params, Key { seed, ..Key::default() }),
        None => Ctx::eval_with_grad(&params),
    };
    let x = ctx.input(random("x", &[2, tokens, 2 * config.dim]));
    let x_rd = ctx.input(random("x_rd", &[2, tokens, config.dim]));
    let y = block.forward(&ctx, &x, &x_rd);
    let grads = y.backward_with(random("cotangent", y.shape()));
    let mut named = vec![("y".to_owned(), y.value().clone())];
    named.push(("gradient of x".to_owned(), grads.of(&x).expect("x is used").clone()));
    named.push(("gradient of x_rd".to_owned(), grads.of(&x_rd).expect("x_rd is used").clone()));
    for id in params.ids() {
        let gradient = grads.param(id).cloned().unwrap_or_else(|| Tensor::zeros(params.get(id).shape()));
        named.push((format!("gradient of {}", params.name(id)), gradient));
    }
    named
}

fn blocks_agree<T: Real>() {
    let mut failures = Vec::new();
    for (i, kind) in KINDS.into_iter().enumerate() {
        for (steps, third_branch) in
            [(Steps::Finite(1), true), (Steps::Finite(3), false), (Steps::Infinite, true)]
        {
            let (dim, heads, tokens) = [(8, 1, 47), (33, 3, 15), (6, 6, 33), (32, 2, 100)][i % 4];
            let fusion = Fusion { kind, cda: CdaConfig { steps, ..CdaConfig::default() } };
            let with = |path| BlockConfig { fusion, third_branch, path, ..BlockConfig::new(dim, heads) };
            let (fast, plain) = (with(Path::Fast), with(Path::Plain));
            let what = format!("N = {tokens}, {fast:?}");
            failures.extend(differences::<T>(
                &what,
                &block::<T>(fast, tokens, None),
                &block::<T>(plain, tokens, None),
            ));
        }
    }
    assert!(failures.is_empty(), "{} tensors differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn blocks_agree_in_f64() {
    blocks_agree::<f64>();
}

#[test]
fn blocks_agree_in_f32() {
    blocks_agree::<f32>();
}

#[test]
fn dropout_on_the_maps_takes_the_plain_path_to_the_bit() {
    let with = |path| BlockConfig { path, attn_drop: 0.4, ..BlockConfig::new(8, 2) };
    let (fast, plain) =
        (block::<f32>(with(Path::Fast), 15, Some(1)), block::<f32>(with(Path::Plain), 15, Some(1)));
    for ((name, fast), (_, plain)) in fast.iter().zip(&plain) {
        assert_eq!(fast.as_slice(), plain.as_slice(), "{name}");
    }
}

#[test]
fn without_training_dropout_leaves_the_choice() {
    let fusion = Fusion::default();
    let resolve = |path: Path, fusion: &Fusion, tokens, drops| path.resolve::<f32>(fusion, tokens, 8, drops);
    for path in [Path::Auto, Path::Plain, Path::Fast] {
        assert_eq!(resolve(path, &fusion, 100, true), Path::Plain, "{path:?}");
    }
    assert_eq!(resolve(Path::Auto, &fusion, 100, false), Path::Fast);
    // The fixed point in f32 at α = 0.6: K = 37 vectors of 8 values for each token.
    let cda = CdaConfig { steps: Steps::Infinite, ..CdaConfig::default() };
    let endless = Fusion { cda, ..fusion };
    assert_eq!(resolve(Path::Auto, &endless, 37 * 8, false), Path::Plain);
    assert_eq!(resolve(Path::Auto, &endless, 37 * 8 + 1, false), Path::Fast);
    assert_eq!(resolve(Path::Fast, &endless, 2, false), Path::Fast);
}
