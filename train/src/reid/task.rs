//! Re-identification as a [`Task`]: what the training loop asks of an [`Embedder`].

use super::config::{ReidRunConfig, ReidSource};
use super::losses::reid_loss;
use super::source::{Pictures, SearchSet};
use super::{Embedder, ReidSummary};
use crate::memory::peak_mb;
use crate::run_folder::Record;
use crate::task::Task;
use anyhow::{Context, Result, ensure};
use autograd::checkpoint::TensorFile;
use autograd::random::Key;
use autograd::{Ctx, Params, Var};
use data::DataError;
use data::loader::{KeyOf, Plan, planned_batches};
use data::reid::{ReidBatch, augment, identity_batches};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

/// The data of a run.
pub struct ReidData {
    train: Pictures,
    /// The identity of every picture of `train`.
    ids: Vec<u32>,
    validation: Option<SearchSet>,
    test: SearchSet,
}

/// A batch with the labels of its identities.
pub struct LabelledBatch {
    batch: ReidBatch,
    /// Of the identities trained on, from 0.
    labels: Vec<usize>,
}

impl Task for Embedder {
    type Config = ReidRunConfig;
    type Data = ReidData;
    type Batch = LabelledBatch;
    type Summary = ReidSummary;

    fn new(config: &ReidRunConfig) -> Result<Embedder> {
        Embedder::build(config)
    }

    fn load(path: &Path) -> Result<Embedder> {
        Embedder::read(path)
    }

    fn load_trunks(&mut self, path: &Path) -> Result<()> {
        let kind = self.config.model.trunk.kind().context("this network's trunk has no published weights")?;
        let file = TensorFile::read(path)?;
        for stream in &self.config.model.streams {
            kind.load(&mut self.params, &format!("{}.trunk.", stream.name()), &file)?;
        }
        Ok(())
    }

    fn config(&self) -> &ReidRunConfig {
        &self.config
    }

    fn params(&self) -> &Params {
        &self.params
    }

    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }

    fn open(config: &ReidRunConfig) -> Result<ReidData> {
        let train = Pictures::open(&config.data.train, config).context("data.train")?;
        let validation = config.data.validation.as_ref();
        let validation = validation.map(|source| SearchSet::open(source, config).context("data.validation"));
        let test = SearchSet::open(&config.data.test, config).context("data.test")?;
        let ids = train.ids();
        let (identities, classes) = (train.identities().len(), config.model.classes);
        ensure!(
            identities == classes,
            "data.train: there are {identities} identities, the network knows {classes}"
        );
        let each = config.train.batch / config.data.instances;
        ensure!(
            identities >= each,
            "data.train: a batch takes {each} identities (train.batch / data.instances), and there are {identities}"
        );
        let validation = validation.transpose()?;
        if let (Some(set), Some(source)) = (&validation, &config.data.validation) {
            refuse_known(&train, &config.data.train, set, source).context("data.validation")?;
        }
        refuse_known(&train, &config.data.train, &test, &config.data.test).context("data.test")?;
        Ok(ReidData { train, ids, validation, test })
    }

    fn fingerprint(data: &ReidData) -> String {
        data.train.fingerprint()
    }

    fn batches_in(&self, data: &ReidData, epoch: u64) -> usize {
        self.plan(data, epoch).len()
    }

    fn batches(
        &self,
        data: &ReidData,
        epoch: u64,
        start: usize,
        workers: usize,
    ) -> impl Iterator<Item = Result<LabelledBatch, DataError>> + use<> {
        let plan = Plan {
            seed: self.config.seed,
            epoch,
            batches: self.plan(data, epoch),
            start_batch: start,
            key_of: KeyOf::Place,
        };
        let (size, variations) = (self.config.data.size, self.config.data.augment);
        let (pictures, labels) = (data.train.clone(), data.train.identities());
        planned_batches(
            plan,
            workers,
            move |index, key, _| Ok(augment(&pictures.load(index)?, &variations, size, key)),
            move |indices, samples| {
                let batch = ReidBatch::stack(indices, samples)?;
                Ok(LabelledBatch { labels: labels_of(&batch, &labels), batch })
            },
        )
    }

    fn names(batch: &LabelledBatch) -> &[String] {
        &batch.batch.names
    }

    fn loss(&self, ctx: &Ctx, batch: &LabelledBatch) -> Var {
        let output = self.forward(ctx, &batch.batch);
        reid_loss(ctx, &output, &batch.labels, &self.config.train.loss, self.centres.as_ref())
    }

    fn validate(&self, data: &ReidData, epoch: u64, step: u64) -> Result<Option<Record>> {
        let scores = data.validation.as_ref().map(|set| self.search(set)).transpose()?;
        Ok(scores.map(|scores| Record::Search { step, epoch, scores }))
    }

    fn test(&self, data: &ReidData, start: Instant) -> Result<ReidSummary> {
        let scores = self.search(&data.test)?;
        Ok(ReidSummary { scores, seconds: start.elapsed().as_secs_f64(), peak_mb: peak_mb() })
    }

    fn tables(_: &ReidSummary) -> String {
        String::new()
    }

    fn line(summary: &ReidSummary) -> String {
        format!("unseen identities: {}", summary.scores)
    }
}

impl Embedder {
    /// The pictures of every batch of an epoch.
    fn plan(&self, data: &ReidData, epoch: u64) -> Vec<Vec<usize>> {
        let (instances, batch) = (self.config.data.instances, self.config.train.batch);
        let key = Key { seed: self.config.seed, epoch, step: 0 };
        identity_batches(&data.ids, batch / instances, instances, key)
    }
}

/// Refuses to measure on identities that are trained on.
fn refuse_known(train: &Pictures, from: &ReidSource, set: &SearchSet, source: &ReidSource) -> Result<()> {
    let unseen = set.identities();
    let known: Vec<u32> = train.identities().into_keys().filter(|id| unseen.contains(id)).collect();
    ensure!(
        known.is_empty() || !from.shares_numbers_with(source),
        "{} of its identities are trained on, such as {}: that would measure memory, not recognition",
        known.len(),
        known[0]
    );
    Ok(())
}

fn labels_of(batch: &ReidBatch, labels: &BTreeMap<u32, usize>) -> Vec<usize> {
    batch.ids.iter().map(|id| labels[id]).collect()
}
