//! MobileNetV2 (Sandler et al. 2018) of width 1 in torchvision's form.
//!
//! ```text
//! layer of `features`      0    1    2–3  4–6  7–10  11–13  14–16  17
//! channels out             32   16   24   32   64    96     160    320
//! stride of the map        2    2    4    8    16    16     32     32
//! returned                           3    6          13            17
//! inverted residual: x + 1×1(3×3 depthwise(1×1 to six times the channels)), ReLU6 inside, nothing at the end
//! ```
//!
//! The last map of every scale is returned. Layer 18, a 1×1 convolution from 320 to 1280 channels, is left out: it
//! prepares the classifier that follows it and sees no neighbours; a detector squeezes its maps to few channels at once,
//! and one more product before that would cost 412,160 parameters.

use super::TrunkOptions;
use crate::layers::{Activation, ConvBn, ConvSpec, Fan, conv_stage, stage};
use autograd::{Ctx, Real, Scope, Var};

/// (expansion, channels out, repetitions, stride of the first) of the inverted residuals, as in the paper's Table 2.
const BLOCKS: [(usize, usize, usize, usize); 7] = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
];

/// The layers of `features` whose outputs are returned.
const RETURNED: [usize; 4] = [3, 6, 13, 17];

/// 1,811,712 parameters. PyTorch equivalent: `torchvision.models.mobilenet_v2().features[:18]`.
#[derive(Clone, Debug)]
pub struct MobileNetV2 {
    stem: ConvBn,
    blocks: Vec<InvertedResidual>,
}

/// Widen, filter every channel by itself, narrow; the narrow ends are connected.
#[derive(Clone, Debug)]
struct InvertedResidual {
    /// Absent where the expansion is 1.
    expand: Option<ConvBn>,
    depthwise: ConvBn,
    project: ConvBn,
    /// Whether input and output have the same shape and are added.
    residual: bool,
}

impl MobileNetV2 {
    /// Channels of the maps at strides 4, 8, 16 and 32.
    pub const CHANNELS: [usize; 4] = [24, 32, 96, 320];

    /// Kaiming's normal distribution over fan out for kernels; batch norms start at 1 and 0. `last_stride` is that of the
    /// stage with 160 channels.
    pub fn new<T: Real>(scope: &mut Scope<T>, options: &TrunkOptions) -> MobileNetV2 {
        let mut scope = scope.sub("features");
        let spec =
            ConvSpec { stride: 2, fan: Fan::Out, activation: Activation::Relu6, ..ConvSpec::new(3, 32, 3) };
        let stem = options.apply(ConvBn::new(&mut scope.sub(0), ["0", "1"], spec));
        let mut blocks = Vec::new();
        let mut input = 32;
        for (expansion, output, repetitions, stride) in BLOCKS {
            let stride = if output == 160 { options.last_stride } else { stride };
            for repetition in 0..repetitions {
                let stride = if repetition == 0 { stride } else { 1 };
                let mut scope = scope.sub(format!("{}.conv", blocks.len() + 1));
                let shape = Shape { input, output, expansion, stride };
                blocks.push(InvertedResidual::new(&mut scope, &shape, options));
                input = output;
            }
        }
        MobileNetV2 { stem, blocks }
    }

    /// `[B, 3, H, W]` to 24, 32, 96 and 320 channels at strides 4, 8, 16 and 32 (16 if the last stride is 1).
    pub fn forward<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>, checkpointing: bool) -> [Var<T>; 4] {
        let mut layers = vec![conv_stage(ctx, checkpointing, &self.stem, x)];
        for block in &self.blocks {
            let (block, x) = (block.clone(), layers.last().expect("the stem's output"));
            layers.push(stage(ctx, checkpointing, &[x], move |ctx, x| block.forward(ctx, &x[0])));
        }
        RETURNED.map(|i| layers[i].clone())
    }
}

/// What an inverted residual is made for.
struct Shape {
    input: usize,
    output: usize,
    expansion: usize,
    stride: usize,
}

impl InvertedResidual {
    fn new<T: Real>(scope: &mut Scope<T>, shape: &Shape, options: &TrunkOptions) -> InvertedResidual {
        let &Shape { input, output, expansion, stride } = shape;
        let wide = expansion * input;
        // `conv` is a sequence; each of its first layers is a sequence of convolution and batch norm again.
        let mut position = 0;
        let mut inner = |spec: ConvSpec| {
            let spec = ConvSpec { fan: Fan::Out, activation: Activation::Relu6, ..spec };
            let layer = options.apply(ConvBn::new(&mut scope.sub(position), ["0", "1"], spec));
            position += 1;
            layer
        };
        let expand = (expansion != 1).then(|| inner(ConvSpec::new(input, wide, 1)));
        let depthwise = inner(ConvSpec { stride, groups: wide, ..ConvSpec::new(wide, wide, 3) });
        let spec = ConvSpec { fan: Fan::Out, activation: Activation::None, ..ConvSpec::new(wide, output, 1) };
        let names = [position.to_string(), (position + 1).to_string()];
        let project = options.apply(ConvBn::new(scope, [&names[0], &names[1]], spec));
        InvertedResidual { expand, depthwise, project, residual: stride == 1 && input == output }
    }

    /// `[B, in, H, W]` to `[B, out, ⌈H/stride⌉, ⌈W/stride⌉]`.
    fn forward<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>) -> Var<T> {
        let wide = self.expand.as_ref().map_or_else(|| x.clone(), |expand| expand.forward(ctx, x));
        let y = self.project.forward(ctx, &self.depthwise.forward(ctx, &wide));
        if self.residual { x.add(&y) } else { y }
    }
}
