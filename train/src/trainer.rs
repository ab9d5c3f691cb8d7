//! The training loop: updates, validation, checkpoints, resumption; the same for every [`Task`].

use crate::config::{RunConfig, TrainConfig};
use crate::device::Place;
use crate::memory::peak_mb;
use crate::optimisation::{frozen, learning_rate, optimizer};
use crate::run_folder::{Record, RunFolder};
use crate::task::Task;
use anyhow::{Context, Result, bail, ensure};
use autograd::checkpoint::{LoadMode, TensorFile};
use autograd::optim::{Ema, Optimizer};
use autograd::random::Key;
use autograd::{Ctx, Grads, ParamId, Tensor};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Version of `last.state.safetensors`; raised when its meaning changes.
const STATE_FORMAT: &str = "1";

/// How a run ended.
pub enum Outcome<T: Task> {
    /// All updates done; the network holds the best weights by validation.
    Finished(Box<T>, T::Summary),
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
pub struct Trainer<T: Task> {
    run: RunFolder,
    task: T,
    /// Where the weights live, and all that is computed from them.
    place: Place,
    optimizer: Optimizer,
    /// Parameters that keep their values.
    frozen: Vec<ParamId>,
    ema: Option<Ema>,
    at: Position,
    /// Best score of the validation so far.
    best: f64,
    data: T::Data,
    /// Of the training pictures, to tell on resumption whether they are still the same.
    fingerprint: String,
    /// Batches of every epoch.
    batches: Vec<usize>,
    /// End after so many updates, whatever the epochs say.
    max_steps: Option<u64>,
}

impl<T: Task> Trainer<T> {
    /// Starts a new run in a folder. What an earlier run left there goes only once this one can begin.
    ///
    /// # Errors
    /// Data that do not fill one update, weights of the trunk that do not fit, a device without memory; nothing is
    /// written then.
    pub fn new(
        config: &T::Config,
        run: RunFolder,
        max_steps: Option<u64>,
        place: &Place,
    ) -> Result<Trainer<T>> {
        let mut config = config.clone();
        config.resolve()?;
        let mut task = T::new(&config)?;
        if let Some(path) = &config.train().trunk_weights {
            task.load_trunks(path).context("train.trunk_weights")?;
        }
        let trainer = Trainer::prepare(task, run, max_steps, place)?;
        trainer.run.start(&config.to_toml())?;
        Ok(trainer)
    }

    /// Sends the weights to their place and opens the data; writes no file.
    fn prepare(task: T, run: RunFolder, max_steps: Option<u64>, place: &Place) -> Result<Trainer<T>> {
        let (task, place) = (task.at(place)?, place.clone());
        let data = T::open(task.config())?;
        let config = task.config().train();
        let batches: Vec<usize> =
            (0..config.epochs as u64).map(|epoch| task.batches_in(&data, epoch)).collect();
        let most = batches.iter().copied().max().unwrap_or(0);
        ensure!(
            most >= config.accumulate,
            "train.accumulate = {}: an update takes so many batches, and no epoch holds more than {most}",
            config.accumulate
        );
        let ema = (config.ema > 0.0).then(|| Ema::new(task.params(), config.ema));
        let optimizer = optimizer(config, task.params());
        let frozen = frozen(config, task.params())?;
        let (fingerprint, at) = (T::fingerprint(&data), Position::default());
        let best = f64::NEG_INFINITY;
        Ok(Trainer {
            run,
            task,
            place,
            optimizer,
            frozen,
            ema,
            at,
            best,
            data,
            fingerprint,
            batches,
            max_steps,
        })
    }

    /// Goes on with a run from its `last.state.safetensors`, wherever that was made; without `max_steps` to the end it had
    /// before.
    ///
    /// # Errors
    /// A state that is missing, cut short or of another format, and data that are no longer those of the run.
    pub fn resume(run: RunFolder, max_steps: Option<u64>, place: &Place) -> Result<Trainer<T>> {
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
        let config = T::Config::parse(text("config")?, &[])?;
        let limit = state.metadata.get("max_steps").map(|steps| steps.parse()).transpose()?;
        let mut trainer = Trainer::prepare(T::new(&config)?, run, max_steps.or(limit), place)?;
        trainer.task.params_mut().import("param.", &state, LoadMode::Strict)?;
        trainer.optimizer.import(trainer.task.params(), &state)?;
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
        if trainer.at.step >= trainer.total_steps() {
            eprintln!("the run is complete; its weights are scored again");
        }
        trainer.run.rewind(trainer.at.step, trainer.at.batch == 0)?;
        Ok(trainer)
    }

