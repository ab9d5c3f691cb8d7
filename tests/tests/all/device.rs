//! Every op on a device: the same numbers as on the host, nothing copied back behind the caller's back, and failures
//! that wait until someone reads.

use autograd::device::{Device, DeviceError, DeviceHandle};
use autograd::ops::conv::ConvOptions;
use autograd::ops::loss::CrossEntropy;
use autograd::optim::Optimizer;
use autograd::random::Key;
use autograd::{Ctx, Grads, Indices, Init, ParamId, Params, Tape, Tensor, Var};
use std::collections::BTreeSet;
use std::sync::Arc;
use tests::levels::pass_at_every_level;
use tests::op_table::{Row, large_rows, rows};
use tests::ref_device::{Probe, RefDevice};

fn device() -> (DeviceHandle, Arc<Probe>) {
    let device = RefDevice::new();
    let probe = device.probe();
    (DeviceHandle::new(device), probe)
}

/// A device under test.
pub struct Subject {
    /// Where tensors go.
    pub handle: DeviceHandle,
    /// How many tensors have been copied to the host so far.
    pub downloads: Box<dyn Fn() -> usize>,
}

fn reference() -> Subject {
    let (handle, probe) = device();
    Subject { handle, downloads: Box::new(move || probe.count("download")) }
}

fn moved(x: &Tensor, handle: &DeviceHandle) -> Tensor {
    x.to_device(handle).expect("uploads succeed")
}

/// A value or gradient on the device must equal the host's within 1e-5 of the tensor's largest value. Rounding to `f32`
/// is 6e-8; the longest sums of the table have a few hundred terms and lose another digit, so there is a factor of ten
/// to spare, while a wrong weight, shape or order shows in the first or second digit. (An error in proportion to every
/// single element would punish cancellation.) The floor is for tensors that are 0 but for rounding. The squares of all
/// errors must be 1e-7 of the squares of all values at most, which is the stricter bound for large tensors; that ratio,
/// the normalised mean squared error, is returned.
pub fn compare(what: &str, found: &Tensor, expected: &Tensor) -> Result<f64, String> {
    let found = found.to_host().map_err(|error| error.to_string())?;
    if found.shape() != expected.shape() {
        return Err(format!("{what}: shape {:?} instead of {:?}", found.shape(), expected.shape()));
    }
    let largest = expected.as_slice().iter().fold(0f32, |max, x| max.max(x.abs()));
    let tolerance = 1e-5 * largest + 1e-6;
    let pairs = || found.as_slice().iter().zip(expected.as_slice());
    let wrong = |(_, (a, b)): &(usize, (&f32, &f32))| {
        let agrees = (*a - *b).abs() <= tolerance; // a NaN does not
        !agrees
    };
    if let Some((e, (a, b))) = pairs().enumerate().find(wrong) {
        return Err(format!("{what}: element {e} is {a:e} instead of {b:e} (largest {largest:e})"));
    }
    let squares = |difference: f32| f64::from(difference).powi(2);
    let error: f64 = pairs().map(|(a, b)| squares(a - b)).sum();
    let size: f64 = pairs().map(|(_, b)| squares(*b)).sum();
    let floor = 1e-12 * expected.numel() as f64;
    if error > 1e-7 * size + floor {
        return Err(format!("{what}: squared errors add up to {error:e}, squared values to {size:e}"));
    }
    Ok(if error > floor { error / size } else { 0.0 })
}

/// The largest error of a row's value and gradients.
fn compare_row(row: &Row<f32>, subject: &Subject) -> Result<f64, String> {
    let host = row.run(Tensor::clone);
    let downloads = (subject.downloads)();
    let there = row.run(|x| moved(x, &subject.handle));
    if (subject.downloads)() != downloads {
        return Err("something was copied to the host".to_owned());
    }
    let mut worst = compare("value", &there.value, &host.value)?;
    for (i, (found, expected)) in there.gradients.iter().zip(&host.gradients).enumerate() {
        worst = worst.max(compare(&format!("gradient of input {i}"), found, expected)?);
    }
    Ok(worst)
}

