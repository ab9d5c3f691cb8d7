//! The detector of the paper's size: two trunks, MutualFormer at three scales, F3Net's decoder twice.
//!
//! This is a reconstruction. Known are the total of 52.05 million parameters (Table 1 of the paper), the block (released
//! code), 8 heads and 100 tokens (shapes in the comments of the released code), and that the code grew out of F3Net and of
//! TransReID, whose overlapping patches it has. Everything else is our choice and an option of [`MutualConfig`]; with the
//! defaults and ResNet-50, 352 × 352 pixels give 10 × 10 tokens at every scale, and the parameters sum to 52,049,736.
//!
//! ```text
//! RGB   [3, S, S] -> trunk /4 /8 /16 /32 -> 64 channels each -> decoder -> r2 r3 r4 r5 (and a prediction P_r)
//! depth [3, S, S] -> trunk /4 /8 /16 /32 -> 64 channels each -> decoder -> d2 d3 d4 d5 (and a prediction P_d)
//!          /4: r2 + d2     /8, /16, /32: MutualFormer (see `fuse`)
//! decoder1 -> prediction 1 -> fed back into decoder2 -> prediction 2; side logits at /4, /8, /16, /32
//! ```

use super::f3net::{Decoded, Decoder};
use super::fuse::{FuseLevel, LevelConfig};
use super::{Modality, SodOutput};
use crate::layers::{ConvBn, ConvSpec, conv_stage, head};
use crate::trunk::{Trunk, TrunkKind};
use autograd::nn::Conv2d;
use autograd::{Ctx, Real, Scope, Var};
use cda::{CdaConfig, ConfigError, FusionKind, MutualFormerBlock, Path};
use serde::{Deserialize, Serialize};

/// Strides of the feature maps.
const STRIDES: [usize; 4] = [4, 8, 16, 32];

/// Options of [`MutualSod`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MutualConfig {
    /// How the two modalities are mixed.
    pub fusion: FusionKind,
    /// The diffusion's options.
    pub cda: CdaConfig,
    /// Which inputs the network sees.
    pub modality: Modality,
    /// Channels of everything behind the trunks: tokens, decoders. 64 is F3Net's.
    pub dim: usize,
    /// Attention heads; they divide `dim`. 8 is the released code's default and in its comments' shapes.
    pub num_heads: usize,
    /// The scales at which MutualFormer fuses, fine to coarse; at the others the two maps are added. The paper fuses "on
    /// both coarse and fine scales"; the default's patches give 100 tokens at each scale for 352 × 352 pixels.
    pub levels: Vec<LevelConfig>,
    /// A decoder and a prediction for each stream before the fusion, which then gets the decoders' maps: the paper's
    /// feature extractor "guided by" a pixel-level loss. Without, the fusion gets the trunks' maps (squeezed to `dim`).
    pub stream_decoders: bool,
    /// Decoders one after the other behind the fusion, each fed with the prediction before it. F3Net has 2.
    pub decoders: usize,
    /// One LayerNorm over both modalities (released) or one each (figure).
    pub joint_norm: bool,
    /// The released third branch.
    pub third_branch: bool,
    /// Dropout on the cross-affinities.
    pub attn_drop: f64,
    /// With N×N matrices or without; dropout on them needs them.
    pub path: Path,
    /// The trunks' batch norms use their running statistics in training too and leave them alone: for published weights
    /// and small batches.
    pub frozen_norms: bool,
}

impl Default for MutualConfig {
    fn default() -> MutualConfig {
        let level = |stride, patch, step| LevelConfig { stride, patch, step, blocks: 2 };
        MutualConfig {
            fusion: FusionKind::Cda,
            cda: CdaConfig::default(),
            modality: Modality::Both,
            dim: 64,
            num_heads: 8,
            levels: vec![level(8, 8, 4), level(16, 4, 2), level(32, 2, 1)],
            stream_decoders: true,
            decoders: 2,
            joint_norm: true,
            third_branch: true,
            attn_drop: 0.0,
            path: Path::Auto,
            frozen_norms: false,
        }
    }
}

/// 52,049,736 parameters on ResNet-50, 8,225,992 on MobileNetV2; see the module's diagram.
#[derive(Clone, Debug)]
pub struct MutualSod {
    rgb: Stream,
    depth: Stream,
    /// At /4, /8, /16 and /32; the two maps are added where there is none.
    fuse: [Option<FuseLevel>; 4],
    decoders: Vec<Decoder>,
    /// One for each decoder.
    heads: Vec<Conv2d>,
    /// Side heads at /4, /8, /16 and /32.
    sides: [Conv2d; 4],
    modality: Modality,
    checkpointing: bool,
}

/// What happens to one modality before the fusion.
#[derive(Clone, Debug)]
struct Stream {
    trunk: Trunk,
    /// 1×1 convolutions to the common width at /4, /8, /16 and /32.
    squeeze: [ConvBn; 4],
    decoder: Option<(Decoder, Conv2d)>,
}

