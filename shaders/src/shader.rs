//! The shaders: their texts, and the way from WGSL to SPIR-V.
//!
//! A shader takes its buffers at bindings 0, 1, … of group 0, those it writes first; its numbers from a struct in
//! `var<immediate>` (push constants), and its variants by `override` constants, which are put in before translation.

use naga::back::spv;
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ValidationFlags, Validator};

/// Values of the `override` constants of a shader, in the order of [`Shader::constants`].
pub(crate) type Values<'a> = &'a [u32];

/// The text of a shader.
pub(crate) struct Shader {
    /// Name in messages, and of the file.
    pub name: &'static str,
    /// What it shares with others, then the shader itself.
    parts: &'static [&'static str],
    /// Its `override` constants, each with the number of values it takes, counted from 0.
    constants: &'static [(&'static str, u32)],
}

const MATH: &str = include_str!("../wgsl/math.wgsl");
const GROUP: &str = include_str!("../wgsl/group.wgsl");
const BY_GROUP: &str = include_str!("../wgsl/rows_by_group.wgsl");
const BY_SUBGROUP: &str = include_str!("../wgsl/rows_by_subgroup.wgsl");
const GEOMETRY: &str = include_str!("../wgsl/geometry.wgsl");
const ATTENTION_TILE: &str = include_str!("../wgsl/attention_tile.wgsl");

pub(crate) const UNARY: Shader =
    Shader { name: "unary", parts: &[MATH, include_str!("../wgsl/unary.wgsl")], constants: &[("KIND", 15)] };
pub(crate) const UNARY_BACKWARD: Shader = Shader {
    name: "unary_backward",
    parts: &[MATH, include_str!("../wgsl/unary_backward.wgsl")],
    constants: &[("KIND", 15)],
};
pub(crate) const BINARY: Shader =
    Shader { name: "binary", parts: &[include_str!("../wgsl/binary.wgsl")], constants: &[("KIND", 5)] };
pub(crate) const STRIDED_COPY: Shader =
    Shader { name: "strided_copy", parts: &[include_str!("../wgsl/strided_copy.wgsl")], constants: &[] };
pub(crate) const SELECT: Shader =
    Shader { name: "select", parts: &[include_str!("../wgsl/select.wgsl")], constants: &[] };
pub(crate) const REDUCE: Shader =
    Shader { name: "reduce", parts: &[MATH, include_str!("../wgsl/reduce.wgsl")], constants: &[("KIND", 3)] };
pub(crate) const DROPOUT: Shader =
    Shader { name: "dropout", parts: &[include_str!("../wgsl/dropout.wgsl")], constants: &[] };
const NAIVE: &str = include_str!("../wgsl/matmul_naive.wgsl");
const TILED: &str = include_str!("../wgsl/matmul_tiled.wgsl");
const VEC4: &str = include_str!("../wgsl/matmul_vec4.wgsl");
const SIZES: &str = include_str!("../wgsl/matmul_sizes.wgsl");
const STORE: &str = include_str!("../wgsl/matmul_store.wgsl");
const STORE_GELU: &str = include_str!("../wgsl/matmul_store_gelu.wgsl");
const TILE: &str = include_str!("../wgsl/tile.wgsl");

// A product, and the same with bias and GELU.
pub(crate) static MATMUL_NAIVE: [Shader; 2] = [
    Shader { name: "matmul_naive", parts: &[SIZES, STORE, NAIVE], constants: &[("EPILOGUE", 3)] },
    Shader { name: "matmul_naive, gelu", parts: &[SIZES, MATH, STORE_GELU, NAIVE], constants: &[] },
];
pub(crate) static MATMUL_TILED: [Shader; 2] = [
    Shader { name: "matmul_tiled", parts: &[SIZES, STORE, TILE, TILED], constants: &[("EPILOGUE", 3)] },
    Shader { name: "matmul_tiled, gelu", parts: &[SIZES, MATH, STORE_GELU, TILE, TILED], constants: &[] },
];
pub(crate) static MATMUL_VEC4: [Shader; 2] = [
    Shader { name: "matmul_vec4", parts: &[SIZES, STORE, VEC4], constants: &[("SIZE", 3), ("EPILOGUE", 3)] },
    Shader { name: "matmul_vec4, gelu", parts: &[SIZES, MATH, STORE_GELU, VEC4], constants: &[("SIZE", 3)] },
];

/// A shader over rows in both ways of sharing them out: a workgroup for each row, and a subgroup for each.
pub(crate) struct RowShader {
    pub by_group: Shader,
    pub by_subgroup: Shader,
}

