//! Layers that omit at random during training and do nothing in inference.

use crate::{Ctx, Real, Var};

/// Omits elements. PyTorch equivalent: `nn.Dropout(p)`.
#[derive(Clone, Debug)]
pub struct Dropout {
    /// Probability of omission.
    pub p: f64,
}

impl Dropout {
    /// Omission with probability `p`, 0 ≤ p < 1.
    #[track_caller]
    pub fn new(p: f64) -> Dropout {
        Dropout { p: probability("Dropout", p) }
    }

    /// The shape stays; kept elements grow by 1/(1 − p).
    #[track_caller]
    pub fn forward<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>) -> Var<T> {
        if ctx.is_training() && self.p > 0.0 { x.dropout(self.p, ctx.next_site()) } else { x.clone() }
    }
}

/// Omits whole samples of a batch, on the branch of a residual connection. Equivalent: timm's `DropPath(p)`.
#[derive(Clone, Debug)]
pub struct DropPath {
    /// Probability of omission.
    pub p: f64,
}

impl DropPath {
    /// Omission with probability `p`, 0 ≤ p < 1.
    #[track_caller]
    pub fn new(p: f64) -> DropPath {
        DropPath { p: probability("DropPath", p) }
    }

    /// The shape stays; kept samples grow by 1/(1 − p).
    #[track_caller]
    pub fn forward<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>) -> Var<T> {
        if ctx.is_training() && self.p > 0.0 { x.drop_path(self.p, ctx.next_site()) } else { x.clone() }
    }
}

#[track_caller]
fn probability(layer: &str, p: f64) -> f64 {
    assert!((0.0..1.0).contains(&p), "{layer}: probability {p} must be at least 0 and below 1");
    p
}
