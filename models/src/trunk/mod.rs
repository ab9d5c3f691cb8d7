//! Trunks: networks made for classification, without their classifiers, that turn a picture into feature maps at four
//! scales. Parameters have torchvision's names, so its published weights load. [`tiny`] is ours, and starts from nothing.

pub mod mobilenet_v2;
pub mod resnet50;
pub mod tiny;

use crate::layers::ConvBn;
use autograd::checkpoint::{CheckpointError, LoadReport};
use autograd::{Ctx, Params, Real, Scope, TensorFile, Var};

pub use mobilenet_v2::MobileNetV2;
pub use resnet50::ResNet50;
pub use tiny::TinyTrunk;

/// The trunks for which there are published weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrunkKind {
    /// [`ResNet50`], 23.5 million parameters.
    ResNet50,
    /// [`MobileNetV2`], 1.8 million parameters.
    MobileNetV2,
}

/// Options of a trunk; the defaults make torchvision's networks.
#[derive(Clone, Copy, Debug)]
pub struct TrunkOptions {
    /// Stride of the last stage that has one: 2, or 1 for a coarsest map twice as fine, as re-identification uses it.
    pub last_stride: usize,
    /// ResNet-50's ReLU behind the first batch norm, which HAMNet's copy of the network goes without. The other trunks
    /// have their activation there in any case.
    pub stem_relu: bool,
    /// Batch norms use their running statistics in training too, and leave them alone.
    pub frozen_norms: bool,
    /// Share of a new batch in the batch norms' running statistics.
    pub norm_momentum: f64,
}

impl Default for TrunkOptions {
    fn default() -> TrunkOptions {
        TrunkOptions { last_stride: 2, stem_relu: true, frozen_norms: false, norm_momentum: 0.1 }
    }
}

impl TrunkOptions {
    /// The layer with a batch norm as these options have it.
    fn apply(&self, layer: ConvBn) -> ConvBn {
        layer.with_norm(self.frozen_norms, self.norm_momentum)
    }
}

/// One of them.
#[derive(Clone, Debug)]
pub enum Trunk {
    /// See [`ResNet50`].
    ResNet50(ResNet50),
    /// See [`MobileNetV2`].
    MobileNetV2(MobileNetV2),
}

impl TrunkKind {
    /// Channels of the maps at strides 4, 8, 16 and 32.
    pub fn channels(self) -> [usize; 4] {
        match self {
            TrunkKind::ResNet50 => ResNet50::CHANNELS,
            TrunkKind::MobileNetV2 => MobileNetV2::CHANNELS,
        }
    }

    /// Layers of torchvision's network that a trunk goes without.
    fn classifier(self) -> &'static [&'static str] {
        match self {
            TrunkKind::ResNet50 => &["fc."],
            TrunkKind::MobileNetV2 => &["features.18.", "classifier."],
        }
    }

    /// Gives the trunk whose parameters begin with `prefix` (`rgb.trunk.`) torchvision's weights: a file of this network's
    /// state dict, with or without its classifier, which the report lists as unexpected. Anything else that does not fit is
    /// an error that lists it, and nothing is loaded.
    pub fn load<T: Real>(
        self,
        params: &mut Params<T>,
        prefix: &str,
        file: &TensorFile,
    ) -> Result<LoadReport, CheckpointError> {
        params.import_part(prefix, file, self.classifier())
    }
}

impl Trunk {
    /// Creates the parameters; `frozen_norms`: batch norms keep their statistics in training.
    pub fn new<T: Real>(scope: &mut Scope<T>, kind: TrunkKind, frozen_norms: bool) -> Trunk {
        Trunk::with_options(scope, kind, &TrunkOptions { frozen_norms, ..TrunkOptions::default() })
    }

    /// Creates the parameters; options change neither their names nor their shapes.
    pub fn with_options<T: Real>(scope: &mut Scope<T>, kind: TrunkKind, options: &TrunkOptions) -> Trunk {
        match kind {
            TrunkKind::ResNet50 => Trunk::ResNet50(ResNet50::new(scope, options)),
            TrunkKind::MobileNetV2 => Trunk::MobileNetV2(MobileNetV2::new(scope, options)),
        }
    }

    /// A picture `[B, 3, H, W]` to maps `[B, C, H/4, W/4]`, …, `[B, C', H/32, W/32]`, sizes rounded up.
    /// With a last stride of 1 the last map has the size of the one before. `checkpointing`: in training only what passes between residual blocks is kept.
    pub fn forward<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>, checkpointing: bool) -> [Var<T>; 4] {
        match self {
            Trunk::ResNet50(trunk) => trunk.forward(ctx, x, checkpointing),
            Trunk::MobileNetV2(trunk) => trunk.forward(ctx, x, checkpointing),
        }
    }
}
