//! Configurations that mean nothing are refused in words, before anything is computed.

use crate::helpers::{cda_of, modalities};
use autograd::{Ctx, Params, Tensor, Var};
use cda::{
    AttentionConfig, BlockConfig, CdaConfig, ConfigError, Fusion, FusionKind, MultiAttention,
    MutualFormerBlock, Steps,
};

/// What building a block of this configuration says.
fn error_of(config: BlockConfig) -> Option<ConfigError> {
    Params::<f64>::build(0, |scope| MutualFormerBlock::new(scope, config)).1.err()
}

fn block_with(cda: CdaConfig) -> BlockConfig {
    BlockConfig { fusion: Fusion { kind: FusionKind::Cda, cda }, ..BlockConfig::new(8, 2) }
}

#[test]
fn no_steps() {
    let error = error_of(block_with(CdaConfig { steps: Steps::Finite(0), ..CdaConfig::default() })).unwrap();
    assert_eq!(error.to_string(), "cda: steps = 0 computes nothing; use at least 1, or \"inf\"");
}

#[test]
fn alpha_outside_its_range() {
    let alpha_error = |alpha: f64, steps: Steps| {
        error_of(block_with(CdaConfig { alpha, steps, ..CdaConfig::default() })).map(|e| e.to_string())
    };
    for (alpha, steps) in [
        (1.0, Steps::Infinite),
        (1.5, Steps::Infinite),
        (1.5, Steps::Finite(1)),
        (-0.1, Steps::Finite(1)),
        (-0.1, Steps::Infinite),
        (f64::NAN, Steps::Finite(1)),
        (f64::NAN, Steps::Infinite),
    ] {
        let message = alpha_error(alpha, steps).unwrap_or_else(|| panic!("{alpha} {steps:?} was accepted"));
        assert!(message.starts_with(&format!("cda: alpha = {alpha} must lie in [0, 1]")), "{message}");
        assert!(message.contains("below 1"), "{message}");
    }
    for (alpha, steps) in [(1.0, Steps::Finite(5)), (0.0, Steps::Infinite), (0.999, Steps::Infinite)] {
        assert_eq!(alpha_error(alpha, steps), None, "{alpha} {steps:?}");
    }
}

#[test]
fn heads_that_do_not_divide_the_width() {
    for heads in [0, 3, 16] {
        let error = error_of(BlockConfig::new(8, heads)).unwrap();
        assert_eq!(error, ConfigError::Heads { dim: 8, heads });
        assert_eq!(
            error.to_string(),
            format!("{heads} heads do not divide dim = 8: choose num_heads among its divisors")
        );
    }
}

/// Options that are not used are not checked: `ca` has no diffusion.
#[test]
fn unused_options_do_not_matter() {
    let cda = CdaConfig { steps: Steps::Finite(0), ..CdaConfig::default() };
    for kind in [FusionKind::Ca, FusionKind::Concat, FusionKind::Sum] {
        let config = BlockConfig { fusion: Fusion { kind, cda }, ..BlockConfig::new(8, 2) };
        assert_eq!(error_of(config), None, "{kind:?}");
    }
}

#[test]
#[should_panic(expected = "alpha = 1 must lie in [0, 1]; with steps = \"inf\" it must be below 1")]
fn the_function_refuses_what_the_block_refuses() {
    let (r, d) = modalities([1, 1, 3, 2]);
    cda_of(&r, &d, &CdaConfig { alpha: 1.0, steps: Steps::Infinite, ..CdaConfig::default() });
}

#[test]
#[should_panic(expected = "fixed_point: alpha = 1 must lie in [0, 1)")]
fn the_fixed_point_refuses_alpha_one() {
    let p = Var::constant(Tensor::<f64>::ones(&[1, 1, 1, 1]));
    cda::fixed_point::fixed_point(&p, &p, &p, 1.0, true);
}

#[test]
#[should_panic(expected = "the third branch needs m")]
fn a_third_branch_without_its_input() {
    let config = AttentionConfig {
        dim: 8,
        num_heads: 2,
        qkv_bias: false,
        third_branch: true,
        attn_drop: 0.0,
        proj_drop: 0.0,
        fusion: Fusion::default(),
        path: cda::Path::Auto,
    };
    let (params, attention) = Params::<f64>::build(0, |scope| MultiAttention::new(scope, config));
    let x = Var::constant(Tensor::ones(&[1, 3, 8]));
    attention.unwrap().forward(&Ctx::eval(&params), &x, &x, None);
}

#[test]
fn steps_are_read_as_a_number_or_inf() {
    assert_eq!("3".parse(), Ok(Steps::Finite(3)));
    assert_eq!("inf".parse(), Ok(Steps::Infinite));
    let error = "many".parse::<Steps>().unwrap_err();
    assert_eq!(error, "steps must be a whole number or \"inf\", not \"many\"");
}
