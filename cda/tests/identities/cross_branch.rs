//! What is there to look inside: the parts of the cross branch add up to it, and S is what the diffusion multiplies by.

use crate::helpers::{assert_close, cross_affinities, modalities, random};
use autograd::ops::concat;
use autograd::{Ctx, Params, Tensor, Var};
use cda::{
    AttentionConfig, CdaConfig, Fusion, Mixed, MultiAttention, Norm, Path, Preset, affinity, diffusion_matrix,
};

/// Channels C, heads H.
const SIZE: (usize, usize) = (6, 2);

#[test]
fn a_matrix_times_each_of_its_inputs_and_a_constant_are_the_cross_branch() {
    let (dim, num_heads) = SIZE;
    let config = AttentionConfig {
        dim,
        num_heads,
        qkv_bias: true,
        third_branch: false,
        attn_drop: 0.0,
        proj_drop: 0.0,
        fusion: Fusion::default(),
        path: Path::Plain,
    };
    let (params, attention) = Params::build(3, |scope| MultiAttention::new(scope, config).unwrap());
    let ctx = Ctx::eval(&params);
    let [n_r, n_d] = ["n_r", "n_d"].map(|name| Var::constant(random(name, &[2, 5, dim])));
    let whole = attention.forward(&ctx, &n_r, &n_d, None);

    let (r, d) = attention.projections(&ctx, &n_r, &n_d);
    let Mixed { o_r, o_d, u_rd, u_dr } = config.fusion.mix(&r, &d, Var::clone);
    let branch = attention.cross_branch(&ctx);
    let parts = [o_r, u_rd, o_d, u_dr].map(|x| joined(&x));
    let sum = parts
        .iter()
        .zip(&branch.weights)
        .fold(Tensor::zeros(&[2, 5, dim]), |sum, (x, weight)| sum.add(x.linear(weight, None).value()));
    assert_close("the sum", &sum.add(branch.bias.value()), whole.value(), 1e-14);
}

/// Heads `[B, H, N, d]` side by side, `[B, N, H·d]`.
fn joined(x: &Var<f64>) -> Var<f64> {
    let heads = x.split(1, &vec![1; x.size(1)]);
    let heads: Vec<Var<f64>> =
        heads.iter().map(|head| head.with_shape(&[x.size(0), x.size(2), x.size(3)])).collect();
    concat(&heads.iter().collect::<Vec<_>>(), -1)
}

#[test]
fn one_step_is_a_product_with_s_on_either_side() {
    let (r, d) = modalities([2, 2, 5, 3]);
    let (p_r, p_d) = (affinity(&r), affinity(&d));
    for preset in [Preset::Official, Preset::Paper] {
        for norm in [Norm::None, Norm::Degree] {
            let config = CdaConfig { preset, norm, ..CdaConfig::default() };
            let (s_r, s_d) = (diffusion_matrix(&p_r, &config), diffusion_matrix(&p_d, &config));
            let source = p_r.add(&p_d).mul_scalar(1.0 - config.alpha);
            let x = s_r.matmul_t(&s_d).mul_scalar(config.alpha).add(&source);
            let what = format!("{preset:?}, {norm:?}");
            assert_close(&what, x.value(), cross_affinities(&r, &d, &config).rd.value(), 1e-14);
        }
    }
}
