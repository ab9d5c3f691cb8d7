//! Layers: PyTorch's numbers, names and initial values; statistics, masks and checkpointed passes.

use autograd::nn::{
    BatchNorm1d, BatchNorm2d, Conv2d, ConvTranspose2d, DropPath, Dropout, Embedding, GroupNorm, LayerNorm,
    Linear, Mlp, MultiheadAttention,
};
use autograd::ops::{ConvOptions, Reduction};
use autograd::random::Key;
use autograd::{Ctx, Indices, Params, Tensor, Var};

/// sin(a·k + b): every input of these tests.
fn wave(shape: &[usize], a: f64, b: f64) -> Tensor<f64> {
    Tensor::from_fn(shape, |k| (a * k as f64 + b).sin())
}

fn close(ours: &[f64], expected: &[f64]) {
    assert_eq!(ours.len(), expected.len());
    for (i, (a, b)) in ours.iter().zip(expected).enumerate() {
        assert!((a - b).abs() < 1e-14, "element {i}: {a} instead of {b}");
    }
}

fn set(params: &mut Params<f64>, name: &str, a: f64, b: f64) {
    let id = params.find(name).unwrap();
    params.set(id, wave(params.get(id).shape(), a, b));
}

fn store_buffers(params: &mut Params<f64>, ctx: Ctx<f64>) {
    params.apply(ctx.finish());
}

fn names(params: &Params<f64>) -> Vec<String> {
    params.ids().map(|id| format!("{} {:?}", params.name(id), params.get(id).shape())).collect()
}

#[test]
fn names_and_shapes_are_those_of_a_state_dict() {
    let options = ConvOptions { groups: 2, ..ConvOptions::default() };
    let (params, ()) = Params::<f64>::build(0, |scope| {
        Linear::new(&mut scope.sub("fc"), 3, 5, true);
        Conv2d::new(&mut scope.sub("conv"), 4, 6, [3, 1], options, true);
        ConvTranspose2d::new(&mut scope.sub("up"), 4, 6, [2, 2], options, false);
        BatchNorm2d::new(&mut scope.sub("bn"), 6);
        MultiheadAttention::new(&mut scope.sub("attn"), 4, 2, 0.0);
        Mlp::new(&mut scope.sub("blocks").sub(0).sub("mlp"), 2, 3, 0.0);
        GroupNorm::new(&mut scope.sub("gn"), 2, 4);
        Embedding::new(&mut scope.sub("emb"), 7, 2);
    });
    let expected = [
        "fc.weight [5, 3]",
        "fc.bias [5]",
        "conv.weight [6, 2, 3, 1]",
        "conv.bias [6]",
        "up.weight [4, 3, 2, 2]",
        "bn.weight [6]",
        "bn.bias [6]",
        "bn.running_mean [6]",
        "bn.running_var [6]",
        "bn.num_batches_tracked []",
        "attn.in_proj_weight [12, 4]",
        "attn.in_proj_bias [12]",
        "attn.out_proj.weight [4, 4]",
        "attn.out_proj.bias [4]",
        "blocks.0.mlp.fc1.weight [3, 2]",
        "blocks.0.mlp.fc1.bias [3]",
        "blocks.0.mlp.fc2.weight [2, 3]",
        "blocks.0.mlp.fc2.bias [2]",
        "gn.weight [4]",
        "gn.bias [4]",
        "emb.weight [7, 2]",
    ];
    assert_eq!(names(&params), expected);
}

#[test]
fn initial_values_have_pytorchs_distributions() {
    let (params, ()) = Params::<f64>::build(1, |scope| {
        Linear::new(&mut scope.sub("fc"), 100, 200, true);
        Conv2d::new(&mut scope.sub("conv"), 4, 600, [5, 5], ConvOptions::default(), true);
        ConvTranspose2d::new(&mut scope.sub("up"), 600, 4, [5, 5], ConvOptions::default(), true);
        MultiheadAttention::new(&mut scope.sub("attn"), 64, 2, 0.0);
        Embedding::new(&mut scope.sub("emb"), 200, 100);
    });
    // Uniform in ±bound: the largest value is just below it, the variance is bound²/3.
    let uniform = |name: &str, bound: f64| {
        let x = params.get(params.find(name).unwrap()).as_slice();
        let largest = x.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
        assert!(largest <= bound && largest > 0.95 * bound, "{name}: {largest} for a bound of {bound}");
        let variance = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
        let noise = 3.0 / (x.len() as f64).sqrt();
        assert!((variance / (bound * bound / 3.0) - 1.0).abs() < noise, "{name}: variance {variance}");
    };
    uniform("fc.weight", 0.1);
    uniform("fc.bias", 0.1);
    uniform("conv.weight", 0.1);
    uniform("conv.bias", 0.1);
    uniform("up.weight", 0.1);
    uniform("attn.in_proj_weight", (6.0f64 / 256.0).sqrt());
    uniform("attn.out_proj.weight", 0.125);
    for zero in ["attn.in_proj_bias", "attn.out_proj.bias"] {
        assert!(params.get(params.find(zero).unwrap()).as_slice().iter().all(|&x| x == 0.0));
    }
    let normal = params.get(params.find("emb.weight").unwrap()).as_slice();
    let variance = normal.iter().map(|x| x * x).sum::<f64>() / normal.len() as f64;
    assert!((variance - 1.0).abs() < 0.03, "{variance}");
}

