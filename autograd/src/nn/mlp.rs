//! The two-layer perceptron of a transformer block.

use super::{Dropout, Linear};
use crate::{Ctx, Real, Scope, Var};

/// y = fc2(gelu(fc1(x))), with dropout after each layer. Equivalent: timm's `Mlp(dim, hidden, drop=p)`.
#[derive(Clone, Debug)]
pub struct Mlp {
    /// dim to hidden.
    pub fc1: Linear,
    /// hidden to dim.
    pub fc2: Linear,
    /// After the activation and after fc2.
    pub drop: Dropout,
}

impl Mlp {
    /// Two layers with bias and PyTorch's default initial values.
    #[track_caller]
    pub fn new<T: Real>(scope: &mut Scope<T>, dim: usize, hidden: usize, p: f64) -> Mlp {
        Mlp {
            fc1: Linear::new(&mut scope.sub("fc1"), dim, hidden, true),
            fc2: Linear::new(&mut scope.sub("fc2"), hidden, dim, true),
            drop: Dropout::new(p),
        }
    }

    /// `[.., dim]`; the shape stays.
    #[track_caller]
    pub fn forward<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>) -> Var<T> {
        let h = self.drop.forward(ctx, &self.fc1.forward_gelu(ctx, x)); // [.., hidden]
        self.drop.forward(ctx, &self.fc2.forward(ctx, &h))
    }
}
