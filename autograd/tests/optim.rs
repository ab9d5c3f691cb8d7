//! Optimisers, schedules, averages and gradient handling, against written-out formulas and against PyTorch's numbers.

use autograd::checkpoint::{LoadMode, TensorFile};
use autograd::nn::{Linear, Mlp};
use autograd::ops::Reduction;
use autograd::optim::{Ema, Group, Optimizer, Schedule};
use autograd::random::Key;
use autograd::{Ctx, Grads, Init, ParamId, Params, Tensor};

const LR: f64 = 0.1;
const STEPS: usize = 6;
/// The parameter `late` gets gradients from this step on.
const JOINS: usize = 3;

/// sin(a·k + b): every input of these tests.
fn wave(shape: &[usize], a: f64, b: f64) -> Tensor<f64> {
    Tensor::from_fn(shape, |k| (a * k as f64 + b).sin())
}

fn close(ours: &[f64], expected: &[f64]) {
    assert_eq!(ours.len(), expected.len());
    for (i, (a, b)) in ours.iter().zip(expected).enumerate() {
        assert!((a - b).abs() < 1e-14 * b.abs().max(1.0), "element {i}: {a} instead of {b}");
    }
}

/// Two parameters and the gradients of step `t`, chosen freely: the loss is a sum of products with them.
fn two_params() -> (Params<f64>, [ParamId; 2]) {
    let (mut params, ids) = Params::build(0, |scope| {
        [("w", 4), ("late", 2)].map(|(name, n)| scope.param(name, &[n], Init::Constant(0.0)))
    });
    params.set(ids[0], wave(&[4], 0.7, 0.3));
    params.set(ids[1], wave(&[2], 1.1, 0.5));
    (params, ids)
}

fn gradient_of_w(t: usize) -> Tensor<f64> {
    wave(&[4], 1.3, 0.4 * t as f64)
}

fn gradient_of_late(t: usize) -> Tensor<f64> {
    wave(&[2], 0.9, 0.2 * t as f64)
}

fn grads(params: &Params<f64>, [w, late]: [ParamId; 2], t: usize) -> Grads<f64> {
    let ctx = Ctx::train(params, Key::default());
    let times = |id, gradient| ctx.param(id).mul(&autograd::Var::constant(gradient)).sum_all();
    let loss = times(w, gradient_of_w(t));
    let loss = if t >= JOINS { loss.add(&times(late, gradient_of_late(t))) } else { loss };
    loss.backward()
}

fn train(optimizer: &mut Optimizer<f64>, steps: std::ops::Range<usize>, params: &mut Params<f64>) {
    let ids = [params.find("w").unwrap(), params.find("late").unwrap()];
    for t in steps {
        let grads = grads(params, ids, t);
        optimizer.step(params, &grads, LR);
    }
}

fn all_values(params: &Params<f64>) -> Vec<f64> {
    params.ids().flat_map(|id| params.get(id).as_slice().to_vec()).collect()
}

fn trained(mut optimizer: Optimizer<f64>) -> Vec<f64> {
    let (mut params, _) = two_params();
    train(&mut optimizer, 0..STEPS, &mut params);
    all_values(&params)
}

/// The same training with a scalar update rule `(weight, gradient, number of the step from 1)`, written out.
fn by_hand<R: FnMut(f64, f64, i32) -> f64>(rule: impl Fn() -> R) -> Vec<f64> {
    let element = |start: f64, first: usize, gradient: &dyn Fn(usize) -> f64| {
        let mut update = rule();
        (first..STEPS).fold(start, |w, t| update(w, gradient(t), (t - first + 1) as i32))
    };
    let w = (0..4)
        .map(|k| element((0.7 * k as f64 + 0.3).sin(), 0, &|t| (1.3 * k as f64 + 0.4 * t as f64).sin()));
    let late = (0..2)
        .map(|k| element((1.1 * k as f64 + 0.5).sin(), JOINS, &|t| (0.9 * k as f64 + 0.2 * t as f64).sin()));
    w.chain(late).collect()
}

fn sgd_by_hand(momentum: f64, nesterov: bool, decay: f64) -> Vec<f64> {
    by_hand(|| {
        let mut m = 0.0;
        move |w, g, t| {
            let g = g + decay * w;
            m = if t == 1 { g } else { momentum * m + g };
            w - LR * if nesterov { g + momentum * m } else { m }
        }
    })
}

