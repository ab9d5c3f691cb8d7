//! Chapter 13: reading the released code critically. Each of fourteen differences between `MutualFormer.py` and the paper
//! gets its switch, and one number for what the switch does.
//!
//! `cargo run -p cda --example ch13_released_code`

use autograd::ops::ConvOptions;
use autograd::random::{Key, site};
use autograd::{Ctx, Params, Tensor, Var};
use cda::*;
use std::process::ExitCode;

#[path = "../../autograd/examples/course/mod.rs"]
mod course;

/// Pictures, heads, tokens, channels of a head.
const SHAPE: [usize; 4] = [4, 2, 12, 4];
/// Channels of a modality.
const C: usize = 8;

fn random(name: &str, shape: &[usize]) -> Var<f64> {
    Var::constant(Tensor::randn(shape, Key::default(), site(name)))
}

// ANCHOR: moved
/// ‖after − before‖/‖before‖.
fn moved(before: &Var<f64>, after: &Var<f64>) -> f64 {
    let norm = |x: Var<f64>| x.mul(&x).sum_all().value().as_slice()[0].sqrt();
    norm(after.sub(before)) / norm(before.clone())
}
// ANCHOR_END: moved

fn row(number: usize, what: &str, value: f64) {
    let value = if value.abs() < 1e-12 { "0".to_owned() } else { format!("{value:.3}") };
    println!("{number:2}  {what:<68}{value:>8}");
}

fn modality(name: &str) -> Qkv<f64> {
    let [q, k, v] = ["q", "k", "v"].map(|part| random(&format!("{name}.{part}"), &SHAPE));
    Qkv { q, k, v }
}

/// X_rd and U_rd of the one input.
fn rd(config: CdaConfig) -> [Var<f64>; 2] {
    let (r, d) = (modality("r"), modality("d"));
    let x = cross_diffusion((&affinity(&r), &affinity(&d)), (&r, &d), &config).rd;
    [x, cross_diffusion_attention(&r, &d, &config, Var::clone).u_rd]
}

/// Rows 1 to 6, 10 and 13: the diffusion.
fn diffusion() {
    let (r, d, official) = (modality("r"), modality("d"), CdaConfig::default());
    let (p_r, p_d) = (affinity(&r), affinity(&d));
    let [x, u] = rd(official);
    let change = |number, what, config| row(number, what, moved(&u, &rd(config)[1]));
    // ANCHOR: diffusion
    row(
        1,
        "preset = paper: S = P, and the values of row 5; X_rd moves",
        moved(&x, &rd(CdaConfig::preset(Preset::Paper))[0]),
    );
    row(
        2,
        "the released normalisation: largest |row sum − 1| of P",
        largest(&p_r.sum(&[-1], false).add_scalar(-1.0)),
    );
    change(2, "norm = degree: U_rd moves", CdaConfig { norm: Norm::Degree, ..official });
    change(3, "steps = 3, each fed the last one's X", CdaConfig { steps: Steps::Finite(3), ..official });
    change(3, "steps = inf", CdaConfig { steps: Steps::Infinite, ..official });
    change(4, "init = affinity: start from Y", CdaConfig { init: Start::Affinity, ..official });
    row(5, "the values of the other side: X_rd·V_r for X_rd·V_d", moved(&u, &x.matmul(&r.v)));
    change(6, "alpha = 0.5", CdaConfig { alpha: 0.5, ..official });
    change(6, "alpha = 0.9", CdaConfig { alpha: 0.9, ..official });
    // ANCHOR_END: diffusion
    let dropped = cross_diffusion_attention(&r, &d, &official, |x| x.mul_scalar(0.0)); // all of it
    row(10, "all of attn_drop's maps dropped: O_r moves", moved(&p_r.matmul(&r.v), &dropped.o_r));
    row(10, "the same: U_rd moves", moved(&u, &dropped.u_rd));
    let identity = Var::constant(Tensor::from_fn(&[12, 12], |e| f64::from(u8::from(e % 13 == 0))));
    let step = p_r.matmul_with(true, &identity, false, 0.6).matmul(&p_d);
    row(
        13,
        "X_rd with the identity multiplied in, as released",
        moved(&x, &step.add(&p_r.add(&p_d).mul_scalar(0.4))),
    );
}

