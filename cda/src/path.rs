//! With matrices or without.

use crate::config::Steps;
use crate::fusion::Fusion;
use crate::matrix_free::truncation;
use autograd::Real;
use serde::{Deserialize, Serialize};

/// How attention and diffusion are computed. The results are the same up to rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Path {
    /// Without matrices wherever that is possible; the fixed point only where it pays.
    #[default]
    Auto,
    /// N×N matrices, as the equations are written: to read, to look at the maps, and as the oracle of the other path.
    Plain,
    /// Without matrices wherever that is possible.
    Fast,
}

impl Path {
    /// What runs, on the host and on devices: `Plain` or `Fast`, for N = `tokens` and d = `head_dim`.
    ///
    /// Dropout on the maps (`drops`) needs them: then it is the plain path, whatever was asked for. The fixed point keeps K
    /// vectors of d values for each token, so that matrices are smaller unless K·d < N.
    pub fn resolve<T: Real>(self, fusion: &Fusion, tokens: usize, head_dim: usize, drops: bool) -> Path {
        if drops || self == Path::Plain {
            return Path::Plain;
        }
        match fusion.diffusion() {
            Some(cda) if self == Path::Auto && cda.steps == Steps::Infinite => {
                let pays = truncation::<T>(cda.alpha).saturating_mul(head_dim) < tokens;
                if pays { Path::Fast } else { Path::Plain }
            }
            _ => Path::Fast,
        }
    }
}
