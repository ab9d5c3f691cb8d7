//! What the training loop asks of a task: [`Detector`](crate::detector::Detector) and
//! [`Embedder`](crate::reid::Embedder) answer.

use crate::config::RunConfig;
use crate::device::Place;
use crate::run_folder::Record;
use anyhow::Result;
use autograd::{Ctx, Params, Var};
use data::DataError;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

/// A network with its weights, and how it is trained and measured.
pub trait Task: Clone {
    /// What decides a run.
    type Config: RunConfig;
    /// Its opened data: to train on, to choose the best weights by, to test with.
    type Data;
    /// Training samples of one forward pass.
    type Batch;
    /// The final numbers.
    type Summary: Serialize;

    /// A network with initial weights.
    fn new(config: &Self::Config) -> Result<Self>;

    /// A network as [`Task::save`] wrote it; the configuration is in the file's metadata.
    fn load(path: &Path) -> Result<Self>;

    /// Starts the trunks of all streams from published weights under torchvision's names, with or without the
    /// classifier behind them. Anything else that does not fit is an error.
    fn load_trunks(&mut self, path: &Path) -> Result<()>;

    /// What was trained, and how.
    fn config(&self) -> &Self::Config;

    /// All weights and running statistics.
    fn params(&self) -> &Params;

    /// The same, to change.
    fn params_mut(&mut self) -> &mut Params;

    /// The same network with its weights at a place: from here on it computes there.
    fn at(mut self, place: &Place) -> Result<Self> {
        *self.params_mut() = place.params(self.params())?;
        Ok(self)
    }

    /// Opens the data of a configuration; an error if it does not fill one update.
    fn open(config: &Self::Config) -> Result<Self::Data>;

    /// A number that changes with the training pictures.
    fn fingerprint(data: &Self::Data) -> String;

    /// Batches in a pass over the training data; passes may differ.
    fn batches_in(&self, data: &Self::Data, epoch: u64) -> usize;

    /// Such a pass from batch `start` on, made ahead by background threads, or by the caller if `workers` is 0.
    fn batches(
        &self,
        data: &Self::Data,
        epoch: u64,
        start: usize,
        workers: usize,
    ) -> impl Iterator<Item = Result<Self::Batch, DataError>> + use<Self>;

    /// The names of a batch's pictures.
    fn names(batch: &Self::Batch) -> &[String];

    /// What is made small, of one batch; a forward pass in training.
    fn loss(&self, ctx: &Ctx, batch: &Self::Batch) -> Var;

    /// Measures the data to choose the best weights by, at the end of `epoch` (from 1) after update `step`. `None` where
    /// there is none: then the last weights are the best.
    fn validate(&self, data: &Self::Data, epoch: u64, step: u64) -> Result<Option<Record>>;

    /// Measures the test data of a run that began at `start`.
    fn test(&self, data: &Self::Data, start: Instant) -> Result<Self::Summary>;

    /// The final numbers in tables, where there is more than a line to say.
    fn tables(summary: &Self::Summary) -> String;

    /// The line that a run ends with.
    fn line(summary: &Self::Summary) -> String;

    /// Writes the weights with the configuration they need.
    fn save(&self, path: &Path) -> Result<()> {
        self.params().save(path, BTreeMap::from([("config".to_owned(), self.config().to_toml())]))?;
        Ok(())
    }
}