fn adam_by_hand(decay: f64, decoupled: bool) -> Vec<f64> {
    let (beta1, beta2, eps): (f64, f64, f64) = (0.9, 0.99, 1e-8);
    by_hand(|| {
        let (mut m, mut v) = (0.0, 0.0);
        move |w, g, t| {
            let (w, g) = if decoupled { (w * (1.0 - LR * decay), g) } else { (w, g + decay * w) };
            m = beta1 * m + (1.0 - beta1) * g;
            v = beta2 * v + (1.0 - beta2) * g * g;
            let (m_hat, v_hat): (f64, f64) = (m / (1.0 - beta1.powi(t)), v / (1.0 - beta2.powi(t)));
            w - LR * m_hat / (v_hat.sqrt() + eps)
        }
    })
}

#[test]
fn sgd_equals_its_formula_and_pytorch() {
    let plain = trained(Optimizer::sgd(0.0, false, 0.0));
    close(&plain, &sgd_by_hand(0.0, false, 0.0));
    close(
        &plain,
        &[
            -0.09924824824291913,
            0.491630170638574,
            1.1992692493659958,
            1.1363718831737404,
            0.2670785836939575,
            0.7060276145671113,
        ],
    );
    let momentum = trained(Optimizer::sgd(0.9, false, 0.05));
    close(&momentum, &sgd_by_hand(0.9, false, 0.05));
    close(
        &momentum,
        &[
            -0.6611651907586488,
            -0.5513310696559642,
            1.1298267333898862,
            2.0557067559233873,
            0.0940023444797585,
            0.4206765023797536,
        ],
    );
    let nesterov = trained(Optimizer::sgd(0.9, true, 0.05));
    close(&nesterov, &sgd_by_hand(0.9, true, 0.05));
    close(
        &nesterov,
        &[
            -0.9561477787813158,
            -0.7567283183477045,
            1.2985229506798621,
            2.3320296528958235,
            -0.0839737016996733,
            0.17502470405670542,
        ],
    );
}

#[test]
fn adam_and_adamw_equal_their_formulas_and_pytorch() {
    let adam = trained(Optimizer::adam([0.9, 0.99], 1e-8, 0.05));
    close(&adam, &adam_by_hand(0.05, false));
    close(
        &adam,
        &[
            -0.24235573701860647,
            0.2838764431909104,
            0.8870765569755943,
            1.2666908925562597,
            0.1794713311218363,
            0.699825649131377,
        ],
    );
    let adamw = trained(Optimizer::adamw([0.9, 0.99], 1e-8, 0.05));
    close(&adamw, &adam_by_hand(0.05, true));
    close(
        &adamw,
        &[
            -0.14219150233689143,
            0.2676573014947347,
            0.895827882988427,
            1.2405223355208204,
            0.17393584418074753,
            0.686362447015004,
        ],
    );
}

#[test]
fn the_first_group_that_contains_a_parameter_decides() {
    let groups = [Group::new(["late"], 0.0, 9.0), Group::new(["l*", "w"], 0.5, 0.0)];
    let (start, _) = two_params();
    let grouped = trained(Optimizer::sgd(0.0, false, 0.3).with_groups(groups));
    assert_eq!(grouped[4..], all_values(&start)[4..], "lr_scale 0 freezes");
    let half = by_hand(|| |w, g, _| w - 0.5 * LR * g);
    close(&grouped[..4], &half[..4]);
}

