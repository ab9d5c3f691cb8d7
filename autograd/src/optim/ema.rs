//! Averaged weights.

use crate::checkpoint::{CheckpointError, LoadMode, TensorFile};
use crate::device::DeviceError;
use crate::{ParamKind, Params, Real};

/// Exponential moving average of a model's parameters: a̅ ← decay·a̅ + (1 − decay)·a after every step. Buffers are
/// copied. Averaged weights often predict better than the last ones.
///
/// PyTorch equivalent: `AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))`, except that its first update
/// copies the parameters, whereas here the first update already averages, with the values [`Ema::new`] started from.
#[derive(Clone)]
pub struct Ema<T: Real = f32> {
    decay: f64,
    average: Params<T>,
}

impl<T: Real> Ema<T> {
    /// Starts from the current values; average ← decay·average + (1 − decay)·values at every update.
    /// PyTorch equivalent: `AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))`.
    #[track_caller]
    pub fn new(params: &Params<T>, decay: f64) -> Ema<T> {
        assert!((0.0..=1.0).contains(&decay), "Ema: decay {decay} must lie in [0, 1]");
        Ema { decay, average: params.clone() }
    }

    /// Takes in the values after a step.
    pub fn update(&mut self, params: &Params<T>) {
        for id in params.ids() {
            let value = match params.kind(id) {
                ParamKind::Parameter => {
                    let kept = self.average.get(id).scale(self.decay);
                    kept.add(&params.get(id).scale(1.0 - self.decay))
                }
                ParamKind::Buffer | ParamKind::Counter => params.get(id).clone(),
            };
            self.average.set(id, value);
        }
    }

    /// The averaged model, to predict with.
    pub fn params(&self) -> &Params<T> {
        &self.average
    }

    /// Appends the averages under `ema.<name>`.
    ///
    /// # Errors
    /// A failure of the device the values live on.
    pub fn export(&self, file: &mut TensorFile) -> Result<(), DeviceError> {
        self.average.export("ema.", file)
    }

    /// Takes the averages back from a checkpoint.
    ///
    /// # Errors
    /// Averages that are missing or have other shapes; then nothing has changed.
    pub fn import(&mut self, file: &TensorFile) -> Result<(), CheckpointError> {
        self.average.import("ema.", file, LoadMode::Strict).map(|_| ())
    }
}