    /// The network and its current weights.
    pub fn task(&self) -> &T {
        &self.task
    }

    /// The run's folder.
    pub fn folder(&self) -> &Path {
        self.run.root()
    }

    /// Median seconds of `count` updates, after one that is not counted. For estimates: the run is spoiled by it.
    ///
    /// # Errors
    /// As [`Trainer::train`].
    pub fn time_updates(&mut self, count: usize) -> Result<f64> {
        let (accumulate, lr) = (self.config().accumulate, self.config().lr);
        let batches = self.task.batches(&self.data, 0, 0, 0);
        let group: Vec<T::Batch> = batches.take(accumulate).collect::<Result<_, _>>()?;
        let mut seconds = Vec::new();
        for _ in 0..count + 1 {
            let start = Instant::now();
            self.update(&group, lr * 1e-3)?;
            seconds.push(start.elapsed().as_secs_f64());
        }
        seconds.remove(0);
        seconds.sort_by(f64::total_cmp);
        Ok(seconds[count / 2])
    }

    /// Trains to the end, or until `stop` is set.
    ///
    /// # Errors
    /// Data that cannot be read, files that cannot be written, a device that fails, a loss that is not finite.
    pub fn train(mut self, stop: &AtomicBool) -> Result<Outcome<T>> {
        let start = Instant::now();
        let accumulate = self.config().accumulate;
        let total = self.total_steps();
        let bar = ProgressBar::new(total).with_style(
            ProgressStyle::with_template("{bar:30} {pos}/{len} updates, {elapsed} + {eta}, {msg}")
                .expect("the template is well-formed"),
        );
        bar.set_position(self.at.step);
        // An epoch that an interruption ended at its last update still needs its validation.
        let epochs = self.batches.len() as u64;
        while (self.at.step < total && self.at.epoch < epochs) || self.at.batch > 0 {
            let Position { epoch, batch, .. } = self.at;
            let workers = self.task.config().workers();
            let mut batches = self.task.batches(&self.data, epoch, batch, workers);
            while self.at.step < total && self.batches_left() >= accumulate {
                let group: Result<Vec<T::Batch>, _> = batches.by_ref().take(accumulate).collect();
                if group.is_err() {
                    self.save_state()?;
                }
                let group = group.with_context(|| {
                    let step = self.at.step;
                    format!(
                        "stopped after update {step}, which is saved: mend the data and go on with --resume"
                    )
                })?;
                let lr = learning_rate(self.config(), self.at.epoch, self.at.step, total);
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
            let complete = self.batches_left() < accumulate;
            if let Some(line) = self.validate(complete)? {
                bar.suspend(|| eprintln!("{line}"));
            }
            if !complete {
                break;
            }
        }
        bar.finish_and_clear();
        self.finish(start)
    }

    /// Measures the validation set, keeps the best weights, moves on to the next epoch if this one is `complete`, saves
    /// the state. Without a validation set the last weights are kept as the best.
    fn validate(&mut self, complete: bool) -> Result<Option<String>> {
        let evaluated = self.evaluated();
        let (epoch, step) = (self.at.epoch + 1, self.at.step);
        let found = evaluated.validate(&self.data, epoch, step)?;
        if complete {
            self.at = Position { epoch, batch: 0, step };
        }
        self.run.log(found.as_slice())?;
        let score = found.as_ref().and_then(Record::score);
        if score.is_none_or(|score| score > self.best) {
            self.best = score.unwrap_or(self.best);
            evaluated.save(&self.run.path("best.safetensors"))?;
        }
        self.save_state()?;
        Ok(found.map(|found| format!("epoch {epoch}: {found}")))
    }

    /// Measures the test sets with the best weights and writes the summary.
    fn finish(self, start: Instant) -> Result<Outcome<T>> {
        let best = T::load(&self.run.path("best.safetensors"))?.at(&self.place)?;
        let summary = best.test(&self.data, start)?;
        self.run.write("summary.json", &(serde_json::to_string_pretty(&summary)? + "\n"))?;
        crate::report::plot_run(&self.run)?;
        Ok(Outcome::Finished(Box::new(best), summary))
    }

    /// One update from a group of batches; returns the mean loss before it and the norm of its gradient. If one of them is
    /// no number, weights and running statistics stay as they were, are saved, and the error names the pictures.
    fn update(&mut self, group: &[T::Batch], lr: f64) -> Result<(f64, f64)> {
        // Shares its memory with the weights, and is gone before these change: it costs nothing.
        let (params, at) = (self.task.params().clone(), self.at);
        let mut sum: Option<Grads> = None;
        let mut losses = Vec::new();
        for batch in group {
            let key =
                Key { seed: self.task.config().seed(), epoch: self.at.epoch, step: self.at.batch as u64 };
            let (loss, grads) = self.gradients(batch, key);
            losses.push(loss);
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
        let (loss, norm) = self.mean_and_norm(&losses, &grads)?;
        let limit = self.config().clip_norm;
        grads.limit_norm(norm, if limit > 0.0 { limit } else { f64::INFINITY });
        if !loss.is_finite() || !norm.is_finite() {
            let culprit = grads.first_non_finite(&params)?;
            (*self.task.params_mut(), self.at) = (params, at);
            self.save_state()?;
            let pictures: Vec<&str> = group.iter().flat_map(T::names).map(String::as_str).collect();
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
        self.optimizer.step(self.task.params_mut(), &grads, lr);
        if let Some(ema) = &mut self.ema {
            ema.update(self.task.params());
        }
        Ok((loss, norm))
    }

    /// Mean of the losses and norm of the gradients: the only numbers that an update reads, in one piece. A device waits
    /// here, and here it is seen if something failed there; then nothing has been saved since.
    fn mean_and_norm(&self, losses: &[Tensor], grads: &Grads) -> Result<(f64, f64)> {
        let square = grads.squared_norm();
        let numbers = Tensor::items(&losses.iter().chain(&square).collect::<Vec<_>>()).with_context(|| {
            format!(
                "update {} failed on its device; the state that was saved last is as it was. Go on from it with --resume, \
                 with --device cpu if need be, or train anew with a lower train.batch and a higher train.accumulate",
                self.at.step
            )
        })?;
        let (losses, square) = numbers.split_at(losses.len());
        let mean = losses.iter().map(|&loss| f64::from(loss) / losses.len() as f64).sum();
        Ok((mean, square.iter().map(|&square| f64::from(square)).sum::<f64>().sqrt()))
    }

    /// Loss and gradients of one batch; stores batch norm's running statistics.
    fn gradients(&mut self, batch: &T::Batch, key: Key) -> (Tensor, Grads) {
        let ctx = Ctx::train(self.task.params(), key);
        let loss = self.task.loss(&ctx, batch);
        let grads = loss.backward();
        let buffers = ctx.finish();
        self.task.params_mut().apply(buffers);
        (loss.value().clone(), grads)
    }

    /// The weights that are validated: their average, where one is kept.
    fn evaluated(&self) -> T {
        let mut task = self.task.clone();
        if let Some(ema) = &self.ema {
            *task.params_mut() = ema.params().clone();
        }
        task
    }

    fn config(&self) -> &TrainConfig<<T::Config as RunConfig>::Loss> {
        self.task.config().train()
    }

    /// Writes the last weights and all that a resumption needs. What can fail on a device comes before the first file.
    fn save_state(&self) -> Result<()> {
        let mut state = TensorFile::default();
        self.task.params().export("param.", &mut state)?;
        self.optimizer.export(self.task.params(), &mut state)?;
        if let Some(ema) = &self.ema {
            ema.export(&mut state)?;
        }
        for (name, value) in [
            ("format", STATE_FORMAT.to_owned()),
            ("config", self.task.config().to_toml()),
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
        self.task.save(&self.run.path("last.safetensors"))?;
        state.write(self.run.path("last.state.safetensors"))?;
        Ok(())
    }

    fn batches_left(&self) -> usize {
        // A data set that has shrunk since the run was interrupted may end before this batch.
        self.batches.get(self.at.epoch as usize).map_or(0, |count| count.saturating_sub(self.at.batch))
    }

    /// Updates of the whole run.
    pub fn total_steps(&self) -> u64 {
        let accumulate = self.config().accumulate;
        let steps = self.batches.iter().map(|batches| (batches / accumulate) as u64).sum();
        self.max_steps.map_or(steps, |limit| limit.min(steps))
    }
}
