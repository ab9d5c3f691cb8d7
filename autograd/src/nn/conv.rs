//! Convolution layers.

use crate::ops::ConvOptions;
use crate::{Ctx, Init, ParamId, Real, Scope, Var};

/// Cross-correlation of pictures. PyTorch equivalent: `nn.Conv2d`.
#[derive(Clone, Debug)]
pub struct Conv2d {
    /// Kernels `[out, in/groups, kh, kw]`.
    pub weight: ParamId,
    /// One value per output channel, `[out]`.
    pub bias: Option<ParamId>,
    /// Stride, padding, dilation, groups.
    pub options: ConvOptions,
}

impl Conv2d {
    /// Kernels and bias uniform in ±1/√fan_in with fan_in = in/groups·kh·kw, PyTorch's default.
    #[track_caller]
    pub fn new<T: Real>(
        scope: &mut Scope<T>,
        inputs: usize,
        outputs: usize,
        kernel: [usize; 2],
        options: ConvOptions,
        bias: bool,
    ) -> Conv2d {
        let shape = kernel_shape(inputs, outputs, kernel, options.groups);
        let init = Init::default_uniform(shape[1..].iter().product());
        Conv2d {
            weight: scope.param("weight", &shape, init),
            bias: bias.then(|| scope.param("bias", &[outputs], init)),
            options,
        }
    }

    /// Kernels from `init`, bias zero.
    #[track_caller]
    pub fn with_init<T: Real>(
        scope: &mut Scope<T>,
        inputs: usize,
        outputs: usize,
        kernel: [usize; 2],
        options: ConvOptions,
        bias: bool,
        init: Init,
    ) -> Conv2d {
        let shape = kernel_shape(inputs, outputs, kernel, options.groups);
        Conv2d {
            weight: scope.param("weight", &shape, init),
            bias: bias.then(|| scope.param("bias", &[outputs], Init::Constant(0.0))),
            options,
        }
    }

    /// `[B, in, H, W]` to `[B, out, H', W']` with H' = ⌊(H + 2·padding − dilation·(kh − 1) − 1)/stride⌋ + 1.
    #[track_caller]
    pub fn forward<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>) -> Var<T> {
        let bias = self.bias.map(|bias| ctx.param(bias));
        x.conv2d(&ctx.param(self.weight), bias.as_ref(), self.options)
    }
}

/// The transpose of a convolution, which enlarges pictures. PyTorch equivalent: `nn.ConvTranspose2d`.
#[derive(Clone, Debug)]
pub struct ConvTranspose2d {
    /// Kernels `[in, out/groups, kh, kw]`.
    pub weight: ParamId,
    /// One value per output channel, `[out]`.
    pub bias: Option<ParamId>,
    /// Stride, padding, dilation, groups of the convolution it transposes.
    pub options: ConvOptions,
    /// Rows and columns added at the lower right, where a stride leaves the output size open.
    pub output_padding: [usize; 2],
}

impl ConvTranspose2d {
    /// Kernels and bias uniform in ±1/√(out/groups·kh·kw), PyTorch's default.
    #[track_caller]
    pub fn new<T: Real>(
        scope: &mut Scope<T>,
        inputs: usize,
        outputs: usize,
        kernel: [usize; 2],
        options: ConvOptions,
        bias: bool,
    ) -> ConvTranspose2d {
        let shape = kernel_shape(outputs, inputs, kernel, options.groups);
        let init = Init::default_uniform(shape[1..].iter().product());
        ConvTranspose2d {
            weight: scope.param("weight", &shape, init),
            bias: bias.then(|| scope.param("bias", &[outputs], init)),
            options,
            output_padding: [0, 0],
        }
    }

    /// `[B, in, H, W]` to `[B, out, H', W']` with H' = (H − 1)·stride − 2·padding + dilation·(kh − 1) + output_padding + 1.
    #[track_caller]
    pub fn forward<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>) -> Var<T> {
        let bias = self.bias.map(|bias| ctx.param(bias));
        x.conv_transpose2d(&ctx.param(self.weight), bias.as_ref(), self.options, self.output_padding)
    }
}

/// `[to, from/groups, kh, kw]`.
#[track_caller]
fn kernel_shape(from: usize, to: usize, kernel: [usize; 2], groups: usize) -> [usize; 4] {
    assert!(
        groups > 0 && from.is_multiple_of(groups) && to.is_multiple_of(groups),
        "convolution: {groups} groups do not divide {from} and {to} channels"
    );
    [to, from / groups, kernel[0], kernel[1]]
}