pub(crate) const SOFTMAX: RowShader = RowShader {
    by_group: Shader {
        name: "softmax",
        parts: &[GROUP, BY_GROUP, include_str!("../wgsl/softmax.wgsl")],
        constants: &[("LOG", 2)],
    },
    by_subgroup: Shader {
        name: "softmax by subgroups",
        parts: &[BY_SUBGROUP, include_str!("../wgsl/softmax.wgsl")],
        constants: &[("LOG", 2)],
    },
};
pub(crate) const SOFTMAX_BACKWARD: RowShader = RowShader {
    by_group: Shader {
        name: "softmax_backward",
        parts: &[GROUP, BY_GROUP, include_str!("../wgsl/softmax_backward.wgsl")],
        constants: &[("LOG", 2)],
    },
    by_subgroup: Shader {
        name: "softmax_backward by subgroups",
        parts: &[BY_SUBGROUP, include_str!("../wgsl/softmax_backward.wgsl")],
        constants: &[("LOG", 2)],
    },
};
pub(crate) const NORMALIZE_ROWS: RowShader = RowShader {
    by_group: Shader {
        name: "normalize_rows",
        parts: &[GROUP, BY_GROUP, include_str!("../wgsl/normalize_rows.wgsl")],
        constants: &[("AFFINE", 2)],
    },
    by_subgroup: Shader {
        name: "normalize_rows by subgroups",
        parts: &[BY_SUBGROUP, include_str!("../wgsl/normalize_rows.wgsl")],
        constants: &[("AFFINE", 2)],
    },
};
pub(crate) const NORMALIZE_ROWS_BACKWARD: RowShader = RowShader {
    by_group: Shader {
        name: "normalize_rows_backward",
        parts: &[GROUP, BY_GROUP, include_str!("../wgsl/normalize_rows_backward.wgsl")],
        constants: &[("AFFINE", 2)],
    },
    by_subgroup: Shader {
        name: "normalize_rows_backward by subgroups",
        parts: &[BY_SUBGROUP, include_str!("../wgsl/normalize_rows_backward.wgsl")],
        constants: &[("AFFINE", 2)],
    },
};
pub(crate) const NORMALIZE_ROWS_WEIGHTS: Shader = Shader {
    name: "normalize_rows_weights",
    parts: &[include_str!("../wgsl/normalize_rows_weights.wgsl")],
    constants: &[],
};
pub(crate) const CHANNEL_MOMENTS: Shader = Shader {
    name: "channel_moments",
    parts: &[GROUP, include_str!("../wgsl/channel_moments.wgsl")],
    constants: &[],
};
pub(crate) const NORMALIZE_CHANNELS: Shader = Shader {
    name: "normalize_channels",
    parts: &[include_str!("../wgsl/normalize_channels.wgsl")],
    constants: &[("RELU", 2)],
};
pub(crate) const NORMALIZE_CHANNELS_WEIGHTS: Shader = Shader {
    name: "normalize_channels_weights",
    parts: &[GROUP, include_str!("../wgsl/normalize_channels_weights.wgsl")],
    constants: &[("RELU", 2)],
};
pub(crate) const NORMALIZE_CHANNELS_BACKWARD: Shader = Shader {
    name: "normalize_channels_backward",
    parts: &[include_str!("../wgsl/normalize_channels_backward.wgsl")],
    constants: &[("RELU", 2), ("OWN", 2)],
};
const SOURCE: &str = include_str!("../wgsl/conv2d_source.wgsl");
pub(crate) const ATTENTION_SIMPLE: Shader = Shader {
    name: "attention_simple",
    parts: &[include_str!("../wgsl/attention_simple.wgsl")],
    constants: &[],
};
pub(crate) const ATTENTION: Shader = Shader {
    name: "attention",
    parts: &[ATTENTION_TILE, include_str!("../wgsl/attention.wgsl")],
    constants: &[("APPLY", 2)],
};
pub(crate) const ATTENTION_APPLY: Shader = Shader {
    name: "attention_apply",
    parts: &[ATTENTION_TILE, include_str!("../wgsl/attention_apply.wgsl")],
    constants: &[("TRANSPOSED", 2), ("GRADIENT", 2)],
};
pub(crate) const CDA_TERMS: Shader = Shader {
    name: "cda_terms",
    parts: &[include_str!("../wgsl/cda_terms.wgsl")],
    constants: &[("JOINED", 2)],
};
pub(crate) const CONV2D: Shader =
    Shader { name: "conv2d", parts: &[GEOMETRY, include_str!("../wgsl/conv2d.wgsl")], constants: &[] };