fn largest(x: &Var<f64>) -> f64 {
    x.value().as_slice().iter().fold(0.0, |max, x| max.max(x.abs()))
}

/// A block's output for depth features `gain` times as large, in training or not.
fn block(config: BlockConfig, gain: f64, training: bool) -> Var<f64> {
    let (params, block) = Params::build(1, |scope| MutualFormerBlock::new(scope, config));
    let ctx = if training { Ctx::train(&params, Key::default()) } else { Ctx::eval(&params) };
    let [r, d, x_rd] = ["x_r", "x_d", "x_rd"].map(|name| random(name, &[4, 12, C]));
    let x = autograd::ops::concat(&[&r, &d.mul_scalar(gain)], -1);
    block.expect("a valid configuration").forward(&ctx, &x, &x_rd)
}

/// Rows 7 to 9, 11, 12 and 14: the block around it.
fn around() {
    let released = BlockConfig::new(C, 2);
    let out = block(released, 1.0, false);
    // ANCHOR: around
    let separate = BlockConfig { joint_norm: false, ..released };
    row(7, "joint_norm = false: the output moves", moved(&out, &block(separate, 1.0, false)));
    row(7, "depth features ten times as large, one norm", moved(&out, &block(released, 10.0, false)));
    row(7, "the same, two norms", moved(&block(separate, 1.0, false), &block(separate, 10.0, false)));
    let two_branches = BlockConfig { third_branch: false, ..released };
    row(8, "third_branch = false", moved(&out, &block(two_branches, 1.0, false)));
    let (tokens, weight) = (random("x", &[4, 12, 2 * C]), random("w", &[C, 2 * C]));
    let image = tokens.transpose(1, 2).with_shape(&[4, 2 * C, 12, 1]);
    let conv = image.conv2d(&weight.with_shape(&[C, 2 * C, 1, 1]), None, ConvOptions::default());
    let linear = tokens.linear(&weight, None).transpose(1, 2).with_shape(conv.shape());
    row(9, "a 1×1 convolution in the place of Linear(2C → C)", moved(&linear, &conv));
    row(11, "proj_drop = 0.5 in training, without the third branch", proj_dropped(false));
    row(11, "the same, with it", proj_dropped(true));
    row(
        12,
        "drop_path = 0.5 in training",
        moved(&out, &block(BlockConfig { drop_path: 0.5, ..released }, 1.0, true)),
    );
    // ANCHOR_END: around
    let (params, _) = Params::<f64>::build(1, |scope| MutualFormerBlock::new(scope, released));
    let vit = params.ids().filter(|&id| params.name(id).starts_with("blocks.")).count();
    row(14, &format!("of the block's {} names those that begin with \"blocks.\"", params.len()), vit as f64);
}

/// By how much dropout after projections moves the token mixer's output.
fn proj_dropped(third_branch: bool) -> f64 {
    let [n_r, n_d, m] = ["n_r", "n_d", "m"].map(|name| random(name, &[4, 12, C]));
    let config = AttentionConfig {
        dim: C,
        num_heads: 2,
        qkv_bias: false,
        third_branch,
        attn_drop: 0.0,
        proj_drop: 0.5,
        fusion: Fusion::default(),
        path: Path::Auto,
    };
    let (params, mixer) = Params::build(1, |scope| MultiAttention::new(scope, config));
    let mixer = mixer.expect("a valid configuration");
    let mixed = |ctx: Ctx<f64>| mixer.forward(&ctx, &n_r, &n_d, Some(&m));
    moved(&mixed(Ctx::eval(&params)), &mixed(Ctx::train(&params, Key::default())))
}

fn lesson() {
    println!("row of the list, and what is done                                   moves by");
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
        "somebody sets the released code's max_iter to 4. What do the rows of its X_rd sum to on average, and what would \
         they with feedback?",
        || vec![row_sum(1), row_sum(4)],
        "Row 3: without feedback, four iterations are one. Chapter 6 has the sum after T steps: 2 − αᵀ, α = 0.6.",
    )
}
