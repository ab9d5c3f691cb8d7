//! The configuration of a run: TOML in, checked before anything starts, written back resolved into the run folder.
//!
//! Every task has its own sections about network, data and loss ([`sod`], [`crate::reid::config`]); the optimisation is
//! the same for both.

pub mod sod;

use crate::reid::config::ReidRunConfig;
use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

pub use sod::{Config, DataConfig, SourceConfig};

/// What is learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskName {
    /// RGB-D salient object detection.
    #[default]
    Sod,
    /// Re-identification across cameras and spectra.
    Reid,
}

impl fmt::Display for TaskName {
    /// As in a configuration.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            TaskName::Sod => "sod",
            TaskName::Reid => "reid",
        })
    }
}

/// Everything that decides a run of one task.
pub trait RunConfig: Clone + Serialize + DeserializeOwned {
    /// Options of the task's loss.
    type Loss;

    /// What its `task` has to say.
    const TASK: TaskName;

    /// Decides initial weights, order and augmentation.
    fn seed(&self) -> u64;

    /// The optimisation.
    fn train(&self) -> &TrainConfig<Self::Loss>;

    /// Loading threads.
    fn workers(&self) -> usize;

    /// Checks what the types cannot.
    fn validate(&self) -> Result<()>;

    /// Fills in what the data decides.
    fn resolve(&mut self) -> Result<()>;

    /// What a run does otherwise than its configuration may suggest.
    fn remark(&self) -> Option<String>;

    /// Parses TOML, applies changes, checks the result.
    fn parse(text: &str, changes: &[String]) -> Result<Self> {
        from_table(to_table(text, changes)?)
    }

    /// Reads a file (or a built-in configuration by its name) and applies `--set a.b=c` changes.
    fn load(path: &Path, changes: &[String]) -> Result<Self> {
        Self::parse(&read(path)?, changes).with_context(|| place(path, changes))
    }

    /// As TOML, complete.
    fn to_toml(&self) -> String {
        toml::to_string(self).expect("a configuration is plain data")
    }
}

/// A configuration of either task.
pub enum AnyConfig {
    /// Detection.
    Sod(Config),
    /// Re-identification.
    Reid(ReidRunConfig),
}

impl AnyConfig {
    /// Reads a file (or a built-in configuration by its name) and applies `--set a.b=c` changes.
    ///
    /// # Errors
    /// A file that cannot be read, TOML that cannot be parsed, unknown or missing keys, values out of range: with the
    /// key's name.
    pub fn load(path: &Path, changes: &[String]) -> Result<AnyConfig> {
        AnyConfig::parse(&read(path)?, changes).with_context(|| place(path, changes))
    }

    /// As [`AnyConfig::load`], from the text itself.
    ///
    /// # Errors
    /// As [`AnyConfig::load`].
    pub fn parse(text: &str, changes: &[String]) -> Result<AnyConfig> {
        let table = to_table(text, changes)?;
        Ok(match task_of(&table)? {
            TaskName::Sod => AnyConfig::Sod(from_table(table)?),
            TaskName::Reid => AnyConfig::Reid(from_table(table)?),
        })
    }
}

/// The configuration that `mutualformer config NAME` prints.
///
/// # Errors
/// A name there is not, with those there are.
pub fn built_in(name: &str) -> Result<&'static str> {
    let found = BUILT_IN.iter().find(|(other, ..)| *other == name);
    let names: Vec<&str> = BUILT_IN.iter().map(|(name, ..)| *name).collect();
    Ok(found
        .with_context(|| format!("there is no configuration {name:?}; there are: {}", names.join(", ")))?
        .2)
}

/// Where a mistake is: in a file, or in what changes it.
fn place(path: &Path, changes: &[String]) -> String {
    let path = path.display();
    if changes.is_empty() { format!("in {path}") } else { format!("in {path} with {}", changes.join(", ")) }
}

