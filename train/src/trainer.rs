//! The training loop of a detector: updates, validation, checkpoints, resumption.

use crate::config::{Config, OptimizerKind, ScheduleKind, TrainConfig};
use crate::detector::Detector;
use crate::losses::detection_loss;
use crate::memory::peak_mb;
use crate::run_folder::{Record, RunFolder};
use crate::source::{Dataset, Inputs};
use crate::summary::{Headline, SetSummary, Summary, by_kind};
use anyhow::{Context, Result, bail, ensure};
use autograd::checkpoint::{LoadMode, TensorFile};
use autograd::optim::{Ema, Group, Optimizer, Schedule};
use autograd::random::Key;
use autograd::{Ctx, Grads, ParamId, Params, Var};
use data::{Augment, Batch, Order};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Version of `last.state.safetensors`; raised when its meaning changes.
const STATE_FORMAT: &str = "1";

/// What the names of the trunks' parameters have in common.
const TRUNKS: &str = "*.trunk.*";

/// How a run ended.
pub enum Outcome {
    /// All updates done; the detector holds the best weights by validation.
    Finished(Box<Detector>, Summary),
    /// Ctrl-C: the state is saved and `--resume` goes on from it.
    Interrupted,
}

/// Where a run stands: the next batch of an epoch, and how many updates came before.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Position {
    epoch: u64,
    batch: usize,
    step: u64,
}

/// A run in progress.
pub struct Trainer {
    run: RunFolder,
    detector: Detector,
    optimizer: Optimizer,
    /// Parameters that keep their values.
    frozen: Vec<ParamId>,
    ema: Option<Ema>,
    at: Position,
    /// Best validation S-measure so far.
    best: f64,
    train: Dataset,
    /// Of the training pictures, to tell on resumption whether they are still the same.
    fingerprint: String,
    validation: Dataset,
    /// Test sets by name, scored one by one.
    test: Vec<(String, Dataset)>,
    /// End after so many updates, whatever the epochs say.
    max_steps: Option<u64>,
}

impl Trainer {
    /// Starts a new run in a folder. What an earlier run left there goes only once this one can begin.
    pub fn new(config: &Config, run: RunFolder, max_steps: Option<u64>) -> Result<Trainer> {
        let mut detector = Detector::new(config)?;
        if let Some(path) = &config.train.trunk_weights {
            detector.load_trunks(path).context("train.trunk_weights")?;
        }
        let trainer = Trainer::prepare(detector, run, max_steps)?;
        trainer.run.start(&config.to_toml())?;
        Ok(trainer)
    }

    /// Opens the data; writes no file.
    fn prepare(detector: Detector, run: RunFolder, max_steps: Option<u64>) -> Result<Trainer> {
        let config = &detector.config;
        let open = |name: &str, sources: &[_]| {
            Dataset::open(sources, config.data.size).with_context(|| format!("data.{name}"))
        };
        let train = open("train", &config.data.train)?.with_batch_sizes(&config.data.train_sizes);
        let validation = open("validation", &config.data.validation)?;
        let test = Dataset::open_by_name(&config.data.test, config.data.size).context("data.test")?;
        ensure!(
            train.len() >= config.train.batch * config.train.accumulate,
            "{} training pictures do not fill one update of {} x {}",
            train.len(),
            config.train.accumulate,
            config.train.batch
        );
        let ema = (config.train.ema > 0.0).then(|| Ema::new(&detector.params, config.train.ema));
        let optimizer = optimizer(&config.train, &detector.params);
        let frozen = frozen(&config.train, &detector.params)?;
        let (fingerprint, at) = (train.fingerprint(), Position::default());
        Ok(Trainer {
            run,
            detector,
            optimizer,
            frozen,
            ema,
            at,
            best: f64::NEG_INFINITY,
            train,
            fingerprint,
            validation,
            test,
            max_steps,
        })
    }