/// Every row on the device and on the host.
pub fn compare_rows(rows: &[Row<f32>], subject: &Subject) {
    let mut failures = Vec::new();
    let mut worst = (0.0, "");
    for row in rows {
        match compare_row(row, subject) {
            Ok(error) if error > worst.0 => worst = (error, row.name),
            Ok(_) => {}
            Err(error) => failures.push(format!("{}: {error}", row.name)),
        }
    }
    assert!(failures.is_empty(), "{} rows fail:\n{}", failures.len(), failures.join("\n"));
    println!("{} rows; largest normalised squared error {:.1e} ({})", rows.len(), worst.0, worst.1);
}

#[test]
fn every_row_gives_the_same_numbers_and_copies_nothing_back() {
    compare_rows(&rows(), &reference());
}

#[test]
fn large_inputs_give_the_same_numbers_and_copy_nothing_back() {
    compare_rows(&large_rows(), &reference());
}

/// The device's loops are plain `f64`, whatever the host's kernels are compiled for.
#[test]
fn hosts_agree_with_the_device_at_every_level() {
    pass_at_every_level("device", &["every_row_gives_the_same_numbers_and_copies_nothing_back"]);
}

#[test]
fn the_table_reaches_every_primitive_but_the_optimisers() {
    let (handle, probe) = device();
    rows::<f32>().iter().for_each(|row| drop(row.run(|x| moved(x, &handle))));
    handle.sync().expect("nothing failed");
    let called: BTreeSet<&str> = probe.calls().into_iter().collect();
    let source = include_str!("../../../autograd/src/device.rs");
    let definition = source.split("pub trait Device").nth(1).and_then(|rest| rest.split("\n}").next());
    let primitives = definition.expect("the trait is there").split("    fn ").skip(1);
    let primitives: BTreeSet<&str> =
        primitives.map(|rest| rest.split('(').next().expect("split yields a piece")).collect();
    assert!(primitives.len() >= 30, "found only {primitives:?}");
    let missing: Vec<&&str> = primitives.difference(&called).collect();
    assert_eq!(missing, [&"adam_step", &"download", &"name", &"sgd_step"]);
}

#[test]
fn batch_statistics_agree() {
    compare_batch_statistics(&reference().handle);
}

/// Mean and variance of a batch norm, on the device and on the host.
pub fn compare_batch_statistics(handle: &DeviceHandle) {
    let x = Tensor::randn(&[3, 4, 5], Key::default(), 1);
    let on = |x: Tensor| Var::constant(x).batch_norm((None, None), 1e-5);
    let ((_, mean, var), (_, mean_there, var_there)) = (on(x.clone()), on(moved(&x, handle)));
    compare("mean", &mean_there, &mean).unwrap();
    compare("variance", &var_there, &var).unwrap();
}

#[test]
fn dropout_masks_are_the_same_bits() {
    compare_dropout_masks(&reference().handle);
}

/// Masks drawn on the device and on the host, bit by bit.
pub fn compare_dropout_masks(handle: &DeviceHandle) {
    let (here, there) = (Tensor::zeros(&[]), moved(&Tensor::zeros(&[]), handle));
    for (site, keep) in [0.9, 0.5, 1.0 / 3.0, 0.7, 1.0].into_iter().enumerate() {
        let key = Key { seed: 11, epoch: 3, step: site as u64 };
        let mask = |x: &Tensor| x.dropout_mask_like(&[37, 1001], key, site as u64, keep);
        let (here, there) = (mask(&here), mask(&there).to_host().unwrap());
        let pairs = here.as_slice().iter().zip(there.as_slice());
        let differ = pairs.filter(|(here, there)| here.to_bits() != there.to_bits()).count();
        assert!(differ == 0 && here.shape() == there.shape(), "keep {keep}: {differ} elements differ");
        let kept = here.as_slice().iter().filter(|&&m| m != 0.0).count() as f64 / here.numel() as f64;
        assert!((kept - keep).abs() < 0.01, "{kept} of the elements are kept instead of {keep}");
    }
}

