//! Random omission during training. The random position (key, site) is an argument: the same one gives the same mask.

use crate::random::Key;
use crate::real::Real;
use crate::tape::{Var, record};

impl<T: Real> Var<T> {
    /// y = x·mask/(1 − p) with mask 0 with probability p. PyTorch equivalent: `F.dropout(x, p, training=True)`.
    #[track_caller]
    pub fn dropout(&self, p: f64, (key, site): (Key, u64)) -> Var<T> {
        let shape = self.shape().to_vec();
        self.drop_with("dropout", &shape, p, key, site)
    }

    /// Omits whole samples of a batch: stochastic depth. Equivalent: timm's `drop_path(x, p, training=True)`.
    /// `[B, ..]` to the same shape.
    #[track_caller]
    pub fn drop_path(&self, p: f64, (key, site): (Key, u64)) -> Var<T> {
        let mut shape = vec![1; self.shape().len()];
        shape[0] = self.shape()[0];
        self.drop_with("drop_path", &shape, p, key, site)
    }

    #[track_caller]
    fn drop_with(&self, name: &'static str, shape: &[usize], p: f64, key: Key, site: u64) -> Var<T> {
        assert!((0.0..1.0).contains(&p), "{name}: probability {p} must be at least 0 and below 1");
        let mask = self.value().dropout_mask_like(shape, key, site, 1.0 - p);
        record(name, self.value().mul(&mask), &[self], move |dy, sink| sink.add(0, || dy.mul(&mask)))
    }
}
