//! Options of the re-identification networks, with the values of the released code as defaults where there is one.
//!
//! HAMNet (Li et al. 2020, "Multi-spectral vehicle re-identification") is the network whose training code the paper's
//! authors built theirs on. How MutualFormer takes the place of its fusion is a reconstruction.

use crate::trunk::{TrunkKind, TrunkOptions};
use cda::{BlockConfig, CdaConfig, ConfigError, Fusion, FusionKind, Path};
use serde::{Deserialize, Serialize};

/// What turns a picture into a map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReidTrunk {
    /// [`crate::trunk::ResNet50`], 2048 channels: HAMNet's.
    #[default]
    ResNet50,
    /// [`crate::trunk::MobileNetV2`], 320 channels.
    MobileNetV2,
    /// [`crate::trunk::TinyTrunk`], 128 channels: for small pictures, and from random weights.
    Tiny,
}

impl ReidTrunk {
    /// The trunk for which there are published weights, if it is one.
    pub fn kind(self) -> Option<TrunkKind> {
        match self {
            ReidTrunk::ResNet50 => Some(TrunkKind::ResNet50),
            ReidTrunk::MobileNetV2 => Some(TrunkKind::MobileNetV2),
            ReidTrunk::Tiny => None,
        }
    }
}

/// What a camera sees. Every spectrum has a stream of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Spectrum {
    /// Colour.
    Rgb,
    /// Near infrared.
    Nir,
    /// Thermal infrared.
    Tir,
}

impl Spectrum {
    /// Its place among a picture's spectra, as files hold them from left to right.
    pub fn place(self) -> usize {
        match self {
            Spectrum::Rgb => 0,
            Spectrum::Nir => 1,
            Spectrum::Tir => 2,
        }
    }

    /// `rgb`, `nir` or `tir`: the stream's name among the parameters.
    pub fn name(self) -> &'static str {
        match self {
            Spectrum::Rgb => "rgb",
            Spectrum::Nir => "nir",
            Spectrum::Tir => "tir",
        }
    }
}

/// How streams are fused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReidFusion {
    /// The maps' means are added, then normalised and classified: the baseline of baselines.
    Sum,
    /// HAMNet's, by class activation maps; see [`super::cam`].
    Cam,
    /// MutualFormer with [`FusionKind::Cda`]; see [`super::mutual`].
    #[default]
    Cda,
    /// MutualFormer with [`FusionKind::CdaPaper`].
    CdaPaper,
    /// MutualFormer with [`FusionKind::Ca`].
    Ca,
    /// MutualFormer with [`FusionKind::CaCda`].
    #[serde(rename = "ca+cda")]
    CaCda,
}

impl ReidFusion {
    /// What mixes the tokens, if the fusion is MutualFormer's.
    pub fn kind(self) -> Option<FusionKind> {
        match self {
            ReidFusion::Sum | ReidFusion::Cam => None,
            ReidFusion::Cda => Some(FusionKind::Cda),
            ReidFusion::CdaPaper => Some(FusionKind::CdaPaper),
            ReidFusion::Ca => Some(FusionKind::Ca),
            ReidFusion::CaCda => Some(FusionKind::CaCda),
        }
    }
}

/// What is compared when searching. One stream has its own feature v, and CAM fusion its weighted sum Σ w_m·v_m, whatever
/// is said here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReidFeature {
    /// The fused feature v_f alone.
    Fused,
    /// The streams' features and the fused one side by side, \[v_1; …; v_M; v_f\]. All of them come out of a batch norm, so
    /// their channels weigh about the same, and each part by their number: v_f is 768 of 4864 with ResNet-50.
    #[default]
    Concat,
}

/// Options of [`super::ReidNetwork`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReidConfig {
    /// What turns pictures into maps, the same for all streams, with weights of its own for each. HAMNet: `resnet50`.
    pub trunk: ReidTrunk,
    /// The spectra, in the order of the pictures; one, two or three different ones. HAMNet: `["rgb", "nir"]`. With one
    /// there is nothing to fuse, and the options of the fusion mean nothing.
    pub streams: Vec<Spectrum>,
    /// How streams are fused. HAMNet: `cam`.
    pub fusion: ReidFusion,
    /// The diffusion's options.
    pub cda: CdaConfig,
    /// Channels of MutualFormer's tokens; a reconstruction. 768 and 12 heads are ViT-B's: the released block comes with a
    /// loader for ViT-B's weights, though none of its names match them.
    pub dim: usize,
    /// Attention heads; they divide `dim`.
    pub num_heads: usize,
    /// MutualFormer blocks for each pair of streams, one after the other; a reconstruction.
    pub blocks: usize,
    /// One LayerNorm over both streams' channels (released code) or one each (the paper's figure).
    pub joint_norm: bool,
    /// Self-attention over x_rd, in the released code, absent from the paper's figure.
    pub third_branch: bool,
    /// Dropout on the cross-affinities and on the third branch's map.
    pub attn_drop: f64,
    /// Attention over N tokens with N×N matrices or without; dropout on them needs them.
    pub path: Path,
    /// K, the number of identities trained on. 0 is for "the data will tell"; a network needs the number.
    pub classes: usize,
    /// Stride of the trunk's last stage: 1 (HAMNet) for maps at /16, 2 for maps at /32. The tiny trunk's are at /16.
    pub last_stride: usize,
    /// ResNet-50's ReLU behind its first batch norm. HAMNet ships without (`false`), although the weights it starts from
    /// were trained with it.
    pub stem_relu: bool,
    /// The trunks' batch norms use their running statistics in training too and leave them alone. HAMNet: `false`.
    pub frozen_norms: bool,
    /// Share of a new batch in the running statistics of the trunks' batch norms; ordinary is 0.1. HAMNet's code runs each
    /// trunk twice on the same pictures (for the activation maps, and for the feature), with equal values and gradients,
    /// and each run moves the statistics: that is 1 − (1 − 0.1)² = 0.19.
    pub norm_momentum: f64,
    /// What is compared when searching; a reconstruction.
    pub feature: ReidFeature,
}

