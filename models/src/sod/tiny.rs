//! The demo's detector: two small convolutional stems, a MutualFormer block at two scales, a light decoder.
//!
//! ```text
//! RGB   [3, S, S] -> /2 [24] -> /4 [48] -> /8 [96]  -> /16 [128]
//! depth [1, S, S] -> /2 [24] -> /4 [48] -> /8 [96]  -> /16 [128]
//!                                          MutualFormer  MutualFormer     tokens: (S/8)², (S/16)²
//!        concat      concat                  fused          fused
//! decoder: /16 -> /8 -> /4 -> /2 -> logits at S, side logits at /8 and /16
//! ```

use super::{Modality, SodOutput, TokenLevel};
use crate::layers::{ConvBn, ConvSpec, conv_stage, head, stage};
use crate::trunk::{TinyTrunk, TrunkOptions};
use autograd::nn::{Conv2d, Linear};
use autograd::ops::concat;
use autograd::{Ctx, Real, Scope, Var};
use cda::{BlockConfig, CdaConfig, ConfigError, Fusion, FusionKind, MutualFormerBlock, Path, pair_tokens};
use serde::{Deserialize, Serialize};

/// The scales at which MutualFormer blocks mix the tokens; at the others "A" alone mixes the two modalities, pixel by pixel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scales {
    /// /8 and /16, the fine and the coarse one.
    #[default]
    Both,
    /// /16 alone.
    Coarse,
    /// /8 alone.
    Fine,
}

impl Scales {
    /// Strides of the blocks, the finer first.
    pub fn strides(self) -> &'static [usize] {
        match self {
            Scales::Both => &[8, 16],
            Scales::Coarse => &[16],
            Scales::Fine => &[8],
        }
    }
}

/// Options of [`TinySod`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TinyConfig {
    /// How the two modalities are mixed.
    pub fusion: FusionKind,
    /// The diffusion's options.
    pub cda: CdaConfig,
    /// Which inputs the network sees.
    pub modality: Modality,
    /// Channels at /2, /4, /8 and /16 of the input; the last two must be divisible by `num_heads`.
    pub widths: [usize; 4],
    /// Channels of the decoder.
    pub decoder: usize,
    /// Attention heads of both blocks.
    pub num_heads: usize,
    /// Where the blocks are.
    pub scales: Scales,
    /// Biases on the query-key-value projections (released: none).
    pub qkv_bias: bool,
    /// One LayerNorm over both modalities (released) or one each (figure).
    pub joint_norm: bool,
    /// The released third branch.
    pub third_branch: bool,
    /// Dropout on the cross-affinities.
    pub attn_drop: f64,
    /// With N×N matrices or without; dropout on them needs them.
    pub path: Path,
}

impl Default for TinyConfig {
    fn default() -> TinyConfig {
        TinyConfig {
            fusion: FusionKind::Cda,
            cda: CdaConfig::default(),
            modality: Modality::Both,
            widths: TinyTrunk::WIDTHS,
            decoder: 32,
            num_heads: 8,
            scales: Scales::Both,
            qkv_bias: false,
            joint_norm: true,
            third_branch: true,
            attn_drop: 0.0,
            path: Path::Auto,
        }
    }
}

/// About a million parameters; see the module's diagram.
#[derive(Clone, Debug)]
pub struct TinySod {
    stem_r: TinyTrunk,
    stem_d: TinyTrunk,
    /// MutualFormer at /8 and /16.
    mutual: [MutualLevel; 2],
    /// 1×1 convolutions to the decoder's width at /2, /4, /8, /16.
    lateral: [ConvBn; 4],
    /// 3×3 convolutions after each merge at /2, /4, /8.
    merge: [ConvBn; 3],
    head: Conv2d,
    /// Side heads at /8 and /16.
    side: [Conv2d; 2],
    modality: Modality,
    checkpointing: bool,
}

/// One MutualFormer block on feature maps, with the "A" box before it.
#[derive(Clone, Debug)]
struct MutualLevel {
    /// x_rd = A([x_r; x_d]): concatenation and 1×1 convolution, outside the block as in the released code.
    a: Linear,
    /// Absent where [`Scales`] leaves it out: then x_rd goes on as it is.
    block: Option<MutualFormerBlock>,
}

impl TinySod {
    /// Creates the network's parameters.
    ///
    /// # Errors
    /// Options of the diffusion that mean nothing, and heads that do not divide the channels.
    pub fn new<T: Real>(scope: &mut Scope<T>, config: &TinyConfig) -> Result<TinySod, ConfigError> {
        let [w2, w4, w8, w16] = config.widths;
        let width = config.decoder;
        let mut stem = |name: &str, input: usize| {
            TinyTrunk::new(&mut scope.sub(name), input, config.widths, &TrunkOptions::default())
        };
        let (stem_r, stem_d) = (stem("stem_r", 3), stem("stem_d", 1));
        let mutual = [MutualLevel::new(scope, 8, w8, config)?, MutualLevel::new(scope, 16, w16, config)?];
        let mut conv = |name: &str, from: usize, kernel: usize| {
            ConvBn::new(&mut scope.sub(name), ["conv", "bn"], ConvSpec::new(from, width, kernel))
        };
        let lateral = [
            conv("lateral2", 2 * w2, 1),
            conv("lateral4", 2 * w4, 1),
            conv("lateral8", w8, 1),
            conv("lateral16", w16, 1),
        ];
        let [m8, m4, m2] = ["merge8", "merge4", "merge2"].map(|name| conv(name, width, 3));
        let merge = [m2, m4, m8];
        let side = ["side8", "side16"].map(|name| head(&mut scope.sub(name), width));
        Ok(TinySod {
            stem_r,
            stem_d,
            mutual,
            lateral,
            merge,
            head: head(&mut scope.sub("head"), width),
            side,
            modality: config.modality,
            checkpointing: false,
        })
    }