impl MutualSod {
    /// Creates the network's parameters: trunks under torchvision's names, decoders under F3Net's.
    ///
    /// # Errors
    /// Options of the diffusion that mean nothing, and heads that do not divide the channels.
    #[track_caller]
    pub fn new<T: Real>(
        scope: &mut Scope<T>,
        trunk: TrunkKind,
        config: &MutualConfig,
    ) -> Result<MutualSod, ConfigError> {
        let stream = |scope: &mut Scope<T>| Stream::new(scope, trunk, config);
        let (rgb, depth) = (stream(&mut scope.sub("rgb")), stream(&mut scope.sub("depth")));
        let mut fuse = [const { None }; 4];
        for level in &config.levels {
            let place = STRIDES.iter().position(|&stride| stride == level.stride);
            let place = place.unwrap_or_else(|| panic!("MutualSod: {level:?}: strides are {STRIDES:?}"));
            assert!(fuse[place].is_none(), "MutualSod: two levels of stride {}", level.stride);
            fuse[place] =
                Some(FuseLevel::new(&mut scope.sub(format!("fuse{}", level.stride)), level, config)?);
        }
        assert!(config.decoders > 0, "MutualSod: at least one decoder is needed");
        let name = |start: &str, i: usize| format!("{start}{}", i + 1);
        let decoders = (0..config.decoders)
            .map(|i| Decoder::new(&mut scope.sub(name("decoder", i)), config.dim))
            .collect();
        let heads =
            (0..config.decoders).map(|i| head(&mut scope.sub(name("linearp", i)), config.dim)).collect();
        let sides = [2, 3, 4, 5].map(|i| head(&mut scope.sub(format!("linearr{i}")), config.dim));
        let modality = config.modality;
        Ok(MutualSod { rgb, depth, fuse, decoders, heads, sides, modality, checkpointing: false })
    }

    /// The same network, which in training keeps only what passes between its stages (residual blocks, MutualFormer
    /// blocks, decoder modules) and computes the activations inside them again in the backward pass, if `on`.
    pub fn with_checkpointing(self, on: bool) -> MutualSod {
        MutualSod { checkpointing: on, ..self }
    }

    /// Normalised RGB `[B, 3, H, W]` and depth `[B, 1, H, W]` to logits. H and W must be divisible by 32 and large
    /// enough for a patch at every level; with the default levels that is from 64 on, for (H/32 − 1)·(W/32 − 1) tokens.
    #[track_caller]
    pub fn forward<T: Real>(&self, ctx: &Ctx<T>, rgb: &Var<T>, depth: &Var<T>) -> SodOutput<T> {
        let size = [rgb.size(2), rgb.size(3)];
        assert!(
            size.iter().all(|side| side.is_multiple_of(32)),
            "MutualSod: a picture of {}×{} pixels; both sides must be divisible by 32",
            size[0],
            size[1]
        );
        let (rgb, depth) = self.modality.seen(rgb, depth);
        let depth = depth.expand(rgb.shape()); // grey in three equal channels: trunks are made for colour
        let (r, prediction_r) = self.rgb.forward(ctx, &rgb, self.checkpointing);
        let (d, prediction_d) = self.depth.forward(ctx, &depth, self.checkpointing);

        let mut levels = Vec::new();
        let mut maps = [0, 1, 2, 3].map(|i| match &self.fuse[i] {
            None => r[i].add(&d[i]),
            Some(level) => {
                let (tokens, fused) = level.forward(ctx, &r[i], &d[i], self.checkpointing);
                levels.push(tokens);
                fused
            }
        });
        let mut prediction = None;
        let mut logits = Vec::new();
        for (decoder, head) in self.decoders.iter().zip(&self.heads) {
            let decoded = decoder.forward(ctx, &maps, prediction.as_ref(), self.checkpointing);
            maps = decoded.maps;
            logits.push(head.forward(ctx, &decoded.prediction).resize(size));
            prediction = Some(decoded.prediction);
        }
        SodOutput {
            logits: logits.pop().expect("at least one decoder"),
            earlier: logits,
            sides: self.sides.iter().zip(&maps).map(|(head, map)| head.forward(ctx, map)).collect(),
            streams: [prediction_r, prediction_d].into_iter().flatten().map(|p| p.resize(size)).collect(),
            levels,
        }
    }

    /// The blocks of level `level` of [`SodOutput::levels`], one after the other.
    #[track_caller]
    pub fn blocks(&self, level: usize) -> &[MutualFormerBlock] {
        self.fuse.iter().flatten().nth(level).expect("a level that fuses").blocks()
    }
}

impl Stream {
    fn new<T: Real>(scope: &mut Scope<T>, trunk: TrunkKind, config: &MutualConfig) -> Stream {
        let channels = trunk.channels();
        let trunk = Trunk::new(&mut scope.sub("trunk"), trunk, config.frozen_norms);
        let squeeze = [0, 1, 2, 3].map(|i| {
            let spec = ConvSpec { bias: true, ..ConvSpec::new(channels[i], config.dim, 1) };
            ConvBn::new(&mut scope.sub(format!("squeeze{}", i + 2)), ["0", "1"], spec)
        });
        let decoder = config.stream_decoders.then(|| {
            let decoder = Decoder::new(&mut scope.sub("decoder"), config.dim);
            (decoder, head(&mut scope.sub("linearp"), config.dim))
        });
        Stream { trunk, squeeze, decoder }
    }

    /// A picture `[B, 3, H, W]` to maps `[B, D, h, w]` at /4, /8, /16 and /32, and in training, where there is a decoder,
    /// logits at /4.
    fn forward<T: Real>(
        &self,
        ctx: &Ctx<T>,
        x: &Var<T>,
        checkpointing: bool,
    ) -> ([Var<T>; 4], Option<Var<T>>) {
        let features = self.trunk.forward(ctx, x, checkpointing);
        let squeezed = [0, 1, 2, 3].map(|i| conv_stage(ctx, checkpointing, &self.squeeze[i], &features[i]));
        match &self.decoder {
            None => (squeezed, None),
            Some((decoder, head)) => {
                let Decoded { maps, prediction } = decoder.forward(ctx, &squeezed, None, checkpointing);
                (maps, ctx.is_training().then(|| head.forward(ctx, &prediction)))
            }
        }
    }
}
