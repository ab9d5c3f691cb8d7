//! Pieces that several networks share.

use autograd::nn::{BatchNorm2d, Conv2d};
use autograd::ops::conv::ConvOptions;
use autograd::{Ctx, Init, Real, Scope, Var};

/// What follows a batch norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing: a sum comes next.
    None,
    /// max(x, 0).
    Relu,
    /// min(max(x, 0), 6). PyTorch equivalent: `nn.ReLU6`.
    Relu6,
}

/// Which size of a kernel the standard deviation of its initial values √(2/fan) keeps constant: that of the forward
/// pass (in: in/groups·k²) or that of the backward pass (out: out·k²).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fan {
    /// PyTorch equivalent: `kaiming_normal_(mode='fan_in')`.
    In,
    /// PyTorch equivalent: `kaiming_normal_(mode='fan_out')`; torchvision's networks.
    Out,
}

/// A square convolution with "same" padding for stride 1, and what follows it.
#[derive(Clone, Copy, Debug)]
pub struct ConvSpec {
    /// Channels in.
    pub input: usize,
    /// Channels out.
    pub output: usize,
    /// Side of the kernel, odd.
    pub kernel: usize,
    /// Step between output pixels.
    pub stride: usize,
    /// Groups of channels that do not mix; as many as channels: a depthwise convolution.
    pub groups: usize,
    /// A bias, which the batch norm takes out again; there only where published weights have it.
    pub bias: bool,
    /// How the kernels start.
    pub fan: Fan,
    /// What follows the batch norm.
    pub activation: Activation,
}

impl ConvSpec {
    /// Stride 1, one group, no bias, fan in, ReLU.
    pub fn new(input: usize, output: usize, kernel: usize) -> ConvSpec {
        let (stride, groups, bias, fan, activation) = (1, 1, false, Fan::In, Activation::Relu);
        ConvSpec { input, output, kernel, stride, groups, bias, fan, activation }
    }
}

/// Convolution, batch norm, activation. Equivalent: torchvision's `Conv2dNormActivation`.
#[derive(Clone, Debug)]
pub struct ConvBn {
    conv: Conv2d,
    bn: BatchNorm2d,
    activation: Activation,
}

impl ConvBn {
    /// The two layers' parameters under the given names: published networks disagree about them.
    pub fn new<T: Real>(scope: &mut Scope<T>, [conv, bn]: [&str; 2], spec: ConvSpec) -> ConvBn {
        let ConvSpec { input, output, kernel, stride, groups, bias, fan, activation } = spec;
        let padding = [kernel / 2; 2];
        let options = ConvOptions { stride: [stride; 2], padding, groups, ..ConvOptions::default() };
        let fan = kernel * kernel * if fan == Fan::In { input / groups } else { output };
        let init = Init::kaiming_normal(fan);
        let conv = Conv2d::with_init(&mut scope.sub(conv), input, output, [kernel; 2], options, bias, init);
        ConvBn { conv, bn: BatchNorm2d::new(&mut scope.sub(bn), output), activation }
    }

    /// The same layer, its batch norm `frozen` (it uses the running statistics in training too and leaves them alone) or
    /// giving a new batch a share of `momentum` in them.
    pub fn with_norm(mut self, frozen: bool, momentum: f64) -> ConvBn {
        (self.bn.frozen, self.bn.momentum) = (frozen, momentum);
        self
    }

    /// `[B, in, H, W]` to `[B, out, ⌈H/stride⌉, ⌈W/stride⌉]`.
    pub fn forward<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>) -> Var<T> {
        let x = self.conv.forward(ctx, x);
        match self.activation {
            Activation::None => self.bn.forward(ctx, &x),
            Activation::Relu => self.bn.forward_relu(ctx, &x),
            Activation::Relu6 => self.bn.forward(ctx, &x).clamp(0.0, 6.0),
        }
    }
}

/// Features `[B, input, H, W]` to logits `[B, 1, H, W]`: a 3×3 convolution.
pub fn head<T: Real>(scope: &mut Scope<T>, input: usize) -> Conv2d {
    let options = ConvOptions { padding: [1, 1], ..ConvOptions::default() };
    Conv2d::with_init(scope, input, 1, [3, 3], options, true, Init::kaiming_normal(9 * input))
}

/// `f`, its activations kept or, under `checkpointing`, computed again in the backward pass.
/// Inputs and result have whatever shapes `f` has. PyTorch equivalent: `torch.utils.checkpoint.checkpoint(f, *inputs)`.
pub fn stage<T: Real>(
    ctx: &Ctx<T>,
    checkpointing: bool,
    inputs: &[&Var<T>],
    f: impl Fn(&Ctx<T>, &[Var<T>]) -> Var<T> + 'static,
) -> Var<T> {
    if checkpointing {
        return ctx.checkpoint(inputs, f);
    }
    f(ctx, &inputs.iter().map(|&x| x.clone()).collect::<Vec<_>>())
}

/// A layer as a [`stage`] of its own.
pub fn conv_stage<T: Real>(ctx: &Ctx<T>, checkpointing: bool, layer: &ConvBn, x: &Var<T>) -> Var<T> {
    let layer = layer.clone();
    stage(ctx, checkpointing, &[x], move |ctx, x| layer.forward(ctx, &x[0]))
}