/// Three training steps of a batch norm over two channels, then the model and the last output.
fn trained_batch_norm(edit: impl Fn(&mut BatchNorm2d)) -> (Params<f64>, BatchNorm2d, Var<f64>) {
    let (mut params, mut norm) = Params::build(0, |scope| BatchNorm2d::new(scope, 2));
    edit(&mut norm);
    set(&mut params, "weight", 1.0, 1.0);
    set(&mut params, "bias", 1.0, 2.0);
    let mut last = None;
    for t in 0..3 {
        let ctx = Ctx::train(&params, Key::default());
        let x = wave(&[2, 2, 2, 3], 0.9, 0.5 * f64::from(t)).scale(2.0).shift(1.0);
        last = Some(norm.forward(&ctx, &ctx.input(x)));
        store_buffers(&mut params, ctx);
    }
    (params, norm, last.unwrap())
}

#[test]
fn batch_norm_equals_pytorchs() {
    let (params, norm, y) = trained_batch_norm(|_| ());
    close(&y.value().as_slice()[..3], &[1.8293264408794987, 1.9547826431056894, 1.2231835742251516]);
    close(params.get(norm.running_mean).as_slice(), &[0.31992578706759656, 0.31511333163429683]);
    close(params.get(norm.running_var).as_slice(), &[1.3206640597625288, 1.3179118997086945]);
    assert_eq!(params.get(norm.num_batches_tracked).as_slice(), [3.0]);
    let ctx = Ctx::eval(&params);
    let y = norm.forward(&ctx, &ctx.input(wave(&[1, 2, 1, 2], 0.9, 0.1)));
    close(
        y.value().as_slice(),
        &[0.7481414898771374, 1.2911830180534307, 0.6410612934051101, 0.1568621671315],
    );
}

#[test]
fn a_frozen_batch_norm_neither_uses_nor_takes_the_batch() {
    let (mut params, mut norm, _) = trained_batch_norm(|_| ());
    norm.frozen = true;
    let x = wave(&[3, 2, 2, 2], 0.3, 0.0);
    let before = params.clone();
    let ctx = Ctx::train(&params, Key::default());
    let y = norm.forward(&ctx, &ctx.input(x.clone()));
    let grads = y.sum_all().backward();
    assert!(grads.param(norm.weight).is_some() && grads.param(norm.bias).is_some());
    store_buffers(&mut params, ctx);
    let eval = Ctx::eval(&params);
    assert_eq!(y.value().as_slice(), norm.forward(&eval, &eval.input(x)).value().as_slice());
    for id in params.ids() {
        assert_eq!(params.get(id).as_slice(), before.get(id).as_slice(), "{}", params.name(id));
    }
}

#[test]
fn a_fixed_bias_gets_no_gradient() {
    let (params, norm) =
        Params::<f64>::build(0, |s| BatchNorm1d { learn_bias: false, ..BatchNorm1d::new(s, 3) });
    let ctx = Ctx::train(&params, Key::default());
    let grads = norm.forward(&ctx, &ctx.input(wave(&[4, 3], 0.7, 0.0))).sum_all().backward();
    assert!(grads.param(norm.bias).is_none() && grads.param(norm.weight).is_some());
}

