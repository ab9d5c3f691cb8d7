//! Chapter 9: the MutualFormer block, written out once with its parameters under their released names, and held against
//! the library's.
//!
//! `cargo run -p models --example ch09_block`

use autograd::ops::concat;
use autograd::random::{Key, site};
use autograd::{Ctx, Params, Tensor, Var};
use cda::{BlockConfig, CdaConfig, MutualFormerBlock, Qkv, cross_diffusion_attention};
use models::{TinyConfig, TinySod};
use std::process::ExitCode;

#[path = "../../autograd/examples/course/mod.rs"]
mod course;

/// Pictures, tokens, channels of a modality, heads.
const B: usize = 2;
const N: usize = 9;
const C: usize = 16;
const H: usize = 4;

fn block(config: BlockConfig) -> (Params<f64>, MutualFormerBlock) {
    let (params, block) = Params::build(1, |scope| MutualFormerBlock::new(scope, config));
    (params, block.expect("the heads divide the width"))
}

// ANCHOR: helpers
/// The named layer: x·Wᵀ + b, without b where it has none.
fn linear(ctx: &Ctx<f64>, params: &Params<f64>, name: &str, x: &Var<f64>) -> Var<f64> {
    let find = |part: &str| params.find(&format!("{name}.{part}")).map(|id| ctx.param(id));
    x.linear(&find("weight").expect("every layer has a weight"), find("bias").as_ref())
}

/// LayerNorm over the last axis, as at the start: weight 1, bias 0.
fn norm(x: &Var<f64>) -> Var<f64> {
    x.layer_norm(x.size(-1), (None, None), 1e-5)
}

/// `[B, N, 3C]` to q, k and v, `[B, H, N, C/H]` each.
fn heads(qkv: &Var<f64>) -> Qkv<f64> {
    let part = |i: usize| qkv.slice(-1, i * C..(i + 1) * C).with_shape(&[B, N, H, C / H]).transpose(1, 2);
    Qkv { q: part(0), k: part(1), v: part(2) }
}

/// `[B, H, N, C/H]` to `[B, N, C]`.
fn join(x: &Var<f64>) -> Var<f64> {
    x.transpose(1, 2).with_shape(&[B, N, C])
}
// ANCHOR_END: helpers

/// Prints the shape of a step.
fn seen(name: &str, x: Var<f64>) -> Var<f64> {
    println!("{name:<46}{:?}", x.shape());
    x
}

// ANCHOR: forward
/// x = [x_r, x_d] `[B, N, 2C]` and x_rd `[B, N, C]` to the fused stream `[B, N, C]`.
fn by_hand(ctx: &Ctx<f64>, params: &Params<f64>, x: &Var<f64>, x_rd: &Var<f64>) -> Var<f64> {
    let layer = |name: &str, x: &Var<f64>| linear(ctx, params, name, x);
    let n = seen("n = norm1(x), one norm for both modalities", norm(x));
    let qkv_r = seen("q, k, v of r: attn.qkv_r(n_r)", layer("attn.qkv_r", &n.slice(-1, 0..C)));
    let qkv_d = layer("attn.qkv_d", &n.slice(-1, C..2 * C));
    let mixed = cross_diffusion_attention(&heads(&qkv_r), &heads(&qkv_d), &CdaConfig::default(), Var::clone);
    seen("O_r, O_d, U_rd, U_dr, each", mixed.u_rd.clone());

    let of_r = concat(&[&join(&mixed.o_r), &join(&mixed.u_rd)], -1);
    let of_d = concat(&[&join(&mixed.o_d), &join(&mixed.u_dr)], -1);
    let side_r = seen("attn.proj_r([O_r, U_rd])", layer("attn.proj_r", &of_r));
    let sides = concat(&[&side_r, &layer("attn.proj_d", &of_d)], -1);
    let cross = seen("attn.proj_rd([side_r, side_d])", layer("attn.proj_rd", &sides));

    let Qkv { q, k, v } = heads(&layer("attn.qkv", &norm(x_rd))); // the third branch
    let own = layer("attn.proj", &join(&q.attention_map(&k, None).matmul(&v)));
    let y = seen("y = x_rd + third branch + that", x_rd.add(&own.add(&cross)));
    let hidden = seen("gelu(mlp.fc1(norm2(y)))", layer("mlp.fc1", &norm(&y)).gelu());
    seen("y + mlp.fc2(..): the output", y.add(&layer("mlp.fc2", &hidden)))
}
// ANCHOR_END: forward

fn lesson() {
    let (params, block) = block(BlockConfig::new(C, H));
    let input = |name: &str, c: usize| Tensor::randn(&[B, N, c], Key::default(), site(name));
    let (x, x_rd) = (Var::constant(input("x", 2 * C)), Var::constant(input("x_rd", C)));
    let ctx = Ctx::eval_with_grad(&params);
    let (ours, theirs) = (by_hand(&ctx, &params, &x, &x_rd), block.forward(&ctx, &x, &x_rd));
    let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12;
    let agree = ours.value().as_slice().iter().zip(theirs.value().as_slice()).all(close);
    println!("the library's block {}", if agree { "says the same" } else { "says SOMETHING ELSE" });

    // ANCHOR: gradients
    let grads = theirs.mul(&theirs).sum_all().backward();
    // ANCHOR_END: gradients
    println!("\nparameter              shape         gradient");
    for id in params.ids() {
        let arrives = grads.param(id).is_some_and(|grad| grad.as_slice().iter().any(|&g| g != 0.0));
        let shape = format!("{:?}", params.get(id).shape());
        println!("{:<23}{shape:<14}{}", params.name(id), if arrives { "arrives" } else { "NONE" });
    }
    println!("in all {}; 24C² + 17C = {}", params.num_learned(), 24 * C * C + 17 * C);
    let (network, _) = Params::<f32>::build(1, |scope| TinySod::new(scope, &TinyConfig::default()));
    let in_blocks = network.ids().filter(|&id| network.name(id).contains(".block."));
    let share = in_blocks.map(|id| network.get(id).numel()).sum::<usize>();
    println!("in the demo's detector: two blocks, {share} of {} parameters", network.num_learned());
}

/// Parameters of a block of 64 channels without the third branch.
fn truth() -> Vec<f64> {
    let (params, _) = block(BlockConfig { third_branch: false, ..BlockConfig::new(64, H) });
    vec![params.num_learned() as f64]
}

fn main() -> ExitCode {
    course::run(
        lesson,
        "a block of 64 channels without the third branch (attn.qkv, attn.proj and norm1_rd). How many parameters has it?",
        truth,
        "As released it has 24C² + 17C. The third branch has 3C² in qkv, C² + C in proj, 2C in its norm.",
    )
}
