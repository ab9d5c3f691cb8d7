//! Values worked out by hand, of PyTorch's conventions: what a gradient check cannot see, because a wrong function has
//! a right gradient too.

use autograd::ops::conv::ConvOptions;
use autograd::ops::loss::CrossEntropy;
use autograd::ops::{Reduction, ResizeMode, concat};
use autograd::random::Key;
use autograd::{Indices, Mask, Tensor, Var};

fn var(values: &[f64], shape: &[usize]) -> Var<f64> {
    Var::constant(Tensor::from_vec(values.to_vec(), shape))
}

#[track_caller]
fn expect(found: &Var<f64>, values: &[f64]) {
    let found = found.value().as_slice();
    let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-12 * b.abs().max(1.0);
    assert!(
        found.len() == values.len() && found.iter().zip(values).all(close),
        "{found:?} instead of {values:?}"
    );
}

const LN_2: f64 = std::f64::consts::LN_2;

#[test]
fn functions_of_one_value() {
    let x = var(&[-2.0, 0.0, 1.0], &[3]);
    expect(&x.neg(), &[2.0, 0.0, -1.0]);
    expect(&x.abs(), &[2.0, 0.0, 1.0]);
    expect(&x.exp(), &[(-2.0f64).exp(), 1.0, std::f64::consts::E]);
    expect(&x.relu(), &[0.0, 0.0, 1.0]);
    expect(&x.leaky_relu(0.1), &[-0.2, 0.0, 1.0]);
    expect(&x.tanh(), &[-(2f64.tanh()), 0.0, 1f64.tanh()]);
    expect(&x.sigmoid(), &[0.119_202_922_022_117_56, 0.5, 0.731_058_578_630_004_9]);
    expect(&x.gelu(), &[-0.045_500_263_896_358_42, 0.0, 0.841_344_746_068_542_9]);
    expect(&x.softplus(), &[0.126_928_011_042_972_5, LN_2, 1.313_261_687_518_222_8]);
    expect(&x.pow(2.0), &[4.0, 0.0, 1.0]);
    expect(&x.pow(0.0), &[1.0, 1.0, 1.0]);
    expect(&x.clamp(-1.0, 0.5), &[-1.0, 0.0, 0.5]);
    expect(&x.add_scalar(3.0).sqrt(), &[1.0, 3f64.sqrt(), 2.0]);
    expect(&x.add_scalar(3.0).log(), &[0.0, 3f64.ln(), 2.0 * LN_2]);
    expect(&x.mul_scalar(-0.5), &[1.0, 0.0, -0.5]);
}

#[test]
fn arithmetic_and_conditions() {
    let (column, row) = (var(&[1.0, 2.0], &[2, 1]), var(&[10.0, 20.0, 40.0], &[3]));
    expect(&column.add(&row), &[11.0, 21.0, 41.0, 12.0, 22.0, 42.0]);
    expect(&column.sub(&row), &[-9.0, -19.0, -39.0, -8.0, -18.0, -38.0]);
    expect(&column.mul(&row), &[10.0, 20.0, 40.0, 20.0, 40.0, 80.0]);
    expect(&column.div(&row), &[0.1, 0.05, 0.025, 0.2, 0.1, 0.05]);
    let condition = Mask::new(vec![true, false, true], &[3]);
    expect(&Var::where_(&condition, &column, &row), &[1.0, 20.0, 1.0, 2.0, 20.0, 2.0]);
}

#[test]
fn products_and_attention() {
    let (a, b) = (var(&[1.0, 2.0, 3.0, 4.0], &[2, 2]), var(&[5.0, 6.0, 7.0, 8.0], &[2, 2]));
    expect(&a.matmul(&b), &[19.0, 22.0, 43.0, 50.0]);
    expect(&a.matmul_t(&b), &[17.0, 23.0, 39.0, 53.0]);
    expect(&a.matmul_with(true, &b, false, 0.5), &[13.0, 15.0, 19.0, 22.0]);
    let weight = var(&[1.0, 0.0, 0.0, 2.0, 1.0, 1.0], &[3, 2]);
    expect(&a.linear(&weight, Some(&var(&[0.5, 0.0, -1.0], &[3]))), &[1.5, 4.0, 2.0, 3.5, 8.0, 6.0]);
    // Scores 0 and 8, times 1/√4.
    let (query, keys) = (var(&[1.0; 4], &[1, 4]), var(&[0.0, 0.0, 0.0, 0.0, 2.0, 2.0, 2.0, 2.0], &[2, 4]));
    let share = 1.0 / (1.0 + (-4f64).exp());
    expect(&query.attention_map(&keys, None), &[1.0 - share, share]);
    let attended = query.scaled_dot_product_attention(&keys, &var(&[10.0, 20.0], &[2, 1]), Some(0.0));
    expect(&attended, &[15.0]);
}

