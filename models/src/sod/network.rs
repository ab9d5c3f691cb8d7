//! The choice of a network, behind one interface.

use super::{MutualConfig, MutualSod, SodOutput, TinyConfig, TinySod};
use crate::trunk::TrunkKind;
use autograd::{Ctx, Real, Scope, Var};
use cda::{ConfigError, Fusion, MutualFormerBlock, Path};
use serde::{Deserialize, Serialize};

/// The networks there are, by name, with their options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name")]
pub enum SodConfig {
    /// [`TinySod`].
    #[serde(rename = "tiny")]
    Tiny(TinyConfig),
    /// [`MutualSod`] on ResNet-50.
    #[serde(rename = "mutualformer-resnet50")]
    MutualResNet50(MutualConfig),
    /// [`MutualSod`] on MobileNetV2.
    #[serde(rename = "mutualformer-mobilenetv2")]
    MutualMobileNetV2(MutualConfig),
}

impl SodConfig {
    /// How the two modalities are mixed.
    pub fn fusion(&self) -> Fusion {
        let (kind, cda) = match self {
            SodConfig::Tiny(config) => (config.fusion, config.cda),
            SodConfig::MutualResNet50(config) | SodConfig::MutualMobileNetV2(config) => {
                (config.fusion, config.cda)
            }
        };
        Fusion { kind, cda }
    }

    /// Dropout on the cross-affinities.
    pub fn attn_drop(&self) -> f64 {
        match self {
            SodConfig::Tiny(config) => config.attn_drop,
            SodConfig::MutualResNet50(config) | SodConfig::MutualMobileNetV2(config) => config.attn_drop,
        }
    }

    /// With N×N matrices or without.
    pub fn path(&self) -> Path {
        match self {
            SodConfig::Tiny(config) => config.path,
            SodConfig::MutualResNet50(config) | SodConfig::MutualMobileNetV2(config) => config.path,
        }
    }

    /// The trunk under both modalities, if there is one.
    pub fn trunk(&self) -> Option<TrunkKind> {
        match self {
            SodConfig::Tiny(_) => None,
            SodConfig::MutualResNet50(_) => Some(TrunkKind::ResNet50),
            SodConfig::MutualMobileNetV2(_) => Some(TrunkKind::MobileNetV2),
        }
    }

    /// What both sides of a picture must be divisible by.
    pub fn divisor(&self) -> usize {
        match self {
            SodConfig::Tiny(_) => 16,
            SodConfig::MutualResNet50(_) | SodConfig::MutualMobileNetV2(_) => 32,
        }
    }
}

/// One of the networks.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a process holds one or two")]
pub enum SodNetwork {
    /// See [`TinySod`].
    Tiny(TinySod),
    /// See [`MutualSod`].
    Mutual(MutualSod),
}

impl SodNetwork {
    /// Creates the network's parameters.
    ///
    /// # Errors
    /// Options of the diffusion that mean nothing, and heads that do not divide the channels.
    pub fn new<T: Real>(scope: &mut Scope<T>, config: &SodConfig) -> Result<SodNetwork, ConfigError> {
        let (trunk, config) = match config {
            SodConfig::Tiny(config) => return Ok(SodNetwork::Tiny(TinySod::new(scope, config)?)),
            SodConfig::MutualResNet50(config) => (TrunkKind::ResNet50, config),
            SodConfig::MutualMobileNetV2(config) => (TrunkKind::MobileNetV2, config),
        };
        Ok(SodNetwork::Mutual(MutualSod::new(scope, trunk, config)?))
    }

    /// The same network, which in training computes activations twice instead of keeping them, if `on`.
    pub fn with_checkpointing(self, on: bool) -> SodNetwork {
        match self {
            SodNetwork::Tiny(net) => SodNetwork::Tiny(net.with_checkpointing(on)),
            SodNetwork::Mutual(net) => SodNetwork::Mutual(net.with_checkpointing(on)),
        }
    }

    /// Normalised RGB `[B, 3, H, W]` and depth `[B, 1, H, W]` to logits; see [`SodConfig::divisor`].
    #[track_caller]
    pub fn forward<T: Real>(&self, ctx: &Ctx<T>, rgb: &Var<T>, depth: &Var<T>) -> SodOutput<T> {
        match self {
            SodNetwork::Tiny(net) => net.forward(ctx, rgb, depth),
            SodNetwork::Mutual(net) => net.forward(ctx, rgb, depth),
        }
    }

    /// The first block of level `level` of [`SodOutput::levels`].
    #[track_caller]
    pub fn block(&self, level: usize) -> &MutualFormerBlock {
        &self.blocks(level)[0]
    }

    /// The blocks of level `level` of [`SodOutput::levels`], at least one, in their order; all get to see the same tokens.
    #[track_caller]
    pub fn blocks(&self, level: usize) -> &[MutualFormerBlock] {
        match self {
            SodNetwork::Tiny(net) => net.blocks(level),
            SodNetwork::Mutual(net) => net.blocks(level),
        }
    }
}