#[test]
fn a_batch_norm_used_twice_in_a_pass_counts_both_batches() {
    let (params, norm) = Params::<f64>::build(0, |scope| BatchNorm1d::new(scope, 2));
    let batches = [0.0, 1.0].map(|b| wave(&[5, 2], 0.9, b));
    let mut apart = params.clone();
    for x in &batches {
        let ctx = Ctx::train(&apart, Key::default());
        norm.forward(&ctx, &ctx.input(x.clone()));
        store_buffers(&mut apart, ctx);
    }
    let mut shared = params.clone();
    let ctx = Ctx::train(&shared, Key::default());
    batches.iter().for_each(|x| drop(norm.forward(&ctx, &ctx.input(x.clone()))));
    store_buffers(&mut shared, ctx);
    let mut checkpointed = params.clone();
    let ctx = Ctx::train(&checkpointed, Key::default());
    for x in &batches {
        let norm = norm.clone();
        ctx.checkpoint(&[&ctx.input(x.clone())], move |ctx, x| norm.forward(ctx, &x[0]));
    }
    store_buffers(&mut checkpointed, ctx);
    for id in params.ids() {
        assert_eq!(shared.get(id).as_slice(), apart.get(id).as_slice(), "{}", params.name(id));
        assert_eq!(checkpointed.get(id).as_slice(), apart.get(id).as_slice(), "{}", params.name(id));
    }
}

#[test]
fn multihead_attention_equals_pytorchs() {
    let (mut params, attention) = Params::<f64>::build(0, |scope| MultiheadAttention::new(scope, 4, 2, 0.0));
    set(&mut params, "in_proj_weight", 0.7, 0.1);
    set(&mut params, "in_proj_bias", 0.3, 0.2);
    set(&mut params, "out_proj.weight", 0.5, 0.3);
    set(&mut params, "out_proj.bias", 0.4, 0.4);
    let ctx = Ctx::train(&params, Key::default());
    let q = ctx.input(wave(&[1, 2, 4], 0.37, 0.0));
    let k = ctx.input(wave(&[1, 3, 4], 0.53, 1.0));
    let v = ctx.input(wave(&[1, 3, 4], 0.41, 2.0));
    let y = attention.forward(&ctx, &q, &k, &v);
    close(
        y.value().as_slice(),
        &[
            0.6522774791013815,
            1.971038814417212,
            -0.3742522496768884,
            0.8331088933982956,
            0.41990603846606617,
            2.013383267631711,
            -0.17712382954263794,
            0.6266957033189876,
        ],
    );
    let grads = y.mul(&Var::constant(wave(&[1, 2, 4], 0.6, 0.7))).sum_all().backward();
    close(
        grads.of(&q).unwrap().as_slice(),
        &[
            -0.001971024457298887,
            0.004539555282252084,
            0.008915111240051959,
            0.009097751079199655,
            -0.03589173084193763,
            -0.009095338376456251,
            0.021978733846054865,
            0.04271586411357675,
        ],
    );
    close(
        &grads.of(&k).unwrap().as_slice()[..4],
        &[0.008915927375120172, 0.005481119238887222, -0.0005315449202449793, -0.00629421519776748],
    );
    close(
        &grads.of(&v).unwrap().as_slice()[..4],
        &[0.023373361252234163, -0.014777923902192739, -0.045978920533987805, -0.055555312398197124],
    );
    let weight = grads.param(attention.in_proj_weight).unwrap().as_slice();
    let row_sums: Vec<f64> = weight.chunks(4).map(|row| row.iter().sum()).collect();
    close(
        &row_sums,
        &[
            0.012899896867919787,
            -0.015374798758889339,
            -0.014305955655467502,
            -0.15897493689950806,
            -0.0082587539570127,
            0.0018008099091520163,
            -0.1727124338038321,
            -0.13198461153949087,
            -0.6772653935937262,
            -0.575448900862136,
            -0.41484708020556826,
            -0.17059215958001092,
        ],
    );
}

#[test]
fn dropout_is_off_where_it_should_be() {
    let params = Params::<f64>::new();
    let x = wave(&[4, 50], 0.3, 0.0);
    let unchanged = |ctx: &Ctx<f64>, p: f64| {
        let x_var = ctx.input(x.clone());
        assert_eq!(Dropout::new(p).forward(ctx, &x_var).value().as_slice(), x.as_slice());
        assert_eq!(DropPath::new(p).forward(ctx, &x_var).value().as_slice(), x.as_slice());
    };
    unchanged(&Ctx::eval(&params), 0.5);
    unchanged(&Ctx::eval_with_grad(&params), 0.5);
    unchanged(&Ctx::train(&params, Key::default()), 0.0);

    let ctx = Ctx::train(&params, Key::default());
    let y = Dropout::new(0.25).forward(&ctx, &ctx.input(x.clone()));
    let kept = |y: f64, x: f64| (y * 0.75 - x).abs() < 1e-15;
    let values: Vec<(f64, f64)> = y.value().as_slice().iter().copied().zip(x.as_slice().to_vec()).collect();
    assert!(values.iter().all(|&(y, x)| y == 0.0 || kept(y, x)));
    let omitted = values.iter().filter(|(y, _)| *y == 0.0).count();
    assert!((25..80).contains(&omitted), "{omitted} of 200 omitted at p = 0.25");
    let y = DropPath::new(0.5).forward(&ctx, &ctx.input(Tensor::ones(&[64, 3])));
    assert!(y.value().as_slice().chunks(3).all(|row| row == [0.0; 3] || row == [2.0; 3]));
}

