//! Networks built from the MutualFormer block: [`sod`] holds the detectors, [`reid`] the re-identification networks,
//! [`trunk`] what both stand on.

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
