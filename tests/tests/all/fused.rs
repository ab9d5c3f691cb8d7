//! Fused ops equal the same mathematics composed of simpler ops, in values and in all gradients (f64). The composed
//! versions are the bridge for readers: they show what a fused kernel computes. Products and attention, which have a kernel
//! for each set of instructions, pass with all of them.

use autograd::ops::conv::ConvOptions;
use autograd::ops::loss::CrossEntropy;
use autograd::random::Key;
use autograd::{Indices, Real, Tape, Tensor, Var};
use tests::levels::pass_at_every_level;

/// Runs both on the same random inputs with the same random cotangent and compares everything to 1e-12 of its size.
fn equal(
    what: &str,
    shapes: &[&[usize]],
    fused: impl Fn(&[Var<f64>]) -> Var<f64>,
    composed: impl Fn(&[Var<f64>]) -> Var<f64>,
) {
    let run = |f: &dyn Fn(&[Var<f64>]) -> Var<f64>| -> Vec<Tensor<f64>> {
        let tape = Tape::new();
        let draw = |(i, shape): (usize, &&[usize])| tape.leaf(Tensor::randn(shape, Key::default(), i as u64));
        let inputs: Vec<Var<f64>> = shapes.iter().enumerate().map(draw).collect();
        let y = f(&inputs);
        let grads = y.backward_with(Tensor::randn(y.shape(), Key::default(), 99));
        let gradients = inputs.iter().map(|x| grads.of(x).expect("every input matters").clone());
        [y.value().clone()].into_iter().chain(gradients).collect()
    };
    for (i, (a, b)) in run(&fused).iter().zip(run(&composed)).enumerate() {
        assert_eq!(a.shape(), b.shape(), "{what}: result {i}");
        let largest = b.as_slice().iter().fold(0.0f64, |max, x| max.max(x.abs()));
        for (a, b) in a.as_slice().iter().zip(b.as_slice()) {
            assert!((a - b).abs() <= 1e-12 * (1.0 + largest), "{what}: result {i}: {a} fused, {b} composed");
        }
    }
}

#[test]
fn softmax_is_exponentials_over_their_sum() {
    equal(
        "softmax",
        &[&[3, 5, 7]],
        |x| x[0].softmax(1),
        |x| {
            let e = x[0].exp();
            e.div(&e.sum(&[1], true))
        },
    );
    equal("log_softmax", &[&[4, 6]], |x| x[0].log_softmax(-1), |x| x[0].softmax(-1).log());
    equal("logsumexp", &[&[4, 6]], |x| x[0].logsumexp(0, false), |x| x[0].exp().sum(&[0], false).log());
}

/// (x − μ)/√(σ² + eps) over the axes, μ and σ² kept.
fn standardised(x: &Var<f64>, axes: &[isize]) -> Var<f64> {
    let centred = x.sub(&x.mean(axes, true));
    centred.div(&centred.mul(&centred).mean(axes, true).add_scalar(1e-5).sqrt())
}

#[test]
fn norms_are_means_and_variances() {
    equal(
        "layer_norm",
        &[&[2, 3, 8], &[8], &[8]],
        |x| x[0].layer_norm(8, (Some(&x[1]), Some(&x[2])), 1e-5),
        |x| standardised(&x[0], &[-1]).mul(&x[1]).add(&x[2]),
    );
    equal(
        "group_norm",
        &[&[2, 6, 4], &[6], &[6]],
        |x| x[0].group_norm(3, (Some(&x[1]), Some(&x[2])), 1e-5),
        |x| {
            let rows = standardised(&x[0].reshape(&[2, 3, 8]), &[-1]).reshape(&[2, 6, 4]);
            rows.mul(&x[1].reshape(&[6, 1])).add(&x[2].reshape(&[6, 1]))
        },
    );
    equal(
        "batch_norm",
        &[&[3, 4, 5, 2], &[4], &[4]],
        |x| x[0].batch_norm((Some(&x[1]), Some(&x[2])), 1e-5).0,
        |x| {
            let channel = |p: &Var<f64>| p.reshape(&[4, 1, 1]);
            standardised(&x[0], &[0, 2, 3]).mul(&channel(&x[1])).add(&channel(&x[2]))
        },
    );
    equal(
        "var",
        &[&[3, 7]],
        |x| x[0].var(&[1], 1, false),
        |x| {
            let centred = x[0].sub(&x[0].mean(&[1], true));
            centred.mul(&centred).sum(&[1], false).mul_scalar(1.0 / 6.0)
        },
    );
}

