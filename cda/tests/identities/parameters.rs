//! The block's parameters: their number, and their names, which are the released `state_dict`'s.

use autograd::Params;
use cda::{BlockConfig, MutualFormerBlock};

fn params_of(config: BlockConfig) -> Params<f64> {
    let (params, block) = Params::build(0, |scope| MutualFormerBlock::new(scope, config));
    block.unwrap();
    params
}

/// `name [shape]` of every parameter, sorted.
fn listing(config: BlockConfig) -> Vec<String> {
    let params = params_of(config);
    let mut lines: Vec<String> =
        params.ids().map(|id| format!("{} {:?}", params.name(id), params.get(id).shape())).collect();
    lines.sort();
    lines
}

#[test]
fn a_block_has_24_c_squared_and_17_c_parameters() {
    for (c, expected) in [(64, 99_392), (128, 395_392), (256, 1_577_216)] {
        assert_eq!(params_of(BlockConfig::new(c, 8)).num_learned(), expected);
        assert_eq!(expected, 24 * c * c + 17 * c);
    }
}

#[test]
fn biases_on_queries_keys_and_values_add_9_c() {
    let config = BlockConfig { qkv_bias: true, ..BlockConfig::new(64, 8) };
    assert_eq!(params_of(config).num_learned(), 99_392 + 9 * 64);
}

/// Without the third branch the block saves its qkv (3C²), proj (C² + C) and norm (2C); two norms over C channels are
/// as large as one over 2C.
#[test]
fn the_blocks_of_the_figure_are_smaller() {
    let (c, whole) = (64, BlockConfig::new(64, 8));
    let count = |config: BlockConfig| params_of(config).num_learned();
    assert_eq!(count(BlockConfig { joint_norm: false, ..whole }), 99_392);
    let two_branches = 99_392 - (4 * c * c + 3 * c);
    assert_eq!(count(BlockConfig { third_branch: false, ..whole }), two_branches);
    assert_eq!(count(BlockConfig { third_branch: false, joint_norm: false, ..whole }), two_branches);
}

#[test]
fn names_and_shapes_are_the_released_ones() {
    let expected = [
        "attn.proj.bias [4]",
        "attn.proj.weight [4, 4]",
        "attn.proj_d.bias [4]",
        "attn.proj_d.weight [4, 8]",
        "attn.proj_r.bias [4]",
        "attn.proj_r.weight [4, 8]",
        "attn.proj_rd.bias [4]",
        "attn.proj_rd.weight [4, 8]",
        "attn.qkv.weight [12, 4]",
        "attn.qkv_d.weight [12, 4]",
        "attn.qkv_r.weight [12, 4]",
        "mlp.fc1.bias [16]",
        "mlp.fc1.weight [16, 4]",
        "mlp.fc2.bias [4]",
        "mlp.fc2.weight [4, 16]",
        "norm1.bias [8]",
        "norm1.weight [8]",
        "norm1_rd.bias [4]",
        "norm1_rd.weight [4]",
        "norm2.bias [4]",
        "norm2.weight [4]",
    ];
    assert_eq!(listing(BlockConfig::new(4, 2)), expected);
}

#[test]
fn qkv_biases_have_the_released_names() {
    let with = listing(BlockConfig { qkv_bias: true, ..BlockConfig::new(4, 2) });
    let without = listing(BlockConfig::new(4, 2));
    let added: Vec<&String> = with.iter().filter(|line| !without.contains(line)).collect();
    assert_eq!(added, ["attn.qkv.bias [12]", "attn.qkv_d.bias [12]", "attn.qkv_r.bias [12]"]);
}

#[test]
fn the_figures_block_has_two_norms_and_no_third_branch() {
    let figure = listing(BlockConfig { joint_norm: false, third_branch: false, ..BlockConfig::new(4, 2) });
    let released = listing(BlockConfig::new(4, 2));
    let added: Vec<&String> = figure.iter().filter(|line| !released.contains(line)).collect();
    let removed: Vec<&String> = released.iter().filter(|line| !figure.contains(line)).collect();
    assert_eq!(added, ["norm1_d.bias [4]", "norm1_d.weight [4]", "norm1_r.bias [4]", "norm1_r.weight [4]"]);
    assert_eq!(
        removed,
        [
            "attn.proj.bias [4]",
            "attn.proj.weight [4, 4]",
            "attn.qkv.weight [12, 4]",
            "norm1.bias [8]",
            "norm1.weight [8]",
            "norm1_rd.bias [4]",
            "norm1_rd.weight [4]",
        ]
    );
}
