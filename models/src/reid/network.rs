//! The re-identification network: a stream for each spectrum, and what fuses them.
//!
//! ```text
//! picture m [3, H, W] -> trunk -> map [C, H/16, W/16] -> mean over the pixels -> batch norm, bias 0 -> v_m [C]
//!                                 (/32 with last_stride = 2)
//! z_m = classifier(v_m) [K], one classifier for all streams
//!
//! sum:          batch norm of Σ of the means        -> v_f,   logits = another classifier(v_f)
//! cam:          class vector of the activation maps -> feature and logits at once (see `cam`)
//! MutualFormer: batch norm of the pairs' means      -> v_f,   logits = another classifier(v_f)  (see `mutual`)
//! ```
//!
//! The batch norms between means and classifiers are the "necks" of Luo et al. 2019 (Bag of Tricks), used as HAMNet uses
//! them: there the triplet loss sees the feature before its batch norm and classifiers have no bias; here all losses and the
//! search see it behind, and classifiers have one.
//!
//! With ResNet-50, 32 pictures of 128 × 256 in two spectra and 768 channels the shapes are:
//!
//! ```text
//! [32, 3, 128, 256] -> trunk [32, 2048, 8, 16] -> mean, neck v_m [32, 2048] -> z_m [32, K]
//!                                    both -> tokens [32, 128, 2·768] -> blocks [32, 128, 768] -> mean, neck v_f [32, 768]
//! search: [v_rgb; v_nir; v_f] [32, 4864]
//! ```

use super::cam::cam_fusion;
use super::mutual::Pair;
use super::{
    ReidConfig, ReidConfigError, ReidFeature, ReidFusion, ReidHead, ReidOutput, ReidTrunk, Spectrum,
};
use crate::blocks::TokenLevel;
use crate::trunk::{MobileNetV2, ResNet50, TinyTrunk, Trunk};
use autograd::nn::{BatchNorm1d, Conv2d, Linear};
use autograd::ops::concat;
use autograd::ops::conv::ConvOptions;
use autograd::{Ctx, Real, Scope, Var};
use cda::MutualFormerBlock;

/// See the module's diagram. HAMNet is `fusion = "cam"` with all else as by default.
#[derive(Clone, Debug)]
pub struct ReidNetwork {
    streams: Vec<Stream>,
    classifier: Linear,
    fusion: Fusion,
    feature: ReidFeature,
    checkpointing: bool,
}

/// What happens to one spectrum before the fusion.
#[derive(Clone, Debug)]
struct Stream {
    trunk: StreamTrunk,
    neck: BatchNorm1d,
}

#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a network holds three at most")]
enum StreamTrunk {
    Published(Trunk),
    Tiny(TinyTrunk),
}

#[derive(Clone, Debug)]
enum Fusion {
    /// One stream.
    None,
    Sum(FusedHead),
    /// The activation maps' convolutions, one for each stream.
    Cam(Vec<Conv2d>),
    /// The pairs with the places of their streams.
    Mutual(Vec<([usize; 2], Pair)>, FusedHead),
}

/// Neck and classifier of the fused feature.
#[derive(Clone, Debug)]
struct FusedHead {
    neck: BatchNorm1d,
    classifier: Linear,
}

impl ReidNetwork {
    /// Creates the parameters: `rgb.trunk.…` under torchvision's names, `rgb.neck`, `rgb.cam`, the same for the other
    /// streams, `classifier`, `pairs.rgb_nir.…`, `neck` and `fused_classifier`, those that there are.
    ///
    /// # Errors
    /// A configuration that [`ReidConfig::validate`] refuses.
    pub fn new<T: Real>(scope: &mut Scope<T>, config: &ReidConfig) -> Result<ReidNetwork, ReidConfigError> {
        config.validate()?;
        if config.classes == 0 {
            return Err(ReidConfigError::NoClasses);
        }
        let channels = config.trunk.channels();
        let stream = |spectrum: &Spectrum| Stream::new(&mut scope.sub(spectrum.name()), config);
        let streams = config.streams.iter().map(stream).collect();
        let classifier = Linear::new(&mut scope.sub("classifier"), channels, config.classes, true);
        let fusion = Fusion::new(scope, config)?;
        Ok(ReidNetwork { streams, classifier, fusion, feature: config.feature, checkpointing: false })
    }

