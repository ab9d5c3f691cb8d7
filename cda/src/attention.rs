//! The token mixer of the MutualFormer block: two self-attentions, CDA between them, and the third branch that the
//! released code has and Fig. 2 does not.

use crate::config::ConfigError;
use crate::diffusion::{Mixed, Qkv};
use crate::fusion::Fusion;
use crate::path::Path;
use autograd::nn::{Dropout, Linear};
use autograd::ops::concat;
use autograd::{Ctx, Real, Scope, Tensor, Var};

/// Options of [`MultiAttention`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionConfig {
    /// Channels C of one modality.
    pub dim: usize,
    /// Heads H; C/H channels each.
    pub num_heads: usize,
    /// Biases on the query-key-value projections (released: none).
    pub qkv_bias: bool,
    /// The self-attention branch over x_rd that the code has and Fig. 2 does not.
    pub third_branch: bool,
    /// Dropout on the cross-affinities and on the third branch's map (not on P_r, P_d: as released).
    pub attn_drop: f64,
    /// Dropout after the third branch's projection (nowhere else: as released).
    pub proj_drop: f64,
    /// What fills U_rd and U_dr.
    pub fusion: Fusion,
    /// With N×N matrices or without.
    pub path: Path,
}

/// The released `MultiAttention` under its `state_dict` names.
#[derive(Clone, Debug)]
pub struct MultiAttention {
    qkv_r: Linear,
    qkv_d: Linear,
    proj_r: Linear,
    proj_d: Linear,
    proj_rd: Linear,
    third: Option<ThirdBranch>,
    config: AttentionConfig,
}

#[derive(Clone, Debug)]
struct ThirdBranch {
    qkv: Linear,
    proj: Linear,
}

impl MultiAttention {
    /// Creates the parameters `qkv_r`, `qkv_d`, with a third branch `qkv` and `proj`, then `proj_rd`, `proj_r`, `proj_d`.
    pub fn new<T: Real>(
        scope: &mut Scope<T>,
        config: AttentionConfig,
    ) -> Result<MultiAttention, ConfigError> {
        let AttentionConfig { dim, num_heads, qkv_bias, .. } = config;
        if num_heads == 0 || !dim.is_multiple_of(num_heads) {
            return Err(ConfigError::Heads { dim, heads: num_heads });
        }
        config.fusion.validate()?;
        let qkv_r = Linear::new(&mut scope.sub("qkv_r"), dim, 3 * dim, qkv_bias);
        let qkv_d = Linear::new(&mut scope.sub("qkv_d"), dim, 3 * dim, qkv_bias);
        let third = config.third_branch.then(|| ThirdBranch {
            qkv: Linear::new(&mut scope.sub("qkv"), dim, 3 * dim, qkv_bias),
            proj: Linear::new(&mut scope.sub("proj"), dim, dim, true),
        });
        let mut pair = |name: &str| Linear::new(&mut scope.sub(name), 2 * dim, dim, true);
        Ok(MultiAttention {
            qkv_r,
            qkv_d,
            proj_rd: pair("proj_rd"),
            proj_r: pair("proj_r"),
            proj_d: pair("proj_d"),
            third,
            config,
        })
    }

    /// Q, K and V of both modalities from their normalised tokens `[B, N, C]`.
    pub fn projections<T: Real>(&self, ctx: &Ctx<T>, n_r: &Var<T>, n_d: &Var<T>) -> (Qkv<T>, Qkv<T>) {
        (self.heads(&self.qkv_r.forward(ctx, n_r)), self.heads(&self.qkv_d.forward(ctx, n_d)))
    }

    /// Normalised tokens of both modalities and of their mixture (third branch) `[B, N, C]` to the sum of the branches
    /// `[B, N, C]`: proj(MSA(m)) + proj_rd([proj_r([O_r, U_rd]), proj_d([O_d, U_dr])]), brackets joining channels. Panics if there is a third
    /// branch and no m.
    #[track_caller]
    pub fn forward<T: Real>(&self, ctx: &Ctx<T>, n_r: &Var<T>, n_d: &Var<T>, m: Option<&Var<T>>) -> Var<T> {
        let attn_drop = Dropout::new(self.config.attn_drop);
        let (r, d) = self.projections(ctx, n_r, n_d);
        let path = self.path::<T>(ctx, r.q.value());
        let Mixed { o_r, o_d, u_rd, u_dr } = match path {
            Path::Fast => self.config.fusion.mix_matrix_free(&r, &d),
            _ => self.config.fusion.mix(&r, &d, |x| attn_drop.forward(ctx, x)),
        };
        let pair = |proj: &Linear, a: &Var<T>, b: &Var<T>| proj.forward(ctx, &concat(&[a, b], -1));
        let side_r = pair(&self.proj_r, &merge_heads(&o_r), &merge_heads(&u_rd)); // [B, N, C]
        let side_d = pair(&self.proj_d, &merge_heads(&o_d), &merge_heads(&u_dr));
        let mixed = pair(&self.proj_rd, &side_r, &side_d);
        let Some(third) = &self.third else { return mixed };
        let m = m.expect("MultiAttention: the third branch needs m, the mixture's tokens");
        let Qkv { q, k, v } = self.heads(&third.qkv.forward(ctx, m));
        let own = match path {
            Path::Fast => q.scaled_dot_product_attention(&k, &v, None),
            _ => attn_drop.forward(ctx, &q.attention_map(&k, None)).matmul(&v),
        };
        let own = third.proj.forward(ctx, &merge_heads(&own));
        Dropout::new(self.config.proj_drop).forward(ctx, &own).add(&mixed)
    }

    /// What runs for queries `[B, H, N, d]`: the path of the configuration, but matrices for dropout on them and on devices.
    fn path<T: Real>(&self, ctx: &Ctx<T>, q: &Tensor<T>) -> Path {
        let drops = ctx.is_training() && self.config.attn_drop > 0.0;
        let path = self.config.path.resolve::<T>(&self.config.fusion, q.size(-2), q.size(-1), drops);
        if q.device().is_some() { Path::Plain } else { path }
    }

    /// `[B, N, 3C]`, channels ordered q heads, k heads, v heads, to three times `[B, H, N, d]`.
    fn heads<T: Real>(&self, qkv: &Var<T>) -> Qkv<T> {
        let (b, n, heads) = (qkv.size(0), qkv.size(1), self.config.num_heads);
        let d = self.config.dim / heads;
        let split = qkv.with_shape(&[b, n, 3, heads, d]).permute(&[2, 0, 3, 1, 4]); // [3, B, H, N, d]
        let part = |i: usize| split.slice(0, i..i + 1).with_shape(&[b, heads, n, d]);
        Qkv { q: part(0), k: part(1), v: part(2) }
    }
}

/// `[B, H, N, d]` to `[B, N, C]`.
fn merge_heads<T: Real>(x: &Var<T>) -> Var<T> {
    let (b, n) = (x.size(0), x.size(2));
    x.permute(&[0, 2, 1, 3]).reshape(&[b as isize, n as isize, -1])
}
