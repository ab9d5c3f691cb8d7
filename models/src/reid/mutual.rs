//! MutualFormer's fusion: every two streams are a pair for MutualFormer blocks, and what comes out is averaged over the
//! tokens.
//!
//! ```text
//! maps r, d [C, h, w] -> 1×1 convolution each -> e_r, e_d [D, h, w]
//! e_rd = 1×1 convolution of [e_r; e_d] -> [D, h, w]
//! h1 = block1([x_r; x_d], x_rd)    h2 = block2([x_r; x_d], h1)    …       N = h·w tokens of D channels
//! mean over the tokens -> [D]
//! ```
//!
//! x_r, x_d and x_rd are the pixels of e_r, e_d and e_rd as tokens, row by row; nothing tells a token where it is. r and d, RGB
//! and depth in the paper, stand for the first and the second stream of a pair.
//!
//! Three streams make three pairs. Each pair has projections and blocks of its own: which of them could be shared is not
//! known, and with two streams there is nothing to share.

use crate::blocks::{Blocks, TokenLevel};
use autograd::nn::Conv2d;
use autograd::ops::concat;
use autograd::ops::conv::ConvOptions;
use autograd::{Ctx, Real, Scope, Var};
use cda::{BlockConfig, ConfigError, pair_tokens};

/// The layers of one pair of streams.
#[derive(Clone, Debug)]
pub struct Pair {
    embed_r: Conv2d,
    embed_d: Conv2d,
    embed_rd: Conv2d,
    blocks: Blocks,
}

/// A pair's maps on their way into the blocks.
struct Embedded<T: Real> {
    tokens: TokenLevel<T>,
    /// x_rd as a map, `[B, D, h, w]`.
    x_rd: Var<T>,
}

impl Pair {
    /// For maps of `channels`; convolutions start as PyTorch's do.
    ///
    /// # Errors
    /// Options of the diffusion that mean nothing, and heads that do not divide the channels.
    pub fn new<T: Real>(
        scope: &mut Scope<T>,
        channels: usize,
        blocks: usize,
        block: BlockConfig,
    ) -> Result<Pair, ConfigError> {
        let mut embed = |name: &str, input: usize| {
            Conv2d::new(&mut scope.sub(name), input, block.dim, [1, 1], ConvOptions::default(), true)
        };
        let (embed_r, embed_d) = (embed("embed_r", channels), embed("embed_d", channels));
        let embed_rd = embed("embed_rd", 2 * block.dim);
        let blocks = Blocks::new(&mut scope.sub("blocks"), blocks, block)?;
        Ok(Pair { embed_r, embed_d, embed_rd, blocks })
    }

    /// Maps `[B, C, h, w]` of both streams to `[B, D]`.
    #[track_caller]
    pub fn forward<T: Real>(&self, ctx: &Ctx<T>, r: &Var<T>, d: &Var<T>, checkpointing: bool) -> Var<T> {
        let Embedded { tokens, x_rd } = self.embedded(ctx, r, d);
        let h = self.blocks.forward(ctx, &tokens.x, &x_rd, checkpointing); // [B, N, D]
        h.mean(&[1], false)
    }

    /// What the blocks get to see of maps `[B, C, h, w]`.
    pub fn tokens<T: Real>(&self, ctx: &Ctx<T>, r: &Var<T>, d: &Var<T>) -> TokenLevel<T> {
        self.embedded(ctx, r, d).tokens
    }

    /// The blocks.
    pub fn blocks(&self) -> &Blocks {
        &self.blocks
    }

    fn embedded<T: Real>(&self, ctx: &Ctx<T>, r: &Var<T>, d: &Var<T>) -> Embedded<T> {
        let (e_r, e_d) = (self.embed_r.forward(ctx, r), self.embed_d.forward(ctx, d));
        let x_rd = self.embed_rd.forward(ctx, &concat(&[&e_r, &e_d], 1));
        let tokens = TokenLevel { x: pair_tokens(&e_r, &e_d), grid: [r.size(2), r.size(3)] };
        Embedded { tokens, x_rd }
    }
}