#[test]
fn values_survive_the_way_there_and_back() {
    let (handle, _) = device();
    let x = Tensor::randn(&[2, 3], Key::default(), 2);
    let there = moved(&x, &handle);
    assert_eq!(there.device().map(DeviceHandle::name), Some("reference device".to_owned()));
    assert_eq!(there.to_host().unwrap().as_slice(), x.as_slice());
    assert_eq!(there.reshape(&[-1]).shape(), [6]);
}

#[test]
#[should_panic(expected = "mul: one operand lives on the host, the other on reference device")]
fn operands_that_live_apart_are_refused() {
    let (handle, _) = device();
    let x = Tensor::randn(&[2], Key::default(), 0);
    let _ = x.mul(&moved(&x, &handle));
}

/// A small network with most kinds of primitives in it: inputs to loss.
fn network(x: &[Var]) -> Var {
    let options = ConvOptions { padding: [1, 1], ..ConvOptions::default() };
    let map = x[0].conv2d(&x[1], Some(&x[2]), options).batch_norm((None, None), 1e-5).0.relu();
    let map = map.max_pool2d([2, 2], [2, 2], [0, 0]).resize([3, 3]);
    let tokens = map.reshape(&[2, 3, 9]).transpose(1, 2);
    let tokens =
        tokens.scaled_dot_product_attention(&tokens, &tokens, None).layer_norm(3, (None, None), 1e-5);
    let logits = tokens.dropout(0.2, (Key::default(), 0)).mean(&[1], false).linear(&x[3], None);
    let far = logits.amax(&[1], true).slice(0, 0..1).gelu();
    logits.add(&far).cross_entropy(
        &Indices::new(vec![1, 3], &[2]),
        CrossEntropy { label_smoothing: 0.1, ignore_index: None },
    )
}

fn network_inputs(handle: &DeviceHandle) -> Vec<Tensor> {
    let shapes: [&[usize]; 4] = [&[2, 2, 4, 4], &[3, 2, 3, 3], &[3], &[4, 3]];
    let draw =
        |(i, shape): (usize, &&[usize])| moved(&Tensor::randn(shape, Key::default(), i as u64), handle);
    shapes.iter().enumerate().map(draw).collect()
}

fn forward_and_backward(inputs: &[Tensor]) -> (Var, Vec<Var>, Grads) {
    let tape = Tape::new();
    let leaves: Vec<Var> = inputs.iter().map(|x| tape.leaf(x.clone())).collect();
    let loss = network(&leaves);
    let grads = loss.backward();
    (loss, leaves, grads)
}

#[test]
fn a_failure_anywhere_stops_the_device_and_waits_for_a_reader() {
    let (handle, probe) = device();
    let inputs = network_inputs(&handle);
    let before = probe.calls().len();
    forward_and_backward(&inputs).0.value().item().expect("nothing fails yet");
    let calls = probe.calls().split_off(before);
    let total = calls.len() - 1; // without the download at the end
    assert!(total > 60, "the network is too small to be a test: {total} calls");

    for (k, primitive) in calls[..total].iter().enumerate() {
        let (handle, probe) = device();
        let inputs = network_inputs(&handle);
        let before = probe.calls().len();
        probe.fail_after(k, "out of memory; use a smaller batch");
        let (loss, leaves, grads) = forward_and_backward(&inputs);
        assert_eq!(
            probe.calls().len() - before,
            k + 1,
            "the device was touched after its {primitive} failed"
        );
        assert_eq!(probe.calls().last(), Some(primitive), "the calls come in a fixed order");

        let error = loss.value().item().expect_err("the first reader is told");
        assert_eq!(error.reason, "out of memory; use a smaller batch");
        assert_eq!(error.device, "reference device");
        assert!(!error.op.is_empty() && !error.shapes.is_empty(), "{error}");
        assert_eq!(handle.sync().expect_err("so is the next"), error);
        for leaf in &leaves {
            let gradient = grads.of(leaf).expect("placeholders keep the shape of things");
            assert_eq!(gradient.shape(), leaf.shape());
            assert_eq!(gradient.to_host().expect_err("and everyone after"), error);
        }
        assert_eq!(probe.calls().len() - before, k + 1, "reading touched the device");
    }
}

