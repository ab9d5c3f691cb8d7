//! Against numbers from PyTorch, by differences, by properties.

use super::*;
use autograd::random::Key;
use autograd::{GradcheckOptions, Params, Tape, Tensor, gradcheck};

const LABELS: [usize; 7] = [2, 0, 1, 0, 2, 1, 0];
const B: usize = LABELS.len();
const D: usize = 5;
const K: usize = 4;

fn wave(shape: [usize; 2], step: f64, shift: f64) -> Tensor<f64> {
    Tensor::from_fn(&shape, |k| (step * k as f64 + shift).cos())
}

fn item(x: &Var<f64>) -> f64 {
    x.value().item().unwrap()
}

/// A pass over centres as they are at some point of training.
fn with_centres() -> (Params<f64>, Centres) {
    let (mut params, centres) = Params::<f64>::build(1, |scope| Centres::new(scope, K, D));
    let id = params.find("centres").unwrap();
    params.set(id, wave([K, D], 0.29, 0.0));
    (params, centres)
}

/// Value and, for every input, the norm of its gradient g and Σ g[k]·cos k, from `tests/fixtures/reid_losses.py`.
fn check(f: &dyn Fn(&[Var<f64>]) -> Var<f64>, inputs: &[Tensor<f64>], expected: &[f64]) {
    let tape = Tape::new();
    let leaves: Vec<Var<f64>> = inputs.iter().map(|x| tape.leaf(x.clone())).collect();
    let loss = f(&leaves);
    let grads = loss.backward();
    let mut found = vec![item(&loss)];
    for leaf in &leaves {
        let g = grads.of(leaf).unwrap().as_slice();
        found.push(g.iter().map(|g| g * g).sum::<f64>().sqrt());
        found.push(g.iter().enumerate().map(|(k, g)| g * (k as f64).cos()).sum());
    }
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-13, "{found} is not {expected}, off by {}", found - expected);
    }
    gradcheck(f, inputs, GradcheckOptions::default()).unwrap();
}

fn logits() -> [Tensor<f64>; 3] {
    [wave([B, K], 0.37, 0.0), wave([B, K], 0.61, 1.0), wave([B, K], 0.83, 2.0)]
}

fn features() -> [Tensor<f64>; 3] {
    [wave([B, D], 0.41, 0.0), wave([B, D], 0.53, 1.0), wave([B, D], 0.71, 2.0)]
}

#[test]
fn every_loss_and_its_gradient_equal_pytorchs() {
    let [z1, z2, _] = logits();
    let [x1, ..] = features();
    let entropy = |label_smoothing| {
        move |z: &[Var<f64>]| {
            z[0].cross_entropy(&indices(&LABELS), CrossEntropy { label_smoothing, ignore_index: None })
        }
    };
    let z = std::slice::from_ref(&z1);
    check(&entropy(0.0), z, &[1.4115208042455663, 0.3295947170140755, 0.10542498604959835]);
    check(&entropy(0.1), z, &[1.4125865198105891, 0.2972836124231282, 0.09245909671531083]);
    let triplet = |margin| move |x: &[Var<f64>]| triplet_loss(&x[0], &LABELS, margin);
    let x = std::slice::from_ref(&x1);
    check(
        &triplet(Margin::Distance(0.3)),
        x,
        &[2.3907316002627277, 0.9557763019117901, -0.18420450804645883],
    );
    check(&triplet(Margin::Soft), x, &[2.246788883903705, 0.9056407377961113, -0.18230010295764826]);
    check(
        &|z| consistency_loss(&z[0], &z[1]),
        &[z1.clone(), z2],
        &[6.668042373163791, 1.501853734760828, -0.30499363472113883, 1.4240512785652852, 1.3241236314795013],
    );
    let (params, centres) = with_centres();
    check(
        &|x| centres.loss(&Ctx::eval(&params), &x[0], &LABELS),
        x,
        &[5.091437447954214, 1.705694236198976, -0.6497365562459215],
    );
}

fn output(z: &[Var<f64>], x: &[Var<f64>]) -> ReidOutput<f64> {
    let mut heads: Vec<ReidHead<f64>> =
        z.iter().zip(x).map(|(z, x)| ReidHead { logits: z.clone(), feature: x.clone() }).collect();
    let fused = heads.pop();
    ReidOutput { feature: x[0].clone(), streams: heads, fused }
}

#[test]
fn the_whole_loss_equals_pytorchs() {
    let config = ReidLossConfig { label_smoothing: 0.1, centre: 0.0005, ..ReidLossConfig::default() };
    let (params, centres) = with_centres();
    let loss = |inputs: &[Var<f64>]| {
        let output = output(&inputs[..3], &inputs[3..]);
        reid_loss(&Ctx::eval(&params), &output, &LABELS, &config, Some(&centres))
    };
    check(
        &loss,
        &[logits(), features()].concat(),
        &[
            9.713737617256589,
            0.29697099536142774,
            0.09215410308058974,
            0.3130540804971917,
            0.26158689209442115,
            0.32117886314634714,
            0.20321933830893343,
            0.9557763019117901,
            -0.18420450804645883,
            0.879811909469873,
            0.5780689800267427,
            0.798486419602735,
            0.6047858950202268,
        ],
    );
}

