//! The small detector on a device: training steps there equal training steps on the host, and a step reads back nothing
//! but its loss.

use crate::device::Subject;
use autograd::device::DeviceHandle;
use autograd::optim::Optimizer;
use autograd::random::Key;
use autograd::{Ctx, Params, Tensor, Var};
use models::{TinyConfig, TinySod};
use tests::ref_device::RefDevice;
use train::losses::{LossConfig, detection_loss};

const SIZE: usize = 32;

fn config() -> TinyConfig {
    TinyConfig { widths: [4, 4, 8, 8], decoder: 4, num_heads: 2, attn_drop: 0.2, ..TinyConfig::default() }
}

/// RGB, depth and a truth of two stripes, two pictures each.
fn batch() -> [Tensor; 3] {
    let key = Key::default();
    let truth = Tensor::from_fn(&[2, 1, SIZE, SIZE], |e| if e / 8 % 4 == 1 { 1.0 } else { 0.0 });
    [Tensor::randn(&[2, 3, SIZE, SIZE], key, 0), Tensor::randn(&[2, 1, SIZE, SIZE], key, 1), truth]
}

/// Losses of `steps` AdamW steps, and the weights after them.
fn train(mut params: Params, net: &TinySod, batch: &[Tensor; 3], steps: u64) -> (Vec<f32>, Params) {
    let mut optimizer = Optimizer::adamw([0.9, 0.999], 1e-8, 0.01);
    let losses = (0..steps).map(|step| {
        let ctx = Ctx::train(&params, Key { step, ..Key::default() });
        let [rgb, depth, truth] = batch.each_ref().map(|x| Var::constant(x.clone()));
        let loss = detection_loss(&net.forward(&ctx, &rgb, &depth), &truth, &LossConfig::default());
        let grads = loss.backward();
        params.apply(ctx.finish());
        optimizer.step(&mut params, &grads, 1e-2);
        loss.value().item().expect("the device works")
    });
    let losses = losses.collect();
    (losses, params)
}

#[test]
fn training_on_a_device_equals_training_on_the_host() {
    let device = RefDevice::new();
    let probe = device.probe();
    let handle = DeviceHandle::new(device);
    compare_training(&Subject { handle, downloads: Box::new(move || probe.count("download")) });
}

/// Four steps of the small detector on the device and on the host.
pub fn compare_training(subject: &Subject) {
    let (params, net) = Params::build(3, |scope| TinySod::new(scope, &config()));
    let net = net.unwrap();
    let there = batch().map(|x| x.to_device(&subject.handle).unwrap());
    let params_there = params.to_device(&subject.handle).unwrap();

    let (here, here_after) = train(params, &net, &batch(), 4);
    let before = (subject.downloads)();
    let (found, found_after) = train(params_there, &net, &there, 4);
    assert_eq!((subject.downloads)() - before, 4, "a step reads its loss and nothing else");
    assert!(here[3] < here[0], "the loss falls: {here:?}");
    for (step, (a, b)) in here.iter().zip(&found).enumerate() {
        // Different orders of summation in f32, through batch norms over few values and four AdamW steps.
        assert!((a - b).abs() <= 1e-4 * a.abs(), "step {step}: {a} on the host, {b} on the device");
    }
    let id = here_after.find("mutual8.block.attn.qkv_r.weight").unwrap();
    let (a, b) = (here_after.get(id), found_after.get(id).to_host().unwrap());
    let difference = a.as_slice().iter().zip(b.as_slice()).fold(0f32, |max, (a, b)| max.max((a - b).abs()));
    // AdamW moves every weight by about lr in each step whatever its gradient's size, so a gradient that is rounding
    // noise may go either way: weights are compared with the four steps' length, losses above with 1e-4.
    assert!(difference < 4e-2, "weights differ by {difference}");
}
