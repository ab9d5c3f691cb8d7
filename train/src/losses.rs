//! What a detector is trained to make small.

use autograd::ops::Reduction;
use autograd::{Real, Var};
use models::SodOutput;

/// Binary cross-entropy plus 1 − IoU for logits and truth `[B, 1, H, W]`: the first looks at single pixels, the second
/// at whole objects, and does not favour large ones.
pub fn bce_iou<T: Real>(logits: &Var<T>, truth: &Var<T>) -> Var<T> {
    logits.bce_with_logits(truth, None, None, Reduction::Mean).add(&iou_loss(logits, truth))
}

/// Mean over pictures of 1 − (Σ p·g + 1)/(Σ (p + g − p·g) + 1) with p = σ(logits).
fn iou_loss<T: Real>(logits: &Var<T>, truth: &Var<T>) -> Var<T> {
    let p = logits.sigmoid();
    let both = p.mul(truth);
    let sum = |x: &Var<T>| x.sum(&[1, 2, 3], false); // [B]
    let intersection = sum(&both);
    let union = sum(&p.add(truth)).sub(&intersection);
    let iou = intersection.add_scalar(1.0).div(&union.add_scalar(1.0));
    iou.mean_all().neg().add_scalar(1.0)
}

/// Deep supervision, weighted as in F3Net: the mean loss of the decoder's passes (where there is one pass: the loss of
/// the prediction), plus 1/2, 1/4, … of the side outputs' losses, fine to coarse, plus the losses of single streams. A side
/// output is compared with the share of truth in each of its cells.
pub fn detection_loss<T: Real>(output: &SodOutput<T>, truth: &Var<T>) -> Var<T> {
    let mut loss = bce_iou(&output.logits, truth);
    if !output.earlier.is_empty() {
        for logits in &output.earlier {
            loss = loss.add(&bce_iou(logits, truth));
        }
        loss = loss.mul_scalar(1.0 / (1 + output.earlier.len()) as f64);
    }
    let mut weight = 1.0;
    for side in &output.sides {
        weight /= 2.0;
        let coarse = truth.adaptive_avg_pool2d([side.size(2), side.size(3)]);
        loss = loss.add(&bce_iou(side, &coarse).mul_scalar(weight));
    }
    output.streams.iter().fold(loss, |loss, logits| loss.add(&bce_iou(logits, truth)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use autograd::Tensor;

    #[test]
    fn a_confident_right_answer_costs_nothing_and_a_wrong_one_costs_much() {
        let truth = Var::constant(Tensor::<f64>::from_fn(&[2, 1, 4, 4], |i| f64::from(u8::from(i % 3 == 0))));
        let loss = |scale: f64| {
            let logits = truth.add_scalar(-0.5).mul_scalar(2.0 * scale);
            bce_iou(&logits, &truth).value().item().unwrap()
        };
        assert!(loss(50.0) < 1e-12, "{}", loss(50.0));
        // At logit 0: ln 2, and p = 1/2 gives intersection n/2, union (16 + n)/2 with n foreground pixels.
        let iou = |n: f64| (n / 2.0 + 1.0) / ((16.0 + n) / 2.0 + 1.0);
        let expected = 2f64.ln() + 1.0 - (iou(6.0) + iou(5.0)) / 2.0;
        assert!((loss(0.0) - expected).abs() < 1e-12, "{} {expected}", loss(0.0));
        assert!(loss(-50.0) > 49.0);
    }

    #[test]
    fn outputs_are_weighted_as_in_f3net() {
        let constant = |value: f64, side: usize| {
            Var::constant(Tensor::from_fn(&[1, 1, side, side], |i| value + i as f64 / 10.0))
        };
        let truth = Var::constant(Tensor::from_fn(&[1, 1, 4, 4], |i| f64::from(u8::from(i < 8))));
        let (a, b, half, quarter, r) =
            (constant(0.1, 4), constant(-1.0, 4), constant(0.5, 2), constant(0.7, 1), constant(0.3, 4));
        let output = SodOutput {
            logits: a.clone(),
            earlier: vec![b.clone()],
            sides: vec![half.clone(), quarter.clone()],
            streams: vec![r.clone()],
            levels: Vec::new(),
        };
        let loss = |logits: &Var<f64>, truth: &Var<f64>| bce_iou(logits, truth).value().item().unwrap();
        let side = |logits: &Var<f64>| loss(logits, &truth.adaptive_avg_pool2d([logits.size(2); 2]));
        let expected = (loss(&a, &truth) + loss(&b, &truth)) / 2.0
            + side(&half) / 2.0
            + side(&quarter) / 4.0
            + loss(&r, &truth);
        let found = detection_loss(&output, &truth).value().item().unwrap();
        assert!((found - expected).abs() < 1e-14, "{found} {expected}");
    }
}