#[test]
fn a_linear_layer_is_a_product_and_a_sum() {
    equal(
        "linear",
        &[&[2, 3, 5], &[4, 5], &[4]],
        |x| x[0].linear(&x[1], Some(&x[2])),
        |x| x[0].matmul(&x[1].transpose(0, 1)).add(&x[2]),
    );
}

#[test]
fn a_sum_with_a_product_is_a_product_and_a_sum() {
    equal(
        "baddbmm",
        &[&[2, 3, 5], &[2, 4, 3], &[2, 5, 4]],
        |x| x[0].baddbmm(0.4, (&x[1], true), (&x[2], true), 0.6),
        |x| x[1].matmul_with(true, &x[2], true, 0.6).add(&x[0].mul_scalar(0.4)),
    );
}

#[test]
fn a_layer_with_gelu_is_a_layer_and_a_gelu() {
    equal(
        "linear_gelu",
        &[&[2, 3, 5], &[4, 5], &[4]],
        |x| x[0].linear_gelu(&x[1], &x[2]),
        |x| x[0].linear(&x[1], Some(&x[2])).gelu(),
    );
}

#[test]
fn a_convolution_is_a_product_with_unfolded_windows() {
    const OPTIONS: ConvOptions = ConvOptions { stride: [2, 1], padding: [1, 2], dilation: [1, 2], groups: 1 };
    equal(
        "conv2d",
        &[&[2, 3, 7, 8], &[4, 3, 3, 2], &[4]],
        |x| x[0].conv2d(&x[1], Some(&x[2]), OPTIONS),
        |x| {
            let columns = x[0].unfold([3, 2], OPTIONS.stride, OPTIONS.padding, OPTIONS.dilation); // [2, 18, L]
            let y = x[1].reshape(&[4, 18]).matmul(&columns); // [2, 4, L]
            y.add(&x[2].reshape(&[4, 1])).reshape(&[2, 4, 4, 10])
        },
    );
    equal(
        "avg_pool2d",
        &[&[2, 3, 6, 6]],
        |x| x[0].avg_pool2d([3, 2], [3, 2], [0, 0]),
        |x| x[0].unfold([3, 2], [3, 2], [0, 0], [1, 1]).reshape(&[2, 3, 6, 2, 3]).mean(&[2], false),
    );
}

#[test]
fn cross_entropy_is_minus_the_log_of_a_probability() {
    equal(
        "cross_entropy",
        &[&[3, 4]],
        |x| x[0].cross_entropy(&Indices::new(vec![2, 0, 1], &[3]), CrossEntropy::default()),
        |x| x[0].softmax(1).gather(1, &Indices::new(vec![2, 0, 1], &[3, 1])).log().mean_all().neg(),
    );
    equal(
        "bce_with_logits",
        &[&[3, 4]],
        |x| x[0].bce_with_logits(&thirds(), None, None, autograd::ops::Reduction::Mean),
        |x| {
            let (p, t) = (x[0].sigmoid(), thirds());
            let rest = p.neg().add_scalar(1.0).log().mul(&t.neg().add_scalar(1.0));
            t.mul(&p.log()).add(&rest).mean_all().neg()
        },
    );
}

/// Targets between 0 and 1.
fn thirds() -> Var<f64> {
    Var::constant(Tensor::from_fn(&[3, 4], |i| (i % 4) as f64 / 3.0))
}

/// P·x with the map P `[.., N, M]`, as written.
fn attended(x: &[Var<f64>], scale: f64) -> Var<f64> {
    x[0].matmul_with(false, &x[1], true, scale).softmax(-1).matmul(&x[2])
}

/// Pᵀ·x with the map.
fn spread(x: &[Var<f64>], scale: f64) -> Var<f64> {
    x[0].matmul_with(false, &x[1], true, scale).softmax(-1).matmul_with(true, &x[2], false, 1.0)
}

/// N, M, d, e: one of each, around register tiles (14 rows, 16 or 32 columns), several tiles, all different.
const ATTENTION: [[usize; 4]; 9] = [
    [1, 1, 1, 1],
    [1, 33, 3, 2],
    [5, 1, 4, 7],
    [13, 15, 8, 33],
    [14, 16, 1, 3],
    [15, 31, 16, 5],
    [47, 33, 33, 1],
    [197, 100, 8, 17],
    [60, 1111, 3, 4],
];

#[test]
fn attention_is_a_product_a_softmax_and_a_product() {
    for [n, m, d, e] in ATTENTION {
        let (q, k): (&[usize], &[usize]) = (&[2, 3, n, d], &[2, 3, m, d]);
        let what = format!("N = {n}, M = {m}, d = {d}, e = {e}");
        let forwards = |x: &[Var<f64>]| x[0].scaled_dot_product_attention(&x[1], &x[2], Some(0.4));
        equal(&what, &[q, k, &[2, 3, m, e]], forwards, |x| attended(x, 0.4));
        let transposed = |x: &[Var<f64>]| x[0].transposed_attention(&x[1], &x[2], Some(0.4));
        equal(&what, &[q, k, &[2, 3, n, e]], transposed, |x| spread(x, 0.4));
    }
}

