//! The sections of a configuration that are about re-identification.

use super::losses::ReidLossConfig;
use super::source::Pictures;
use crate::config::{RunConfig, TaskName, TrainConfig};
use anyhow::{Context, Result, ensure};
use data::reid::ReidAugment;
use data::vehicles::Series;
use models::reid::{ReidConfig, Spectrum};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Everything that decides the run of an [`Embedder`](super::Embedder).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReidRunConfig {
    /// `reid`.
    pub task: TaskName,
    /// Decides initial weights, batches and augmentation.
    pub seed: u64,
    /// The network.
    pub model: ReidConfig,
    /// The pictures.
    pub data: ReidDataConfig,
    /// The optimisation; a `batch` holds [`ReidDataConfig::instances`] pictures of each of its identities.
    pub train: TrainConfig<ReidLossConfig>,
}

/// Where pictures come from and how they are brought to the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReidDataConfig {
    /// Height and width the network sees.
    pub size: [usize; 2],
    /// Loading threads.
    pub workers: usize,
    /// Pictures of one identity in a batch.
    pub instances: usize,
    /// To train on.
    pub train: ReidSource,
    /// To choose the best weights by, those of the highest mAP; without, the last weights are the result, as in HAMNet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<ReidSource>,
    /// Of the final numbers; its identities are others than those trained on.
    pub test: ReidSource,
    /// Random variations of training pictures.
    pub augment: ReidAugment,
}

/// A source of pictures of many identities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum ReidSource {
    /// Procedural vehicles.
    Vehicles(VehiclesConfig),
    /// A folder in the layout of RGBN300: `bounding_box_train` of it to train on, `query` and `bounding_box_test` to
    /// search.
    Folder {
        /// Holds the three, or a folder `rgbir` that does.
        path: PathBuf,
    },
}

impl ReidSource {
    /// Whether equal numbers in both mean the same object.
    pub fn shares_numbers_with(&self, other: &ReidSource) -> bool {
        match (self, other) {
            (ReidSource::Vehicles(one), ReidSource::Vehicles(other)) => one.seed == other.seed,
            (ReidSource::Folder { path: one }, ReidSource::Folder { path: other }) => one == other,
            _ => false,
        }
    }
}

/// Vehicles `first .. first + ids` of the series `seed`, drawn at the network's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VehiclesConfig {
    /// Names the series.
    pub seed: u64,
    /// First vehicle, from 1.
    pub first: u32,
    /// How many.
    pub ids: u32,
    /// Cameras, from 2 to 8.
    pub cams: u32,
    /// Pictures of every vehicle under every camera.
    pub per_cam: u32,
}

impl VehiclesConfig {
    /// What is drawn for a network that sees `[height, width]`.
    ///
    /// # Errors
    /// Pictures that are not twice as wide as high.
    pub fn series(&self, [height, width]: [usize; 2]) -> Result<Series> {
        ensure!(
            width == 2 * height,
            "vehicles are drawn twice as wide as high, but data.size is [{height}, {width}]"
        );
        let VehiclesConfig { seed, first, ids, cams, per_cam } = *self;
        Ok(Series { seed, first, ids, cams, per_cam, height })
    }
}

impl ReidDataConfig {
    /// Spectra that a file must hold for these streams.
    pub fn spectra(streams: &[Spectrum]) -> usize {
        streams.iter().map(|stream| stream.place() + 1).max().unwrap_or(0)
    }

    /// All sources there are, by their names.
    pub fn sources(&self) -> impl Iterator<Item = (&'static str, &ReidSource)> {
        let validation = self.validation.iter().map(|source| ("validation", source));
        [("train", &self.train)].into_iter().chain(validation).chain([("test", &self.test)])
    }
}

impl RunConfig for ReidRunConfig {
    type Loss = ReidLossConfig;

    const TASK: TaskName = TaskName::Reid;

    fn seed(&self) -> u64 {
        self.seed
    }

    fn train(&self) -> &TrainConfig<ReidLossConfig> {
        &self.train
    }

    fn workers(&self) -> usize {
        self.data.workers
    }

    fn validate(&self) -> Result<()> {
        self.model.validate().context("model")?;
        // Not for the trunks' sake, which round up: pixels would move against each other where they do.
        let [height, width] = self.data.size;
        let stride = 16 * self.model.last_stride;
        ensure!(
            [height, width].iter().all(|&side| side > 0 && side.is_multiple_of(stride)),
            "data.size = [{height}, {width}] must be divisible by {stride}"
        );
        for (name, source) in self.data.sources() {
            let ReidSource::Vehicles(vehicles) = source else { continue };
            ensure!(
                !self.model.streams.contains(&Spectrum::Tir),
                "data.{name}: vehicles are drawn in rgb and nir; tir needs a folder that holds it"
            );
            let series = vehicles.series(self.data.size).with_context(|| format!("data.{name}"))?;
            series.check().with_context(|| format!("data.{name}"))?;
        }
        self.data.augment.check().context("data.augment")?;
        self.train.validate()?;
        let (batch, instances) = (self.train.batch, self.data.instances);
        ensure!(
            instances > 1 && batch.is_multiple_of(instances) && batch > instances,
            "data.instances = {instances} and train.batch = {batch}: a batch holds at least two pictures each of at \
             least two identities, so the batch must be a multiple of the instances"
        );
        ensure!(
            self.train.trunk_weights.is_none() || self.model.trunk.kind().is_some(),
            "train.trunk_weights: there are no published weights of the trunk \"tiny\""
        );
        self.train.loss.validate()
    }

    /// The number of identities to train on.
    fn resolve(&mut self) -> Result<()> {
        let known = self.model.classes;
        let found = match &self.data.train {
            ReidSource::Vehicles(vehicles) => vehicles.ids as usize,
            ReidSource::Folder { .. } => {
                Pictures::open(&self.data.train, self).context("data.train")?.identities().len()
            }
        };
        ensure!(
            known == 0 || known == found,
            "model.classes = {known}, but there are {found} identities to train on; 0 takes their number"
        );
        self.model.classes = found;
        Ok(())
    }

    fn remark(&self) -> Option<String> {
        let drops = self.model.block().is_some() && self.model.attn_drop > 0.0;
        (drops && self.model.path != cda::Path::Plain).then(|| {
            let drop = self.model.attn_drop;
            format!("model.attn_drop = {drop} needs the N x N maps: training takes the plain path, which is slower")
        })
    }
}