#[test]
fn the_error_names_op_shapes_device_and_reason() {
    let (handle, probe) = device();
    let (a, b) = (moved(&Tensor::zeros(&[2, 3]), &handle), moved(&Tensor::zeros(&[3, 5]), &handle));
    probe.fail_after(1, "matmul is not supported");
    let a = a.add(&a);
    let product = Var::constant(a).matmul(&Var::constant(b)).tanh().sum_all();
    let error = product.value().item().unwrap_err();
    let expected = DeviceError {
        op: "matmul".to_owned(),
        shapes: vec![vec![2, 3], vec![3, 5]],
        device: "reference device".to_owned(),
        reason: "matmul is not supported".to_owned(),
    };
    assert_eq!(error, expected);
    assert_eq!(
        error.to_string(),
        "matmul on reference device with shapes [[2, 3], [3, 5]]: matmul is not supported"
    );
}

#[test]
fn failed_reads_and_uploads_are_errors_at_once() {
    let (handle, probe) = device();
    let x = Tensor::zeros(&[2]);
    let there = moved(&x, &handle);
    probe.fail_after(0, "device lost");
    assert_eq!(there.to_host().unwrap_err().op, "to_host");
    assert_eq!(x.to_device(&handle).unwrap_err().reason, "device lost");

    let (handle, probe) = device();
    probe.fail_after(0, "out of memory");
    let error = x.to_device(&handle).unwrap_err();
    assert_eq!((error.op.as_str(), error.shapes), ("to_device", vec![vec![2]]));
}

#[test]
fn optimiser_primitives_follow_their_definitions() {
    use autograd::device::{AdamStep, SgdStep};
    let device = RefDevice::new();
    let buffer = |x: f32| device.upload(&[x]).unwrap();
    let value = |buffer| device.download(&buffer).unwrap()[0];
    let close = |a: f32, b: f32| assert!((a - b).abs() < 1e-6, "{a} is not {b}");

    let h = SgdStep { lr: 0.1, momentum: 0.9, weight_decay: 0.5, nesterov: true };
    let (w, m) = device.sgd_step(h, &buffer(2.0), &buffer(1.0), Some(&buffer(3.0))).unwrap();
    close(value(m.expect("there is momentum")), 4.7); // 0.9·3 + (1 + 0.5·2)
    close(value(w), 2.0 - 0.1 * (2.0 + 0.9 * 4.7));

    let h =
        AdamStep { lr: 0.1, beta1: 0.9, beta2: 0.99, eps: 0.0, weight_decay: 0.5, decoupled: true, step: 1 };
    let (w, m, v) = device.adam_step(h, &buffer(2.0), &buffer(-4.0), &buffer(0.0), &buffer(0.0)).unwrap();
    close(value(m), -0.4);
    close(value(v), 0.16);
    close(value(w), 2.0 * 0.95 + 0.1); // the first step moves by lr against the sign of the gradient
}

/// A regression with two learned parameters on some device or the host.
struct Training {
    params: Params,
    optimizer: Optimizer,
    x: Tensor,
}