pub(crate) const CONV2D_TILED: Shader = Shader {
    name: "conv2d_tiled",
    parts: &[GEOMETRY, TILE, include_str!("../wgsl/conv2d_tiled.wgsl")],
    constants: &[],
};
pub(crate) const CONV2D_DEPTHWISE: Shader = Shader {
    name: "conv2d_depthwise",
    parts: &[GEOMETRY, include_str!("../wgsl/conv2d_depthwise.wgsl")],
    constants: &[],
};
pub(crate) const CONV2D_DX: Shader = Shader {
    name: "conv2d_dx",
    parts: &[GEOMETRY, SOURCE, include_str!("../wgsl/conv2d_dx.wgsl")],
    constants: &[],
};
pub(crate) const CONV2D_DX_TILED: Shader = Shader {
    name: "conv2d_dx_tiled",
    parts: &[GEOMETRY, SOURCE, TILE, include_str!("../wgsl/conv2d_dx_tiled.wgsl")],
    constants: &[],
};
pub(crate) const CONV2D_DX_DEPTHWISE: Shader = Shader {
    name: "conv2d_dx_depthwise",
    parts: &[GEOMETRY, SOURCE, include_str!("../wgsl/conv2d_dx_depthwise.wgsl")],
    constants: &[],
};
pub(crate) const CONV2D_DW: Shader = Shader {
    name: "conv2d_dw",
    parts: &[GEOMETRY, GROUP, include_str!("../wgsl/conv2d_dw.wgsl")],
    constants: &[],
};
pub(crate) const CONV2D_DW_TILED: Shader = Shader {
    name: "conv2d_dw_tiled",
    parts: &[GEOMETRY, TILE, include_str!("../wgsl/conv2d_dw_tiled.wgsl")],
    constants: &[],
};
pub(crate) const CONV2D_DW_DEPTHWISE: Shader = Shader {
    name: "conv2d_dw_depthwise",
    parts: &[GEOMETRY, GROUP, include_str!("../wgsl/conv2d_dw_depthwise.wgsl")],
    constants: &[],
};
pub(crate) const POOL2D: Shader =
    Shader { name: "pool2d", parts: &[include_str!("../wgsl/pool2d.wgsl")], constants: &[("KIND", 2)] };
pub(crate) const POOL2D_BACKWARD: Shader = Shader {
    name: "pool2d_backward",
    parts: &[include_str!("../wgsl/pool2d_backward.wgsl")],
    constants: &[("KIND", 2)],
};
pub(crate) const RESIZE2D: Shader =
    Shader { name: "resize2d", parts: &[include_str!("../wgsl/resize2d.wgsl")], constants: &[] };
pub(crate) const RESIZE2D_BACKWARD: Shader = Shader {
    name: "resize2d_backward",
    parts: &[include_str!("../wgsl/resize2d_backward.wgsl")],
    constants: &[],
};
pub(crate) const GATHER: Shader =
    Shader { name: "gather", parts: &[include_str!("../wgsl/gather.wgsl")], constants: &[] };
pub(crate) const SCATTER_ADD: Shader =
    Shader { name: "scatter_add", parts: &[include_str!("../wgsl/scatter_add.wgsl")], constants: &[] };
pub(crate) const SGD: Shader =
    Shader { name: "sgd", parts: &[include_str!("../wgsl/sgd.wgsl")], constants: &[] };
pub(crate) const ADAM: Shader =
    Shader { name: "adam", parts: &[include_str!("../wgsl/adam.wgsl")], constants: &[] };

impl Shader {
    /// A shader that is not a file.
    #[cfg(test)]
    pub const fn new(
        name: &'static str,
        parts: &'static [&'static str],
        constants: &'static [(&'static str, u32)],
    ) -> Shader {
        Shader { name, parts, constants }
    }

    /// Translates the variant with these constants. `checked` adds code that keeps every access inside its buffer.
    pub fn translate(&self, values: Values, checked: bool) -> Result<Vec<u32>, String> {
        let failed = |what: &str, error: String| format!("shader {}: {what}: {error}", self.name);
        let source = self.parts.concat();
        let module = naga::front::wgsl::parse_str(&source)
            .map_err(|error| failed("does not parse", error.emit_to_string(&source)))?;
        let mut validator =
            Validator::new(ValidationFlags::all(), Capabilities::IMMEDIATES | Capabilities::SUBGROUP);
        let info = validator
            .validate(&module)
            .map_err(|error| failed("is invalid", error.emit_to_string(&source)))?;
        let mut constants = naga::back::PipelineConstants::default();
        assert_eq!(values.len(), self.constants.len(), "shader {}: one value a constant", self.name);
        for ((name, count), &value) in self.constants.iter().zip(values) {
            assert!(value < *count, "shader {}: {name} is {value}, of {count}", self.name);
            constants.insert((*name).to_owned(), f64::from(value));
        }
        let (module, info) =
            naga::back::pipeline_constants::process_overrides(&module, &info, None, &constants)
                .map_err(|error| failed("does not take its constants", error.to_string()))?;
        spv::write_vec(&module, &info, &options(checked), None)
            .map_err(|error| failed("does not translate", error.to_string()))
    }
}

