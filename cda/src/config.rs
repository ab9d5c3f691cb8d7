//! Every switch of the diffusion itself, with the value the released code uses as the default.

use serde::{Deserialize, Serialize};

/// Which reading of the method: the released code or the paper's Fig. 3. It sets S and the value side, nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// The released `MutualFormer.py`: S = Pᵀ (its "symmetric normalisation" divides by row sums that are 1, and what
    /// remains is a transpose); U_rd = X_rd·V_d, U_dr = X_dr·V_r, as in cross-attention.
    #[default]
    Official,
    /// The paper's Fig. 3: S = P; U_rd = X_rd·V_r, U_dr = X_dr·V_d. Its "Norm" box is the option `norm`, which a preset
    /// does not set: no formula for it is known.
    Paper,
}

/// Which affinity Y is fed back at every step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Affinity {
    /// Y = P_r + P_d for both directions (Fig. 3's "A").
    #[default]
    Intra,
    /// Y_rd = softmax(Q_r·K_dᵀ/√d_h), Y_dr = softmax(Q_d·K_rᵀ/√d_h): CDA as post-optimisation of cross-attention.
    Cross,
}

/// Where the diffusion starts, X⁽⁰⁾.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// X⁽⁰⁾ = I, as released. The identity is never formed.
    #[default]
    Identity,
    /// X⁽⁰⁾ = Y.
    Affinity,
}

/// What is done to P before it becomes S.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Norm {
    /// Nothing: dividing a row-stochastic matrix by its row sums changes nothing (released code).
    #[default]
    None,
    /// D_row^−½·P·D_col^−½, a symmetric normalisation that does something. Reconstruction: the paper draws a "Norm" box
    /// without a formula.
    Degree,
}

/// Number of diffusion steps, T.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StepsText", into = "StepsText")]
pub enum Steps {
    /// T steps with feedback, T ≥ 1.
    Finite(usize),
    /// T → ∞: the fixed point, whose gradient is implicit.
    Infinite,
}

/// As a config file writes it: a number, `"inf"`, or TOML's own `inf`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum StepsText {
    Number(usize),
    Float(f64),
    Word(String),
}

impl TryFrom<StepsText> for Steps {
    type Error = String;
    fn try_from(text: StepsText) -> Result<Steps, String> {
        match text {
            StepsText::Number(steps) => Ok(Steps::Finite(steps)),
            StepsText::Float(f64::INFINITY) => Ok(Steps::Infinite),
            StepsText::Float(other) => other.to_string().parse(),
            StepsText::Word(word) => word.parse(),
        }
    }
}

impl From<Steps> for StepsText {
    fn from(steps: Steps) -> StepsText {
        match steps {
            Steps::Finite(steps) => StepsText::Number(steps),
            Steps::Infinite => StepsText::Word("inf".to_owned()),
        }
    }
}

impl std::str::FromStr for Steps {
    type Err = String;
    fn from_str(text: &str) -> Result<Steps, String> {
        match text {
            "inf" => Ok(Steps::Infinite),
            number => number
                .parse()
                .map(Steps::Finite)
                .map_err(|_| format!("steps must be a whole number or \"inf\", not {number:?}")),
        }
    }
}

/// All switches of CDA. The default is the released code: one step, α = 0.6.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CdaConfig {
    /// S and the value side.
    pub preset: Preset,
    /// Y.
    pub affinity: Affinity,
    /// T.
    pub steps: Steps,
    /// X⁽⁰⁾; the fixed point does not depend on it.
    pub init: Start,
    /// α: how much of each step is diffusion, the rest is Y.
    pub alpha: f64,
    /// Normalisation of P.
    pub norm: Norm,
    /// Divide each row of the last X by its sum (the released code does not: with Y = P_r + P_d
    /// and X⁽⁰⁾ = I its row sums average 2 − α^T).
    pub renormalise_rows: bool,
}

impl Default for CdaConfig {
    fn default() -> CdaConfig {
        CdaConfig {
            preset: Preset::Official,
            affinity: Affinity::Intra,
            steps: Steps::Finite(1),
            init: Start::Identity,
            alpha: 0.6,
            norm: Norm::None,
            renormalise_rows: false,
        }
    }
}

/// A configuration that means nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// No step at all.
    #[error("cda: steps = 0 computes nothing; use at least 1, or \"inf\"")]
    NoSteps,
    /// α outside its range.
    #[error(
        "cda: alpha = {0} must lie in [0, 1]; with steps = \"inf\" it must be below 1 (the diffusion contracts by alpha)"
    )]
    Alpha(f64),
    /// Head count does not divide the width.
    #[error("{heads} heads do not divide dim = {dim}: choose num_heads among its divisors")]
    Heads {
        /// Channels C.
        dim: usize,
        /// Heads H.
        heads: usize,
    },
}

impl CdaConfig {
    /// The released code's or the figure's reading, all else as released.
    pub fn preset(preset: Preset) -> CdaConfig {
        CdaConfig { preset, ..CdaConfig::default() }
    }

    /// Checks what the types cannot.
    ///
    /// # Errors
    /// No steps; an α outside of [0, 1], or of [0, 1) at the fixed point.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let alpha_fits = match self.steps {
            Steps::Finite(0) => return Err(ConfigError::NoSteps),
            Steps::Finite(_) => (0.0..=1.0).contains(&self.alpha),
            Steps::Infinite => (0.0..1.0).contains(&self.alpha),
        };
        if alpha_fits { Ok(()) } else { Err(ConfigError::Alpha(self.alpha)) }
    }

    /// Whether S is Pᵀ.
    pub(crate) fn transposed(&self) -> bool {
        self.preset == Preset::Official
    }
}
