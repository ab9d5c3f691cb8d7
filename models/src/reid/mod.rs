//! Re-identification: finding the pictures of one object among those of many, taken by other cameras in several
//! spectra (colour, near infrared, thermal).
//!
//! [`network`] is the whole: a trunk for each spectrum and a fusion of the streams, which is HAMNet's ([`cam`]) or
//! MutualFormer's ([`mutual`]). [`config`] has the options.

pub mod cam;
pub mod config;
pub mod mutual;
pub mod network;

use autograd::{Real, Var};

pub use config::{ReidConfig, ReidConfigError, ReidFeature, ReidFusion, ReidTrunk, Spectrum};
pub use network::ReidNetwork;

/// What a re-identification network computes.
pub struct ReidOutput<T: Real = f32> {
    /// What is compared when searching, `[B, D]`, not normalised.
    pub feature: Var<T>,
    /// One head per stream, in the order of the pictures.
    pub streams: Vec<ReidHead<T>>,
    /// The head of the fused streams, where the network fuses them.
    pub fused: Option<ReidHead<T>>,
}

/// A feature with what the classifier makes of it; both take part in the loss.
pub struct ReidHead<T: Real = f32> {
    /// Scores of the K identities trained on, `[B, K]`.
    pub logits: Var<T>,
    /// What the triplet loss compares, `[B, D]`.
    pub feature: Var<T>,
}
