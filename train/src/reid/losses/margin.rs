//! The margin of the triplet loss.

use autograd::{Real, Var};
use serde::{Deserialize, Serialize};

/// How much farther another identity must be than one's own. In a configuration a number or the word "soft".
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "MarginText", into = "MarginText")]
pub enum Margin {
    /// By this distance, in the units of the features; beyond it there is nothing to gain.
    Distance(f64),
    /// By as much as possible, with ever less to gain.
    Soft,
}

impl Margin {
    /// What a difference d = d_ap − d_an costs: max(0, d + m), or ln(1 + eᵈ), its smooth relative.
    pub(super) fn cost<T: Real>(self, difference: &Var<T>) -> Var<T> {
        match self {
            Margin::Distance(margin) => difference.add_scalar(margin).relu(),
            Margin::Soft => difference.softplus(),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "a margin is a distance such as 0.3, or \"soft\"")]
enum MarginText {
    Distance(f64),
    Word(Word),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Soft,
}

impl From<MarginText> for Margin {
    fn from(text: MarginText) -> Margin {
        match text {
            MarginText::Distance(margin) => Margin::Distance(margin),
            MarginText::Word(Word::Soft) => Margin::Soft,
        }
    }
}

impl From<Margin> for MarginText {
    fn from(margin: Margin) -> MarginText {
        match margin {
            Margin::Distance(margin) => MarginText::Distance(margin),
            Margin::Soft => MarginText::Word(Word::Soft),
        }
    }
}