/// The text of a file, or of a built-in configuration.
fn read(path: &Path) -> Result<String> {
    match BUILT_IN.iter().find(|(name, ..)| Path::new(name) == path && !path.exists()) {
        Some((_, _, text)) => Ok((*text).to_owned()),
        None => std::fs::read_to_string(path).with_context(|| {
            let what = "a configuration is a file, or a name that `mutualformer config` lists";
            format!("cannot read {} ({what})", path.display())
        }),
    }
}

fn to_table(text: &str, changes: &[String]) -> Result<toml::Table> {
    let mut table: toml::Table = text.parse()?;
    for change in changes {
        set(&mut table, change)?;
    }
    Ok(table)
}

/// What a configuration is about.
fn task_of(table: &toml::Table) -> Result<TaskName> {
    let Some(task) = table.get("task") else { return Ok(TaskName::default()) };
    task.clone().try_into().map_err(|_| anyhow!("task = {task}: there are \"sod\" and \"reid\""))
}

fn from_table<C: RunConfig>(table: toml::Table) -> Result<C> {
    // Before its sections are read, which are others: weights may be those of the other task.
    let (found, needed) = (task_of(&table)?, C::TASK);
    ensure!(
        found == needed,
        "its task is \"{found}\", but \"{needed}\" is needed here: take one that `mutualformer demo {needed}` or a training \
         for that task wrote"
    );
    // What is wrong and where come on two lines; one sentence reads better behind the file's name.
    let config: C = table
        .try_into()
        .map_err(|error: toml::de::Error| anyhow!(error.to_string().trim().replace('\n', " ")))?;
    config.validate()?;
    Ok(config)
}

/// The optimisation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig<L> {
    /// Passes over the training pictures.
    pub epochs: usize,
    /// Pictures per forward pass.
    pub batch: usize,
    /// Forward passes per update.
    pub accumulate: usize,
    /// Update rule.
    pub optimizer: OptimizerKind,
    /// Highest learning rate.
    pub lr: f64,
    /// Factor on the learning rate of the trunks, which start from published weights.
    #[serde(default = "as_others")]
    pub trunk_lr: f64,
    /// Published weights of the trunk for every stream, safetensors or PyTorch's; without, trunks start at random.
    pub trunk_weights: Option<PathBuf>,
    /// Patterns of parameters that keep their values; `*` stands for any run of characters.
    #[serde(default)]
    pub frozen: Vec<String>,
    /// Course of the learning rate after the warm-up.
    pub schedule: ScheduleKind,
    /// Share of all updates in which the learning rate rises linearly; `multi-step` has a warm-up of its own.
    pub warmup: f64,
    /// Weight decay; biases, norms and other vectors are exempt.
    pub weight_decay: f64,
    /// Weight decay on biases, norms and other vectors, too.
    #[serde(default)]
    pub decay_vectors: bool,
    /// Momentum of SGD.
    pub momentum: f64,
    /// Largest norm of the gradient; 0 for no limit.
    pub clip_norm: f64,
    /// Decay of the averaged weights; 0 for none.
    pub ema: f64,
    /// Recompute activations instead of keeping them.
    pub checkpointing: bool,
    /// What is made small.
    #[serde(default)]
    pub loss: L,
}

/// The factor of trunks that learn like the rest of the network.
fn as_others() -> f64 {
    1.0
}

/// Update rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Adam with decoupled weight decay.
    AdamW,
    /// Adam.
    Adam,
    /// Stochastic gradient descent with Nesterov momentum.
    Sgd,
}

/// Courses of the learning rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ScheduleKind {
    /// Stays.
    Constant,
    /// Half a cosine, down to 0.
    Cosine,
    /// Up to the middle, down to the end (F3Net's).
    Triangular,
    /// (1 − progress)^0.9.
    Polynomial,
    /// A tenth at every milestone. It goes by epochs, counted from 1, and stays the same within one (HAMNet's).
    MultiStep {
        /// Epochs with which a lower rate begins.
        milestones: Vec<u32>,
        /// The first epoch that has the full rate; before it, the rate rises linearly from a hundredth.
        warmup: u32,
    },
}

