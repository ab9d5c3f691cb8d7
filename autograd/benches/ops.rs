//! How fast single ops are, forward and backward: `cargo bench -p autograd`, or `cargo bench -p autograd -- conv` for
//! those with "conv" in their name. All in `f32`, on all cores (`RAYON_NUM_THREADS=1` for one).

use autograd::nn::Linear;
use autograd::ops::ConvOptions;
use autograd::optim::Optimizer;
use autograd::random::Key;
use autograd::{Ctx, Params, Tape, Tensor, Var};
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

fn noise(shape: &[usize], site: u64) -> Tensor {
    Tensor::randn(shape, Key::default(), site)
}

/// Times the forward pass of an op on leaves of these shapes.
fn forward(bencher: Bencher, shapes: &[&[usize]], op: impl Fn(&[Var]) -> Var) {
    let values: Vec<Tensor> = (0..).zip(shapes).map(|(site, shape)| noise(shape, site)).collect();
    bencher.with_inputs(|| leaves(&values)).bench_local_refs(|inputs| op(inputs));
}

/// Times its backward pass: from a gradient of the result to those of all inputs.
fn backward(bencher: Bencher, shapes: &[&[usize]], op: impl Fn(&[Var]) -> Var) {
    let values: Vec<Tensor> = (0..).zip(shapes).map(|(site, shape)| noise(shape, site)).collect();
    let recorded = || {
        let y = op(&leaves(&values));
        let dy = noise(y.shape(), 99);
        (y, dy)
    };
    bencher.with_inputs(recorded).bench_local_values(|(y, dy)| y.backward_with(dy));
}

fn leaves(values: &[Tensor]) -> Vec<Var> {
    let tape = Tape::new();
    values.iter().map(|value| tape.leaf(value.clone())).collect()
}

/// (batch, m, k, n): squares, attention scores, a projection, attention times values.
const PRODUCTS: [(usize, usize, usize, usize); 5] =
    [(1, 256, 256, 256), (1, 1024, 1024, 1024), (1, 784, 64, 784), (1, 196, 768, 768), (32, 196, 64, 196)];

#[divan::bench(args = PRODUCTS)]
fn matmul(bencher: Bencher, (batch, m, k, n): (usize, usize, usize, usize)) {
    let (a, b) = (noise(&[batch, m, k], 0), noise(&[batch, k, n], 1));
    bencher.bench_local(|| black_box(&a).matmul(false, black_box(&b), false, 1.0));
}

mod conv2d {
    use super::*;

    /// (in, out, kernel, stride, size, groups) for two pictures: a stem, ResNet-50's kinds, MobileNetV2's depthwise.
    const SHAPES: [(usize, usize, usize, usize, usize, usize); 7] = [
        (3, 64, 7, 2, 256, 1),
        (64, 64, 3, 1, 64, 1),
        (256, 64, 1, 1, 64, 1),
        (128, 128, 3, 2, 64, 1),
        (256, 256, 3, 1, 16, 1),
        (144, 144, 3, 1, 64, 144),
        (192, 192, 3, 2, 32, 192),
    ];

    #[divan::bench(args = SHAPES)]
    fn forward(bencher: Bencher, shape: (usize, usize, usize, usize, usize, usize)) {
        run(shape, |shapes, op| super::forward(bencher, shapes, op));
    }

    #[divan::bench(args = SHAPES)]
    fn backward(bencher: Bencher, shape: (usize, usize, usize, usize, usize, usize)) {
        run(shape, |shapes, op| super::backward(bencher, shapes, op));
    }

    fn run(
        (inputs, outputs, kernel, stride, size, groups): (usize, usize, usize, usize, usize, usize),
        measure: impl FnOnce(&[&[usize]], &dyn Fn(&[Var]) -> Var),
    ) {
        let options =
            ConvOptions { stride: [stride; 2], padding: [kernel / 2; 2], groups, ..ConvOptions::default() };
        measure(&[&[2, inputs, size, size], &[outputs, inputs / groups, kernel, kernel]], &|inputs| {
            inputs[0].conv2d(&inputs[1], None, options)
        });
    }
}

mod attention {
    use super::*;

    /// (batch·heads, tokens, channels a head).
    const SHAPES: [(usize, usize, usize); 2] = [(24, 196, 64), (16, 784, 32)];

    fn op(inputs: &[Var]) -> Var {
        inputs[0].scaled_dot_product_attention(&inputs[1], &inputs[2], None)
    }

    #[divan::bench(args = SHAPES)]
    fn forward(bencher: Bencher, (batch, n, d): (usize, usize, usize)) {
        super::forward(bencher, &[&[batch, n, d] as &[usize]; 3], op);
    }

    #[divan::bench(args = SHAPES)]
    fn backward(bencher: Bencher, (batch, n, d): (usize, usize, usize)) {
        super::backward(bencher, &[&[batch, n, d] as &[usize]; 3], op);
    }
}

/// Ops that touch every element a few times, on shapes of the block (B4 N196 C384 H6) and of the demo's detector.
mod elementwise {
    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Op {
        Softmax,
        LayerNorm,
        BatchNorm,
        Gelu,
        Relu,
        Resize,
    }

    const OPS: [Op; 6] = [Op::Softmax, Op::LayerNorm, Op::BatchNorm, Op::Gelu, Op::Relu, Op::Resize];

    #[divan::bench(args = OPS)]
    fn forward(bencher: Bencher, op: Op) {
        super::forward(bencher, op.shapes(), |inputs| op.apply(inputs));
    }

    #[divan::bench(args = OPS)]
    fn backward(bencher: Bencher, op: Op) {
        super::backward(bencher, op.shapes(), |inputs| op.apply(inputs));
    }

    impl Op {
        fn shapes(self) -> &'static [&'static [usize]] {
            match self {
                Op::Softmax => &[&[24, 196, 196]],
                Op::LayerNorm => &[&[784, 768], &[768], &[768]],
                Op::BatchNorm => &[&[16, 24, 48, 48], &[24], &[24]],
                Op::Gelu => &[&[784, 1536]],
                Op::Relu => &[&[16, 24, 48, 48]],
                Op::Resize => &[&[16, 32, 24, 24]],
            }
        }

        fn apply(self, inputs: &[Var]) -> Var {
            let x = &inputs[0];
            match self {
                Op::Softmax => x.softmax(-1),
                Op::LayerNorm => x.layer_norm(768, (Some(&inputs[1]), Some(&inputs[2])), 1e-5),
                Op::BatchNorm => x.batch_norm((Some(&inputs[1]), Some(&inputs[2])), 1e-5).0,
                Op::Gelu => x.gelu(),
                Op::Relu => x.relu(),
                Op::Resize => x.resize([48, 48]),
            }
        }
    }
}

/// One AdamW update of a matrix and a vector, a million numbers.
#[divan::bench]
fn adamw(bencher: Bencher) {
    let (mut params, layer) = Params::<f32>::build(0, |scope| Linear::new(scope, 1024, 1024, true));
    let ctx = Ctx::train(&params, Key::default());
    let y = layer.forward(&ctx, &Var::constant(noise(&[4, 1024], 0)));
    let grads = y.sum_all().backward();
    drop(ctx);
    let mut optimizer = Optimizer::adamw([0.9, 0.999], 1e-8, 0.05);
    bencher.bench_local(|| optimizer.step(&mut params, &grads, 1e-3));
}
