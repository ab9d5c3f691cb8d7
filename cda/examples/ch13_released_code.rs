//! Chapter 13: reading the released code critically. For each of fourteen differences between `MutualFormer.py` and the
//! paper, how far it moves the numbers of one input.
//!
//! `cargo run -p cda --example ch13_released_code`

use autograd::ops::{ConvOptions, concat};
use autograd::random::{Key, site};
use autograd::{Ctx, Params, Tensor, Var};
use cda::{
    AttentionConfig, BlockConfig, CdaConfig, Fusion, MultiAttention, MutualFormerBlock, Norm, Path, Preset,
    Qkv, Start, Steps, affinity, cross_diffusion, cross_diffusion_attention,
};
use std::process::ExitCode;

#[path = "../../autograd/examples/course/mod.rs"]
mod course;

/// Tokens, and channels of a modality.
const N: usize = 12;
const C: usize = 8;

fn random(name: &str, shape: &[usize]) -> Var<f64> {
    Var::constant(Tensor::randn(shape, Key::default(), site(name)))
}

// ANCHOR: moved
/// Prints ‖after − before‖/‖before‖.
fn moved(row: usize, what: &str, before: &Var<f64>, after: &Var<f64>) {
    let norm = |x: &Var<f64>| x.mul(x).sum_all().value().as_slice()[0].sqrt();
    let moved = norm(&after.sub(before)) / norm(before);
    let shown = if moved < 1e-12 { "0".to_owned() } else { format!("{moved:.4}") };
    println!("{row:2}  {what:<60}{shown:>8}");
}
// ANCHOR_END: moved

/// X_rd and U_rd of the one input, four pictures and two heads.
fn rd(config: CdaConfig) -> [Var<f64>; 2] {
    let (r, d) = (modality("r"), modality("d"));
    let x = cross_diffusion((&affinity(&r), &affinity(&d)), (&r, &d), &config).rd;
    [x, cross_diffusion_attention(&r, &d, &config, Var::clone).u_rd]
}

fn modality(name: &str) -> Qkv<f64> {
    let [q, k, v] = ["q", "k", "v"].map(|part| random(&format!("{name}.{part}"), &[4, 2, N, 4]));
    Qkv { q, k, v }
}

/// Rows 1 to 6: the diffusion.
fn diffusion() {
    let (r, official) = (modality("r"), CdaConfig::default());
    let [x, u] = rd(official);
    let u_moved = |row, what, config| moved(row, what, &u, &rd(config)[1]);
    // ANCHOR: diffusion
    let paper = CdaConfig::preset(Preset::Paper);
    moved(1, "preset = paper: S = P. X_rd", &x, &rd(paper)[0]);
    let p = affinity(&r);
    moved(2, "P divided by its row sums, as released", &p, &p.div(&p.sum(&[-1], true)));
    u_moved(2, "norm = degree", CdaConfig { norm: Norm::Degree, ..official });
    u_moved(3, "steps = 3, with feedback", CdaConfig { steps: Steps::Finite(3), ..official });
    u_moved(3, "steps = inf", CdaConfig { steps: Steps::Infinite, ..official });
    u_moved(4, "init = affinity: X starts as Y", CdaConfig { init: Start::Affinity, ..official });
    moved(5, "X_rd times V_r, not V_d", &u, &x.matmul(&r.v));
    u_moved(5, "rows 1 and 5 together: preset = paper", paper);
    u_moved(6, "alpha = 0.5", CdaConfig { alpha: 0.5, ..official });
    // ANCHOR_END: diffusion
}

/// The output of a block for depth features `gain` times as large.
fn block(config: BlockConfig, gain: f64, ctx: impl Fn(&Params<f64>) -> Ctx<f64>) -> Var<f64> {
    let (params, block) = Params::build(1, |scope| MutualFormerBlock::new(scope, config));
    let [r, d, x_rd] = ["x_r", "x_d", "x_rd"].map(|name| random(name, &[4, N, C]));
    let x = concat(&[&r, &d.mul_scalar(gain)], -1);
    block.expect("a valid configuration").forward(&ctx(&params), &x, &x_rd)
}