fn options(checked: bool) -> spv::Options<'static> {
    let policy = if checked { BoundsCheckPolicy::Restrict } else { BoundsCheckPolicy::Unchecked };
    spv::Options {
        lang_version: (1, 3),
        bounds_check_policies: BoundsCheckPolicies {
            index: policy,
            buffer: policy,
            image_load: policy,
            binding_array: policy,
        },
        // No shader reads shared memory before it has written it.
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        // Loops count up to numbers given by the host, and end; divisors are sizes, and not 0.
        force_loop_bounding: false,
        emit_int_div_checks: false,
        use_storage_input_output_16: false,
        ..spv::Options::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[Shader] = &[
        UNARY,
        UNARY_BACKWARD,
        BINARY,
        STRIDED_COPY,
        SELECT,
        REDUCE,
        DROPOUT,
        SOFTMAX.by_group,
        SOFTMAX.by_subgroup,
        SOFTMAX_BACKWARD.by_group,
        SOFTMAX_BACKWARD.by_subgroup,
        NORMALIZE_ROWS.by_group,
        NORMALIZE_ROWS.by_subgroup,
        NORMALIZE_ROWS_BACKWARD.by_group,
        NORMALIZE_ROWS_BACKWARD.by_subgroup,
        NORMALIZE_ROWS_WEIGHTS,
        ATTENTION_SIMPLE,
        ATTENTION,
        ATTENTION_APPLY,
        CDA_TERMS,
        CHANNEL_MOMENTS,
        NORMALIZE_CHANNELS,
        NORMALIZE_CHANNELS_WEIGHTS,
        NORMALIZE_CHANNELS_BACKWARD,
        CONV2D,
        CONV2D_TILED,
        CONV2D_DEPTHWISE,
        CONV2D_DX,
        CONV2D_DX_TILED,
        CONV2D_DX_DEPTHWISE,
        CONV2D_DW,
        CONV2D_DW_TILED,
        CONV2D_DW_DEPTHWISE,
        POOL2D,
        POOL2D_BACKWARD,
        RESIZE2D,
        RESIZE2D_BACKWARD,
        GATHER,
        SCATTER_ADD,
        SGD,
        ADAM,
    ];

    /// All of them, the products with and without GELU included.
    fn all() -> impl Iterator<Item = &'static Shader> {
        ALL.iter().chain(&MATMUL_NAIVE).chain(&MATMUL_TILED).chain(&MATMUL_VEC4)
    }

    /// Every combination of a shader's constants.
    fn variants(shader: &Shader) -> Vec<Vec<u32>> {
        shader.constants.iter().fold(vec![vec![]], |variants, (_, count)| {
            let extend = |variant: &Vec<u32>| {
                let variant = variant.clone();
                (0..*count).map(move |value| [variant.clone(), vec![value]].concat())
            };
            variants.iter().flat_map(extend).collect()
        })
    }

    #[test]
    fn every_shader_in_every_variant_translates() {
        let mut translated = 0;
        for shader in all() {
            for values in variants(shader) {
                for checked in [false, true] {
                    let words = shader.translate(&values, checked).unwrap_or_else(|error| panic!("{error}"));
                    assert_eq!(words[0], 0x0723_0203, "{}: SPIR-V starts with its magic number", shader.name);
                    translated += 1;
                }
            }
        }
        assert!(translated > 120, "{translated}");
    }

    #[test]
    fn every_file_is_a_shader_or_a_part_of_one_and_says_what_it_computes() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("wgsl");
        for entry in std::fs::read_dir(folder).expect("the shaders are there") {
            let text = std::fs::read_to_string(entry.expect("it can be listed").path()).expect("it is text");
            assert!(text.starts_with("// "), "a shader begins with what it computes: {text:.40}");
            assert!(all().any(|shader| shader.parts.contains(&text.as_str())), "nothing uses: {text:.80}");
        }
    }

    #[test]
    fn mistakes_are_named_with_the_shader() {
        let shader = Shader { name: "broken", parts: &["fn f() -> f32 { return 1u; }"], constants: &[] };
        let error = shader.translate(&[], false).expect_err("a number is no float");
        assert!(error.starts_with("shader broken: "), "{error}");
    }
}
