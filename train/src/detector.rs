//! A detector with its weights: what training produces and prediction uses.

use crate::config::{Config, RunConfig};
use crate::metrics::sod::{ImageScores, score_prediction};
use crate::source::{Dataset, Inputs};
use crate::task::Task;
use anyhow::{Context, Result};
use autograd::checkpoint::{LoadMode, TensorFile};
use autograd::{Ctx, Params, Tensor};
use data::{Batch, Sample, transform};
use models::{SodNetwork, SodOutput};
use ndarray::{Array2, Axis};
use std::path::Path;

/// Weights that come with the tool; `models/weights/README.md` says how they were made.
const BUNDLED: &[u8] = include_bytes!("../../models/weights/sod.safetensors");

/// Pictures per forward pass when predicting.
const BATCH: usize = 16;

/// Network, parameters and the configuration they belong to.
#[derive(Clone)]
pub struct Detector {
    /// What was trained, and how.
    pub config: Config,
    /// All weights and running statistics.
    pub params: Params,
    /// The network's structure.
    pub net: SodNetwork,
}

impl Detector {
    /// The weights that come with the tool.
    ///
    /// # Errors
    /// None in a binary that was built whole: the weights are part of it.
    pub fn bundled() -> Result<Detector> {
        Detector::from_file(&TensorFile::parse(BUNDLED, Path::new("the bundled weights"))?)
    }

    pub(crate) fn from_file(file: &TensorFile) -> Result<Detector> {
        let text = file.metadata.get("config").context(
            "the file holds no \"config\" in its metadata: it was not written by mutualformer train (published \
                 weights are where a training starts: --set train.trunk_weights=FILE)",
        )?;
        let mut detector = Detector::new(&Config::parse(text, &[])?)?;
        detector.params.import("", file, LoadMode::Strict)?;
        Ok(detector)
    }

    /// One forward pass.
    pub fn forward(&self, ctx: &Ctx, inputs: &Inputs) -> SodOutput {
        self.net.forward(ctx, &ctx.constant(&inputs.rgb), &ctx.constant(&inputs.depth))
    }

    /// Saliency in [0, 1] for every sample at the size of its mask `[H, W]`: pictures are resized to the network's size,
    /// logits to the mask's, then the sigmoid.
    ///
    /// # Errors
    /// A failure of the device that the weights live on.
    pub fn predict(&self, samples: &[Sample]) -> Result<Vec<Array2<f32>>> {
        let size = self.config.data.size;
        let mut maps = Vec::with_capacity(samples.len());
        for chunk in samples.chunks(BATCH) {
            let small: Vec<Sample> =
                chunk.iter().map(|sample| transform::resize(sample, size, size)).collect();
            let ctx = Ctx::eval(&self.params);
            let logits = self
                .forward(&ctx, &Inputs::of(&Batch::stack(&(0..small.len()).collect::<Vec<_>>(), &small)?))
                .logits;
            for (i, sample) in chunk.iter().enumerate() {
                let (height, width) = sample.mask.dim();
                let own = logits.slice(0, i..i + 1).resize([height, width]).sigmoid();
                maps.push(to_map(own.value(), height, width)?);
            }
        }
        Ok(maps)
    }

    /// Predicts and scores a whole data set, picture by picture in order, each at the size of its mask as it is stored.
    ///
    /// # Errors
    /// A picture that cannot be read, or a failure of the device.
    pub fn evaluate(&self, data: &Dataset) -> Result<Vec<(String, ImageScores)>> {
        let mut scores = Vec::with_capacity(data.len());
        let indices: Vec<usize> = (0..data.len()).collect();
        for chunk in indices.chunks(BATCH) {
            let samples: Vec<Sample> =
                chunk.iter().map(|&i| data.load_to_score(i)).collect::<Result<_, _>>()?;
            let maps = self.predict(&samples)?;
            for (sample, map) in samples.into_iter().zip(maps) {
                let (height, width) = map.dim();
                let pred = map.as_slice().expect("fresh maps are contiguous");
                let mask = sample.mask.as_standard_layout();
                let mask = mask.as_slice().expect("standard layout");
                scores.push((sample.name, score_prediction(pred, mask, height, width)));
            }
        }
        Ok(scores)
    }
}

fn to_map(tensor: &Tensor, height: usize, width: usize) -> Result<Array2<f32>> {
    let host = tensor.to_host()?;
    let map = host.view().index_axis(Axis(0), 0).index_axis(Axis(0), 0).to_owned();
    Ok(map.into_shape_with_order((height, width))?)
}