    /// The same network, which in training keeps only what passes between its stages (residual blocks, MutualFormer
    /// blocks) and computes the activations inside them again in the backward pass, if `on`.
    pub fn with_checkpointing(self, on: bool) -> ReidNetwork {
        ReidNetwork { checkpointing: on, ..self }
    }

    /// Normalised pictures `[B, 3, H, W]`, one for each stream in the configuration's order, all of one size; one grey
    /// channel comes as three equal ones. Training needs B ≥ 2: necks normalise over the batch.
    #[track_caller]
    pub fn forward<T: Real>(&self, ctx: &Ctx<T>, pictures: &[Var<T>]) -> ReidOutput<T> {
        let maps = self.maps(ctx, pictures);
        let means: Vec<Var<T>> = maps.iter().map(|map| map.mean(&[2, 3], false)).collect(); // [B, C]
        let necks = self.streams.iter().zip(&means);
        let features: Vec<Var<T>> = necks.map(|(stream, mean)| stream.neck.forward(ctx, mean)).collect();
        let head = |v: &Var<T>| ReidHead { logits: self.classifier.forward(ctx, v), feature: v.clone() };
        let streams = features.iter().map(head).collect();

        let (feature, fused) = match &self.fusion {
            Fusion::None => (features[0].clone(), None),
            Fusion::Cam(heads) => {
                let heads = heads.iter().zip(&maps);
                let activations: Vec<Var<T>> = heads.map(|(head, map)| head.forward(ctx, map)).collect();
                let fused = cam_fusion(&activations);
                let feature = fused.weighted(&features);
                (feature, Some(ReidHead { logits: fused.classes.clone(), feature: fused.classes }))
            }
            Fusion::Sum(head) => {
                let (first, others) = means.split_first().expect("at least two streams");
                let sum = others.iter().fold(first.clone(), |sum, mean| sum.add(mean));
                self.with_fused(&features, head.forward(ctx, &sum))
            }
            Fusion::Mutual(pairs, head) => {
                let mixed = |([r, d], pair): &([usize; 2], Pair)| {
                    pair.forward(ctx, &maps[*r], &maps[*d], self.checkpointing)
                };
                let mixed: Vec<Var<T>> = pairs.iter().map(mixed).collect();
                self.with_fused(&features, head.forward(ctx, &concat(&mixed.iter().collect::<Vec<_>>(), 1)))
            }
        };
        ReidOutput { feature, streams, fused }
    }

    /// What is compared when there is a fused feature, and its head.
    fn with_fused<T: Real>(&self, features: &[Var<T>], fused: ReidHead<T>) -> (Var<T>, Option<ReidHead<T>>) {
        let feature = match self.feature {
            ReidFeature::Fused => fused.feature.clone(),
            ReidFeature::Concat => concat(&features.iter().chain([&fused.feature]).collect::<Vec<_>>(), 1),
        };
        (feature, Some(fused))
    }

    /// What the blocks of every pair get to see of these pictures, to look at it: of streams 0, 1 and 2 the pairs (0, 1),
    /// (0, 2), (1, 2), or those of them that there are. Without MutualFormer there are none.
    #[track_caller]
    pub fn tokens<T: Real>(&self, ctx: &Ctx<T>, pictures: &[Var<T>]) -> Vec<TokenLevel<T>> {
        let Fusion::Mutual(pairs, _) = &self.fusion else { return Vec::new() };
        let maps = self.maps(ctx, pictures);
        pairs.iter().map(|([r, d], pair)| pair.tokens(ctx, &maps[*r], &maps[*d])).collect()
    }

    /// The first block of pair `pair` of [`ReidNetwork::tokens`], if there is one.
    pub fn block(&self, pair: usize) -> Option<&MutualFormerBlock> {
        self.blocks(pair).first()
    }

    /// All blocks of pair `pair` of [`ReidNetwork::tokens`] in their order; all get to see the same tokens.
    pub fn blocks(&self, pair: usize) -> &[MutualFormerBlock] {
        let Fusion::Mutual(pairs, _) = &self.fusion else { return &[] };
        pairs.get(pair).map_or(&[], |(_, pair)| pair.blocks().all())
    }

