//! The fast convolutions against the plain ones, gradients included.

use super::{device, download, noise, upload};
use crate::convolution::Conv;
use crate::gpu::Gpu;
use autograd::device::Conv2dGeometry;

const SQUARE: Conv2dGeometry = Conv2dGeometry {
    batch: 2,
    in_channels: 18,
    out_channels: 20,
    input: [9, 11],
    kernel: [3, 3],
    stride: [1, 1],
    padding: [1, 1],
    dilation: [1, 1],
    groups: 1,
};

/// A group for every input channel, two output channels each.
const SEPARATE: Conv2dGeometry = Conv2dGeometry { in_channels: 5, out_channels: 10, groups: 5, ..SQUARE };

/// Odd sizes, strides, dilations, paddings wider than the kernel, kernels of one pixel and of seven by seven, sums that
/// end inside a tile, and pictures of more than one patch.
fn shapes(base: Conv2dGeometry) -> [Conv2dGeometry; 9] {
    [
        base,
        Conv2dGeometry { kernel: [1, 1], padding: [0, 0], ..base },
        Conv2dGeometry { kernel: [1, 1], padding: [0, 0], stride: [2, 2], ..base },
        Conv2dGeometry { kernel: [7, 7], padding: [3, 3], stride: [2, 2], input: [13, 15], batch: 1, ..base },
        Conv2dGeometry { stride: [2, 3], padding: [0, 2], ..base },
        Conv2dGeometry { dilation: [2, 3], padding: [2, 0], ..base },
        Conv2dGeometry { kernel: [2, 5], padding: [3, 5], ..base },
        Conv2dGeometry { kernel: [9, 11], padding: [0, 0], ..base },
        Conv2dGeometry { batch: 3, input: [16, 17], ..base },
    ]
}

fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0f32, |max, x| max.max(x.abs()));
    assert!(largest > 0.1, "{what}: there is nothing to compare");
    for (e, (a, b)) in found.iter().zip(expected).enumerate() {
        let close = (a - b).abs() < 1e-5 * largest; // a NaN is not
        assert!(close, "{what}: element {e} is {a} instead of {b}");
    }
}

/// The convolution and both gradients by one version, and by the rule.
fn compare(gpu: &Gpu, version: Conv, g: Conv2dGeometry) {
    let [oh, ow] = g.output();
    let x_len = g.batch * g.in_channels * g.input[0] * g.input[1];
    let w_len = g.out_channels * g.in_channels / g.groups * g.kernel[0] * g.kernel[1];
    let lens = [x_len, w_len, g.batch * g.out_channels * oh * ow];
    let [x, w, dy] = [0, 1, 2].map(|i| upload(gpu, &noise(lens[i], i as u32)));
    let all = |version| {
        let y = gpu.conv2d_by(version, &g, &x, &w).unwrap();
        let dx = gpu.conv2d_dx_by(version, &g, &dy, &w).unwrap();
        let dw = gpu.conv2d_dw_by(version, &g, &x, &dy).unwrap();
        [y, dx, dw].map(|block| download(gpu, &block))
    };
    let chosen = [gpu.conv2d(&g, &x, &w), gpu.conv2d_dx(&g, &dy, &w), gpu.conv2d_dw(&g, &x, &dy)];
    let chosen = chosen.map(|block| download(gpu, &block.unwrap()));
    let (plain, fast) = (all(Conv::Plain), all(version));
    for (i, name) in ["y", "dx", "dw"].into_iter().enumerate() {
        assert_close(&format!("{version:?}, {name} of {g:?}"), &fast[i], &plain[i]);
        assert_close(&format!("by the rule, {name} of {g:?}"), &chosen[i], &plain[i]);
    }
}

#[test]
fn convolutions_in_tiles_equal_the_plain_ones() {
    let Some(gpu) = device(true) else { return };
    for g in shapes(SQUARE) {
        compare(&gpu, Conv::Tiled, g);
    }
    let more_than_a_tile = Conv2dGeometry { in_channels: 65, out_channels: 67, input: [5, 4], ..SQUARE };
    compare(&gpu, Conv::Tiled, more_than_a_tile);
    compare(&gpu, Conv::Tiled, Conv2dGeometry { in_channels: 1, out_channels: 1, ..SQUARE });
}

#[test]
fn depthwise_convolutions_equal_the_plain_ones() {
    let Some(gpu) = device(true) else { return };
    for g in shapes(SEPARATE) {
        compare(&gpu, Conv::Depthwise, g);
        compare(&gpu, Conv::Depthwise, Conv2dGeometry { out_channels: 5, ..g });
    }
}

#[test]
fn gradients_of_weights_repeat_their_bits() {
    let Some(gpu) = device(false) else { return };
    for g in [SQUARE, SEPARATE] {
        let g = Conv2dGeometry { batch: 8, input: [24, 24], ..g }; // sums of 4608 terms, in pieces
        let lens = [g.in_channels, g.out_channels].map(|channels| g.batch * channels * 24 * 24);
        let [x, dy] = [0, 1].map(|i| upload(&gpu, &noise(lens[i], i as u32)));
        let run = || download(&gpu, &gpu.conv2d_dw(&g, &x, &dy).unwrap());
        let first = run();
        assert_eq!(first, run());
        let plain = download(&gpu, &gpu.conv2d_dw_by(Conv::Plain, &g, &x, &dy).unwrap());
        assert_close("in pieces", &first, &plain);
    }
}