#[test]
fn a_single_stream_has_no_consistency_and_centres_of_its_own() {
    let [z, x] = [logits()[0].clone(), features()[0].clone()].map(Var::constant);
    let (params, centres) = with_centres();
    let ctx = Ctx::eval(&params);
    let config = ReidLossConfig { centre: 0.5, ..ReidLossConfig::default() };
    let streams = vec![ReidHead { logits: z.clone(), feature: x.clone() }];
    let output = ReidOutput { feature: x.clone(), streams, fused: None };
    let expected =
        item(&head_loss(&output.streams[0], &LABELS, &config)) + 0.5 * item(&centres.loss(&ctx, &x, &LABELS));
    let found = item(&reid_loss(&ctx, &output, &LABELS, &config, Some(&centres)));
    assert!((found - expected).abs() < 1e-15, "{found} {expected}");
}

#[test]
fn three_streams_are_consistent_two_by_two() {
    let heads = logits().into_iter().zip(features());
    let streams: Vec<ReidHead<f64>> =
        heads.map(|(z, x)| ReidHead { logits: Var::constant(z), feature: Var::constant(x) }).collect();
    let z: Vec<Var<f64>> = streams.iter().map(|head| head.logits.clone()).collect();
    let output = ReidOutput { feature: z[0].clone(), streams, fused: None };
    let ctx = Ctx::eval(&Params::new());
    let of = |consistency| {
        let config = ReidLossConfig { consistency, ..ReidLossConfig::default() };
        item(&reid_loss(&ctx, &output, &LABELS, &config, None))
    };
    let pair = |i: usize, j: usize| item(&consistency_loss(&z[i], &z[j]));
    let expected = pair(0, 1) + pair(0, 2) + pair(1, 2);
    assert!((of(2.0) - of(0.0) - 2.0 * expected).abs() < 1e-13);
}

/// The triplet loss and its gradient.
fn triplet(features: &Tensor<f64>, labels: &[usize], margin: Margin) -> (f64, Vec<f64>) {
    let x = Tape::new().leaf(features.clone());
    let loss = triplet_loss(&x, labels, margin);
    let grads = loss.backward();
    (item(&loss), grads.of(&x).unwrap().as_slice().to_vec())
}

#[test]
fn identities_far_apart_cost_nothing() {
    // Identities at distance 10·√2 from each other, their pictures within 0.1.
    let far = Tensor::from_fn(&[B, D], |k| {
        let (b, d) = (k / D, k % D);
        if d == LABELS[b] { 10.0 } else { 0.02 * (b % 3) as f64 }
    });
    let (loss, gradient) = triplet(&far, &LABELS, Margin::Distance(0.3));
    assert_eq!(loss, 0.0);
    assert!(gradient.iter().all(|&g| g == 0.0));
    // A soft margin still asks for more, but next to nothing.
    let (soft, _) = triplet(&far, &LABELS, Margin::Soft);
    assert!(soft > 0.0 && soft < 1e-5, "{soft}");
}

#[test]
fn equal_features_cost_the_margin_and_give_finite_gradients() {
    // What a collapsed network computes: all distances are 10⁻⁶, the root of the smallest square.
    for (margin, cost) in [(Margin::Distance(0.3), 0.3), (Margin::Soft, 2f64.ln())] {
        let (loss, gradient) = triplet(&Tensor::full(&[B, D], 0.7), &LABELS, margin);
        assert!((loss - cost).abs() < 1e-15, "{margin:?}: {loss}");
        assert!(gradient.iter().all(|g| g.is_finite()));
    }
    // A picture without another of its identity is its own hardest positive.
    let (_, gradient) = triplet(&wave([3, 2], 0.9, 0.0), &[0, 1, 2], Margin::Soft);
    assert!(gradient.iter().all(|g| g.is_finite()));
}

#[test]
fn the_order_of_pictures_and_the_names_of_identities_do_not_matter_to_triplets() {
    let order = [4, 0, 6, 2, 1, 5, 3];
    let moved = Indices::new(order.iter().map(|&b| b as i64).collect(), &[B]);
    let labels: Vec<usize> = order.iter().map(|&b| 10 - LABELS[b]).collect();
    let x = Var::constant(features()[0].clone());
    for margin in [Margin::Distance(0.3), Margin::Soft] {
        let found = item(&triplet_loss(&x.index_select(0, &moved), &labels, margin));
        let expected = item(&triplet_loss(&x, &LABELS, margin));
        assert!((found - expected).abs() < 1e-14, "{margin:?}: {found} {expected}");
    }
}

