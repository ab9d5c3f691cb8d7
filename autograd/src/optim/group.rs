//! Parameter groups: which parameters get another learning rate or weight decay.

use crate::{ParamKind, Params, Real};

/// Parameters, chosen by name, that share a learning rate and a weight decay.
///
/// PyTorch equivalent: one dictionary of the list given to an optimiser.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Names; `*` stands for any run of characters: `backbone.*`, `*.bias`, `head.weight`.
    pub patterns: Vec<String>,
    /// Factor on the learning rate of a step.
    pub lr_scale: f64,
    /// Weight decay.
    pub weight_decay: f64,
}

impl Group {
    /// The parameters that match one of the patterns.
    pub fn new<P: Into<String>>(
        patterns: impl IntoIterator<Item = P>,
        lr_scale: f64,
        weight_decay: f64,
    ) -> Group {
        Group { patterns: patterns.into_iter().map(P::into).collect(), lr_scale, weight_decay }
    }

    /// Two groups in place of this one: its biases and norms (parameters of one axis at most) without weight decay, and
    /// the rest. PyTorch equivalent: the usual loop over `named_parameters()` that asks for `p.ndim <= 1`.
    pub fn without_decay_on_vectors<T: Real>(self, params: &Params<T>) -> [Group; 2] {
        let is_vector = |&id: &crate::ParamId| {
            params.kind(id) == ParamKind::Parameter
                && params.get(id).ndim() <= 1
                && self.contains(params.name(id))
        };
        let names = params.ids().filter(is_vector).map(|id| params.name(id));
        [Group::new(names, self.lr_scale, 0.0), self]
    }

    /// The first pattern that no name matches: a spelling mistake.
    pub(super) fn unmatched<T: Real>(&self, params: &Params<T>) -> Option<&str> {
        let fits = |pattern: &str| params.ids().any(|id| matches(pattern, params.name(id)));
        self.patterns.iter().map(String::as_str).find(|pattern| !fits(pattern))
    }

    /// Whether a parameter of that name belongs to the group.
    pub fn contains(&self, name: &str) -> bool {
        self.patterns.iter().any(|pattern| matches(pattern, name))
    }
}

/// Whether `name` is `pattern` with every `*` replaced by some run of characters.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|tail| {
            let ends = tail.char_indices().map(|(i, _)| i).chain([tail.len()]);
            ends.into_iter().any(|i| matches(rest, &tail[i..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Mlp;

    #[test]
    fn stars_stand_for_any_run() {
        for (pattern, name, expected) in [
            ("backbone.*", "backbone.conv1.weight", true),
            ("backbone.*", "decoder.backbone.weight", false),
            ("*.bias", "head.bias", true),
            ("*.bias", "head.bias_table", false),
            ("*norm*", "blocks.0.norm1.weight", true),
            ("*", "", true),
            ("head.weight", "head.weight", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn vectors_lose_their_decay() {
        let (params, _) = Params::<f32>::build(0, |scope| Mlp::new(&mut scope.sub("mlp"), 2, 4, 0.0));
        let [vectors, rest] = Group::new(["mlp.*"], 0.5, 0.1).without_decay_on_vectors(&params);
        assert_eq!(vectors, Group::new(["mlp.fc1.bias", "mlp.fc2.bias"], 0.5, 0.0));
        assert_eq!(rest, Group::new(["mlp.*"], 0.5, 0.1));
    }
}