    /// The same network, which in training keeps only what passes between its stages (convolutions, MutualFormer
    /// levels, decoder steps) and computes the activations inside them again in the backward pass, if `on`.
    pub fn with_checkpointing(self, on: bool) -> TinySod {
        TinySod { checkpointing: on, ..self }
    }

    /// Normalised RGB `[B, 3, S, S]` and depth `[B, 1, S, S]` to logits; S must be divisible by 16.
    pub fn forward<T: Real>(&self, ctx: &Ctx<T>, rgb: &Var<T>, depth: &Var<T>) -> SodOutput<T> {
        let (height, width) = (rgb.size(2), rgb.size(3));
        assert!(
            height.is_multiple_of(16) && width.is_multiple_of(16),
            "TinySod: a picture of {height}×{width} pixels; both sides must be divisible by 16"
        );
        let (rgb, depth) = self.modality.seen(rgb, depth);
        let [r2, r4, r8, r16] = self.stem_r.forward(ctx, &rgb, self.checkpointing);
        let [d2, d4, d8, d16] = self.stem_d.forward(ctx, &depth, self.checkpointing);
        let (level8, f8) = self.mixed(ctx, 0, &r8, &d8);
        let (level16, f16) = self.mixed(ctx, 1, &r16, &d16);

        let y16 = conv_stage(ctx, self.checkpointing, &self.lateral[3], &f16); // [B, D, S/16, S/16]
        let y8 = self.merged(ctx, 2, &[&f8], &y16);
        let y4 = self.merged(ctx, 1, &[&r4, &d4], &y8);
        let y2 = self.merged(ctx, 0, &[&r2, &d2], &y4);
        SodOutput {
            logits: self.head.forward(ctx, &y2).resize([height, width]),
            earlier: Vec::new(),
            sides: vec![self.side[0].forward(ctx, &y8), self.side[1].forward(ctx, &y16)],
            streams: Vec::new(),
            levels: level8.into_iter().chain(level16).collect(),
        }
    }

    /// The block that mixes level `level` of [`SodOutput::levels`].
    pub fn blocks(&self, level: usize) -> &[MutualFormerBlock] {
        let block = self.mutual.iter().filter_map(|level| level.block.as_ref()).nth(level);
        std::slice::from_ref(block.expect("a level that has a block"))
    }

    /// Feature maps `[B, C, h, w]` of both modalities to the tokens of the block, if there is one, and the fused map
    /// `[B, C, h, w]`.
    fn mixed<T: Real>(
        &self,
        ctx: &Ctx<T>,
        i: usize,
        r: &Var<T>,
        d: &Var<T>,
    ) -> (Option<TokenLevel<T>>, Var<T>) {
        let x = pair_tokens(r, d); // [B, N, 2C]
        let MutualLevel { a, block } = self.mutual[i].clone();
        let mixing = block.is_some();
        let fused = stage(ctx, self.checkpointing, &[&x], move |ctx, x| {
            let x = &x[0];
            let x_rd = a.forward(ctx, x); // [B, N, C]
            block.as_ref().map_or_else(|| x_rd.clone(), |block| block.forward(ctx, x, &x_rd))
        });
        let map = fused.transpose(1, 2).with_shape(r.shape());
        (mixing.then(|| TokenLevel { x, grid: [r.size(2), r.size(3)] }), map)
    }

    /// Step `i` of the decoder: fine features at the decoder's width plus the coarser ones brought to their size,
    /// smoothed by a 3×3 convolution.
    fn merged<T: Real>(&self, ctx: &Ctx<T>, i: usize, fine: &[&Var<T>], coarse: &Var<T>) -> Var<T> {
        let (lateral, merge) = (self.lateral[i].clone(), self.merge[i].clone());
        let inputs: Vec<&Var<T>> = fine.iter().copied().chain([coarse]).collect();
        stage(ctx, self.checkpointing, &inputs, move |ctx, inputs| {
            let (coarse, fine) = inputs.split_last().expect("at least the coarse features");
            let fine = lateral.forward(ctx, &concat(&fine.iter().collect::<Vec<_>>(), 1));
            merge.forward(ctx, &fine.add(&coarse.resize([fine.size(2), fine.size(3)])))
        })
    }
}

impl MutualLevel {
    /// The level at a stride of 8 or 16, `dim` channels wide, under the names `mutual8`, `mutual16`.
    fn new<T: Real>(
        scope: &mut Scope<T>,
        stride: usize,
        dim: usize,
        config: &TinyConfig,
    ) -> Result<MutualLevel, ConfigError> {
        let mut scope = scope.sub(format!("mutual{stride}"));
        let a = Linear::new(&mut scope.sub("a"), 2 * dim, dim, true);
        if !config.scales.strides().contains(&stride) {
            return Ok(MutualLevel { a, block: None });
        }
        let block = BlockConfig {
            qkv_bias: config.qkv_bias,
            joint_norm: config.joint_norm,
            third_branch: config.third_branch,
            attn_drop: config.attn_drop,
            fusion: Fusion { kind: config.fusion, cda: config.cda },
            path: config.path,
            ..BlockConfig::new(dim, config.num_heads)
        };
        Ok(MutualLevel { a, block: Some(MutualFormerBlock::new(&mut scope.sub("block"), block)?) })
    }
}