    /// Goes on with a run from its `last.state.safetensors`; without `max_steps` to the end it had before.
    pub fn resume(run: RunFolder, max_steps: Option<u64>) -> Result<Trainer> {
        let path = run.path("last.state.safetensors");
        let state = TensorFile::read(&path).context("cannot resume")?;
        let text = |name: &str| {
            state
                .metadata
                .get(name)
                .with_context(|| format!("{}: metadata {name:?} is missing", path.display()))
        };
        ensure!(
            text("format")? == STATE_FORMAT,
            "{}: format {} instead of {STATE_FORMAT}; it was written by another version",
            path.display(),
            text("format")?
        );
        let config = Config::parse(text("config")?, &[])?;
        let limit = state.metadata.get("max_steps").map(|steps| steps.parse()).transpose()?;
        let mut trainer = Trainer::prepare(Detector::new(&config)?, run, max_steps.or(limit))?;
        trainer.detector.params.import("param.", &state, LoadMode::Strict)?;
        trainer.optimizer.import(&trainer.detector.params, &state)?;
        if let Some(ema) = &mut trainer.ema {
            ema.import(&state)?;
        }
        trainer.at = Position {
            epoch: text("epoch")?.parse()?,
            batch: text("batch")?.parse()?,
            step: text("step")?.parse()?,
        };
        trainer.best = text("best")?.parse()?;
        if state.metadata.get("train_data").is_some_and(|before| *before != trainer.fingerprint) {
            eprintln!(
                "warning: the training pictures are not those the run was saved with (other names or file lengths): it \
                 goes on, but does not end as it would have"
            );
        }
        trainer.run.rewind(trainer.at.step, trainer.at.batch == 0)?;
        Ok(trainer)
    }

    /// The network and its current weights.
    pub fn detector(&self) -> &Detector {
        &self.detector
    }

    /// The run's folder.
    pub fn folder(&self) -> &Path {
        self.run.root()
    }

    /// Median seconds of `count` updates, after one that is not counted. For estimates: the run is spoiled by it.
    pub fn time_updates(&mut self, count: usize) -> Result<f64> {
        let config = self.detector.config.train.clone();
        let order = self.order();
        let group: Vec<Batch> = self
            .train
            .batches(config.batch, order, 0, Augment::NONE)
            .take(config.accumulate)
            .collect::<Result<_, _>>()?;
        let mut seconds = Vec::new();
        for _ in 0..count + 1 {
            let start = Instant::now();
            self.update(&group, config.lr * 1e-3)?;
            seconds.push(start.elapsed().as_secs_f64());
        }
        seconds.remove(0);
        seconds.sort_by(f64::total_cmp);
        Ok(seconds[count / 2])
    }

    /// Trains to the end, or until `stop` is set.
    pub fn train(mut self, stop: &AtomicBool) -> Result<Outcome> {
        let start = Instant::now();
        let config = self.detector.config.train.clone();
        let total = self.total_steps();
        let bar = ProgressBar::new(total).with_style(
            ProgressStyle::with_template("{bar:30} {pos}/{len} updates, {elapsed} + {eta}, {msg}")
                .expect("the template is well-formed"),
        );
        bar.set_position(self.at.step);
        let schedule = schedule(&config, total as f64);
        // An epoch that an interruption ended at its last update still needs its validation.
        while self.at.step < total || self.at.batch > 0 {
            let order = self.order();
            let augment = self.detector.config.data.augment;
            let workers = self.detector.config.data.workers;
            let mut batches = self.train.batches(config.batch, order, workers, augment);
            while self.at.step < total && self.batches_left() >= config.accumulate {
                let group: Result<Vec<Batch>, _> = batches.by_ref().take(config.accumulate).collect();
                if group.is_err() {
                    self.save_state()?;
                }
                let group = group.with_context(|| {
                    let step = self.at.step;
                    format!(
                        "stopped after update {step}, which is saved: mend the data and go on with --resume"
                    )
                })?;
                let lr = config.lr * schedule.factor(self.at.step as f64);
                let (loss, grad_norm) = self.update(&group, lr)?;
                let (step, epoch, seconds) = (self.at.step, self.at.epoch, start.elapsed().as_secs_f64());
                self.run.log(&[Record::Step { step, epoch, loss, lr, grad_norm, seconds }])?;
                bar.set_position(step);
                let memory = peak_mb().map_or(String::new(), |mb| format!(", peak {mb:.0} MiB"));
                bar.set_message(format!("loss {loss:.3}{memory}"));
                if stop.load(Ordering::Relaxed) {
                    self.save_state()?;
                    bar.abandon();
                    return Ok(Outcome::Interrupted);
                }
            }
            // Before the validation, which reads files and may fail: the epoch's updates are not lost with it.
            self.save_state()?;
            // A limit on the updates may end an epoch early; its rest is left for a resumption with a higher limit.
            let complete = self.batches_left() < config.accumulate;
            let line = self.validate(complete)?;
            bar.suspend(|| eprintln!("{line}"));
            if !complete {
                break;
            }
        }
        bar.finish_and_clear();
        self.finish(start)
    }

