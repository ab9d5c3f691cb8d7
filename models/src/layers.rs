//! Pieces that several networks share.

use autograd::nn::{BatchNorm2d, Conv2d};
use autograd::ops::conv::ConvOptions;
use autograd::{Ctx, Init, Real, Scope, Var};

/// Convolution without bias, batch norm, ReLU.
#[derive(Clone, Debug)]
pub struct ConvBnRelu {
    conv: Conv2d,
    bn: BatchNorm2d,
}

impl ConvBnRelu {
    /// A square kernel with "same" padding for stride 1; parameters `conv.*` and `bn.*`.
    pub fn new<T: Real>(
        scope: &mut Scope<T>,
        input: usize,
        output: usize,
        kernel: usize,
        stride: usize,
    ) -> Self {
        let options = ConvOptions { stride: [stride; 2], padding: [kernel / 2; 2], ..ConvOptions::default() };
        let init = Init::kaiming_normal(input * kernel * kernel);
        let conv =
            Conv2d::with_init(&mut scope.sub("conv"), input, output, [kernel; 2], options, false, init);
        ConvBnRelu { conv, bn: BatchNorm2d::new(&mut scope.sub("bn"), output) }
    }

    /// `[B, in, H, W]` to `[B, out, ⌈H/stride⌉, ⌈W/stride⌉]`.
    pub fn forward<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>) -> Var<T> {
        self.bn.forward(ctx, &self.conv.forward(ctx, x)).relu()
    }
}
