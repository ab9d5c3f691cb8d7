//! MutualFormer on two feature maps: overlapping patches become tokens, blocks mix them, the result refines the plain
//! mixture of the maps.
//!
//! ```text
//! r, d [C, h, w] -> a = A([r; d]) [C, h, w]         1×1 convolution, batch norm
//! tokens of r, d, a: one k×k convolution of stride s for all three
//! h1 = block1([x_r; x_d], x_rd)    h2 = block2([x_r; x_d], h1)    …
//! a + c(h as a map, enlarged to h × w)              c: 1×1 convolution, batch norm, ReLU
//! ```

use super::{MutualConfig, TokenLevel};
use crate::blocks::Blocks;
use crate::layers::{Activation, ConvBn, ConvSpec};
use autograd::nn::Conv2d;
use autograd::ops::concat;
use autograd::ops::conv::ConvOptions;
use autograd::{Ctx, Init, Real, Scope, Var};
use cda::{BlockConfig, ConfigError, Fusion, MutualFormerBlock, pair_tokens};
use serde::{Deserialize, Serialize};

/// One scale at which MutualFormer fuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelConfig {
    /// Stride of the feature maps: 4, 8, 16 or 32.
    pub stride: usize,
    /// Side of the patches, in pixels of the feature map.
    pub patch: usize,
    /// Distance of neighbouring patches; smaller than `patch`, they overlap.
    pub step: usize,
    /// MutualFormer blocks, one after the other.
    pub blocks: usize,
}

impl LevelConfig {
    /// Token grid for pictures of `height` × `width` pixels, or `None` if no patch fits into the map. Pixels behind the
    /// last whole patch belong to no token; with the default levels there are none.
    pub fn grid(&self, [height, width]: [usize; 2]) -> Option<[usize; 2]> {
        let count = |pixels: usize| Some((pixels / self.stride).checked_sub(self.patch)? / self.step + 1);
        Some([count(height)?, count(width)?])
    }
}

/// The layers of one such scale.
#[derive(Clone, Debug)]
pub struct FuseLevel {
    a: ConvBn,
    embed: Conv2d,
    blocks: Blocks,
    out: ConvBn,
}

impl FuseLevel {
    /// `level` of `config`. Patch kernels start as TransReID's, whose embedding the released code took over.
    ///
    /// # Errors
    /// Options of the diffusion that mean nothing, and heads that do not divide the channels.
    pub fn new<T: Real>(
        scope: &mut Scope<T>,
        level: &LevelConfig,
        config: &MutualConfig,
    ) -> Result<FuseLevel, ConfigError> {
        let (dim, LevelConfig { patch, step, blocks, .. }) = (config.dim, *level);
        assert!(patch > 0 && step > 0 && blocks > 0, "FuseLevel: {level:?} has a zero in it");
        let spec = ConvSpec { bias: true, activation: Activation::None, ..ConvSpec::new(2 * dim, dim, 1) };
        let a = ConvBn::new(&mut scope.sub("a"), ["0", "1"], spec);
        let options = ConvOptions { stride: [step; 2], ..ConvOptions::default() };
        let init = Init::kaiming_normal(patch * patch * dim);
        let embed = Conv2d::with_init(&mut scope.sub("embed"), dim, dim, [patch; 2], options, true, init);
        let block = BlockConfig {
            joint_norm: config.joint_norm,
            third_branch: config.third_branch,
            attn_drop: config.attn_drop,
            fusion: Fusion { kind: config.fusion, cda: config.cda },
            path: config.path,
            ..BlockConfig::new(dim, config.num_heads)
        };
        let blocks = Blocks::new(&mut scope.sub("blocks"), blocks, block)?;
        let spec = ConvSpec { bias: true, ..ConvSpec::new(dim, dim, 1) };
        let out = ConvBn::new(&mut scope.sub("out"), ["0", "1"], spec);
        Ok(FuseLevel { a, embed, blocks, out })
    }

    /// Feature maps `[B, C, h, w]` of both modalities to the blocks' tokens and the fused map `[B, C, h, w]`.
    pub fn forward<T: Real>(
        &self,
        ctx: &Ctx<T>,
        r: &Var<T>,
        d: &Var<T>,
        checkpointing: bool,
    ) -> (TokenLevel<T>, Var<T>) {
        let a = self.a.forward(ctx, &concat(&[r, d], 1));
        let [e_r, e_d, e_a] = [r, d, &a].map(|map| self.embed.forward(ctx, map)); // [B, C, rows, cols]
        let x = pair_tokens(&e_r, &e_d); // [B, N, 2C]
        let (batch, dim, rows, cols) = (e_a.size(0), e_a.size(1), e_a.size(2), e_a.size(3));
        let h = self.blocks.forward(ctx, &x, &e_a, checkpointing); // [B, N, C]
        let map = h.transpose(1, 2).with_shape(&[batch, dim, rows, cols]).resize([r.size(2), r.size(3)]);
        let fused = a.add(&self.out.forward(ctx, &map));
        (TokenLevel { x, grid: [rows, cols] }, fused)
    }

    /// The blocks in their order, at least one.
    pub fn blocks(&self) -> &[MutualFormerBlock] {
        self.blocks.all()
    }
}