#[test]
fn reductions_and_softmax() {
    let x = var(&[1.0, 2.0, 3.0, 4.0, 6.0, 8.0], &[2, 3]);
    expect(&x.sum(&[0], false), &[5.0, 8.0, 11.0]);
    expect(&x.sum_all(), &[24.0]);
    expect(&x.mean(&[-1], true), &[2.0, 6.0]);
    expect(&x.mean_all(), &[4.0]);
    expect(&x.var(&[1], 1, false), &[1.0, 4.0]);
    expect(&x.var(&[0], 0, false), &[2.25, 4.0, 6.25]);
    expect(&x.amax(&[1], false), &[3.0, 8.0]);
    expect(&x.amin(&[0], false), &[1.0, 2.0, 3.0]);
    let logits = var(&[0.0, 3f64.ln()], &[1, 2]);
    expect(&logits.softmax(-1), &[0.25, 0.75]);
    expect(&logits.log_softmax(1), &[-2.0 * LN_2, 0.75f64.ln()]);
    expect(&logits.logsumexp(1, false), &[2.0 * LN_2]);
    expect(&logits.softmax(0), &[1.0, 1.0]);
    let ties = Tensor::from_vec(vec![1.0, 5.0, 5.0, 7.0, 0.0, 7.0], &[2, 3]);
    assert_eq!(ties.argmax(1).unwrap(), Indices::new(vec![1, 0], &[2]));
    assert_eq!(ties.argmax(0).unwrap(), Indices::new(vec![1, 0, 1], &[3]));
}

