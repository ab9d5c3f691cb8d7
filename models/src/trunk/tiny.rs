//! A trunk for small pictures and short trainings: four convolutions.
//!
//! ```text
//! [3, H, W] -> 3×3/2 -> /2 -> 3×3/2 -> /4 -> 3×3/2 -> /8 -> 3×3/2 -> /16        batch norm and ReLU after each
//! ```

use super::TrunkOptions;
use crate::layers::{ConvBn, ConvSpec, conv_stage};
use autograd::{Ctx, Real, Scope, Var};

/// Four stride-2 convolutions.
#[derive(Clone, Debug)]
pub struct TinyTrunk([ConvBn; 4]);

impl TinyTrunk {
    /// Channels at strides 2, 4, 8 and 16 where nobody asks for others: 163,672 parameters on a colour picture.
    pub const WIDTHS: [usize; 4] = [24, 48, 96, 128];

    /// Pictures of `input` channels, maps of `widths`. Of the options only those of the batch norms mean something here.
    pub fn new<T: Real>(
        scope: &mut Scope<T>,
        input: usize,
        widths: [usize; 4],
        options: &TrunkOptions,
    ) -> TinyTrunk {
        let [w2, w4, w8, w16] = widths;
        let mut conv = |i: usize, from: usize, to: usize| {
            let spec = ConvSpec { stride: 2, ..ConvSpec::new(from, to, 3) };
            options.apply(ConvBn::new(&mut scope.sub(i), ["conv", "bn"], spec))
        };
        TinyTrunk([conv(0, input, w2), conv(1, w2, w4), conv(2, w4, w8), conv(3, w8, w16)])
    }

    /// A picture `[B, input, H, W]` to maps at /2, /4, /8 and /16, sizes rounded up. `checkpointing`: in training only
    /// what passes between the convolutions is kept.
    pub fn forward<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>, checkpointing: bool) -> [Var<T>; 4] {
        let mut x = x.clone();
        self.0.each_ref().map(|layer| {
            x = conv_stage(ctx, checkpointing, layer, &x);
            x.clone()
        })
    }
}
