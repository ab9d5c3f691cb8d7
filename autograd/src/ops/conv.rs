//! Convolutions.

use crate::device::{Conv2dGeometry, Reduce};
use crate::real::Real;
use crate::tape::{Var, record};

/// Options of a convolution, per axis (height, width).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvOptions {
    /// Step between windows.
    pub stride: [usize; 2],
    /// Zeros on each side.
    pub padding: [usize; 2],
    /// Step inside a window.
    pub dilation: [usize; 2],
    /// Channel groups.
    pub groups: usize,
}

impl Default for ConvOptions {
    fn default() -> ConvOptions {
        ConvOptions { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 }
    }
}

impl<T: Real> Var<T> {
    /// Cross-correlation: `[B, in, H, W]` with weights `[out, in/groups, kh, kw]` and bias `[out]`.
    /// PyTorch equivalent: `F.conv2d`.
    #[track_caller]
    pub fn conv2d(&self, weight: &Var<T>, bias: Option<&Var<T>>, options: ConvOptions) -> Var<T> {
        let g = geometry(self.shape(), weight.shape(), options);
        let (x, w) = (self.value().clone(), weight.value().clone());
        let y = record("conv2d", x.conv2d_raw(&g, &w), &[self, weight], move |dy, sink| {
            sink.add(0, || dy.conv2d_dx(&g, &w));
            sink.add(1, || x.conv2d_dw(&g, dy));
        });
        add_channel_bias("conv2d", y, bias)
    }

    /// The transpose of [`Var::conv2d`] (its gradient with respect to the input): `[B, in, H, W]` with weights
    /// `[in, out/groups, kh, kw]` to `[B, out, H', W']` with
    /// H' = (H − 1)·stride − 2·padding + dilation·(kh − 1) + output_padding + 1. The output padding, less than the
    /// stride, adds rows and columns at the lower right. PyTorch equivalent: `F.conv_transpose2d`.
    #[track_caller]
    pub fn conv_transpose2d(
        &self,
        weight: &Var<T>,
        bias: Option<&Var<T>>,
        options: ConvOptions,
        output_padding: [usize; 2],
    ) -> Var<T> {
        let (x, w) = (self.shape(), weight.shape());
        assert!(
            x.len() == 4 && w.len() == 4 && x[1] == w[0],
            "conv_transpose2d: input {x:?} and weight {w:?} must be [B, in, H, W] and [in, out/groups, kh, kw]"
        );
        let ConvOptions { stride, padding, dilation, groups } = options;
        assert!(
            groups > 0 && w[0].is_multiple_of(groups),
            "conv_transpose2d: {groups} groups do not divide the {} input channels",
            w[0]
        );
        assert_steps("conv_transpose2d", w, options);
        assert!(x[2] * x[3] > 0, "conv_transpose2d: the pictures of {x:?} are empty");
        let full =
            [0, 1].map(|i| (x[2 + i] - 1) * stride[i] + dilation[i] * (w[2 + i] - 1) + 1 + output_padding[i]);
        assert!(
            full[0] > 2 * padding[0] && full[1] > 2 * padding[1],
            "conv_transpose2d: padding {padding:?} leaves nothing of {full:?} pixels"
        );
        let input = [0, 1].map(|i| full[i] - 2 * padding[i]);
        let g = Conv2dGeometry {
            batch: x[0],
            in_channels: w[1] * groups,
            out_channels: w[0],
            input,
            kernel: [w[2], w[3]],
            stride,
            padding,
            dilation,
            groups,
        };
        assert!(
            g.output() == [x[2], x[3]],
            "conv_transpose2d: output_padding {output_padding:?} must be smaller than the stride"
        );
        let (x, w) = (self.value().clone(), weight.value().clone());
        let y = record("conv_transpose2d", x.conv2d_dx(&g, &w), &[self, weight], move |dy, sink| {
            sink.add(0, || dy.conv2d_raw(&g, &w));
            sink.add(1, || dy.conv2d_dw(&g, &x));
        });
        add_channel_bias("conv_transpose2d", y, bias)
    }
}

/// y + b, b `[C]` over `[B, C, H, W]`; db = Σ dy over pictures and pixels.
#[track_caller]
fn add_channel_bias<T: Real>(op: &str, y: Var<T>, bias: Option<&Var<T>>) -> Var<T> {
    let Some(bias) = bias else { return y };
    let channels = y.shape()[1];
    assert!(
        bias.shape() == [channels],
        "{op}: the bias has shape {:?}, but there are {channels} output channels",
        bias.shape()
    );
    let sum = y.value().add(&bias.value().with_shape(&[channels, 1, 1]));
    record("channel_bias", sum, &[&y, bias], move |dy, sink| {
        sink.add(0, || dy.clone());
        sink.add(1, || dy.reduce(Reduce::Sum, &[0, 2, 3]).with_shape(&[channels]));
    })
}

/// Panics where a kernel is empty or a window does not move.
#[track_caller]
fn assert_steps(op: &str, w: &[usize], options: ConvOptions) {
    let ConvOptions { stride, dilation, .. } = options;
    assert!(
        w[2] * w[3] > 0 && stride[0] * stride[1] > 0 && dilation[0] * dilation[1] > 0,
        "{op}: the kernel of weight {w:?}, stride {stride:?} and dilation {dilation:?} must not be 0"
    );
}

#[track_caller]
fn geometry(x: &[usize], w: &[usize], options: ConvOptions) -> Conv2dGeometry {
    let ConvOptions { stride, padding, dilation, groups } = options;
    assert!(
        x.len() == 4 && w.len() == 4,
        "conv2d: input {x:?} and weight {w:?} must be [B, in, H, W] and [out, in/groups, kh, kw]"
    );
    assert!(
        groups > 0 && x[1] == w[1] * groups && w[0].is_multiple_of(groups),
        "conv2d: input {x:?} and weight {w:?} do not fit in {groups} groups"
    );
    assert_steps("conv2d", w, options);
    assert!(
        [&x[1..], w].concat().iter().all(|&size| size > 0),
        "conv2d: input {x:?} or weight {w:?} has an empty axis; only the batch may be empty"
    );
    for i in [0, 1] {
        let span = dilation[i] * (w[2 + i] - 1) + 1;
        assert!(
            x[2 + i] + 2 * padding[i] >= span,
            "conv2d: a kernel spanning {span} does not fit {} pixels with padding {}",
            x[2 + i],
            padding[i]
        );
    }
    Conv2dGeometry {
        batch: x[0],
        in_channels: x[1],
        out_channels: w[0],
        input: [x[2], x[3]],
        kernel: [w[2], w[3]],
        stride,
        padding,
        dilation,
        groups,
    }
}