    /// The last map of every stream's trunk, `[B, C, h, w]`.
    #[track_caller]
    fn maps<T: Real>(&self, ctx: &Ctx<T>, pictures: &[Var<T>]) -> Vec<Var<T>> {
        let streams = self.streams.len();
        assert!(pictures.len() == streams, "ReidNetwork: {} pictures for {streams} streams", pictures.len());
        let shape = pictures[0].shape();
        for (i, picture) in pictures.iter().enumerate() {
            let found = picture.shape();
            assert!(
                found.len() == 4 && found[1] == 3,
                "ReidNetwork: picture {i} is {found:?}, not [B, 3, H, W]"
            );
            assert!(found == shape, "ReidNetwork: picture {i} is {found:?}, the first {shape:?}");
        }
        let streams = self.streams.iter().zip(pictures);
        streams.map(|(stream, picture)| stream.trunk.forward(ctx, picture, self.checkpointing)).collect()
    }
}

impl ReidTrunk {
    /// Channels of the map.
    pub fn channels(self) -> usize {
        match self {
            ReidTrunk::ResNet50 => ResNet50::CHANNELS[3],
            ReidTrunk::MobileNetV2 => MobileNetV2::CHANNELS[3],
            ReidTrunk::Tiny => TinyTrunk::WIDTHS[3],
        }
    }
}

impl Stream {
    fn new<T: Real>(scope: &mut Scope<T>, config: &ReidConfig) -> Stream {
        let trunk = StreamTrunk::new(&mut scope.sub("trunk"), config);
        Stream { trunk, neck: neck(&mut scope.sub("neck"), config.trunk.channels()) }
    }
}

impl StreamTrunk {
    fn new<T: Real>(scope: &mut Scope<T>, config: &ReidConfig) -> StreamTrunk {
        let options = config.trunk_options();
        match config.trunk.kind() {
            Some(kind) => StreamTrunk::Published(Trunk::with_options(scope, kind, &options)),
            None => StreamTrunk::Tiny(TinyTrunk::new(scope, 3, TinyTrunk::WIDTHS, &options)),
        }
    }

    /// `[B, 3, H, W]` to the last map, `[B, C, h, w]`.
    fn forward<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>, checkpointing: bool) -> Var<T> {
        let [.., last] = match self {
            StreamTrunk::Published(trunk) => trunk.forward(ctx, x, checkpointing),
            StreamTrunk::Tiny(trunk) => trunk.forward(ctx, x, checkpointing),
        };
        last
    }
}

impl Fusion {
    fn new<T: Real>(scope: &mut Scope<T>, config: &ReidConfig) -> Result<Fusion, ReidConfigError> {
        let (channels, classes, streams) = (config.trunk.channels(), config.classes, &config.streams);
        if streams.len() == 1 {
            return Ok(Fusion::None);
        }
        if let Some(block) = config.block() {
            let mut pairs = Vec::new();
            for d in 1..streams.len() {
                for r in 0..d {
                    let name = format!("pairs.{}_{}", streams[r].name(), streams[d].name());
                    let pair = Pair::new(&mut scope.sub(name), channels, config.blocks, block)?;
                    pairs.push(([r, d], pair));
                }
            }
            let head = FusedHead::new(scope, pairs.len() * block.dim, classes);
            return Ok(Fusion::Mutual(pairs, head));
        }
        if config.fusion == ReidFusion::Sum {
            return Ok(Fusion::Sum(FusedHead::new(scope, channels, classes)));
        }
        let cam = |spectrum: &Spectrum| {
            let mut scope = scope.sub(spectrum.name());
            Conv2d::new(&mut scope.sub("cam"), channels, classes, [1, 1], ConvOptions::default(), false)
        };
        Ok(Fusion::Cam(streams.iter().map(cam).collect()))
    }
}

impl FusedHead {
    fn new<T: Real>(scope: &mut Scope<T>, channels: usize, classes: usize) -> FusedHead {
        let classifier = Linear::new(&mut scope.sub("fused_classifier"), channels, classes, true);
        FusedHead { neck: neck(&mut scope.sub("neck"), channels), classifier }
    }

    /// `[B, C]` to its normalised self and logits.
    fn forward<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>) -> ReidHead<T> {
        let feature = self.neck.forward(ctx, x);
        ReidHead { logits: self.classifier.forward(ctx, &feature), feature }
    }
}

/// A batch norm whose bias stays 0.
fn neck<T: Real>(scope: &mut Scope<T>, channels: usize) -> BatchNorm1d {
    BatchNorm1d { learn_bias: false, ..BatchNorm1d::new(scope, channels) }
}
