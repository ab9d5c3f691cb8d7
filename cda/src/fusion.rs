//! Ways to mix two modalities behind one interface, so that an experiment swaps one word.

use crate::config::{Affinity, CdaConfig, ConfigError, Preset, Start};
use crate::diffusion::{Mixed, Qkv, affinity, cross_attention_map, cross_diffusion_attention};
use crate::matrix_free;
use autograd::{Real, Var};
use serde::{Deserialize, Serialize};

/// What fills U_rd and U_dr, the two cross-modality inputs of the MutualFormer block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FusionKind {
    /// Cross-Diffusion Attention with the `[cda]` options as they stand.
    #[default]
    Cda,
    /// Cross-Diffusion Attention as the paper's figure reads (preset `paper`).
    CdaPaper,
    /// Cross-attention: U_rd = softmax(Q_r·K_dᵀ/√d_h)·V_d, and the same with r, d swapped.
    Ca,
    /// Cross-attention, then diffusion as post-optimisation: Y is its map, X⁽⁰⁾ = Y. With the official value side and
    /// α = 0 this is `ca` itself.
    #[serde(rename = "ca+cda")]
    CaCda,
    /// No cross-modality mixing of tokens: U_rd = O_d, U_dr = O_r, so the projection sees both self-attentions side by
    /// side.
    Concat,
    /// No cross-modality mixing of tokens: U_rd = U_dr = O_r + O_d.
    Sum,
}

/// A kind of fusion with the options of the diffusion (which `ca`, `concat` and `sum` do not use).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fusion {
    /// What is mixed.
    pub kind: FusionKind,
    /// How the diffusion runs.
    pub cda: CdaConfig,
}

impl Fusion {
    /// The diffusion's options after the kind has had its say, or `None` where there is no diffusion.
    pub fn diffusion(&self) -> Option<CdaConfig> {
        match self.kind {
            FusionKind::Cda => Some(self.cda),
            FusionKind::CdaPaper => Some(CdaConfig { preset: Preset::Paper, ..self.cda }),
            FusionKind::CaCda => {
                Some(CdaConfig { affinity: Affinity::Cross, init: Start::Affinity, ..self.cda })
            }
            FusionKind::Ca | FusionKind::Concat | FusionKind::Sum => None,
        }
    }

    /// Checks the options that will be used.
    ///
    /// # Errors
    /// As [`CdaConfig::validate`]; a kind without diffusion has nothing to complain about.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.diffusion().map_or(Ok(()), |config| config.validate())
    }

    /// Mixes two modalities with N×N matrices; `drop` is applied to every cross-affinity.
    /// Values are `[B, H, N, d]`, cross-affinities `[B, H, N, N]`.
    pub fn mix<T: Real>(&self, r: &Qkv<T>, d: &Qkv<T>, drop: impl Fn(&Var<T>) -> Var<T>) -> Mixed<T> {
        if let Some(config) = self.diffusion() {
            return cross_diffusion_attention(r, d, &config, drop);
        }
        let (o_r, o_d) = (affinity(r).matmul(&r.v), affinity(d).matmul(&d.v));
        let (u_rd, u_dr) = match self.kind {
            FusionKind::Ca => {
                (drop(&cross_attention_map(r, d)).matmul(&d.v), drop(&cross_attention_map(d, r)).matmul(&r.v))
            }
            kind => kind.of_self_attentions(&o_r, &o_d),
        };
        Mixed { o_r, o_d, u_rd, u_dr }
    }

    /// Mixes two modalities without matrices, and therefore without dropout on them.
    pub fn mix_matrix_free<T: Real>(&self, r: &Qkv<T>, d: &Qkv<T>) -> Mixed<T> {
        if let Some(config) = self.diffusion() {
            return matrix_free::cross_diffusion_attention(r, d, &config);
        }
        let (o_r, o_d) = (matrix_free::self_attention(r), matrix_free::self_attention(d));
        let (u_rd, u_dr) = match self.kind {
            FusionKind::Ca => (matrix_free::cross_attention(r, d), matrix_free::cross_attention(d, r)),
            kind => kind.of_self_attentions(&o_r, &o_d),
        };
        Mixed { o_r, o_d, u_rd, u_dr }
    }
}

impl FusionKind {
    /// U_rd and U_dr of the kinds that mix no tokens across modalities.
    fn of_self_attentions<T: Real>(self, o_r: &Var<T>, o_d: &Var<T>) -> (Var<T>, Var<T>) {
        match self {
            FusionKind::Sum => (o_r.add(o_d), o_r.add(o_d)),
            FusionKind::Concat => (o_d.clone(), o_r.clone()),
            FusionKind::Cda | FusionKind::CdaPaper | FusionKind::CaCda | FusionKind::Ca => {
                unreachable!("cross-affinities were handled by the caller")
            }
        }
    }
}
