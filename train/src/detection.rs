//! Detection as a [`Task`]: what the training loop asks of a [`Detector`].

use crate::config::Config;
use crate::detector::Detector;
use crate::losses::detection_loss;
use crate::memory::peak_mb;
use crate::run_folder::Record;
use crate::source::{Dataset, Inputs};
use crate::summary::{Headline, SetSummary, Summary, by_kind};
use crate::task::Task;
use anyhow::{Context, Result, ensure};
use autograd::checkpoint::TensorFile;
use autograd::{Ctx, Params, Var};
use data::{Batch, DataError, Order};
use models::SodNetwork;
use std::path::Path;
use std::time::Instant;

/// The data of a detector's run.
pub struct SodData {
    train: Dataset,
    validation: Dataset,
    /// Test sets by name, scored one by one.
    test: Vec<(String, Dataset)>,
}

impl Task for Detector {
    type Config = Config;
    type Data = SodData;
    type Batch = Batch;
    type Summary = Summary;

    fn new(config: &Config) -> Result<Detector> {
        let (params, net) = Params::build(config.seed, |scope| SodNetwork::new(scope, &config.model));
        let net = net?.with_checkpointing(config.train.checkpointing);
        Ok(Detector { config: config.clone(), params, net })
    }

    fn load(path: &Path) -> Result<Detector> {
        let file = TensorFile::read(path)?;
        Detector::from_file(&file).with_context(|| format!("in {}", path.display()))
    }

    fn load_trunks(&mut self, path: &Path) -> Result<()> {
        let kind = self.config.model.trunk().context("this network has no trunks")?;
        let file = TensorFile::read(path)?;
        for trunk in ["rgb.trunk.", "depth.trunk."] {
            kind.load(&mut self.params, trunk, &file)?;
        }
        Ok(())
    }

    fn config(&self) -> &Config {
        &self.config
    }

    fn params(&self) -> &Params {
        &self.params
    }

    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }

    fn open(config: &Config) -> Result<SodData> {
        let open = |name: &str, sources: &[_]| {
            Dataset::open(sources, config.data.size).with_context(|| format!("data.{name}"))
        };
        let train = open("train", &config.data.train)?.with_batch_sizes(&config.data.train_sizes);
        let validation = open("validation", &config.data.validation)?;
        let test = Dataset::open_by_name(&config.data.test, config.data.size).context("data.test")?;
        ensure!(
            train.len() >= config.train.batch * config.train.accumulate,
            "{} training pictures do not fill one update of {} x {}: lower train.accumulate or train.batch",
            train.len(),
            config.train.accumulate,
            config.train.batch
        );
        Ok(SodData { train, validation, test })
    }

    fn fingerprint(data: &SodData) -> String {
        data.train.fingerprint()
    }

    fn batches_in(&self, data: &SodData, _epoch: u64) -> usize {
        data.train.len() / self.config.train.batch
    }

    fn batches(
        &self,
        data: &SodData,
        epoch: u64,
        start: usize,
        workers: usize,
    ) -> impl Iterator<Item = Result<Batch, DataError>> + use<> {
        let order =
            Order { seed: self.config.seed, epoch, shuffle: true, start_batch: start, drop_last: true };
        data.train.batches(self.config.train.batch, order, workers, self.config.data.augment)
    }

    fn names(batch: &Batch) -> &[String] {
        &batch.names
    }

    fn loss(&self, ctx: &Ctx, batch: &Batch) -> Var {
        let inputs = Inputs::of(batch);
        let output = self.forward(ctx, &inputs);
        detection_loss(&output, &ctx.constant(&inputs.mask), &self.config.train.loss)
    }

    fn validate(&self, data: &SodData, epoch: u64, step: u64) -> Result<Option<Record>> {
        let Headline { structure, max_f, max_e, mae } = Headline::of(&self.evaluate(&data.validation)?);
        Ok(Some(Record::Validation { step, epoch, structure, max_f, max_e, mae }))
    }

    fn test(&self, data: &SodData, start: Instant) -> Result<Summary> {
        let (mut sets, mut scores) = (Vec::new(), Vec::new());
        for (name, data) in &data.test {
            let of_set = self.evaluate(data)?;
            sets.push((name.clone(), SetSummary::of(&of_set)));
            scores.extend(of_set);
        }
        Ok(Summary {
            scores: Headline::of(&scores),
            seconds: start.elapsed().as_secs_f64(),
            peak_mb: peak_mb(),
            sets,
            kinds: by_kind(&scores),
        })
    }

    fn tables(summary: &Summary) -> String {
        summary.kinds_table() + &summary.sets_table()
    }

    fn line(summary: &Summary) -> String {
        summary.line()
    }
}