/// Rows 7 to 14: the block around it.
fn around() {
    let train = |params: &Params<f64>| Ctx::train(params, Key::default());
    let (r, d) = (modality("r"), modality("d"));
    // ANCHOR: around
    let released = BlockConfig::new(C, 2);
    let separate = BlockConfig { joint_norm: false, ..released };
    let out = block(released, 1.0, Ctx::eval);
    moved(7, "joint_norm = false", &out, &block(separate, 1.0, Ctx::eval));
    moved(7, "depth features times 10, one norm", &out, &block(released, 10.0, Ctx::eval));
    let two_norms = block(separate, 1.0, Ctx::eval);
    moved(7, "depth features times 10, two norms", &two_norms, &block(separate, 10.0, Ctx::eval));
    let two_branches = BlockConfig { third_branch: false, ..released };
    moved(8, "third_branch = false", &out, &block(two_branches, 1.0, Ctx::eval));
    let (x, w) = (random("tokens", &[4, 2 * C, N, 1]), random("w", &[C, 2 * C, 1, 1])); // a picture, a column wide
    let linear = x.with_shape(&[4, 2 * C, N]).transpose(1, 2).linear(&w.with_shape(&[C, 2 * C]), None);
    let conv = x.conv2d(&w, None, ConvOptions::default()).with_shape(&[4, C, N]).transpose(1, 2);
    moved(9, "a 1×1 convolution for Linear(2C → C)", &linear, &conv);
    let mix = |keep: f64| cross_diffusion_attention(&r, &d, &CdaConfig::default(), |x| x.mul_scalar(keep));
    moved(10, "attn_drop of everything: O_r", &mix(1.0).o_r, &mix(0.0).o_r);
    moved(10, "attn_drop of everything: U_rd", &mix(1.0).u_rd, &mix(0.0).u_rd);
    moved(11, "proj_drop = 0.5 without third branch", &mixer(false, Ctx::eval), &mixer(false, train));
    moved(11, "proj_drop = 0.5 with it", &mixer(true, Ctx::eval), &mixer(true, train));
    moved(12, "drop_path = 0.5", &out, &block(BlockConfig { drop_path: 0.5, ..released }, 1.0, train));
    let identity = Var::constant(Tensor::from_fn(&[N, N], |e| f64::from(u8::from(e % (N + 1) == 0))));
    moved(13, "P_r times an identity matrix", &affinity(&r), &affinity(&r).matmul(&identity));
    // ANCHOR_END: around
    let (params, _) = Params::<f64>::build(1, |scope| MutualFormerBlock::new(scope, released));
    let vit = params.ids().filter(|&id| params.name(id).starts_with("blocks.")).count();
    println!("14  of {} names in a block, {vit} begin as ViT's do: blocks.", params.len());
}

/// The token mixer's output, with dropout after projections.
fn mixer(third_branch: bool, ctx: impl Fn(&Params<f64>) -> Ctx<f64>) -> Var<f64> {
    let [n_r, n_d, m] = ["n_r", "n_d", "m"].map(|name| random(name, &[4, N, C]));
    let (fusion, path) = (Fusion::default(), Path::Auto);
    let (attn_drop, proj_drop, qkv_bias) = (0.0, 0.5, false);
    let config =
        AttentionConfig { dim: C, num_heads: 2, qkv_bias, third_branch, attn_drop, proj_drop, fusion, path };
    let (params, mixer) = Params::build(1, |scope| MultiAttention::new(scope, config));
    mixer.expect("a valid configuration").forward(&ctx(&params), &n_r, &n_d, Some(&m))
}

fn lesson() {
    println!("row of the list, what is changed                                moves by");
    diffusion();
    around();
}

/// Mean row sum of X_rd after `steps` steps.
fn row_sum(steps: usize) -> f64 {
    let [x, _] = rd(CdaConfig { steps: Steps::Finite(steps), ..CdaConfig::default() });
    x.sum(&[-1], false).mean_all().value().as_slice()[0]
}

fn main() -> ExitCode {
    course::run(
        lesson,
        "somebody sets the released code's max_iter to 4. What do the rows of X_rd sum to on average there, and what \
         would they with feedback?",
        || vec![row_sum(1), row_sum(4)],
        "Row 3: without feedback, four iterations are one. After T steps the mean is 2 − α^T, α = 0.6 (chapter 6).",
    )
}
