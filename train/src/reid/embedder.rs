//! A re-identification network with its weights: what training produces and searches use.

use super::config::ReidRunConfig;
use super::losses::Centres;
use super::source::{NO_MATCH, Pictures, SearchSet};
use crate::config::RunConfig;
use crate::metrics::reid::{Features, ReidScores, score};
use anyhow::{Context, Result};
use autograd::checkpoint::{LoadMode, TensorFile};
use autograd::{Ctx, Params, Tensor, Var};
use data::reid::{Normalised, ReidBatch, ReidSample, unchanged};
use models::reid::{ReidNetwork, ReidOutput, Spectrum};
use ndarray::Array2;
use rayon::prelude::*;
use std::path::Path;

/// Pictures per forward pass when searching.
const BATCH: usize = 32;

/// Network, parameters and the configuration they belong to.
#[derive(Clone)]
pub struct Embedder {
    /// What was trained, and how.
    pub config: ReidRunConfig,
    /// All weights and running statistics.
    pub params: Params,
    /// The network's structure.
    pub net: ReidNetwork,
    /// The identities' centres, where the loss has them.
    pub centres: Option<Centres>,
}

impl Embedder {
    /// A network with initial weights; the configuration says how many identities there are.
    pub(super) fn build(config: &ReidRunConfig) -> Result<Embedder> {
        let (params, built) = Params::build(config.seed, |scope| -> Result<_> {
            let net = ReidNetwork::new(scope, &config.model)?;
            let centred = config.train.loss.centre > 0.0;
            let (classes, dim) = (config.model.classes, config.model.head_dim());
            let centres = centred.then(|| Centres::new(&mut scope.sub("centres"), classes, dim));
            Ok((net, centres))
        });
        let (net, centres) = built?;
        let net = net.with_checkpointing(config.train.checkpointing);
        Ok(Embedder { config: config.clone(), params, net, centres })
    }

    /// Reads the weights of a run's file.
    pub(super) fn read(path: &Path) -> Result<Embedder> {
        let file = TensorFile::read(path)?;
        let read = || -> Result<Embedder> {
            let text = file.metadata.get("config").context(
                "the file holds no \"config\" in its metadata: it was not written by mutualformer train (published \
                 weights are where a training starts: --set train.trunk_weights=FILE)",
            )?;
            let mut embedder = Embedder::build(&ReidRunConfig::parse(text, &[])?)?;
            embedder.params.import("", &file, LoadMode::Strict)?;
            Ok(embedder)
        };
        read().with_context(|| format!("in {}", path.display()))
    }

    /// One forward pass.
    pub fn forward(&self, ctx: &Ctx, batch: &ReidBatch) -> ReidOutput {
        let picture = |stream: &Spectrum| {
            let pictures: &ndarray::Array4<f32> = &batch.pictures[stream.place()];
            ctx.constant(&Tensor::from_array(pictures.clone().into_dyn()))
        };
        let pictures: Vec<Var> = self.config.model.streams.iter().map(picture).collect();
        self.net.forward(ctx, &pictures)
    }

    /// The features of some pictures, `[pictures, D]`, not normalised.
    ///
    /// # Errors
    /// Samples that cannot be stacked into a batch, or a failure of the device.
    pub fn features(&self, samples: &[ReidSample]) -> Result<Array2<f32>> {
        let size = self.config.data.size;
        let normalised: Vec<Normalised> = samples.par_iter().map(|sample| unchanged(sample, size)).collect();
        let batch = ReidBatch::stack(&(0..samples.len()).collect::<Vec<_>>(), &normalised)?;
        let feature = self.forward(&Ctx::eval(&self.params), &batch).feature;
        let shape = (feature.size(0), feature.size(1));
        Ok(Array2::from_shape_vec(shape, feature.value().to_host()?.as_slice().to_vec())?)
    }

    /// The features of all pictures, `[pictures, D]`; `progress` is told how many there are so far.
    ///
    /// # Errors
    /// A picture that cannot be read, or a failure of the device.
    pub fn embed(&self, pictures: &Pictures, progress: &dyn Fn(usize)) -> Result<Array2<f32>> {
        let mut rows = Vec::new();
        let indices: Vec<usize> = (0..pictures.len()).collect();
        for chunk in indices.chunks(BATCH) {
            let samples: Vec<ReidSample> =
                chunk.par_iter().map(|&index| pictures.load(index)).collect::<Result<_, _>>()?;
            rows.extend(self.features(&samples)?);
            progress(chunk[chunk.len() - 1] + 1);
        }
        let dim = rows.len() / pictures.len().max(1);
        Ok(Array2::from_shape_vec((pictures.len(), dim), rows)?)
    }

    /// As [`Embedder::embed`], with the pictures' identities and cameras.
    pub(super) fn labelled(&self, pictures: &Pictures, progress: &dyn Fn(usize)) -> Result<Features> {
        let feat = Tensor::from_array(self.embed(pictures, progress)?.into_dyn());
        let (ids, cams) = pictures.labels();
        Features::new(&feat, &ids, &cams).context(
            "the network has diverged, its features cannot be compared; train again, into another --out, with a lower \
             train.lr",
        )
    }

    /// Searches for every query and measures what is found.
    ///
    /// # Errors
    /// As [`Embedder::embed`]; features that are not finite; a set in which no query has a match.
    pub fn search(&self, set: &SearchSet) -> Result<ReidScores> {
        score(&self.labelled(&set.query, &|_| ())?, &self.labelled(&set.gallery, &|_| ())?).context(NO_MATCH)
    }
}
