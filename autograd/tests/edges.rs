//! The edges: empty tensors, infinities and NaN, and mistakes that must be named at the caller's line.

use autograd::ops::{ConvOptions, CrossEntropy, Reduction, ResizeMode, concat};
use autograd::random::Key;
use autograd::{Ctx, Indices, Init, Optimizer, Params, Tape, Tensor, TensorFile, Var, record};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

const INF: f64 = f64::INFINITY;

fn zeros(shape: &[usize]) -> Var<f64> {
    Var::constant(Tensor::zeros(shape))
}

fn row(values: &[f64]) -> Tensor<f64> {
    Tensor::from_vec(values.to_vec(), &[values.len()])
}

/// dx of Σ f(x).
fn gradient(x: &Tensor<f64>, f: impl Fn(&Var<f64>) -> Var<f64>) -> Vec<f64> {
    let x = Tape::new().leaf(x.clone());
    f(&x).sum_all().backward().of(&x).expect("f depends on x").as_slice().to_vec()
}

/// The message of a panic and the file it names.
fn mistake<R>(f: impl FnOnce() -> R) -> (String, String) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    static FILE: Mutex<String> = Mutex::new(String::new());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(|info| {
        *FILE.lock().unwrap() = info.location().map_or("", |place| place.file()).to_owned();
    }));
    let result = catch_unwind(AssertUnwindSafe(f));
    std::panic::set_hook(before);
    let Err(payload) = result else { panic!("the mistake went unnoticed") };
    let message = payload.downcast_ref::<String>().cloned();
    let message = message.or_else(|| payload.downcast_ref::<&str>().map(|&text| text.to_owned()));
    (message.expect("a message in words"), FILE.lock().unwrap().clone())
}

/// Words of the message, and what provokes it.
type Mistake<'a> = (&'a str, Box<dyn FnOnce() + 'a>);

#[test]
fn mistakes_are_named_at_the_callers_line() {
    let options = ConvOptions::default();
    let x = || zeros(&[1, 2, 4, 4]);
    let scope = |f: fn(&mut autograd::Scope<f64>)| Params::build(0, f);
    let in_groups = |groups| ConvOptions { groups, ..options };
    let mistakes: Vec<Mistake> = vec![
        ("add: shapes [2] and [3] do not broadcast", Box::new(|| drop(zeros(&[2]).add(&zeros(&[3]))))),
        ("sum: axis 2 does not exist", Box::new(|| drop(zeros(&[2]).sum(&[2], false)))),
        ("mean: axis 2 does not exist", Box::new(|| drop(zeros(&[2]).mean(&[2], false)))),
        (
            "mul: the inputs are on different tapes",
            Box::new(|| drop(Tape::new().leaf(row(&[1.0])).mul(&Tape::new().leaf(row(&[1.0]))))),
        ),
        ("embedding", Box::new(|| drop(zeros(&[2]).embedding(&Indices::new(vec![0], &[1]))))),
        (
            "index_select: index 5 is outside an axis of size 2",
            Box::new(|| drop(zeros(&[2]).index_select(0, &Indices::new(vec![5], &[1])))),
        ),
        ("max_pool2d: a kernel of 5", Box::new(move || drop(x().max_pool2d([5, 5], [1, 1], [0, 0])))),
        ("must not be 0", Box::new(move || drop(x().avg_pool2d([2, 2], [0, 1], [0, 0])))),
        ("must not be 0", Box::new(move || drop(x().max_pool2d([0, 2], [1, 1], [0, 0])))),
        ("must be [B, C, H, W]", Box::new(|| drop(zeros(&[2, 2]).adaptive_avg_pool2d([1, 1])))),
        ("may be empty", Box::new(move || drop(x().adaptive_max_pool2d([0, 1])))),
        ("may be empty", Box::new(|| drop(zeros(&[1, 1, 0, 2]).interpolate([2, 2], ResizeMode::Nearest)))),
        (
            "conv2d: the bias has shape [1], but there are 3 output channels",
            Box::new(move || drop(x().conv2d(&zeros(&[3, 2, 1, 1]), Some(&zeros(&[1])), options))),
        ),
        ("must not be 0", Box::new(move || drop(x().conv2d(&zeros(&[3, 2, 0, 1]), None, options)))),
        (
            "conv_transpose2d: 4 groups do not divide the 2 input channels",
            Box::new(move || {
                drop(x().conv_transpose2d(&zeros(&[2, 1, 2, 2]), None, in_groups(4), [0, 0]));
            }),
        ),
        (
            "linear: the bias has shape [1], but there are 3 outputs",
            Box::new(|| drop(zeros(&[2, 4]).linear(&zeros(&[3, 4]), Some(&zeros(&[1]))))),
        ),
        (
            "layer_norm: no trailing axes of shape [4, 6] have 3 elements",
            Box::new(|| drop(zeros(&[4, 6]).layer_norm(3, (None, None), 1e-5))),
        ),
        (
            "layer_norm: a weight or bias of shape [1]",
            Box::new(|| drop(zeros(&[4, 6]).layer_norm(6, (Some(&zeros(&[1])), None), 1e-5))),
        ),
        (
            "group_norm: the samples of [2, 4, 0] are empty",
            Box::new(|| drop(zeros(&[2, 4, 0]).group_norm(2, (None, None), 1e-5))),
        ),
        ("permute: [0, 2] is not an order", Box::new(|| drop(zeros(&[2, 3]).permute(&[0, 2])))),
        ("concat: shapes", Box::new(|| drop(concat(&[&zeros(&[2, 3]), &zeros(&[2])], 1)))),
        (
            "nll_loss: targets [2] do not fit",
            Box::new(|| {
                drop(zeros(&[1, 3, 2]).nll_loss(&Indices::new(vec![0; 2], &[2]), CrossEntropy::default()))
            }),
        ),
        (
            "two parameters are named w",
            Box::new(move || {
                drop(scope(|s| {
                    s.param("w", &[1], Init::Constant(0.0));
                    s.param("w", &[1], Init::Constant(0.0));
                }));
            }),
        ),
        (
            "a truncated normal of standard deviation NaN",
            Box::new(move || {
                drop(scope(|s| {
                    s.param("w", &[1], Init::TruncNormal { std: f64::NAN });
                }));
            }),
        ),
    ];
    for (words, f) in mistakes {
        let (message, file) = mistake(f);
        assert!(message.contains(words), "{message:?} does not contain {words:?}");
        assert!(file.ends_with("edges.rs"), "{message:?} is blamed on {file}");
    }
}