/// |scores| around 100 in `f64`: almost every row is one key's.
#[test]
fn peaked_attention_is_the_same_composition() {
    equal(
        "attention",
        &[&[2, 47, 8], &[2, 33, 8], &[2, 33, 5]],
        |x| x[0].scaled_dot_product_attention(&x[1], &x[2], Some(12.0)),
        |x| attended(x, 12.0),
    );
    equal(
        "transposed_attention",
        &[&[2, 47, 8], &[2, 33, 8], &[2, 47, 5]],
        |x| x[0].transposed_attention(&x[1], &x[2], Some(12.0)),
        |x| spread(x, 12.0),
    );
}

/// Value and gradients of attention, forwards or transposed, fused or composed, for q `[20, 4]`, k `[33, 4]` times `size`,
/// plus `shift`; as `f64`, whatever it was computed in.
fn peaked<T: Real>(size: f64, shift: f64, transposed: bool, fused: bool) -> Vec<Tensor<f64>> {
    let tape = Tape::new();
    let draw = |rows: usize, factor: f64, site: u64| {
        let x = Tensor::<f32>::randn(&[rows, 4], Key::default(), site);
        let values = x.as_slice().iter().map(|x| T::of((factor * f64::from(*x) + shift) as f32 as f64));
        tape.leaf(Tensor::from_vec(values.collect(), &[rows, 4]))
    };
    let (q, k, x) = (draw(20, size, 1), draw(33, size, 2), draw(if transposed { 20 } else { 33 }, 1.0, 3));
    let y = match (fused, transposed) {
        (true, true) => q.transposed_attention(&k, &x, None),
        (true, false) => q.scaled_dot_product_attention(&k, &x, None),
        (false, true) => q.attention_map(&k, None).matmul_with(true, &x, false, 1.0),
        (false, false) => q.attention_map(&k, None).matmul(&x),
    };
    let grads = y.backward_with(Tensor::from_fn(y.shape(), |i| T::of((i % 5) as f64 - 2.0)));
    let gradients = [&q, &k, &x].map(|input| grads.of(input).expect("every input matters").cast());
    [y.value().cast()].into_iter().chain(gradients).collect()
}

/// Largest difference of two tensors.
fn distance(a: &Tensor<f64>, b: &Tensor<f64>) -> f64 {
    let difference = |(a, b): (&f64, &f64)| (a - b).abs();
    a.as_slice().iter().zip(b.as_slice()).map(difference).max_by(f64::total_cmp).expect("not empty")
}

/// e¹⁰⁰ is beyond `f32` and e⁻¹⁰⁰ among its smallest numbers. Scores of some hundred are themselves rounded to 10⁻⁵, which is
/// what the results suffer from; the fused form must not add to that: its error is at most three times the composition's.
#[test]
fn large_scores_cost_no_more_digits_than_the_composition() {
    for (size, shift) in [(10.0, 0.0), (1.0, 7.0), (0.0, 7.0), (3.0, -7.0)] {
        for transposed in [false, true] {
            let exact = peaked::<f64>(size, shift, transposed, false);
            let fused = peaked::<f32>(size, shift, transposed, true);
            let composed = peaked::<f32>(size, shift, transposed, false);
            for (i, exact) in exact.iter().enumerate() {
                let largest = exact.as_slice().iter().fold(0.0_f64, |max, x| max.max(x.abs()));
                let (ours, allowed) =
                    (distance(&fused[i], exact), 3.0 * distance(&composed[i], exact) + 1e-6 * largest);
                assert!(
                    ours <= allowed,
                    "scale {size}, shift {shift}, {transposed}, result {i}: {ours:e} > {allowed:e}"
                );
            }
        }
    }
}

#[test]
fn fused_ops_pass_at_every_level() {
    pass_at_every_level(
        "fused",
        &[
            "softmax_is_exponentials_over_their_sum",
            "norms_are_means_and_variances",
            "a_linear_layer_is_a_product_and_a_sum",
            "a_convolution_is_a_product_with_unfolded_windows",
            "cross_entropy_is_minus_the_log_of_a_probability",
            "attention_is_a_product_a_softmax_and_a_product",
            "peaked_attention_is_the_same_composition",
            "large_scores_cost_no_more_digits_than_the_composition",
        ],
    );
}
