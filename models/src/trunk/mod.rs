//! Trunks: networks made for classification, without their classifiers, that turn a picture into feature maps at four
//! scales. Parameters have torchvision's names, so its published weights load.

pub mod mobilenet_v2;
pub mod resnet50;

use autograd::checkpoint::{CheckpointError, LoadReport};
use autograd::{Ctx, Params, Real, Scope, TensorFile, Var};

pub use mobilenet_v2::MobileNetV2;
pub use resnet50::{ResNet50, ResNetOptions};

/// The trunks a detector can stand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrunkKind {
    /// [`ResNet50`], 23.5 million parameters.
    ResNet50,
    /// [`MobileNetV2`], 1.8 million parameters.
    MobileNetV2,
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
        match kind {
            TrunkKind::ResNet50 => {
                let options = ResNetOptions { frozen_norms, ..ResNetOptions::default() };
                Trunk::ResNet50(ResNet50::new(scope, options))
            }
            TrunkKind::MobileNetV2 => Trunk::MobileNetV2(MobileNetV2::new(scope, frozen_norms)),
        }
    }

    /// A picture `[B, 3, H, W]` to maps `[B, C, H/4, W/4]`, …, `[B, C', H/32, W/32]`, sizes rounded up.
    /// `checkpointing`: in training only what passes between residual blocks is kept.
    pub fn forward<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>, checkpointing: bool) -> [Var<T>; 4] {
        match self {
            Trunk::ResNet50(trunk) => trunk.forward(ctx, x, checkpointing),
            Trunk::MobileNetV2(trunk) => trunk.forward(ctx, x, checkpointing),
        }
    }
}