#[test]
fn a_gradient_of_another_shape_is_refused() {
    for shape in [&[3, 2][..], &[6], &[3], &[1, 3]] {
        let x = Tape::new().leaf(Tensor::<f64>::zeros(&[2, 3]));
        let y = record("mine", x.value().clone(), &[&x], |_, sink| sink.add(0, || Tensor::zeros(shape)));
        let (message, _) = mistake(|| y.sum_all().backward());
        assert!(message.starts_with("mine: the gradient of input 0 has shape"), "{message}");
    }
}

#[test]
fn empty_tensors_pass_through() {
    assert_eq!(zeros(&[2, 0]).softmax(1).shape(), [2, 0]);
    assert_eq!(zeros(&[0, 2]).log_softmax(0).shape(), [0, 2]);
    assert_eq!(zeros(&[2, 0]).relu().add(&zeros(&[1])).shape(), [2, 0]);
    let y = zeros(&[2, 3, 0]).matmul(&zeros(&[0, 4]));
    assert_eq!((y.shape(), y.value().as_slice()), (&[2, 3, 4][..], &[0.0; 24][..]));
    assert_eq!(zeros(&[0, 2, 4, 4]).max_pool2d([2, 2], [2, 2], [0, 0]).shape(), [0, 2, 2, 2]);
    assert_eq!(zeros(&[0, 4]).layer_norm(4, (None, None), 1e-5).shape(), [0, 4]);
}