impl Training {
    fn new(optimizer: Optimizer, place: impl Fn(&Tensor) -> Tensor) -> Training {
        let (mut params, _) = Params::build(4, |scope| {
            scope.param("weight", &[3, 5], Init::Normal { std: 0.5 });
            scope.param("bias", &[3], Init::Constant(0.1));
        });
        let values: Vec<(ParamId, Tensor)> = params.ids().map(|id| (id, place(params.get(id)))).collect();
        values.into_iter().for_each(|(id, value)| params.set(id, value));
        Training { params, optimizer, x: place(&Tensor::randn(&[6, 5], Key::default(), 3)) }
    }

    fn step(&mut self) {
        let ctx = Ctx::train(&self.params, Key::default());
        let [weight, bias] = ["weight", "bias"].map(|name| ctx.param(self.params.find(name).expect(name)));
        let y = Var::constant(self.x.clone()).linear(&weight, Some(&bias)).add_scalar(-1.0);
        let grads = y.mul(&y).mean_all().backward();
        self.optimizer.step(&mut self.params, &grads, 0.05);
    }
}

/// Every rule with every option.
fn optimizers() -> Vec<(&'static str, Optimizer)> {
    vec![
        ("sgd", Optimizer::sgd(0.0, false, 0.0)),
        ("sgd with momentum and decay", Optimizer::sgd(0.9, false, 0.1)),
        ("sgd with look-ahead", Optimizer::sgd(0.9, true, 0.1)),
        ("adam", Optimizer::adam([0.9, 0.99], 1e-8, 0.1)),
        ("adamw", Optimizer::adamw([0.9, 0.99], 1e-8, 0.1)),
    ]
}

#[test]
fn optimisers_walk_the_same_way_and_copy_nothing_back() {
    compare_optimizers(&reference());
}

/// Four steps of every optimiser on the device and on the host.
pub fn compare_optimizers(subject: &Subject) {
    for (name, optimizer) in optimizers() {
        let downloads = (subject.downloads)();
        let mut here = Training::new(optimizer.clone(), Tensor::clone);
        let mut there = Training::new(optimizer, |x| moved(x, &subject.handle));
        let start = here.params.clone();
        for _ in 0..4 {
            here.step();
            there.step();
        }
        assert_eq!((subject.downloads)(), downloads, "{name}");
        for id in here.params.ids() {
            let expected = here.params.get(id);
            assert_ne!(expected.as_slice(), start.get(id).as_slice(), "{name} moves everything");
            if let Err(error) = compare(here.params.name(id), there.params.get(id), expected) {
                panic!("{name}: {error}");
            }
        }
    }
}

#[test]
fn a_failure_in_training_stops_the_device_and_waits_for_a_reader() {
    for (name, optimizer) in optimizers() {
        let (handle, probe) = device();
        let mut training = Training::new(optimizer.clone(), |x| moved(x, &handle));
        let uploads = probe.calls().len();
        training.step();
        training.step();
        let calls = probe.calls().split_off(uploads);
        assert!(calls.iter().filter(|call| call.ends_with("_step")).count() == 4, "{name}: {calls:?}");

        for (k, primitive) in calls.iter().enumerate() {
            let (handle, probe) = device();
            let mut training = Training::new(optimizer.clone(), |x| moved(x, &handle));
            probe.fail_after(k, "out of memory");
            (0..3).for_each(|_| training.step());
            assert_eq!(
                probe.calls().len() - uploads,
                k + 1,
                "{name}: the device was touched after {primitive}"
            );
            let error = handle.sync().expect_err("the first reader is told");
            assert_eq!((error.reason.as_str(), error.shapes.is_empty()), ("out of memory", false));
            if primitive.ends_with("_step") {
                assert_eq!(error.op, *primitive);
            }
            let weight = training.params.get(training.params.find("weight").expect("it is there"));
            assert_eq!(weight.shape(), [3, 5]);
            assert_eq!(weight.to_host().expect_err("so is the next"), error);
        }
    }
}
