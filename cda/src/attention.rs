//! The token mixer of the MutualFormer block: two self-attentions, CDA between them, and the third branch that the
//! released code has and Fig. 2 does not.

use crate::config::ConfigError;
use crate::diffusion::{Mixed, Qkv};
use crate::fusion::Fusion;
use crate::path::Path;
use autograd::device::View;
use autograd::nn::{Dropout, Linear};
use autograd::ops::{concat, record_many};
use autograd::{Ctx, Real, Scope, Tensor, Var, record};

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

/// The released `MultiAttention` under its `state_dict` names: self-attention of each modality, the fusion across them and the
/// third branch, `[B, N, C]` of r, d and x_rd to `[B, N, C]`. Source: `MutualFormer.py`; the figure's part of it is Fig. 2b and Fig. 3.
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

/// What becomes of O_r, U_rd, O_d and U_dr in the cross branch. Its three projections are linear with nothing between
/// them, so that proj_rd([proj_r([O_r, U_rd]), proj_d([O_d, U_dr])]) is a sum: a matrix times each of the four, and b.
pub struct CrossBranch<T: Real = f32> {
    /// The matrices of O_r, U_rd, O_d, U_dr, `[C, C]` each, a row for each channel that comes out.
    pub weights: [Var<T>; 4],
    /// b, `[C]`: the biases of all three projections.
    pub bias: Var<T>,
}

impl MultiAttention {
    /// Creates the parameters `qkv_r`, `qkv_d`, with a third branch `qkv` and `proj`, then `proj_rd`, `proj_r`, `proj_d`.
    ///
    /// # Errors
    /// As [`CdaConfig::validate`](crate::CdaConfig::validate), and heads that do not divide the channels.
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

    /// The cross branch as one sum; see [`CrossBranch`].
    pub fn cross_branch<T: Real>(&self, ctx: &Ctx<T>) -> CrossBranch<T> {
        let c = self.config.dim;
        let joint = ctx.param(self.proj_rd.weight); // [C, 2C]
        let mut bias = ctx.param(self.proj_rd.bias.expect("proj_rd has a bias")).with_shape(&[1, c]);
        let mut weights = Vec::new();
        for (side, columns) in [(&self.proj_r, 0..c), (&self.proj_d, c..2 * c)] {
            let own = joint.slice(-1, columns); // [C, C]
            let both = own.matmul(&ctx.param(side.weight)); // [C, 2C]
            weights.extend([both.slice(-1, 0..c), both.slice(-1, c..2 * c)]);
            let side_bias = ctx.param(side.bias.expect("proj_r and proj_d have biases"));
            bias = side_bias.with_shape(&[1, c]).linear(&own, None).add(&bias);
        }
        let weights = weights.try_into().unwrap_or_else(|_| unreachable!("two halves of two sides"));
        CrossBranch { weights, bias: bias.with_shape(&[c]) }
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
        let side_r = self.proj_r.forward(ctx, &join_heads(&[&o_r, &u_rd])); // [B, N, C]
        let side_d = self.proj_d.forward(ctx, &join_heads(&[&o_d, &u_dr]));
        let mixed = self.proj_rd.forward(ctx, &concat(&[&side_r, &side_d], -1));
        let Some(third) = &self.third else { return mixed };
        let m = m.expect("MultiAttention: the third branch needs m, the mixture's tokens");
        let Qkv { q, k, v } = self.heads(&third.qkv.forward(ctx, m));
        let own = match path {
            Path::Fast => q.scaled_dot_product_attention(&k, &v, None),
            _ => attn_drop.forward(ctx, &q.attention_map(&k, None)).matmul(&v),
        };
        let own = third.proj.forward(ctx, &join_heads(&[&own]));
        Dropout::new(self.config.proj_drop).forward(ctx, &own).add(&mixed)
    }

    /// What runs for queries `[B, H, N, d]`: the path of the configuration, but matrices for dropout on them.
    fn path<T: Real>(&self, ctx: &Ctx<T>, q: &Tensor<T>) -> Path {
        let drops = ctx.is_training() && self.config.attn_drop > 0.0;
        self.config.path.resolve::<T>(&self.config.fusion, q.size(-2), q.size(-1), drops)
    }

    /// `[B, N, 3C]`, channels ordered q heads, k heads, v heads, to three times `[B, H, N, d]`.
    fn heads<T: Real>(&self, qkv: &Var<T>) -> Qkv<T> {
        let (b, n, c) = (qkv.size(0), qkv.size(1), self.config.dim);
        let shape = [b, self.config.num_heads, n, c / self.config.num_heads];
        let values = [0, 1, 2].map(|i| qkv.value().strided(&shape, &heads_view(shape, 3, i)));
        let [q, k, v] = record_many("split_heads", values, &[qkv], move |gradients, sink| {
            sink.add(0, || side_by_side(&gradients.each_ref()));
        });
        Qkv { q, k, v }
    }
}

/// Several `[B, H, N, d]` side by side as `[B, N, ..]`: heads joined in the channels, first those of the first.
fn join_heads<T: Real>(parts: &[&Var<T>]) -> Var<T> {
    let values: Vec<&Tensor<T>> = parts.iter().map(|part| part.value()).collect();
    let (shape, count) = (heads_shape(values[0]), parts.len());
    record("join_heads", side_by_side(&values), parts, move |dy, sink| {
        for i in 0..count {
            sink.add(i, || dy.strided(&shape, &heads_view(shape, count, i)));
        }
    })
}

fn side_by_side<T: Real>(parts: &[&Tensor<T>]) -> Tensor<T> {
    let shape = heads_shape(parts[0]);
    let [b, h, n, d] = shape;
    let whole = [b, n, parts.len() * h * d];
    let place = |joined: Option<Tensor<T>>, (i, part): (usize, &&Tensor<T>)| {
        Some(part.place(joined, &whole, &heads_view(shape, parts.len(), i), false))
    };
    parts.iter().enumerate().fold(None, place).expect("at least one part")
}

fn heads_shape<T: Real>(x: &Tensor<T>) -> [usize; 4] {
    x.shape().try_into().unwrap_or_else(|_| panic!("heads have shape [B, H, N, d], not {:?}", x.shape()))
}

/// Where part `i` of `count`, of shape `[B, H, N, d]`, stands in `[B, N, count·H·d]`.
fn heads_view([_, h, n, d]: [usize; 4], count: usize, i: usize) -> View {
    let (c, row) = (h * d, (count * h * d) as isize);
    View { offset: i * c, strides: vec![n as isize * row, d as isize, row, 1] }
}
