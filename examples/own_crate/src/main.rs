//! A network of one's own around Cross-Diffusion Attention, trained in seconds.
//!
//! To start such a crate: `cargo new finder`, and under `[dependencies]` of its `Cargo.toml`
//!
//! ```toml
//! autograd = { path = "…/autograd" }   # tensors, layers, optimisers
//! cda = { path = "…/cda" }             # the attention and the MutualFormer block
//! ```
//!
//! (or `git = "…"` in place of `path`). Nothing else is needed; when copying this folder, drop its `[lints]`.
//!
//! The task needs both modalities. A scene has twelve tokens, seen in colour and in depth; background tokens look alike,
//! differently in every scene. The *object* stands out in both, a poster in colour alone, a box in depth alone. Which
//! token is the object? One modality leaves a guess between two, and one token alone says nothing.
//!
//! `cargo run --release -p own_crate`

use autograd::nn::Linear;
use autograd::ops::CrossEntropy;
use autograd::optim::Optimizer;
use autograd::random::Key;
use autograd::{Ctx, Indices, Params, Scope, Tensor, Var};
use cda::{AttentionConfig, ConfigError, Fusion, MultiAttention, Path};

const BATCH: usize = 32;
const TOKENS: usize = 12;
const FEATURES: usize = 6;
const DIM: usize = 32;

/// Scenes seen in colour and in depth, `[B, N, F]` each, and which token is the object, `[B]`.
fn scenes(step: u64) -> ([Tensor; 2], Indices) {
    let object = |scene: usize| (step as usize + 5 * scene) % TOKENS;
    let modality = |site: u64, away: usize| {
        let key = Key { seed: 1, epoch: 0, step };
        let looks = Tensor::<f32>::randn(&[BATCH, 2, FEATURES], key, site); // of the background, of what stands out
        let noise = Tensor::<f32>::randn(&[BATCH, TOKENS, FEATURES], key, site + 1);
        Tensor::from_fn(noise.shape(), |e| {
            let (scene, token, feature) = (e / (TOKENS * FEATURES), e / FEATURES % TOKENS, e % FEATURES);
            let distance = (token + TOKENS - object(scene)) % TOKENS; // 0 is the object
            let stands_out = distance == 0 || distance == away + scene % 5;
            let look = looks.as_slice()[(2 * scene + usize::from(stands_out)) * FEATURES + feature];
            look + 0.1 * noise.as_slice()[e]
        })
    };
    let objects = (0..BATCH).map(|scene| object(scene) as i64).collect();
    ([modality(0, 1), modality(2, 6)], Indices::new(objects, &[BATCH]))
}

/// Both modalities to C channels, CDA between them, one score per token.
struct Finder {
    embed: [Linear; 2],
    mix: MultiAttention,
    hidden: Linear,
    score: Linear,
}

impl Finder {
    fn new(scope: &mut Scope) -> Result<Finder, ConfigError> {
        let attention = AttentionConfig {
            dim: DIM,
            num_heads: 4,
            qkv_bias: true,
            third_branch: false,
            attn_drop: 0.0,
            proj_drop: 0.0,
            fusion: Fusion::default(), // CDA as released; `cda::config` lists the switches
            path: Path::Auto,
        };
        Ok(Finder {
            embed: ["colour", "depth"].map(|name| Linear::new(&mut scope.sub(name), FEATURES, DIM, true)),
            mix: MultiAttention::new(&mut scope.sub("mix"), attention)?,
            hidden: Linear::new(&mut scope.sub("hidden"), DIM, 2 * DIM, true),
            score: Linear::new(&mut scope.sub("score"), 2 * DIM, 1, true),
        })
    }

    /// Scores `[B, N]`; their softmax says where the object is.
    fn forward(&self, ctx: &Ctx, [colour, depth]: &[Tensor; 2]) -> Var {
        let r = self.embed[0].forward(ctx, &Var::constant(colour.clone())); // [B, N, C]
        let d = self.embed[1].forward(ctx, &Var::constant(depth.clone()));
        let mixed = self.mix.forward(ctx, &r, &d, None).add(&r).add(&d);
        let hidden = self.hidden.forward(ctx, &mixed).gelu(); // [B, N, 2C]
        self.score.forward(ctx, &hidden).with_shape(&[BATCH, TOKENS])
    }
}

/// Trains a finder and returns the share of objects it finds in unseen scenes.
fn train(steps: u64) -> Result<f64, ConfigError> {
    let (mut params, finder) = Params::build(1, Finder::new);
    let finder = finder?;
    let mut optimizer = Optimizer::adamw([0.9, 0.999], 1e-8, 0.01);
    for step in 0..steps {
        let (views, object) = scenes(step);
        let ctx = Ctx::train(&params, Key { seed: 1, epoch: 0, step });
        let loss = finder.forward(&ctx, &views).cross_entropy(&object, CrossEntropy::default());
        if step % (steps / 10) == 0 {
            println!("step {step:4}  loss {:.3}", loss.value().as_slice()[0]);
        }
        optimizer.step(&mut params, &loss.backward(), 3e-3);
    }
    let (views, object) = scenes(steps);
    let found = finder.forward(&Ctx::eval(&params), &views).value().argmax(1).expect("values in host memory");
    let right = found.values().iter().zip(object.values()).filter(|(a, b)| a == b).count();
    Ok(right as f64 / BATCH as f64)
}

fn main() -> Result<(), ConfigError> {
    println!("found {:.0} % of the objects in unseen scenes", 100.0 * train(500)?);
    Ok(())
}

/// Half of the objects is what one modality alone can find.
#[test]
fn it_learns_to_use_both_modalities() {
    assert!(train(500).unwrap() > 0.8);
}
