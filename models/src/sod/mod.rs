//! Salient object detection: which pixels of an RGB-D picture belong to the object one looks at.
//!
//! [`tiny`] is the demo's network. [`mutual`] is the paper's scale: two trunks, MutualFormer at three scales
//! ([`fuse`]), F3Net's decoder ([`f3net`]). [`network`] chooses between them.

pub mod f3net;
pub mod fuse;
pub mod mutual;
pub mod network;
pub mod tiny;

use autograd::{Real, Var};
use serde::{Deserialize, Serialize};

pub use crate::blocks::TokenLevel;
pub use fuse::LevelConfig;
pub use mutual::{MutualConfig, MutualSod};
pub use network::{SodConfig, SodNetwork};
pub use tiny::{Scales, TinyConfig, TinySod};

/// Which of the two inputs a network gets to see; the other is replaced by zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Modality {
    /// RGB and depth.
    #[default]
    Both,
    /// RGB alone.
    Rgb,
    /// Depth alone.
    Depth,
}

impl Modality {
    /// RGB and depth as the network sees them.
    fn seen<T: Real>(self, rgb: &Var<T>, depth: &Var<T>) -> (Var<T>, Var<T>) {
        let blind = |x: &Var<T>| Var::constant(x.value().full_like(x.shape(), 0.0));
        match self {
            Modality::Both => (rgb.clone(), depth.clone()),
            Modality::Rgb => (rgb.clone(), blind(depth)),
            Modality::Depth => (blind(rgb), depth.clone()),
        }
    }
}

/// What a detector computes.
pub struct SodOutput<T: Real = f32> {
    /// Logits at the input's size, `[B, 1, H, W]`: the prediction is their sigmoid.
    pub logits: Var<T>,
    /// Logits of the decoder's passes before the last, at the input's size: they and `logits` share one loss.
    pub earlier: Vec<Var<T>>,
    /// Coarser logits for deep supervision, fine to coarse, `[B, 1, h, w]` each.
    pub sides: Vec<Var<T>>,
    /// Logits of RGB alone and of depth alone at the input's size, where the network makes them (in training only).
    pub streams: Vec<Var<T>>,
    /// Input of every MutualFormer level, fine to coarse.
    pub levels: Vec<TokenLevel<T>>,
}
