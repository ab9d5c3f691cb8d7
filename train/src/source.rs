//! Data sources of a run, opened and mixed.

use crate::config::SourceConfig;
use anyhow::{Result, bail};
use autograd::Tensor;
use autograd::random::{Key, site};
use data::augment::pick_size;
use data::scenes::Album;
use data::{
    Augment, Batch, Batches, DataError, Order, RgbdFolder, Sample, augment, batches, scenes, transform,
};
use rayon::prelude::*;
use std::sync::Arc;

/// Several sources as one list of samples.
#[derive(Clone)]
pub struct Dataset {
    parts: Arc<Vec<Part>>,
    /// Sizes of which a batch draws one; at least one.
    batch_sizes: Vec<usize>,
}

enum Part {
    /// Drawn once, kept in memory.
    Scenes(Vec<Sample>),
    /// Read from disk each time.
    Folder(RgbdFolder),
}

impl Part {
    fn len(&self) -> usize {
        match self {
            Part::Scenes(samples) => samples.len(),
            Part::Folder(folder) => folder.len(),
        }
    }
}

impl Dataset {
    /// Draws scenes and opens folders; `size` is the side at which samples are delivered.
    ///
    /// # Errors
    /// Folders that are no data set, pictures without a partner, scenes of an impossible size.
    pub fn open(sources: &[SourceConfig], size: usize) -> Result<Dataset> {
        let open = |source: &SourceConfig| -> Result<Part> {
            Ok(match source {
                SourceConfig::Scenes { seed, first, count, photos } => {
                    if !scenes::SIZES.contains(&size) {
                        bail!("scenes have {:?} pixels a side, not {size}", scenes::SIZES);
                    }
                    let album =
                        Arc::new(photos.as_deref().map_or_else(|| Ok(Album::default()), Album::open)?);
                    let indices = (0..*count as u64).into_par_iter();
                    Part::Scenes(
                        indices
                            .map(|i| scenes::render_with_photos(&album, *seed, first + i, size).sample)
                            .collect(),
                    )
                }
                SourceConfig::Folder { path, depth, list, .. } => {
                    Part::Folder(RgbdFolder::open(path, *depth, list.as_deref())?)
                }
            })
        };
        let parts: Vec<Part> = sources.iter().map(open).collect::<Result<_>>()?;
        let dataset = Dataset { parts: Arc::new(parts), batch_sizes: vec![size] };
        if dataset.len() == 0 {
            bail!("the data set is empty: no source holds a picture");
        }
        Ok(dataset)
    }

    /// Opens sources to be scored apart, in order, by their names; those of the same name are one data set.
    ///
    /// # Errors
    /// As [`Dataset::open`].
    pub fn open_by_name(sources: &[SourceConfig], size: usize) -> Result<Vec<(String, Dataset)>> {
        let mut groups: Vec<(String, Vec<SourceConfig>)> = Vec::new();
        for source in sources {
            let name = source.name();
            match groups.iter_mut().find(|(other, _)| *other == name) {
                Some((_, group)) => group.push(source.clone()),
                None => groups.push((name, vec![source.clone()])),
            }
        }
        if groups.is_empty() {
            bail!("the data set is empty: there is no source");
        }
        let open = |(name, group): (String, Vec<SourceConfig>)| Ok((name, Dataset::open(&group, size)?));
        groups.into_iter().map(open).collect()
    }

    /// Number of samples, at least one.
    #[expect(clippy::len_without_is_empty, reason = "an empty data set does not open")]
    pub fn len(&self) -> usize {
        self.parts.iter().map(Part::len).sum()
    }

    /// The same data, whose batches each draw one of these sizes; unchanged if there are none.
    pub fn with_batch_sizes(mut self, sizes: &[usize]) -> Dataset {
        if !sizes.is_empty() {
            self.batch_sizes = sizes.to_vec();
        }
        self
    }

    /// A number that changes with the files of its folders (names and lengths) and the colours of its scenes.
    pub fn fingerprint(&self) -> String {
        let inventory = |part: &Part| match part {
            // Colours too: the photographs that surfaces wear may have changed.
            Part::Scenes(samples) => samples.iter().map(|sample| format!("{}\n", sample.rgb.sum())).collect(),
            Part::Folder(folder) => folder.inventory(),
        };
        let text: String = self.parts.iter().map(inventory).collect();
        format!("{:016x}", site(&text)) // the hash that is written out and will not change
    }

    /// Sample `index` at the size of its colour picture.
    ///
    /// # Errors
    /// A picture that cannot be read, or does not fit its depth and truth.
    pub fn load(&self, index: usize) -> Result<Sample, DataError> {
        match self.find(index) {
            (Part::Scenes(samples), index) => Ok(samples[index].clone()),
            (Part::Folder(folder), index) => folder.load(index),
        }
    }

    /// As [`Dataset::load`], the mask at its own size, at which predictions are scored.
    ///
    /// # Errors
    /// As [`Dataset::load`].
    pub fn load_to_score(&self, index: usize) -> Result<Sample, DataError> {
        match self.find(index) {
            (Part::Scenes(samples), index) => Ok(samples[index].clone()),
            (Part::Folder(folder), index) => folder.load_to_score(index),
        }
    }

    /// The source of a sample, and its index there.
    fn find(&self, mut index: usize) -> (&Part, usize) {
        for part in self.parts.iter() {
            if index < part.len() {
                return (part, index);
            }
            index -= part.len();
        }
        panic!("a sample past the end of the data set");
    }

    /// One pass in batches of network-sized samples, varied at random.
    pub fn batches(&self, batch: usize, order: Order, workers: usize, variations: Augment) -> Batches<Batch> {
        let data = self.clone();
        batches(self.len(), batch, order, workers, move |index, key: Key, batch: Key| {
            let size = pick_size(&data.batch_sizes, batch);
            Ok(transform::resize(&augment(&data.load(index)?, &variations, key), size, size))
        })
    }
}

/// What a network is fed: normalised colour `[B, 3, H, W]`, depth around 0 `[B, 1, H, W]`, truth `[B, 1, H, W]`.
pub struct Inputs {
    /// (rgb − mean)/std of ImageNet.
    pub rgb: Tensor,
    /// 2·depth − 1: near = 1, missing = −1.
    pub depth: Tensor,
    /// 0 or 1.
    pub mask: Tensor,
}

impl Inputs {
    /// Brings a batch into the network's value range.
    pub fn of(batch: &Batch) -> Inputs {
        let mut rgb = batch.rgb.clone();
        for mut picture in rgb.outer_iter_mut() {
            let normalised = transform::normalise(picture.view());
            picture.assign(&normalised);
        }
        Inputs {
            rgb: Tensor::from_array(rgb.into_dyn()),
            depth: Tensor::from_array(batch.depth.mapv(|depth| 2.0 * depth - 1.0).into_dyn()),
            mask: Tensor::from_array(batch.mask.clone().into_dyn()),
        }
    }
}
