//! Random omission with fixed masks, and recomputation.

use super::{Row, normal};
use autograd::random::Key;
use autograd::{Ctx, Params, Real, Var};

const KEY: Key = Key { seed: 5, epoch: 1, step: 7 };

pub(super) fn rows<T: Real>() -> Vec<Row<T>> {
    vec![
        Row::new("dropout", vec![normal(&[4, 5])], |x| x[0].dropout(0.4, (KEY, 0))),
        Row::new("dropout: nothing dropped", vec![normal(&[3])], |x| x[0].dropout(0.0, (KEY, 1))),
        Row::new("dropout: two sites", vec![normal(&[20])], |x| {
            x[0].dropout(0.5, (KEY, 2)).add(&x[0].dropout(0.5, (KEY, 3)))
        }),
        Row::new("drop_path", vec![normal(&[6, 2, 2])], |x| x[0].drop_path(0.5, (KEY, 4))),
        Row::new("drop_path: one axis", vec![normal(&[5])], |x| x[0].drop_path(0.3, (KEY, 5))),
        Row::new("checkpoint", vec![normal(&[3, 4]), normal(&[2, 4])], |x| {
            let ctx = Ctx::eval_with_grad(&Params::new());
            ctx.checkpoint(&[&x[0], &x[1]], |_, x| x[0].linear(&x[1], None).gelu().softmax(-1))
        }),
        Row::new("checkpoint: dropout between two others", vec![normal(&[4, 5])], |x| {
            let ctx = Ctx::train(&Params::new(), KEY);
            let before = x[0].dropout(0.3, ctx.next_site());
            let inside = ctx.checkpoint(&[&before], |ctx, x| halve_some(ctx, &x[0].tanh()));
            inside.mul(&x[0]).dropout(0.3, ctx.next_site())
        }),
        Row::new("checkpoint: in another, with an input twice", vec![normal(&[3, 2])], |x| {
            let ctx = Ctx::train(&Params::new(), KEY);
            ctx.checkpoint(&[&x[0], &x[0]], |ctx, x| {
                let inner = ctx.checkpoint(&[&x[0]], |ctx, x| halve_some(ctx, &x[0].exp()));
                halve_some(ctx, &inner).mul(&x[1])
            })
        }),
    ]
}

fn halve_some<T: Real>(ctx: &Ctx<T>, x: &Var<T>) -> Var<T> {
    x.dropout(0.5, ctx.next_site())
}