#[test]
fn nan_and_infinity_are_neither_hidden_nor_invented() {
    let argmax = |values: &[f64]| row(values).argmax(0).unwrap().values()[0];
    assert_eq!(argmax(&[1.0, 3.0, f64::NAN, 2.0, f64::NAN]), 2);
    assert_eq!(argmax(&[f64::NAN, 1.0]), 0);

    let x = row(&[-INF, -INF]);
    assert_eq!(Var::constant(x.clone()).logsumexp(0, false).value().item(), Ok(-INF));
    assert_eq!(gradient(&x, |x| x.logsumexp(0, false)), [0.0, 0.0]);
    assert_eq!(Var::constant(row(&[INF, 0.0])).logsumexp(0, false).value().item(), Ok(INF));

    let picture = Var::constant(Tensor::from_vec(vec![INF, 1.0, 2.0, 3.0], &[1, 1, 2, 2]));
    let nearest = picture.interpolate([2, 2], ResizeMode::Nearest);
    assert_eq!(nearest.value().as_slice(), picture.value().as_slice());

    assert_eq!(gradient(&row(&[f64::NAN, 1.0, -1.0]), Var::relu), [1.0, 1.0, 0.0]);

    let log_p = Tensor::from_vec(vec![-INF, -1.0, -2.0, -3.0], &[2, 2]);
    let options = CrossEntropy { ignore_index: Some(-100), ..CrossEntropy::default() };
    let loss = |x: &Var<f64>| x.nll_loss(&Indices::new(vec![-100, 1], &[2]), options);
    assert_eq!(loss(&Var::constant(log_p.clone())).value().item(), Ok(3.0));
    assert_eq!(gradient(&log_p, loss), [0.0, 0.0, 0.0, -1.0]);
}

#[test]
fn a_confident_binary_loss_keeps_its_digits() {
    let x = Tape::<f32>::new().leaf(Tensor::from_vec(vec![-20.0, 20.0], &[2]));
    let truth = Var::constant(Tensor::from_vec(vec![0.0, 1.0], &[2]));
    let loss = x.bce_with_logits(&truth, None, None, Reduction::Sum);
    let tail = (-20f64).exp() as f32;
    assert!((loss.value().item().unwrap() / (2.0 * tail) - 1.0).abs() < 1e-6);
    let grads = loss.backward();
    let dx = grads.of(&x).unwrap().as_slice();
    assert!((dx[0] / tail - 1.0).abs() < 1e-6 && (dx[1] / -tail - 1.0).abs() < 1e-6, "{dx:?}");
}

#[test]
fn an_overflowing_norm_leaves_the_gradients_alone() {
    let (params, w) = Params::<f32>::build(0, |s| s.param("w", &[2], Init::Constant(1.0)));
    let ctx = Ctx::train(&params, Key::default());
    let mut grads = ctx.param(w).mul_scalar(1e20).sum_all().backward();
    assert_eq!(grads.clip_norm(1.0), Ok(f64::INFINITY));
    assert_eq!(grads.param(w).unwrap().as_slice(), [1e20, 1e20]);
}

#[test]
fn a_detached_checkpoint_has_no_gradient() {
    let (params, w) = Params::<f64>::build(0, |s| s.param("w", &[2], Init::Constant(1.0)));
    let ctx = Ctx::train(&params, Key::default());
    let x = ctx.input(row(&[1.0, 2.0]));
    let y = ctx.checkpoint(&[&x], move |ctx, x| x[0].mul(&ctx.param(w)).detach());
    let grads = y.add(&x).sum_all().backward();
    assert_eq!(grads.of(&x).unwrap().as_slice(), [1.0, 1.0]);
    assert!(grads.param(w).is_none());
}

#[test]
fn groups_and_state_go_by_names() {
    let (mut params, w) =
        Params::<f64>::build(0, |s| s.sub("step").param("weight", &[2], Init::Constant(1.0)));
    let step = |params: &mut Params<f64>, optimizer: &mut Optimizer<f64>| {
        let grads = Ctx::train(params, Key::default()).param(w).sum_all().backward();
        optimizer.step(params, &grads, 0.1);
    };
    let misspelt = [autograd::Group::new(["stpe.*"], 1.0, 0.0)];
    let mut optimizer = Optimizer::sgd(0.9, false, 0.0).with_groups(misspelt);
    let (message, _) = mistake(|| step(&mut params, &mut optimizer));
    assert_eq!(message, "optimizer: no parameter is named stpe.*");

    // The parameter `step.weight` looks like Adam's count for a parameter `weight`, and is none.
    let mut optimizer = Optimizer::adam([0.9, 0.999], 1e-8, 0.0);
    step(&mut params, &mut optimizer);
    let mut file = TensorFile::new();
    params.export("", &mut file).unwrap();
    optimizer.export(&params, &mut file).unwrap();
    optimizer.import(&params, &file).unwrap();
}
