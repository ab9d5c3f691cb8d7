//! The MutualFormer block (Fig. 2b and the released `Block`).

use crate::attention::{AttentionConfig, CrossBranch, MultiAttention};
use crate::config::ConfigError;
use crate::diffusion::Qkv;
use crate::fusion::Fusion;
use crate::path::Path;
use autograd::nn::{DropPath, LayerNorm, Mlp};
use autograd::ops::concat;
use autograd::{Ctx, Real, Scope, Var};

/// Options of [`MutualFormerBlock`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BlockConfig {
    /// Channels C of one modality.
    pub dim: usize,
    /// Attention heads; the released default is 8.
    pub num_heads: usize,
    /// Width of the MLP over C.
    pub mlp_ratio: f64,
    /// Biases on the query-key-value projections.
    pub qkv_bias: bool,
    /// One LayerNorm over both modalities' 2C channels (released) instead of one for each (Fig. 2b).
    pub joint_norm: bool,
    /// The released self-attention over x_rd, absent from Fig. 2b.
    pub third_branch: bool,
    /// Dropout of the MLP and of the third branch's projection.
    pub drop: f64,
    /// Dropout of the cross-affinities and of the third branch's map.
    pub attn_drop: f64,
    /// Stochastic depth.
    pub drop_path: f64,
    /// What fills U_rd and U_dr.
    pub fusion: Fusion,
    /// With N×N matrices or without.
    pub path: Path,
}

impl BlockConfig {
    /// The released block of width `dim`: MLP ratio 4, no biases on q, k, v, no dropout, CDA as released.
    ///
    /// # Errors
    /// As [`CdaConfig::validate`](crate::CdaConfig::validate), and heads that do not divide the channels.
    pub fn new(dim: usize, num_heads: usize) -> BlockConfig {
        BlockConfig {
            dim,
            num_heads,
            mlp_ratio: 4.0,
            qkv_bias: false,
            joint_norm: true,
            third_branch: true,
            drop: 0.0,
            attn_drop: 0.0,
            drop_path: 0.0,
            fusion: Fusion::default(),
            path: Path::Auto,
        }
    }
}

/// Two modalities in, `[B, N, 2C]` and x_rd `[B, N, C]`, one fused stream out, `[B, N, C]`: 24C² + 17C parameters as released, under
/// its `state_dict` names. Source: `MutualFormer.py`, Fig. 2b; what the figure draws otherwise is an option.
#[derive(Clone, Debug)]
pub struct MutualFormerBlock {
    norm1: Norm1,
    norm1_rd: Option<LayerNorm>,
    attn: MultiAttention,
    drop_path: DropPath,
    norm2: LayerNorm,
    mlp: Mlp,
    dim: usize,
}

#[derive(Clone, Debug)]
enum Norm1 {
    Joint(LayerNorm),
    Separate(LayerNorm, LayerNorm),
}

impl MutualFormerBlock {
    /// Creates the parameters under the released `state_dict` names.
    ///
    /// # Errors
    /// Heads that do not divide the channels, and what [`CdaConfig::validate`](crate::CdaConfig::validate) refuses.
    pub fn new<T: Real>(scope: &mut Scope<T>, config: BlockConfig) -> Result<MutualFormerBlock, ConfigError> {
        let BlockConfig { dim, num_heads, qkv_bias, third_branch, attn_drop, drop, fusion, path, .. } =
            config;
        let norm1 = if config.joint_norm {
            Norm1::Joint(LayerNorm::new(&mut scope.sub("norm1"), 2 * dim))
        } else {
            let mut norm = |name: &str| LayerNorm::new(&mut scope.sub(name), dim);
            Norm1::Separate(norm("norm1_r"), norm("norm1_d"))
        };
        let norm1_rd = third_branch.then(|| LayerNorm::new(&mut scope.sub("norm1_rd"), dim));
        let attention = AttentionConfig {
            dim,
            num_heads,
            qkv_bias,
            third_branch,
            attn_drop,
            proj_drop: drop,
            fusion,
            path,
        };
        let attn = MultiAttention::new(&mut scope.sub("attn"), attention)?;
        let norm2 = LayerNorm::new(&mut scope.sub("norm2"), dim);
        let hidden = (dim as f64 * config.mlp_ratio) as usize;
        let mlp = Mlp::new(&mut scope.sub("mlp"), dim, hidden, drop);
        Ok(MutualFormerBlock {
            norm1,
            norm1_rd,
            attn,
            drop_path: DropPath::new(config.drop_path),
            norm2,
            mlp,
            dim,
        })
    }

    /// x = [x_r, x_d] side by side in the channels, `[B, N, 2C]`, and the residual carrier x_rd `[B, N, C]` (the caller's projection of x) to
    /// `[B, N, C]`: y = x_rd + attn(norm(x), norm(x_rd)); y + mlp(norm(y)).
    pub fn forward<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>, x_rd: &Var<T>) -> Var<T> {
        let (n_r, n_d) = self.normalised(ctx, x);
        let m = self.norm1_rd.as_ref().map(|norm| norm.forward(ctx, x_rd));
        let mixed = self.attn.forward(ctx, &n_r, &n_d, m.as_ref());
        let y = x_rd.add(&self.drop_path.forward(ctx, &mixed));
        y.add(&self.drop_path.forward(ctx, &self.mlp.forward(ctx, &self.norm2.forward(ctx, &y))))
    }

    /// Q, K and V of both modalities for x `[B, N, 2C]`, to look at affinities from outside.
    pub fn projections<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>) -> (Qkv<T>, Qkv<T>) {
        let (n_r, n_d) = self.normalised(ctx, x);
        self.attn.projections(ctx, &n_r, &n_d)
    }

    /// The projections behind the cross-affinities as one sum, to look at its parts from outside.
    pub fn cross_branch<T: Real>(&self, ctx: &Ctx<T>) -> CrossBranch<T> {
        self.attn.cross_branch(ctx)
    }

    /// Both modalities' normalised tokens, `[B, N, C]` each. The joint norm shares mean and variance between them, so a
    /// gain on one modality changes the other's tokens too.
    fn normalised<T: Real>(&self, ctx: &Ctx<T>, x: &Var<T>) -> (Var<T>, Var<T>) {
        let c = self.dim;
        assert!(x.size(-1) == 2 * c, "MutualFormerBlock: x has {} channels, not 2·{c}", x.size(-1));
        match &self.norm1 {
            Norm1::Joint(norm) => {
                let n = norm.forward(ctx, x);
                (n.slice(-1, 0..c), n.slice(-1, c..2 * c))
            }
            Norm1::Separate(r, d) => {
                (r.forward(ctx, &x.slice(-1, 0..c)), d.forward(ctx, &x.slice(-1, c..2 * c)))
            }
        }
    }
}

/// Two feature maps `[B, C, h, w]` as the block's token input `[B, N, 2C]`, N = h·w row by row.
pub fn pair_tokens<T: Real>(r: &Var<T>, d: &Var<T>) -> Var<T> {
    concat(&[r, d], 1).reshape(&[r.size(0) as isize, 2 * r.size(1) as isize, -1]).transpose(1, 2)
}