impl<L> TrainConfig<L> {
    /// Checks what the types cannot, but for the loss.
    ///
    /// # Errors
    /// The first setting that means nothing, by its name, with what it may be.
    pub fn validate(&self) -> Result<()> {
        ensure!(self.epochs > 0, "train.epochs must be at least 1");
        ensure!(self.batch > 1, "train.batch must be at least 2: batch norm needs a variance");
        ensure!(self.accumulate > 0, "train.accumulate must be at least 1");
        ensure!(self.lr > 0.0 && self.lr.is_finite(), "train.lr = {} must be positive", self.lr);
        ensure!(
            self.trunk_lr >= 0.0 && self.trunk_lr.is_finite(),
            "train.trunk_lr = {} cannot be negative",
            self.trunk_lr
        );
        ensure!((0.0..=1.0).contains(&self.warmup), "train.warmup = {} must lie in [0, 1]", self.warmup);
        if let ScheduleKind::MultiStep { .. } = self.schedule {
            ensure!(
                self.warmup == 0.0,
                "train.warmup: the multi-step schedule has a warmup of its own, in epochs"
            );
        }
        ensure!((0.0..1.0).contains(&self.ema), "train.ema = {} must lie in [0, 1)", self.ema);
        ensure!((0.0..1.0).contains(&self.momentum), "train.momentum = {} must lie in [0, 1)", self.momentum);
        ensure!(
            self.weight_decay >= 0.0 && self.clip_norm >= 0.0,
            "weight_decay and clip_norm cannot be negative"
        );
        Ok(())
    }
}

/// The configurations that come with the tool: (name, what it is for, commented text).
pub const BUILT_IN: [(&str, &str, &str); 6] = [
    ("demo", "the small detector on procedural scenes", include_str!("../configs/demo.toml")),
    (
        "mutualformer-mobilenetv2",
        "two MobileNetV2 trunks, MutualFormer at three scales, F3Net's decoder",
        include_str!("../configs/mutualformer-mobilenetv2.toml"),
    ),
    (
        "mutualformer-resnet50",
        "the same on ResNet-50: the paper's 52.05 million parameters",
        include_str!("../configs/mutualformer-resnet50.toml"),
    ),
    (
        "demo-reid",
        "re-identification: a small network on procedural vehicles",
        include_str!("../configs/demo-reid.toml"),
    ),
    (
        "hamnet",
        "re-identification on ResNet-50, streams fused by activation maps, as released",
        include_str!("../configs/hamnet.toml"),
    ),
    (
        "mutualformer-reid",
        "the same with MutualFormer in the place of that fusion",
        include_str!("../configs/mutualformer-reid.toml"),
    ),
];

/// Applies one `a.b=c`; the value is read as TOML, and as a string where it is none.
fn set(table: &mut toml::Table, change: &str) -> Result<()> {
    let (path, value) =
        change.split_once('=').with_context(|| format!("--set {change}: expected NAME=VALUE"))?;
    let value = format!("v = {value}").parse::<toml::Table>().ok().and_then(|mut table| table.remove("v"));
    let value = value.unwrap_or_else(|| toml::Value::String(change[path.len() + 1..].to_owned()));
    let (parents, name) = path.rsplit_once('.').map_or(("", path), |(parents, name)| (parents, name));
    let mut place = table;
    for parent in parents.split('.').filter(|parent| !parent.is_empty()) {
        match place.get_mut(parent) {
            Some(toml::Value::Table(inner)) => place = inner,
            _ => bail!("--set {change}: the configuration has no section {parent:?}"),
        }
    }
    place.insert(name.trim().to_owned(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_configurations_are_valid_and_survive_a_round_trip() {
        for (name, _, text) in BUILT_IN {
            let config = AnyConfig::parse(text, &[]).unwrap_or_else(|error| panic!("{name}: {error:#}"));
            match config {
                AnyConfig::Sod(config) => assert_eq!(Config::parse(&config.to_toml(), &[]).unwrap(), config),
                AnyConfig::Reid(config) => {
                    assert_eq!(ReidRunConfig::parse(&config.to_toml(), &[]).unwrap(), config);
                }
            }
        }
    }
}