#[test]
fn a_checkpointed_pass_replays_its_masks() {
    let (params, mlp) = Params::<f64>::build(5, |scope| Mlp::new(scope, 6, 9, 0.4));
    let (first, last) = (Dropout::new(0.3), DropPath::new(0.5));
    let key = Key { seed: 1, epoch: 2, step: 3 };
    let run = |checkpointed: bool| {
        let ctx = Ctx::train(&params, key);
        let x = ctx.input(wave(&[8, 6], 0.7, 0.0));
        let h = first.forward(&ctx, &x); // a random layer before, one after: their sites must not move
        let h = if checkpointed {
            let mlp = mlp.clone();
            ctx.checkpoint(&[&h], move |ctx, h| mlp.forward(ctx, &h[0]))
        } else {
            mlp.forward(&ctx, &h)
        };
        let y = last.forward(&ctx, &h);
        let grads = y.mse_loss(&Var::constant(Tensor::ones(&[8, 6])), Reduction::Mean).backward();
        let of_params = params.ids().flat_map(|id| grads.param(id).unwrap().as_slice().to_vec());
        let all: Vec<f64> = of_params.chain(grads.of(&x).unwrap().as_slice().iter().copied()).collect();
        (y.value().as_slice().to_vec(), all)
    };
    assert_eq!(run(true), run(false));
    let other = Ctx::train(&params, Key { step: 4, ..key });
    let y = last
        .forward(&other, &mlp.forward(&other, &first.forward(&other, &other.input(wave(&[8, 6], 0.7, 0.0)))));
    assert_ne!(y.value().as_slice(), run(false).0, "another step has other masks");
}

#[test]
fn the_other_layers_apply_their_ops() {
    let options = ConvOptions { stride: [2, 2], padding: [1, 1], ..ConvOptions::default() };
    let (params, (conv, up, norm, group, table)) = Params::<f64>::build(2, |scope| {
        let up = ConvTranspose2d::new(&mut scope.sub("up"), 4, 2, [3, 3], options, true);
        (
            Conv2d::new(&mut scope.sub("conv"), 2, 4, [3, 3], options, true),
            ConvTranspose2d { output_padding: [1, 1], ..up },
            LayerNorm { eps: 1e-6, ..LayerNorm::new(&mut scope.sub("norm"), 8) },
            GroupNorm::new(&mut scope.sub("group"), 2, 4),
            Embedding::new(&mut scope.sub("table"), 5, 3),
        )
    });
    let ctx = Ctx::eval(&params);
    let x = ctx.input(wave(&[1, 2, 8, 8], 0.2, 0.0));
    let h = conv.forward(&ctx, &x);
    assert_eq!(h.shape(), [1, 4, 4, 4]);
    assert_eq!(up.forward(&ctx, &h).shape(), x.shape(), "output_padding restores the size");
    for (y, n) in [(norm.forward(&ctx, &x), 8), (group.forward(&ctx, &h), 32)] {
        for row in y.value().as_slice().chunks(n) {
            let mean = row.iter().sum::<f64>() / n as f64;
            assert!(mean.abs() < 1e-12, "{mean}");
        }
    }
    let rows = table.forward(&ctx, &Indices::new(vec![4, 0], &[1, 2]));
    assert_eq!(rows.shape(), [1, 2, 3]);
    assert_eq!(rows.value().as_slice()[..3], params.get(table.weight).as_slice()[12..]);
}

#[test]
#[should_panic(expected = "batch norm: input [2, 3] does not have 4 channels in axis 1")]
fn a_wrong_number_of_channels_is_named() {
    let (params, norm) = Params::<f64>::build(0, |scope| BatchNorm1d::new(scope, 4));
    let ctx = Ctx::train(&params, Key::default());
    norm.forward(&ctx, &ctx.input(Tensor::zeros(&[2, 3])));
}