#[test]
fn streams_are_consistent_up_to_scale() {
    let [z1, z2, _] = logits().map(Var::constant);
    let same = item(&consistency_loss(&z1, &z1.mul_scalar(3.0)));
    assert!(same.abs() < 1e-14, "{same}");
    let opposite = item(&consistency_loss(&z1, &z1.neg()));
    assert!((opposite - 2.0 * B as f64).abs() < 1e-14, "{opposite}");
    let [a, b] = [item(&consistency_loss(&z1, &z2)), item(&consistency_loss(&z2, &z1))];
    assert_eq!(a, b);
}

/// After one update from the features of the first stream, by the same script.
#[test]
fn centres_follow_wen_et_als_rule() {
    let expected = [
        [0.8118504832597957, 0.745785369092629, 0.6053574911693594, 0.40758392374471714, 0.1753964609562785],
        [
            -0.12853445325627463,
            -0.2006518986657666,
            -0.24874297171971269,
            -0.27990568876395067,
            -0.3020144952782122,
        ],
        [
            -0.5371645869303661,
            -0.6273705850120919,
            -0.6683511751728703,
            -0.6502679640966604,
            -0.5687535407941744,
        ],
        // The fourth identity is not in the batch: its centre stays.
        [
            -0.35450906504813195,
            -0.07232577525325448,
            0.21589760269185415,
            0.48609088628794017,
            0.715689626764061,
        ],
    ];
    let (mut params, centres) = with_centres();
    let id = params.find("centres").unwrap();
    let x = Var::constant(features()[0].clone());
    let before = item(&centres.loss(&Ctx::eval(&params), &x, &LABELS));
    let ctx = Ctx::train(&params, Key::default());
    assert_eq!(item(&centres.loss(&ctx, &x, &LABELS)), before, "to where the centres were");
    params.apply(ctx.finish());
    for (found, expected) in params.get(id).as_slice().iter().zip(expected.as_flattened()) {
        assert!((found - expected).abs() < 1e-15, "{found} {expected}");
    }
    // They end at the means of their identities.
    for _ in 0..200 {
        let ctx = Ctx::train(&params, Key::default());
        centres.loss(&ctx, &x, &LABELS);
        params.apply(ctx.finish());
    }
    let mean = |d: usize| {
        (1..B).filter(|&b| LABELS[b] == 0).map(|b| x.value().as_slice()[b * D + d]).sum::<f64>() / 3.0
    };
    for d in 0..D {
        assert!((params.get(id).as_slice()[d] - mean(d)).abs() < 1e-14);
    }
    let ctx = Ctx::eval(&params);
    centres.loss(&ctx, &x, &LABELS);
    assert!(ctx.finish().is_empty(), "outside training nothing moves");
}

#[test]
#[should_panic(expected = "all 3 pictures of the batch show identity 5")]
fn one_identity_alone_cannot_be_told_apart() {
    triplet_loss(&Var::constant(wave([3, 2], 0.3, 0.0)), &[5, 5, 5], Margin::Soft);
}

#[test]
#[should_panic(expected = "a centre loss over 2 streams needs a fused head")]
fn centres_need_one_head() {
    let heads = logits().into_iter().zip(features()).take(2);
    let streams: Vec<ReidHead<f64>> =
        heads.map(|(z, x)| ReidHead { logits: Var::constant(z), feature: Var::constant(x) }).collect();
    let output = ReidOutput { feature: streams[0].feature.clone(), streams, fused: None };
    let config = ReidLossConfig { centre: 0.1, ..ReidLossConfig::default() };
    let (params, centres) = with_centres();
    reid_loss(&Ctx::eval(&params), &output, &LABELS, &config, Some(&centres));
}

#[test]
fn configurations_read_as_they_are_written() {
    let read = |text: &str| toml::from_str::<ReidLossConfig>(text);
    assert_eq!(read("").unwrap(), ReidLossConfig::default());
    assert_eq!(read("margin = 1").unwrap().margin, Margin::Distance(1.0));
    for (text, margin) in [("0.3", Margin::Distance(0.3)), ("\"soft\"", Margin::Soft)] {
        let config = read(&format!("margin = {text}")).unwrap();
        assert_eq!(config.margin, margin);
        let written = toml::to_string(&config).unwrap();
        assert!(written.contains(&format!("margin = {text}\n")), "{written}");
    }
    let error = |text: &str| read(text).unwrap_err().to_string();
    assert!(error("margin = \"hard\"").contains("a distance such as 0.3, or \"soft\""));
    assert!(error("center = 1.0").contains("unknown field `center`"));
    for (text, named) in [
        ("label_smoothing = 1.0", "train.loss.label_smoothing = 1 "),
        ("margin = -0.1", "train.loss.margin = -0.1 "),
        ("centre = -1.0", "train.loss.centre = -1 "),
        ("consistency = inf", "train.loss.consistency = inf "),
    ] {
        let message = read(text).unwrap().validate().unwrap_err().to_string();
        assert!(message.contains(named), "{message}");
    }
    ReidLossConfig::default().validate().unwrap();
}