    /// Scores the validation set, keeps the best weights, moves on to the next epoch if this one is `complete`, saves
    /// the state.
    fn validate(&mut self, complete: bool) -> Result<String> {
        let evaluated = self.evaluated();
        let scores = Headline::of(&evaluated.evaluate(&self.validation)?);
        let (epoch, step) = (self.at.epoch + 1, self.at.step);
        if complete {
            self.at = Position { epoch, batch: 0, step };
        }
        let (structure, max_f, max_e, mae) = (scores.structure, scores.max_f, scores.max_e, scores.mae);
        self.run.log(&[Record::Validation { step, epoch, structure, max_f, max_e, mae }])?;
        if structure > self.best {
            self.best = structure;
            evaluated.save(&self.run.path("best.safetensors"))?;
        }
        self.save_state()?;
        Ok(format!("epoch {epoch}: validation S {structure:.3}, max F {max_f:.3}, MAE {mae:.3}"))
    }

    /// Scores the test sets with the best weights and writes the summary.
    fn finish(self, start: Instant) -> Result<Outcome> {
        let best = Detector::load(&self.run.path("best.safetensors"))?;
        let (mut sets, mut scores) = (Vec::new(), Vec::new());
        for (name, data) in &self.test {
            let of_set = best.evaluate(data)?;
            sets.push((name.clone(), SetSummary::of(&of_set)));
            scores.extend(of_set);
        }
        let summary = Summary {
            scores: Headline::of(&scores),
            seconds: start.elapsed().as_secs_f64(),
            peak_mb: peak_mb(),
            sets,
            kinds: by_kind(&scores),
        };
        self.run.write("summary.json", &(serde_json::to_string_pretty(&summary)? + "\n"))?;
        crate::report::plot_run(&self.run)?;
        Ok(Outcome::Finished(Box::new(best), summary))
    }

    /// One update from a group of batches; returns the mean loss before it and the norm of its gradient. If one of them is
    /// no number, weights and running statistics stay as they were, are saved, and the error names the pictures.
    fn update(&mut self, group: &[Batch], lr: f64) -> Result<(f64, f64)> {
        // Shares its memory with the weights, and is gone before these change: it costs nothing.
        let (params, at) = (self.detector.params.clone(), self.at);
        let mut sum: Option<Grads> = None;
        let mut loss = 0.0;
        for batch in group {
            let key =
                Key { seed: self.detector.config.seed, epoch: self.at.epoch, step: self.at.batch as u64 };
            let (value, grads) = self.gradients(batch, key)?;
            loss += value / group.len() as f64;
            match &mut sum {
                Some(sum) => sum.accumulate(&grads),
                none => *none = Some(grads),
            }
            self.at.batch += 1;
        }
        let mut grads = sum.context("an update needs a batch")?;
        grads.discard(&self.frozen);
        if group.len() > 1 {
            grads.scale(1.0 / group.len() as f64);
        }
        self.at.step += 1;
        let limit = self.detector.config.train.clip_norm;
        let norm = grads.clip_norm(if limit > 0.0 { limit } else { f64::INFINITY })?;
        if !loss.is_finite() || !norm.is_finite() {
            let culprit = grads.first_non_finite(&params)?;
            (self.detector.params, self.at) = (params, at);
            self.save_state()?;
            let pictures: Vec<&str> =
                group.iter().flat_map(|batch| &batch.names).map(String::as_str).collect();
            bail!(
                "update {}: the loss is {loss} and the gradient's norm {norm} (first bad gradient: {}; pictures: {}). \
                 The weights before it are saved; train again, into another --out, with a lower train.lr or a smaller \
                 train.clip_norm",
                at.step + 1,
                culprit.unwrap_or("none".to_owned()),
                pictures.join(", ")
            );
        }
        drop(params);
        self.optimizer.step(&mut self.detector.params, &grads, lr);
        if let Some(ema) = &mut self.ema {
            ema.update(&self.detector.params);
        }
        Ok((loss, norm))
    }

    /// Loss and gradients of one batch; stores batch norm's running statistics.
    fn gradients(&mut self, batch: &Batch, key: Key) -> Result<(f64, Grads)> {
        let inputs = Inputs::of(batch);
        let ctx = Ctx::train(&self.detector.params, key);
        let output = self.detector.forward(&ctx, &inputs);
        let loss = detection_loss(&output, &Var::constant(inputs.mask), &self.detector.config.train.loss);
        let grads = loss.backward();
        self.detector.params.apply(ctx.finish());
        Ok((f64::from(loss.value().item()?), grads))
    }

