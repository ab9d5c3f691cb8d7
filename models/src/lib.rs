//! Networks built from the MutualFormer block.
//!
//! Read in this order:
//!
//! 1. [`sod::tiny`]: the demo's detector, two stems, the block at two scales, a decoder: a network in one file.
//! 2. [`layers`] and [`trunk`]: what networks share (convolution, batch norm, activation) and what they stand on
//!    (ResNet-50 and MobileNetV2 under torchvision's names, a small trunk).
//! 3. [`sod::mutual`]: the detector of the paper's size, with [`sod::fuse`] (the block over overlapping patches) and
//!    [`sod::f3net`] (the decoder). [`sod::network`] chooses among detectors.
//! 4. [`reid::network`]: re-identification, a trunk for each spectrum and a fusion of the streams. [`reid::config`] has
//!    its options.
//!
//! Networks are built through a [`Scope`](autograd::Scope), which names their parameters, and called with a
//! [`Ctx`](autograd::Ctx):
//!
//! ```
//! use autograd::{Ctx, Params, Tensor};
//! use models::{TinyConfig, TinySod};
//!
//! let (params, net) = Params::<f32>::build(1, |scope| TinySod::new(scope, &TinyConfig::default()));
//! let net = net?;
//! assert_eq!(params.num_learned(), 1_037_283);
//!
//! let ctx = Ctx::eval(&params);
//! let rgb = ctx.constant(&Tensor::zeros(&[1, 3, 32, 32])); // [B, 3, S, S], normalised
//! let depth = ctx.constant(&Tensor::zeros(&[1, 1, 32, 32])); // [B, 1, S, S]
//! let output = net.forward(&ctx, &rgb, &depth);
//! assert_eq!(output.logits.shape(), [1, 1, 32, 32]); // saliency is their sigmoid
//! assert_eq!(output.sides[0].shape(), [1, 1, 4, 4]); // coarser logits for deep supervision, at /8 and /16
//! # Ok::<(), cda::ConfigError>(())
//! ```

pub mod blocks;
pub mod layers;
pub mod reid;
pub mod sod;
pub mod trunk;

pub use reid::{
    ReidConfig, ReidConfigError, ReidFeature, ReidFusion, ReidHead, ReidNetwork, ReidOutput, ReidTrunk,
    Spectrum,
};
pub use sod::{
    LevelConfig, Modality, MutualConfig, MutualSod, Scales, SodConfig, SodNetwork, SodOutput, TinyConfig,
    TinySod, TokenLevel,
};
