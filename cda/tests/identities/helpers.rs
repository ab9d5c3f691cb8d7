//! What the tests share: random inputs, distances, central differences, every configuration.

use autograd::ops::concat;
use autograd::random::{Key, site};
use autograd::{Tape, Tensor, Var};
use cda::{
    Affinity, CdaConfig, CrossAffinity, Mixed, Norm, Preset, Qkv, Start, Steps, affinity, cross_diffusion,
    cross_diffusion_attention,
};

/// Normal random values; the name decides which.
pub fn random(name: &str, shape: &[usize]) -> Tensor<f64> {
    Tensor::randn(shape, Key::default(), site(name))
}

/// Random queries, keys and values of one modality, `[B, H, N, d]` each.
pub fn modality(name: &str, shape: [usize; 4]) -> Qkv<f64> {
    let part = |what: &str| Var::constant(random(&format!("{name}.{what}"), &shape));
    Qkv { q: part("q"), k: part("k"), v: part("v") }
}

/// Two random modalities.
pub fn modalities(shape: [usize; 4]) -> (Qkv<f64>, Qkv<f64>) {
    (modality("r", shape), modality("d", shape))
}

/// The six inputs of CDA as a list, for gradients.
pub fn inputs_of(r: &Qkv<f64>, d: &Qkv<f64>) -> Vec<Tensor<f64>> {
    [&r.q, &r.k, &r.v, &d.q, &d.k, &d.v].iter().map(|x| x.value().clone()).collect()
}

/// The modalities of such a list.
pub fn modalities_of(inputs: &[Var<f64>]) -> (Qkv<f64>, Qkv<f64>) {
    let qkv = |x: &[Var<f64>]| Qkv { q: x[0].clone(), k: x[1].clone(), v: x[2].clone() };
    (qkv(&inputs[..3]), qkv(&inputs[3..]))
}

/// All four outputs in one tensor, `[B, H, N, 4d]`.
pub fn side_by_side(mixed: &Mixed<f64>) -> Var<f64> {
    concat(&[&mixed.o_r, &mixed.o_d, &mixed.u_rd, &mixed.u_dr], -1)
}

/// CDA without dropout, all four outputs.
pub fn cda_of(r: &Qkv<f64>, d: &Qkv<f64>, config: &CdaConfig) -> Var<f64> {
    side_by_side(&cross_diffusion_attention(r, d, config, Var::clone))
}

/// X_rd and X_dr, `[B, H, N, N]`.
pub fn cross_affinities(r: &Qkv<f64>, d: &Qkv<f64>, config: &CdaConfig) -> CrossAffinity<f64> {
    cross_diffusion((&affinity(r), &affinity(d)), (r, d), config)
}

/// Largest absolute difference. By `total_cmp` a NaN is the largest of all, and fails every comparison.
#[track_caller]
pub fn distance(a: &Tensor<f64>, b: &Tensor<f64>) -> f64 {
    assert_eq!(a.shape(), b.shape());
    let differences = a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| (a - b).abs());
    differences.max_by(f64::total_cmp).unwrap_or(0.0)
}

/// Fails unless two tensors agree to `tolerance`.
#[track_caller]
pub fn assert_close(what: &str, a: &Tensor<f64>, b: &Tensor<f64>, tolerance: f64) {
    let distance = distance(a, b);
    assert!(distance <= tolerance, "{what}: they differ by {distance:e}, allowed {tolerance:e}");
}

/// Gradients of Σ f(inputs)·w with a random w: f is then looked at from the middle of a computation, not as its end.
pub fn gradients(
    inputs: &[Tensor<f64>],
    f: impl Fn(&[Var<f64>]) -> Var<f64>,
) -> (Tensor<f64>, Vec<Tensor<f64>>) {
    let tape = Tape::new();
    let leaves: Vec<Var<f64>> = inputs.iter().map(|input| tape.leaf(input.clone())).collect();
    let y = f(&leaves);
    let value = y.value().clone();
    let grads = y.backward_with(random("w", value.shape()));
    let of = |leaf: &Var<f64>| grads.of(leaf).cloned().unwrap_or_else(|| Tensor::zeros(leaf.shape()));
    (value, leaves.iter().map(of).collect())
}

/// The same gradients by central differences, (f(x + h) − f(x − h))/2h for one element after the other.
pub fn differences(inputs: &[Tensor<f64>], f: impl Fn(&[Var<f64>]) -> Var<f64>) -> Vec<Tensor<f64>> {
    let h = 1e-5;
    let value_at = |input: usize, element: usize, step: f64| -> f64 {
        let mut x: Vec<Var<f64>> = inputs.iter().cloned().map(Var::constant).collect();
        let moved = |e: usize| inputs[input].as_slice()[e] + if e == element { step } else { 0.0 };
        x[input] = Var::constant(Tensor::from_fn(inputs[input].shape(), moved));
        let y = f(&x);
        let w = random("w", y.shape());
        y.value().as_slice().iter().zip(w.as_slice()).map(|(y, w)| y * w).sum()
    };
    let slope = |i: usize, e: usize| (value_at(i, e, h) - value_at(i, e, -h)) / (2.0 * h);
    inputs.iter().enumerate().map(|(i, x)| Tensor::from_fn(x.shape(), |e| slope(i, e))).collect()
}

/// Fails unless the gradients of f agree with central differences for every element of every input.
#[track_caller]
pub fn assert_gradients(what: &str, inputs: &[Tensor<f64>], f: impl Fn(&[Var<f64>]) -> Var<f64>) {
    let (_, ours) = gradients(inputs, &f);
    for (i, (ours, expected)) in ours.iter().zip(differences(inputs, &f)).enumerate() {
        assert_close(&format!("{what}, gradient of input {i}"), ours, &expected, 1e-8);
    }
}

/// Every combination of every switch, at α = 0.6 and with 1, 3 or infinitely many steps.
pub fn every_config() -> Vec<CdaConfig> {
    let mut configs = Vec::new();
    for preset in [Preset::Official, Preset::Paper] {
        for affinity in [Affinity::Intra, Affinity::Cross] {
            for steps in [Steps::Finite(1), Steps::Finite(3), Steps::Infinite] {
                for init in [Start::Identity, Start::Affinity] {
                    for norm in [Norm::None, Norm::Degree] {
                        for renormalise_rows in [false, true] {
                            configs.push(CdaConfig {
                                preset,
                                affinity,
                                steps,
                                init,
                                alpha: 0.6,
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
