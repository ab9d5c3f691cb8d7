//! Salient object detection: which pixels of an RGB-D picture belong to the object one looks at.

pub mod tiny;

use autograd::{Real, Var};
use serde::{Deserialize, Serialize};

pub use tiny::{TinyConfig, TinySod};

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

/// What a detector computes.
pub struct SodOutput<T: Real = f32> {
    /// Logits at the input's size, `[B, 1, H, W]`: the prediction is their sigmoid.
    pub logits: Var<T>,
    /// Coarser logits for deep supervision, fine to coarse, `[B, 1, h, w]` each.
    pub sides: Vec<Var<T>>,
    /// Input of every MutualFormer block, fine to coarse.
    pub levels: Vec<TokenLevel<T>>,
}

/// The tokens of one scale.
pub struct TokenLevel<T: Real = f32> {
    /// [x_r; x_d], `[B, N, 2C]`.
    pub x: Var<T>,
    /// Token grid: rows and columns, N = rows·cols.
    pub grid: [usize; 2],
}