    /// The weights that are validated: their average, where one is kept.
    fn evaluated(&self) -> Detector {
        let params =
            self.ema.as_ref().map_or_else(|| self.detector.params.clone(), |ema| ema.params().clone());
        Detector { params, ..self.detector.clone() }
    }

    fn save_state(&self) -> Result<()> {
        self.detector.save(&self.run.path("last.safetensors"))?;
        let mut state = TensorFile::default();
        self.detector.params.export("param.", &mut state)?;
        self.optimizer.export(&self.detector.params, &mut state)?;
        if let Some(ema) = &self.ema {
            ema.export(&mut state)?;
        }
        for (name, value) in [
            ("format", STATE_FORMAT.to_owned()),
            ("config", self.detector.config.to_toml()),
            ("epoch", self.at.epoch.to_string()),
            ("batch", self.at.batch.to_string()),
            ("step", self.at.step.to_string()),
            ("best", self.best.to_string()),
            ("train_data", self.fingerprint.clone()),
        ] {
            state.metadata.insert(name.to_owned(), value);
        }
        if let Some(limit) = self.max_steps {
            state.metadata.insert("max_steps".to_owned(), limit.to_string());
        }
        state.write(self.run.path("last.state.safetensors"))?;
        Ok(())
    }

    fn order(&self) -> Order {
        Order {
            seed: self.detector.config.seed,
            epoch: self.at.epoch,
            shuffle: true,
            start_batch: self.at.batch,
            drop_last: true,
        }
    }

    fn batches_per_epoch(&self) -> usize {
        self.train.len() / self.detector.config.train.batch
    }

    fn batches_left(&self) -> usize {
        // A data set that has shrunk since the run was interrupted may end before this batch.
        self.batches_per_epoch().saturating_sub(self.at.batch)
    }

    /// Updates of the whole run.
    pub fn total_steps(&self) -> u64 {
        let config = &self.detector.config.train;
        let steps = (config.epochs * (self.batches_per_epoch() / config.accumulate)) as u64;
        self.max_steps.map_or(steps, |limit| limit.min(steps))
    }
}

/// The update rule of a configuration; weight decay on matrices and kernels only, another learning rate for the trunks.
pub(crate) fn optimizer(config: &TrainConfig, params: &Params) -> Optimizer {
    let (betas, decay) = ([0.9, 0.999], config.weight_decay);
    let rule = match config.optimizer {
        OptimizerKind::AdamW => Optimizer::adamw(betas, 1e-8, decay),
        OptimizerKind::Adam => Optimizer::adam(betas, 1e-8, decay),
        OptimizerKind::Sgd => Optimizer::sgd(config.momentum, config.momentum > 0.0, decay),
    };
    let mut groups = Vec::new();
    if !named(TRUNKS, params).is_empty() {
        groups.extend(Group::new([TRUNKS], config.trunk_lr, decay).without_decay_on_vectors(params));
    }
    groups.extend(Group::new(["*"], 1.0, decay).without_decay_on_vectors(params));
    rule.with_groups(groups)
}

/// The parameters that keep their values.
fn frozen(config: &TrainConfig, params: &Params) -> Result<Vec<ParamId>> {
    if let Some(pattern) = config.frozen.iter().find(|pattern| named(pattern, params).is_empty()) {
        bail!("train.frozen: no parameter is called {pattern:?}");
    }
    Ok(config.frozen.iter().flat_map(|pattern| named(pattern, params)).collect())
}

/// Parameters and buffers whose names match a pattern.
fn named(pattern: &str, params: &Params) -> Vec<ParamId> {
    let group = Group::new([pattern], 1.0, 0.0);
    params.ids().filter(|&id| group.contains(params.name(id))).collect()
}

/// The factor on the learning rate as a function of the updates done, of which there are `total`.
fn schedule(config: &TrainConfig, total: f64) -> Schedule {
    let course = match config.schedule {
        ScheduleKind::Constant => Schedule::Constant,
        ScheduleKind::Cosine => Schedule::Cosine { total, floor: 0.0 },
        ScheduleKind::Triangular => Schedule::Triangular { total },
        ScheduleKind::Polynomial => Schedule::Polynomial { total, power: 0.9 },
    };
    // Not from 0: the first update would do nothing.
    course.with_warm_up(config.warmup * total, 0.01)
}
