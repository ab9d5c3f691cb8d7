//! ResNet-50 (He et al. 2016) in torchvision's form, which strides on the 3×3 convolution.
//!
//! ```text
//! conv 7×7/2 -> max-pool 3×3/2 -> 3 bottlenecks  [256]  /4
//!                              -> 4 bottlenecks  [512]  /8
//!                              -> 6 bottlenecks  [1024] /16
//!                              -> 3 bottlenecks  [2048] /32
//! bottleneck: relu(x + 1×1(3×3(1×1(x)))), a batch norm after every convolution
//! ```

use super::TrunkOptions;
use crate::layers::{Activation, ConvBn, ConvSpec, Fan, conv_stage, stage};
use autograd::{Ctx, Real, Scope, Var};

/// Bottlenecks of the four stages.
const BLOCKS: [usize; 4] = [3, 4, 6, 3];

/// Channels inside the bottlenecks of the four stages; four times as many come out.
const WIDTHS: [usize; 4] = [64, 128, 256, 512];

/// 23,508,032 parameters. PyTorch equivalent: `torchvision.models.resnet50()` without `avgpool` and `fc`.
#[derive(Clone, Debug)]
pub struct ResNet50 {
    stem: ConvBn,
    stages: [Vec<Bottleneck>; 4],
}

/// 1×1 to a quarter of the channels, 3×3, 1×1 back.
#[derive(Clone, Debug)]
struct Bottleneck {
    reduce: ConvBn,
    spatial: ConvBn,
    expand: ConvBn,
    /// Brings the input to the output's shape where the two differ: in the first bottleneck of a stage.
    shortcut: Option<ConvBn>,
}

impl ResNet50 {
    /// Channels of the maps at strides 4, 8, 16 and 32.
    pub const CHANNELS: [usize; 4] = [256, 512, 1024, 2048];

    /// Kaiming's normal distribution over fan out for kernels; batch norms start at 1 and 0.
    pub fn new<T: Real>(scope: &mut Scope<T>, options: &TrunkOptions) -> ResNet50 {
        let activation = if options.stem_relu { Activation::Relu } else { Activation::None };
        let stem = ConvSpec { stride: 2, fan: Fan::Out, activation, ..ConvSpec::new(3, 64, 7) };
        let stem = options.apply(ConvBn::new(scope, ["conv1", "bn1"], stem));
        let strides = [1, 2, 2, options.last_stride];
        let mut input = 64;
        let stages = [0, 1, 2, 3].map(|i| {
            let mut scope = scope.sub(format!("layer{}", i + 1));
            let blocks = (0..BLOCKS[i]).map(|j| {
                let stride = if j == 0 { strides[i] } else { 1 };
                let from = std::mem::replace(&mut input, 4 * WIDTHS[i]);
                Bottleneck::new(&mut scope.sub(j), from, WIDTHS[i], stride, options)
            });
            blocks.collect()
        });
        ResNet50 { stem, stages }
    }

    /// `[B, 3, H, W]` to the four stages' outputs: 256, 512, 1024 and 2048 channels at strides 4, 8, 16 and 32 (16 if
    /// the last stride is 1).
    pub fn forward<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>, checkpointing: bool) -> [Var<T>; 4] {
        let mut x = conv_stage(ctx, checkpointing, &self.stem, x).max_pool2d([3, 3], [2, 2], [1, 1]);
        self.stages.each_ref().map(|blocks| {
            for block in blocks {
                let block = block.clone();
                x = stage(ctx, checkpointing, &[&x], move |ctx, x| block.forward(ctx, &x[0]));
            }
            x.clone()
        })
    }
}

impl Bottleneck {
    fn new<T: Real>(
        scope: &mut Scope<T>,
        input: usize,
        width: usize,
        stride: usize,
        options: &TrunkOptions,
    ) -> Bottleneck {
        let output = 4 * width;
        let conv = |scope: &mut Scope<T>, names, spec: ConvSpec| {
            options.apply(ConvBn::new(scope, names, ConvSpec { fan: Fan::Out, ..spec }))
        };
        let linear = |spec: ConvSpec| ConvSpec { activation: Activation::None, ..spec };
        let reduce = conv(scope, ["conv1", "bn1"], ConvSpec::new(input, width, 1));
        let spatial = conv(scope, ["conv2", "bn2"], ConvSpec { stride, ..ConvSpec::new(width, width, 3) });
        let expand = conv(scope, ["conv3", "bn3"], linear(ConvSpec::new(width, output, 1)));
        let shortcut = (stride != 1 || input != output).then(|| {
            let spec = linear(ConvSpec { stride, ..ConvSpec::new(input, output, 1) });
            conv(&mut scope.sub("downsample"), ["0", "1"], spec)
        });
        Bottleneck { reduce, spatial, expand, shortcut }
    }

    /// `[B, in, H, W]` to `[B, 4·width, ⌈H/stride⌉, ⌈W/stride⌉]`.
    fn forward<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>) -> Var<T> {
        let inner = self.spatial.forward(ctx, &self.reduce.forward(ctx, x));
        let y = self.expand.forward(ctx, &inner);
        let x = self.shortcut.as_ref().map_or_else(|| x.clone(), |shortcut| shortcut.forward(ctx, x));
        y.add(&x).relu()
    }
}
