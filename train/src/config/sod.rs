//! The sections of a configuration that are about detection.

use super::{RunConfig, TaskName, TrainConfig};
use crate::losses::LossConfig;
use anyhow::{Result, ensure};
use data::layout::set_name;
use data::{Augment, DepthFormat};
use models::{LevelConfig, MutualConfig, SodConfig};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Everything that decides the run of a detector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `sod`; may be left out.
    #[serde(default)]
    pub task: TaskName,
    /// Decides initial weights, order and augmentation.
    pub seed: u64,
    /// The network.
    pub model: SodConfig,
    /// The pictures.
    pub data: DataConfig,
    /// The optimisation.
    pub train: TrainConfig<LossConfig>,
}

/// Where pictures come from and how they are brought to the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Height and width the network sees.
    pub size: usize,
    /// Sizes of which every training batch draws one, instead of `size`; none for no variation.
    #[serde(default)]
    pub train_sizes: Vec<usize>,
    /// Loading threads.
    pub workers: usize,
    /// Sources to train on.
    pub train: Vec<SourceConfig>,
    /// Sources to choose the best weights by.
    pub validation: Vec<SourceConfig>,
    /// Sources of the final numbers.
    pub test: Vec<SourceConfig>,
    /// Random variations of training pictures.
    pub augment: Augment,
}

/// One source of pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum SourceConfig {
    /// Procedural scenes `first .. first + count` of the series `seed`.
    Scenes {
        /// Names the series.
        seed: u64,
        /// First scene.
        first: u64,
        /// How many.
        count: usize,
        /// A folder of photographs that many surfaces wear; without, all patterns are procedural.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        photos: Option<PathBuf>,
    },
    /// A folder in a public layout.
    Folder {
        /// Holds RGB/, depth/ and GT/ (or another known layout).
        path: PathBuf,
        /// What its depth files hold.
        depth: DepthFormat,
        /// A list file of the samples to take; without, all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        list: Option<PathBuf>,
        /// What tables call it; without, the last word of the path that is not merely `train` or `test`.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
}

impl SourceConfig {
    /// The name in tables.
    pub fn name(&self) -> String {
        match self {
            SourceConfig::Scenes { .. } => "scenes".to_owned(),
            SourceConfig::Folder { path, name, .. } => name.clone().unwrap_or_else(|| set_name(path)),
        }
    }
}

impl RunConfig for Config {
    type Loss = LossConfig;

    const TASK: TaskName = TaskName::Sod;

    fn seed(&self) -> u64 {
        self.seed
    }

    fn train(&self) -> &TrainConfig<LossConfig> {
        &self.train
    }

    fn workers(&self) -> usize {
        self.data.workers
    }

    fn validate(&self) -> Result<()> {
        self.model.fusion().validate()?;
        let drop = self.model.attn_drop();
        ensure!((0.0..1.0).contains(&drop), "model.attn_drop = {drop} must lie in [0, 1)");
        match &self.model {
            SodConfig::Tiny(model) => ensure!(
                model.widths.iter().all(|&width| width > 0) && model.decoder > 0,
                "model.widths = {:?} and model.decoder = {} must be at least 1",
                model.widths,
                model.decoder
            ),
            SodConfig::MutualResNet50(model) | SodConfig::MutualMobileNetV2(model) => {
                validate_mutual(model)?;
            }
        }
        self.validate_size("data.size", self.data.size)?;
        self.data.train_sizes.iter().try_for_each(|&size| self.validate_size("data.train_sizes", size))?;
        self.data.augment.check()?;
        self.train.validate()?;
        ensure!(
            self.train.trunk_weights.is_none() || self.model.trunk().is_some(),
            "train.trunk_weights: the network \"tiny\" has no trunks"
        );
        self.train.loss.validate()
    }

    /// Nothing.
    fn resolve(&mut self) -> Result<()> {
        Ok(())
    }

    fn remark(&self) -> Option<String> {
        let (drop, path) = (self.model.attn_drop(), self.model.path());
        (drop > 0.0 && path != cda::Path::Plain).then(|| {
            format!("model.attn_drop = {drop} needs the N x N maps: training takes the plain path, which is slower")
        })
    }
}

impl Config {
    /// Whether the network can be fed pictures of this side.
    fn validate_size(&self, name: &str, size: usize) -> Result<()> {
        let divisor = self.model.divisor();
        let above = (size / divisor + 1) * divisor;
        ensure!(
            size > 0 && size.is_multiple_of(divisor),
            "{name} = {size} must be divisible by {divisor}, such as {above}"
        );
        if let SodConfig::MutualResNet50(model) | SodConfig::MutualMobileNetV2(model) = &self.model {
            for level in &model.levels {
                ensure!(
                    level.grid([size, size]).is_some(),
                    "model.levels: at stride {}, patches of {} do not fit into {} pixels ({name} = {size})",
                    level.stride,
                    level.patch,
                    size / level.stride
                );
            }
        }
        Ok(())
    }
}

