//! The decoder of F3Net (Wei et al. 2020), after its released code and under its parameter names.
//!
//! ```text
//! maps /4, /8, /16, /32, all of D channels          cfm45 at /16 -> cfm34 at /8 -> cfm23 at /4 -> prediction
//! CFM(left, down): h = left's branch, v = branch of what comes from below, brought to left's size
//!   h1 = c(left)   h2 = c(h1)        v1 = c(down)   v2 = c(v1)        c: 3×3, batch norm, ReLU
//!   f = h2·v2                        what both agree on
//!   h  = c(c(f) + h1)                v = c(c(f) + v1)
//! ```

use crate::layers::{ConvBn, ConvSpec};
use autograd::ops::concat;
use autograd::{Ctx, Real, Scope, Var};

/// Cross feature module: two maps select from each other by multiplication. 8·(9D² + 3D) parameters.
#[derive(Clone, Debug)]
pub struct Cfm {
    /// conv1h … conv4h.
    h: [ConvBn; 4],
    /// conv1v … conv4v.
    v: [ConvBn; 4],
}

impl Cfm {
    /// For maps of `width` channels; kernels start from Kaiming's normal distribution over fan in.
    pub fn new<T: Real>(scope: &mut Scope<T>, width: usize) -> Cfm {
        let mut branch = |name: &str| {
            [1, 2, 3, 4].map(|i| {
                let (conv, bn) = (format!("conv{i}{name}"), format!("bn{i}{name}"));
                let spec = ConvSpec { bias: true, ..ConvSpec::new(width, width, 3) };
                ConvBn::new(scope, [&conv, &bn], spec)
            })
        };
        Cfm { h: branch("h"), v: branch("v") }
    }

    /// `left` `[B, D, H, W]` and the coarser `down` `[B, D, h, w]` to h and v, `[B, D, H, W]` each.
    pub fn forward<T: Real>(&self, ctx: &Ctx<T>, left: &Var<T>, down: &Var<T>) -> (Var<T>, Var<T>) {
        let down = down.resize([left.size(2), left.size(3)]);
        let h1 = self.h[0].forward(ctx, left);
        let h2 = self.h[1].forward(ctx, &h1);
        let v1 = self.v[0].forward(ctx, &down);
        let v2 = self.v[1].forward(ctx, &v1);
        let f = h2.mul(&v2);
        let h3 = self.h[2].forward(ctx, &f).add(&h1);
        let v3 = self.v[2].forward(ctx, &f).add(&v1);
        (self.h[3].forward(ctx, &h3), self.v[3].forward(ctx, &v3))
    }

    /// [`Cfm::forward`]; under checkpointing, which passes one variable, h and v travel side by side in the channels.
    fn stage<T: Real>(&self, ctx: &Ctx<T>, on: bool, left: &Var<T>, down: &Var<T>) -> (Var<T>, Var<T>) {
        if !on {
            return self.forward(ctx, left, down);
        }
        let (cfm, width) = (self.clone(), left.size(1));
        let both = ctx.checkpoint(&[left, down], move |ctx, x| {
            let (h, v) = cfm.forward(ctx, &x[0], &x[1]);
            concat(&[&h, &v], 1) // [B, 2D, H, W]
        });
        (both.slice(1, 0..width), both.slice(1, width..2 * width))
    }
}

/// Three [`Cfm`]s from coarse to fine.
#[derive(Clone, Debug)]
pub struct Decoder {
    cfm45: Cfm,
    cfm34: Cfm,
    cfm23: Cfm,
}

/// What a [`Decoder`] makes of its maps.
pub struct Decoded<T: Real> {
    /// The maps, each cleaned by what lies below it, fine to coarse, `[B, D, h, w]`: a further decoder's input.
    pub maps: [Var<T>; 4],
    /// What a head turns into logits, of the finest map's shape.
    pub prediction: Var<T>,
}

impl Decoder {
    /// For maps of `width` channels.
    pub fn new<T: Real>(scope: &mut Scope<T>, width: usize) -> Decoder {
        let mut cfm = |name: &str| Cfm::new(&mut scope.sub(name), width);
        Decoder { cfm45: cfm("cfm45"), cfm34: cfm("cfm34"), cfm23: cfm("cfm23") }
    }

    /// Four maps `[B, D, h, w]`, fine to coarse. The prediction of an earlier decoder, `feedback`, is first added to all
    /// of them.
    pub fn forward<T: Real>(
        &self,
        ctx: &Ctx<T>,
        maps: &[Var<T>; 4],
        feedback: Option<&Var<T>>,
        checkpointing: bool,
    ) -> Decoded<T> {
        let [x2, x3, x4, x5] = maps.each_ref().map(|map| match feedback {
            Some(feedback) => map.add(&feedback.resize([map.size(2), map.size(3)])),
            None => map.clone(),
        });
        let (h4, v4) = self.cfm45.stage(ctx, checkpointing, &x4, &x5);
        let (h3, v3) = self.cfm34.stage(ctx, checkpointing, &x3, &v4);
        let (h2, prediction) = self.cfm23.stage(ctx, checkpointing, &x2, &v3);
        Decoded { maps: [h2, h3, h4, x5], prediction }
    }
}
