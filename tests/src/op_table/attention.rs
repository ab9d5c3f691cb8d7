//! Attention, fused and composed, and ops with several results.

use super::{Row, normal};
use autograd::ops::concat;
use autograd::ops::{cross_diffusion_attention, record_many};
use autograd::{Real, Var};

pub(super) fn rows<T: Real>() -> Vec<Row<T>> {
    let mut rows = attention();
    rows.extend(transposed());
    rows.extend(cross_diffusion());
    rows.push(Row::new("record_many", vec![normal(&[3, 2]), normal(&[3, 2])], |x| {
        let [sum, product] = sum_and_product(&x[0], &x[1]);
        concat(&[&sum, &product, &product.exp()], 1)
    }));
    rows.push(Row::new("record_many: one result unused", vec![normal(&[5]), normal(&[5])], |x| {
        let [_, product] = sum_and_product(&x[0], &x[1]);
        product
    }));
    rows
}

fn attention<T: Real>() -> Vec<Row<T>> {
    vec![
        Row::new(
            "scaled_dot_product_attention",
            vec![normal(&[2, 3, 5, 4]), normal(&[2, 3, 5, 4]), normal(&[2, 3, 5, 4])],
            |x| x[0].scaled_dot_product_attention(&x[1], &x[2], None),
        ),
        Row::new(
            "scaled_dot_product_attention: other lengths, own scale",
            vec![normal(&[2, 3, 4]), normal(&[2, 6, 4]), normal(&[2, 6, 2])],
            |x| x[0].scaled_dot_product_attention(&x[1], &x[2], Some(0.3)),
        ),
        Row::new(
            "scaled_dot_product_attention: without leading axes, more than one register tile",
            vec![normal(&[15, 3]), normal(&[34, 3]), normal(&[34, 5])],
            |x| x[0].scaled_dot_product_attention(&x[1], &x[2], None),
        ),
        Row::new("scaled_dot_product_attention: of itself", vec![normal(&[2, 5, 3])], |x| {
            x[0].scaled_dot_product_attention(&x[0], &x[0], None)
        }),
        Row::new(
            "scaled_dot_product_attention: one key",
            vec![normal(&[2, 3, 1]), normal(&[2, 1, 1]), normal(&[2, 1, 3])],
            |x| x[0].scaled_dot_product_attention(&x[1], &x[2], None),
        ),
        Row::new(
            "scaled_dot_product_attention: composed, heads share keys",
            vec![normal(&[2, 3, 5, 4]), normal(&[2, 1, 6, 4]), normal(&[6, 3])],
            |x| x[0].scaled_dot_product_attention(&x[1], &x[2], None),
        ),
        Row::new("attention_map", vec![normal(&[2, 3, 4]), normal(&[2, 5, 4])], |x| {
            x[0].attention_map(&x[1], None)
        }),
        Row::new("attention_map: of itself", vec![normal(&[4, 3])], |x| x[0].attention_map(&x[0], Some(1.5))),
    ]
}

fn transposed<T: Real>() -> Vec<Row<T>> {
    vec![
        Row::new(
            "transposed_attention",
            vec![normal(&[2, 3, 5, 4]), normal(&[2, 3, 5, 4]), normal(&[2, 3, 5, 4])],
            |x| x[0].transposed_attention(&x[1], &x[2], None),
        ),
        Row::new(
            "transposed_attention: other lengths, own scale",
            vec![normal(&[2, 7, 3]), normal(&[2, 4, 3]), normal(&[2, 7, 5])],
            |x| x[0].transposed_attention(&x[1], &x[2], Some(0.7)),
        ),
        Row::new(
            "transposed_attention: without leading axes, more than one register tile",
            vec![normal(&[34, 3]), normal(&[15, 3]), normal(&[34, 1])],
            |x| x[0].transposed_attention(&x[1], &x[2], None),
        ),
        Row::new(
            "transposed_attention: composed, heads share keys",
            vec![normal(&[2, 3, 5, 4]), normal(&[6, 4]), normal(&[3, 5, 2])],
            |x| x[0].transposed_attention(&x[1], &x[2], None),
        ),
    ]
}

fn cross_diffusion<T: Real>() -> Vec<Row<T>> {
    let six = |shape: &[usize]| vec![normal(shape); 6];
    vec![
        Row::new("cross_diffusion_attention", six(&[2, 2, 5, 3]), |x| all_of(x, 0.6)),
        Row::new(
            "cross_diffusion_attention: without leading axes, more than one register tile",
            six(&[15, 2]),
            |x| all_of(x, 0.3),
        ),
        Row::new("cross_diffusion_attention: one channel, diffusion alone", six(&[2, 3, 1]), |x| {
            all_of(x, 1.0)
        }),
        Row::new("cross_diffusion_attention: without diffusion", six(&[2, 3, 2]), |x| all_of(x, 0.0)),
        Row::new("cross_diffusion_attention: U alone", six(&[3, 4, 3]), |x| {
            let [_, _, u_rd, u_dr] = diffused(x, 0.6);
            concat(&[&u_rd, &u_dr], -1)
        }),
        Row::new("cross_diffusion_attention: O_r and U_rd", six(&[3, 4, 3]), |x| {
            let [o_r, _, u_rd, _] = diffused(x, 0.6);
            concat(&[&o_r, &u_rd], -1)
        }),
    ]
}

/// O_r, O_d, U_rd, U_dr of six inputs: q, k, v of r, then of d.
pub(super) fn diffused<T: Real>(x: &[Var<T>], alpha: f64) -> [Var<T>; 4] {
    cross_diffusion_attention([&x[0], &x[1], &x[2]], [&x[3], &x[4], &x[5]], alpha)
}

/// The four side by side, so that every one of them gets a cotangent of its own.
pub(super) fn all_of<T: Real>(x: &[Var<T>], alpha: f64) -> Var<T> {
    concat(&diffused(x, alpha).each_ref(), -1)
}

/// a + b and a·b as one op.
fn sum_and_product<T: Real>(a: &Var<T>, b: &Var<T>) -> [Var<T>; 2] {
    let (x, y) = (a.value().clone(), b.value().clone());
    record_many("sum_and_product", [x.add(&y), x.mul(&y)], &[a, b], move |[d_sum, d_product], sink| {
        sink.add(0, || d_sum.add(&d_product.mul(&y)));
        sink.add(1, || d_sum.add(&d_product.mul(&x)));
    })
}
