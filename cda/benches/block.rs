//! How fast the released MutualFormer block is: `cargo bench -p cda`. In `f32`, on all cores (`RAYON_NUM_THREADS=1` for
//! one). `mutualformer bench block` measures the same with any sizes, and the memory.

use autograd::random::Key;
use autograd::{Ctx, Params, Tensor, Var};
use cda::{BlockConfig, MutualFormerBlock};
use divan::Bencher;

fn main() {
    divan::main();
}

/// (batch, tokens, channels, heads).
const SIZES: [(usize, usize, usize, usize); 3] = [(4, 196, 384, 6), (2, 784, 256, 8), (1, 784, 64, 8)];

#[divan::bench(args = SIZES, sample_count = 10)]
fn forward(bencher: Bencher, size: (usize, usize, usize, usize)) {
    let run = block(size);
    bencher.bench_local(&run);
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn backward(bencher: Bencher, size: (usize, usize, usize, usize)) {
    let run = block(size);
    bencher.with_inputs(&run).bench_local_values(|y| y.backward_with(Tensor::ones(y.shape())));
}

/// The block's forward pass, recorded, with inputs `[batch, tokens, 2·channels]` and `[batch, tokens, channels]`.
fn block((batch, tokens, dim, heads): (usize, usize, usize, usize)) -> impl Fn() -> Var {
    let config = BlockConfig::new(dim, heads);
    let (params, block) = Params::<f32>::build(0, |scope| MutualFormerBlock::new(scope, config));
    let block = block.expect("the heads divide the channels");
    let x = Tensor::randn(&[batch, tokens, 2 * dim], Key::default(), 0);
    let x_rd = Tensor::randn(&[batch, tokens, dim], Key::default(), 1);
    move || {
        let ctx = Ctx::train(&params, Key::default());
        block.forward(&ctx, &ctx.input(x.clone()), &ctx.input(x_rd.clone()))
    }
}