#[test]
fn a_resumed_optimizer_continues_with_the_same_bits() {
    let makers: [fn() -> Optimizer<f64>; 3] = [
        || Optimizer::sgd(0.9, true, 0.1),
        || Optimizer::adam([0.9, 0.999], 1e-8, 0.1),
        || Optimizer::adamw([0.9, 0.999], 1e-8, 0.1),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (i, make) in makers.into_iter().enumerate() {
        for interrupted in [0, 2, 4] {
            let path = folder.path().join(format!("{i}.safetensors"));
            let (mut params, _) = two_params();
            let mut first = make();
            train(&mut first, 0..interrupted, &mut params);
            let mut file = TensorFile::new();
            first.export(&params, &mut file).unwrap();
            file.write(&path).unwrap();
            let mut second = make();
            second.import(&params, &TensorFile::read(&path).unwrap()).unwrap();
            train(&mut second, interrupted..STEPS, &mut params);
            assert_eq!(all_values(&params), trained(make()));
        }
    }
}

#[test]
fn state_of_another_rule_or_model_is_refused() {
    let (mut params, _) = two_params();
    let mut adam = Optimizer::adam([0.9, 0.999], 1e-8, 0.0);
    train(&mut adam, 0..1, &mut params);
    let mut file = TensorFile::new();
    adam.export(&params, &mut file).unwrap();

    let message = Optimizer::sgd(0.9, false, 0.0).import(&params, &file).unwrap_err().to_string();
    assert!(message.contains("not expected: exp_avg.w"), "{message}");
    let (other, _) = Params::build(0, |scope| scope.param("w", &[3], Init::Constant(0.0)));
    let message = adam.clone().import(&other, &file).unwrap_err().to_string();
    assert!(message.contains("exp_avg.w should have shape [3], not [4]"), "{message}");
    file.tensors.retain(|(name, _)| name != "step.w");
    let message = adam.import(&params, &file).unwrap_err().to_string();
    assert!(message.contains("missing in the file: step.w"), "{message}");
}

#[test]
fn schedules_equal_pytorchs() {
    let check = |schedule: Schedule, expected: &[f64]| {
        let ours: Vec<f64> = (0..expected.len()).map(|t| schedule.factor(t as f64)).collect();
        close(&ours, expected);
    };
    check(Schedule::Constant, &[1.0, 1.0]);
    check(Schedule::Step { every: 3.0, gamma: 0.5 }, &[1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25]);
    let milestones = Schedule::MultiStep { milestones: vec![7.0, 2.0], gamma: 0.1 };
    check(milestones, &[1.0, 1.0, 0.1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01]);
    check(
        Schedule::Cosine { total: 10.0, floor: 0.1 },
        &[
            1.0,
            0.9779754323328191,
            0.9140576474687263,
            0.8145033635316129,
            0.6890576474687263,
            0.55,
            0.41094235253127376,
            0.2854966364683872,
            0.18594235253127372,
            0.12202456766718092,
            0.1,
            0.1,
        ],
    );
    check(
        Schedule::Polynomial { total: 10.0, power: 0.9 },
        &[
            1.0,
            0.9095325760829622,
            0.8180521460508584,
            0.7254178469372199,
            0.6314458674893553,
            0.5358867312681466,
            0.4383832905540869,
            0.3383834619016498,
            0.23492378861760374,
            0.12589254117941667,
            0.0,
            0.0,
        ],
    );
    // 1 − |2(e + 1)/(E + 1) − 1| for E = 4 and e = 0, 1, 2, 3.
    check(Schedule::Triangular { total: 4.0 }, &[0.4, 0.8, 0.8, 0.4, 0.0, 0.0]);
    let steps = Schedule::MultiStep { milestones: vec![4.0], gamma: 0.1 }.with_warm_up(2.0, 0.01);
    check(steps, &[0.01, 0.505, 1.0, 1.0, 0.1]);
}

/// HAMNet's learning rates, constant within an epoch, for its 120 epochs counted from 1: the released code's warm-up as
/// it writes it, 0.01·(1 − e/10) + e/10 of 3.5e-4, then a tenth from epoch 40 and another from 70.
#[test]
fn the_schedule_of_hamnet() {
    let warm_up =
        [3.815e-5, 7.28e-5, 1.0745e-4, 1.421e-4, 1.7675e-4, 2.114e-4, 2.4605e-4, 2.807e-4, 3.1535e-4];
    let table = [&warm_up[..], &[3.5e-4; 30], &[3.5e-5; 30], &[3.5e-6; 51]].concat();
    assert_eq!(table.len(), 120);
    let milestones = vec![40.0, 70.0];
    let schedule = Schedule::MultiStep { milestones, gamma: 0.1 }.with_warm_up(10.0, 0.01);
    for (epoch, expected) in (1..).zip(table) {
        let found = 3.5e-4 * schedule.factor(f64::from(epoch));
        assert!((found - expected).abs() < 1e-18, "epoch {epoch}: {found} is not {expected}");
    }
}

#[test]
fn clipping_equals_pytorchs() {
    let (params, [w, late]) = two_params();
    let mut all = clip_example(&params, [w, late]);
    let norm = all.clip_norm(1.5).unwrap();
    assert!((norm - 8.671506417675895).abs() < 1e-14, "{norm}");
    close(
        &all.param(w).unwrap().as_slice()[..3],
        &[0.25559587776424675, 0.727789539013124, 0.8576924080388878],
    );
    close(all.param(late).unwrap().as_slice(), &[0.41465588003789394, 0.8645327348195424]);
    assert!((all.norm().unwrap() - 1.5).abs() < 1e-6);

    let mut small = clip_example(&params, [w, late]);
    small.clip_norm(1e3).unwrap();
    let untouched = clip_example(&params, [w, late]);
    assert_eq!(small.param(w).unwrap().as_slice(), untouched.param(w).unwrap().as_slice());
    small.clip_value(2.0);
    let limited = untouched.param(w).unwrap().as_slice().iter().map(|g| g.clamp(-2.0, 2.0));
    assert_eq!(small.param(w).unwrap().as_slice(), limited.collect::<Vec<_>>());
}

/// 5·sin(0.7k + 0.3) for three elements of w (and 0 for the fourth), 5·sin(1.1k + 0.5) for `late`.
fn clip_example(params: &Params<f64>, [w, late]: [ParamId; 2]) -> Grads<f64> {
    let ctx = Ctx::train(params, Key::default());
    let constant = |x: Tensor<f64>| autograd::Var::constant(x.scale(5.0));
    let three = ctx.param(w).slice(0, 0..3).mul(&constant(wave(&[3], 0.7, 0.3))).sum_all();
    three.add(&ctx.param(late).mul(&constant(wave(&[2], 1.1, 0.5))).sum_all()).backward()
}

#[test]
fn the_first_non_finite_gradient_is_named() {
    let (params, ids) = two_params();
    assert_eq!(grads(&params, ids, STEPS).first_non_finite(&params).unwrap(), None);
    let ctx = Ctx::train(&params, Key::default());
    let y = ctx.param(ids[0]).sum_all().add(&ctx.param(ids[1]).mul_scalar(f64::INFINITY).sum_all());
    assert_eq!(y.backward().first_non_finite(&params).unwrap(), Some("late".to_owned()));
}

#[test]
fn accumulated_small_batches_equal_a_large_one() {
    let (params, model) = Params::<f64>::build(3, |scope| Mlp::new(scope, 5, 7, 0.0));
    let (x, target) = (wave(&[6, 5], 0.37, 0.1), wave(&[6, 5], 0.53, 0.2));
    let sweep = |rows: std::ops::Range<usize>| {
        let ctx = Ctx::train(&params, Key::default());
        let part = |x: &Tensor<f64>| ctx.input(x.clone()).slice(0, rows.clone());
        model.forward(&ctx, &part(&x)).mse_loss(&part(&target), Reduction::Mean).backward()
    };
    let mut sum = sweep(0..2);
    sum.accumulate(&sweep(2..4));
    sum.accumulate(&sweep(4..6));
    sum.scale(1.0 / 3.0);
    let whole = sweep(0..6);
    assert_eq!(sum.params().count(), 4);
    for (id, expected) in whole.params() {
        close(sum.param(id).unwrap().as_slice(), expected.as_slice());
    }
}

#[test]
fn accumulation_takes_over_parameters_it_has_not_seen() {
    let (params, ids) = two_params();
    let mut sum = grads(&params, ids, 0);
    assert!(sum.param(ids[1]).is_none());
    sum.accumulate(&grads(&params, ids, JOINS));
    assert_eq!(sum.param(ids[1]).unwrap().as_slice(), gradient_of_late(JOINS).as_slice());
    let expected = gradient_of_w(0).add(&gradient_of_w(JOINS));
    assert_eq!(sum.param(ids[0]).unwrap().as_slice(), expected.as_slice());
}

#[test]
fn averages_equal_pytorchs_and_survive_a_checkpoint() {
    let (mut params, layer) = Params::<f64>::build(0, |scope| Linear::new(&mut scope.sub("fc"), 2, 1, false));
    params.set(layer.weight, wave(&[1, 2], 1.0, 0.0));
    let mut ema = Ema::new(&params, 0.9);
    for t in 0..3 {
        params.set(layer.weight, wave(&[1, 2], 1.0, f64::from(t) + 1.0));
        ema.update(&params);
    }
    let average = ema.params().get(layer.weight).as_slice();
    close(average, &[0.16410791898973767, 0.624105990692432]);

    let mut file = TensorFile::new();
    ema.export(&mut file).unwrap();
    assert!(file.get("ema.fc.weight").is_some());
    let mut fresh = Ema::new(&params, 0.9);
    fresh.import(&file).unwrap();
    assert_eq!(fresh.params().get(layer.weight).as_slice(), average);
    let mut other = Params::<f64>::build(0, |scope| Linear::new(&mut scope.sub("head"), 2, 1, false)).0;
    assert!(other.import("ema.", &file, LoadMode::Strict).is_err());
}

#[test]
fn discarded_gradients_count_nowhere() {
    let (mut params, [w, late]) = two_params();
    let ctx = Ctx::train(&params, Key::default());
    let loss = ctx.param(w).sum_all().add(&ctx.param(late).mul_scalar(3.0).sum_all());
    let mut grads = loss.backward();
    grads.discard(&[late]);
    close(&[grads.norm().unwrap()], &[2.0]); // four ones
    let before = params.get(late).as_slice().to_vec();
    Optimizer::sgd(0.0, false, 0.5).step(&mut params, &grads, LR);
    assert_eq!(params.get(late).as_slice(), before, "no weight decay either");
    assert!(params.get(w).as_slice() != wave(&[4], 0.7, 0.3).as_slice());
}