/// The part of [`Config::validate`] that concerns the large networks.
fn validate_mutual(model: &MutualConfig) -> Result<()> {
    let (dim, decoders) = (model.dim, model.decoders);
    ensure!(dim > 0 && decoders > 0, "model.dim = {dim} and model.decoders = {decoders} must be at least 1");
    for (i, level) in model.levels.iter().enumerate() {
        let LevelConfig { stride, patch, step, blocks } = *level;
        ensure!(
            [4, 8, 16, 32].contains(&stride) && model.levels[..i].iter().all(|finer| finer.stride < stride),
            "model.levels: strides must be taken from 4, 8, 16, 32, each once, in this order"
        );
        ensure!(
            patch > 0 && step > 0 && blocks > 0,
            "model.levels: patch, step and blocks must be at least 1, at stride {stride} too"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::built_in;

    #[test]
    fn changes_reach_their_place() {
        let text = built_in("demo").unwrap();
        let changes = ["train.lr=0.5", "model.cda.steps=inf", "model.fusion=ca+cda"].map(str::to_owned);
        let config = Config::parse(text, &changes).unwrap();
        assert_eq!(config.train.lr, 0.5);
        let fusion = config.model.fusion();
        assert_eq!(fusion.cda.steps, cda::Steps::Infinite);
        assert_eq!(fusion.kind, cda::FusionKind::CaCda);
    }

    #[test]
    fn dropout_on_the_maps_is_remarked_unless_the_plain_path_was_asked_for() {
        let text = built_in("demo").unwrap();
        let remark = |changes: &[&str]| {
            let changes: Vec<String> = changes.iter().map(|&change| change.to_owned()).collect();
            Config::parse(text, &changes).unwrap().remark()
        };
        assert_eq!(remark(&[]), None);
        assert_eq!(remark(&["model.attn_drop=0.1", "model.path=plain"]), None);
        assert!(remark(&["model.attn_drop=0.1", "model.path=fast"]).unwrap().contains("the plain path"));
    }

    #[test]
    fn a_folder_may_be_given_with_a_list() {
        let text = built_in("demo").unwrap();
        let change = r#"data.train=[{folder={path="NJU2K",depth="far-bright",list="2985.txt"}}]"#;
        let config = Config::parse(text, &[change.to_owned()]).unwrap();
        let expected = SourceConfig::Folder {
            path: "NJU2K".into(),
            depth: DepthFormat::FarBright,
            list: Some("2985.txt".into()),
            name: None,
        };
        assert_eq!(config.data.train, [expected]);
        assert_eq!(Config::parse(&config.to_toml(), &[]).unwrap(), config);
    }

    /// Weights carry the configuration they were trained with; older ones know no such settings.
    #[test]
    fn configurations_from_before_turns_and_sizes_are_read() {
        let text = built_in("demo").unwrap();
        let without =
            |line: &&str| !["train_sizes", "rotate", "max_angle"].iter().any(|name| line.starts_with(name));
        let older: String = text.lines().filter(without).map(|line| format!("{line}\n")).collect();
        assert!(older.len() < text.len());
        assert_eq!(Config::parse(&older, &[]).unwrap(), Config::parse(text, &[]).unwrap());
    }

    fn assert_named(configuration: &str, change: &str, expected: &str) {
        let text = built_in(configuration).unwrap();
        let error = Config::parse(text, &[change.to_owned()]).unwrap_err();
        assert!(format!("{error:#}").contains(expected), "{change}: {error:#}");
    }

    #[test]
    fn mistakes_are_named() {
        for (change, expected) in [
            ("train.epochz=3", "epochz"),
            ("model.cda.alpha=1.5", "alpha"),
            ("data.size=50", "divisible by 16"),
            ("data.train_sizes=[96, 50]", "data.train_sizes = 50 must be divisible by 16"),
            ("data.train_sizes=[0]", "data.train_sizes = 0"),
            ("data.augment.rotate=1.5", "rotate = 1.5 is out of range: from 0 to 1"),
            ("data.augment.max_angle=90.0", "max_angle = 90 is out of range: from 0 to 45"),
            ("data.test=[{folder={path=\"a\",depth=\"mm\",lists=\"b\"}}]", "lists"),
            ("model.cda.steps=0", "steps"),
            ("model.path=quick", "quick"),
            ("nothing.here=1", "no section"),
        ] {
            assert_named("demo", change, expected);
        }
    }

    #[test]
    fn mistakes_about_large_networks_are_named() {
        let level = |level: &str| format!("model.levels=[{{{level}}}]");
        for (change, expected) in [
            ("data.size=48".to_owned(), "divisible by 32"),
            ("data.size=32".to_owned(), "patches of 8 do not fit into 4 pixels"),
            ("data.train_sizes=[224, 32]".to_owned(), "do not fit into 4 pixels (data.train_sizes = 32)"),
            ("model.decoders=0".to_owned(), "model.decoders = 0"),
            ("model.widths=[8]".to_owned(), "widths"),
            (level("stride=12,patch=2,step=1,blocks=1"), "strides must be taken from"),
            (level("stride=8,patch=0,step=1,blocks=1"), "at least 1, at stride 8"),
            (level("stride=8,patch=2,step=1"), "blocks"),
        ] {
            assert_named("mutualformer-mobilenetv2", &change, expected);
        }
    }
}