#[test]
fn moving_and_picking() {
    let x = var(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]);
    expect(&x.transpose(0, 1), &[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    expect(&x.reshape(&[3, -1]).slice(0, 1..2), &[3.0, 4.0]);
    expect(&x.flip(1), &[3.0, 2.0, 1.0, 6.0, 5.0, 4.0]);
    expect(&x.slice(1, 0..1).expand(&[2, 2]), &[1.0, 1.0, 4.0, 4.0]);
    expect(&x.slice(0, 0..1).pad(&[(0, 1), (1, 0)], 9.0), &[9.0, 1.0, 2.0, 3.0, 9.0, 9.0, 9.0, 9.0]);
    let parts = x.split(1, &[1, 2]);
    expect(&concat(&[&parts[1], &parts[0]], 1), &[2.0, 3.0, 1.0, 5.0, 6.0, 4.0]);
    expect(&x.index_select(1, &Indices::new(vec![2, 2], &[2])), &[3.0, 3.0, 6.0, 6.0]);
    expect(&x.gather(1, &Indices::new(vec![2, 0], &[2, 1])), &[3.0, 4.0]);
    expect(&x.embedding(&Indices::new(vec![1, 0], &[2])), &[4.0, 5.0, 6.0, 1.0, 2.0, 3.0]);
    // Four windows of 1×2: first all their left pixels, then all their right ones.
    let columns = x.reshape(&[1, 1, 2, 3]).unfold([1, 2], [1, 1], [0, 0], [1, 1]);
    expect(&columns, &[1.0, 2.0, 4.0, 5.0, 2.0, 3.0, 5.0, 6.0]);
}

#[test]
fn normalisations() {
    let x = var(&[1.0, 3.0, 10.0, 30.0], &[2, 2]);
    expect(&x.layer_norm(2, (None, None), 3.0), &[-0.5, 0.5, -10.0 / 103f64.sqrt(), 10.0 / 103f64.sqrt()]);
    let (weight, bias) = (var(&[2.0, 4.0], &[2]), var(&[0.0, 1.0], &[2]));
    expect(&x.slice(0, 0..1).layer_norm(2, (Some(&weight), Some(&bias)), 0.0), &[-2.0, 5.0]);
    let (y, mean, variance) = x.batch_norm((None, Some(&bias)), 0.0);
    expect(&y, &[-1.0, 0.0, 1.0, 2.0]);
    assert_eq!((mean.as_slice(), variance.as_slice()), (&[5.5, 16.5][..], &[20.25, 182.25][..]));
    let groups = var(&[1.0, 3.0, 10.0, 30.0], &[1, 4]).group_norm(2, (None, None), 0.0);
    expect(&groups, &[-1.0, 1.0, -1.0, 1.0]);
    let (mean, variance) = (Tensor::full(&[1], 1.0), Tensor::full(&[1], 3.0));
    let affine = (var(&[2.0], &[1]), var(&[0.5], &[1]));
    let y = var(&[5.0], &[1, 1]).batch_norm_eval(&mean, &variance, (Some(&affine.0), Some(&affine.1)), 1.0);
    expect(&y, &[4.5]);
    expect(&var(&[3.0, 4.0], &[2]).normalize(0, 1e-12), &[0.6, 0.8]);
    expect(&var(&[3.0, 4.0], &[2]).normalize(0, 10.0), &[0.3, 0.4]);
}

#[test]
fn convolutions() {
    let x = var(&[1.0, 2.0, 3.0, 4.0], &[1, 1, 1, 4]);
    let w = var(&[1.0, 0.0, -1.0], &[1, 1, 1, 3]);
    let options = ConvOptions::default();
    expect(&x.conv2d(&w, None, options), &[-2.0, -2.0]); // not flipped
    let padded = ConvOptions { padding: [0, 1], stride: [1, 2], ..options };
    expect(&x.conv2d(&w, Some(&var(&[10.0], &[1])), padded), &[8.0, 8.0]);
    let dilated = ConvOptions { dilation: [1, 2], padding: [0, 1], ..options };
    expect(&x.conv2d(&w, None, dilated), &[-4.0, 1.0]);
    let stride = ConvOptions { stride: [1, 2], ..options };
    let (x, w) = (var(&[1.0, 2.0], &[1, 1, 1, 2]), var(&[1.0, 10.0, 100.0], &[1, 1, 1, 3]));
    expect(&x.conv_transpose2d(&w, None, stride, [0, 0]), &[1.0, 10.0, 102.0, 20.0, 200.0]);
    expect(&x.conv_transpose2d(&w, None, stride, [0, 1]), &[1.0, 10.0, 102.0, 20.0, 200.0, 0.0]);
    let trimmed = ConvOptions { padding: [0, 1], ..stride };
    expect(&x.conv_transpose2d(&w, None, trimmed, [0, 0]), &[10.0, 102.0, 20.0]);
}

#[test]
fn pooling_and_resizing() {
    let x = var(&[-1.0, -2.0, -3.0, -4.0], &[1, 1, 2, 2]);
    // Padding counts as zeros in a mean, and not at all in a maximum.
    expect(
        &x.avg_pool2d([2, 2], [1, 1], [1, 1]),
        &[-0.25, -0.75, -0.5, -1.0, -2.5, -1.5, -0.75, -1.75, -1.0],
    );
    expect(&x.max_pool2d([2, 2], [2, 2], [1, 1]), &[-1.0, -2.0, -3.0, -4.0]);
    let line = var(&[1.0, 2.0, 3.0, 4.0, 5.0], &[1, 1, 1, 5]);
    expect(&line.adaptive_avg_pool2d([1, 3]), &[1.5, 3.0, 4.5]);
    expect(&line.adaptive_max_pool2d([1, 2]), &[3.0, 5.0]);
    let (edges, corners) =
        (ResizeMode::Bilinear { align_corners: false }, ResizeMode::Bilinear { align_corners: true });
    let pair = var(&[0.0, 1.0], &[1, 1, 1, 2]);
    expect(&pair.interpolate([1, 4], edges), &[0.0, 0.25, 0.75, 1.0]);
    expect(&pair.resize([1, 4]), &[0.0, 0.25, 0.75, 1.0]);
    expect(&pair.interpolate([1, 5], corners), &[0.0, 0.25, 0.5, 0.75, 1.0]);
    expect(&pair.interpolate([2, 3], ResizeMode::Nearest), &[0.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
    expect(&line.interpolate([1, 2], ResizeMode::Nearest), &[1.0, 3.0]);
    expect(&line.interpolate([1, 2], edges), &[1.75, 4.25]);
}

#[test]
fn classification_losses() {
    let logits = var(&[0.0, 3f64.ln(), 3f64.ln(), 0.0], &[2, 2]); // (¼, ¾) and (¾, ¼)
    let (rare, likely) = (2.0 * LN_2, -(0.75f64.ln()));
    let loss = |target: [i64; 2], label_smoothing, ignore_index| {
        let options = CrossEntropy { label_smoothing, ignore_index };
        logits.cross_entropy(&Indices::new(target.to_vec(), &[2]), options)
    };
    expect(&loss([0, 0], 0.0, None), &[(rare + likely) / 2.0]);
    expect(&loss([1, 0], 0.0, None), &[likely]);
    expect(&loss([1, -100], 0.0, Some(-100)), &[likely]);
    let spread = (rare + likely) / 2.0;
    expect(&loss([0, 1], 0.1, None), &[0.9 * rare + 0.1 * spread]);
    expect(&loss([0, 7], 0.1, Some(7)), &[0.9 * rare + 0.1 * spread]);
    let picture = logits.reshape(&[1, 2, 2]); // classes in axis 1: (0, ln 3) and (ln 3, 0) again
    expect(&picture.cross_entropy(&Indices::new(vec![0, 0], &[1, 2]), CrossEntropy::default()), &[spread]);
    let picked = logits.nll_loss(&Indices::new(vec![1, 1], &[2]), CrossEntropy::default());
    expect(&picked, &[-(3f64.ln()) / 2.0]);
}

#[test]
fn regression_and_binary_losses() {
    let (x, target) = (var(&[1.0, 5.0], &[2]), var(&[2.0, 2.0], &[2]));
    expect(&x.mse_loss(&target, Reduction::Mean), &[5.0]);
    expect(&x.mse_loss(&target, Reduction::Sum), &[10.0]);
    expect(&x.l1_loss(&target, Reduction::None), &[1.0, 3.0]);
    expect(&x.smooth_l1_loss(&target, 2.0, Reduction::None), &[0.25, 2.0]);
    expect(&x.smooth_l1_loss(&target, 0.0, Reduction::Mean), &[2.0]);
    let (logits, truth) = (var(&[0.0, 3f64.ln()], &[2]), var(&[0.3, 1.0], &[2]));
    let likely = -(0.75f64.ln());
    expect(&logits.bce_with_logits(&truth, None, None, Reduction::None), &[LN_2, likely]);
    let (weight, positive) = (var(&[10.0, 100.0], &[2]), var(&[2.0], &[1]));
    // The positive part 0.3·ln 2 counts twice.
    let weighted = logits.bce_with_logits(&truth, Some(&weight), Some(&positive), Reduction::None);
    expect(&weighted, &[10.0 * 1.3 * LN_2, 200.0 * likely]);
}

#[test]
fn random_omission() {
    let x = Var::constant(Tensor::<f64>::ones(&[100, 100]));
    let position = (Key { seed: 1, epoch: 2, step: 3 }, 4);
    let share_of_zeros =
        |y: &Var<f64>| y.value().as_slice().iter().filter(|&&y| y == 0.0).count() as f64 / 10_000.0;
    let dropped = x.dropout(0.2, position);
    assert!(dropped.value().as_slice().iter().all(|&y| y == 0.0 || (y - 1.25).abs() < 1e-12));
    assert!((share_of_zeros(&dropped) - 0.2).abs() < 0.02, "{}", share_of_zeros(&dropped));
    let paths = x.drop_path(0.2, position);
    assert!(paths.value().as_slice().chunks(100).all(|row| row.iter().all(|y| y == &row[0])));
    assert!((share_of_zeros(&paths) - 0.2).abs() < 0.15, "{}", share_of_zeros(&paths));
    expect(&var(&[1.0, 2.0], &[2]).dropout(0.0, position), &[1.0, 2.0]);
}