impl Default for ReidConfig {
    fn default() -> ReidConfig {
        ReidConfig {
            trunk: ReidTrunk::ResNet50,
            streams: vec![Spectrum::Rgb, Spectrum::Nir],
            fusion: ReidFusion::Cda,
            cda: CdaConfig::default(),
            dim: 768,
            num_heads: 12,
            blocks: 1,
            joint_norm: true,
            third_branch: true,
            attn_drop: 0.0,
            path: Path::Auto,
            classes: 0,
            last_stride: 1,
            stem_relu: false,
            frozen_norms: false,
            norm_momentum: 0.1,
            feature: ReidFeature::Concat,
        }
    }
}

/// A configuration that means nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ReidConfigError {
    /// No stream, or the same spectrum twice.
    #[error("streams = {0:?}: one, two or three different spectra are needed, of rgb, nir and tir")]
    Streams(Vec<&'static str>),
    /// Neither 1 nor 2.
    #[error("last_stride = {0}: a trunk's last stage has stride 1 or 2")]
    LastStride(usize),
    /// Statistics that never move, or that overshoot.
    #[error("norm_momentum = {0} must lie above 0 and not above 1")]
    Momentum(f64),
    /// Not a probability, or 1, which leaves nothing.
    #[error("attn_drop = {0} must lie in [0, 1)")]
    Dropout(f64),
    /// MutualFormer without a channel.
    #[error("dim = 0: MutualFormer's tokens need channels")]
    NoChannels,
    /// MutualFormer without a block.
    #[error("blocks = 0: MutualFormer needs at least one block for each pair of streams")]
    NoBlocks,
    /// K is not set.
    #[error("classes = 0: the number of identities to train on must be known before the network is built")]
    NoClasses,
    /// The MutualFormer block's options.
    #[error(transparent)]
    Block(#[from] ConfigError),
}

impl ReidConfig {
    /// Checks what the types cannot, but for `classes`, which may still be unknown.
    ///
    /// # Errors
    /// The first setting that means nothing, by its name, with what it may be.
    pub fn validate(&self) -> Result<(), ReidConfigError> {
        let twice = |i: usize| self.streams[..i].contains(&self.streams[i]);
        if self.streams.is_empty() || (0..self.streams.len()).any(twice) {
            return Err(ReidConfigError::Streams(self.streams.iter().map(|stream| stream.name()).collect()));
        }
        if ![1, 2].contains(&self.last_stride) {
            return Err(ReidConfigError::LastStride(self.last_stride));
        }
        if !(self.norm_momentum > 0.0 && self.norm_momentum <= 1.0) {
            return Err(ReidConfigError::Momentum(self.norm_momentum));
        }
        let Some(BlockConfig { dim, num_heads, fusion, .. }) = self.block() else { return Ok(()) };
        if !(0.0..1.0).contains(&self.attn_drop) {
            return Err(ReidConfigError::Dropout(self.attn_drop));
        }
        if dim == 0 {
            return Err(ReidConfigError::NoChannels);
        }
        if self.blocks == 0 {
            return Err(ReidConfigError::NoBlocks);
        }
        if num_heads == 0 || !dim.is_multiple_of(num_heads) {
            return Err(ConfigError::Heads { dim, heads: num_heads }.into());
        }
        Ok(fusion.validate()?)
    }

    /// The MutualFormer block between two streams, if there are two and they are fused that way.
    pub fn block(&self) -> Option<BlockConfig> {
        let kind = self.fusion.kind().filter(|_| self.streams.len() > 1)?;
        Some(BlockConfig {
            joint_norm: self.joint_norm,
            third_branch: self.third_branch,
            attn_drop: self.attn_drop,
            fusion: Fusion { kind, cda: self.cda },
            path: self.path,
            ..BlockConfig::new(self.dim, self.num_heads)
        })
    }

    /// Numbers in the feature of the main head: the fused one, or that of the only stream.
    pub fn head_dim(&self) -> usize {
        let (channels, streams) = (self.trunk.channels(), self.streams.len());
        match (self.block(), self.fusion) {
            _ if streams == 1 => channels,
            (Some(block), _) => streams * (streams - 1) / 2 * block.dim,
            (None, ReidFusion::Cam) => self.classes,
            (None, _) => channels,
        }
    }

    pub(super) fn trunk_options(&self) -> TrunkOptions {
        let ReidConfig { last_stride, stem_relu, frozen_norms, norm_momentum, .. } = *self;
        TrunkOptions { last_stride, stem_relu, frozen_norms, norm_momentum }
    }
}
