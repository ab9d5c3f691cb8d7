//! What a re-identification network's blocks get to see of a picture in several spectra.

use super::{BlockView, Explained, diffusion_of, shown};
use crate::picture::rgb_picture;
use crate::reid::Embedder;
use anyhow::{Context, Result, ensure};
use autograd::{Ctx, Tensor, Var};
use cda::Fusion;
use data::reid::{Normalised, ReidSample, SPECTRA, unchanged};
use models::reid::Spectrum;
use ndarray::Axis;

/// Runs a re-identification network on one picture. The token to begin with is the middle one.
///
/// # Errors
/// If the network does not fuse its streams by MutualFormer.
pub fn of_embedder(embedder: &Embedder, sample: &ReidSample) -> Result<Explained> {
    let model = &embedder.config.model;
    ensure!(
        model.streams.len() > 1,
        "this network sees one spectrum only, so there is no other to attend to; explain one with several streams"
    );
    let Fusion { kind, cda } = model
        .block()
        .context(
            "this network fuses its streams without MutualFormer (fusion = \"sum\" or \"cam\"), so there is no \
             cross-affinity to look at; explain one with fusion = cda, cda-paper, ca or ca+cda",
        )?
        .fusion;
    let fusion = Fusion { kind, cda };
    let Normalised(seen) = unchanged(sample, embedder.config.data.size);
    let picture = |stream: &Spectrum| {
        Var::constant(Tensor::from_array(
            seen.pictures[stream.place()].clone().insert_axis(Axis(0)).into_dyn(),
        ))
    };
    let pictures: Vec<Var> = model.streams.iter().map(picture).collect();
    let ctx = Ctx::eval(&embedder.params);
    let levels = embedder.net.tokens(&ctx, &pictures);

    let mut blocks = Vec::new();
    for (i, (tokens, pair)) in levels.iter().zip(pairs(model.streams.len())).enumerate() {
        let [r, d] = pair.map(|stream| model.streams[stream].name());
        let [height, width] = embedder.config.data.size;
        let note = format!(
            "r is {r}, d is {d}. A token is a pixel of the trunks' last maps, {} × {} for the {height} × {width} pixels that the \
             network sees. Convolutions made it from more than its cell.",
            tokens.grid[0], tokens.grid[1]
        );
        for (number, block) in embedder.net.blocks(i).iter().enumerate() {
            let name = format!("pairs.{r}_{d}.blocks.{number}");
            blocks.push(BlockView::new(&ctx, (name, block), tokens, pair, &note));
        }
    }
    let [rows, columns] = blocks.first().context("a network of several streams has a pair")?.grid;
    let feature = embedder.features(std::slice::from_ref(sample))?;
    let norm = feature.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    let shown = |stream: &Spectrum| {
        let name = SPECTRA[stream.place()].to_owned();
        (name, shown(&rgb_picture(sample.pictures[stream.place()].view())))
    };
    Ok(Explained {
        title: sample.name.clone(),
        pictures: model.streams.iter().map(shown).collect(),
        blocks,
        fusion,
        cda: diffusion_of(&fusion)?,
        saliency: None,
        prediction: format!(
            "The picture's feature has {} numbers and norm {norm:.3}. A search compares features divided by their norms.",
            feature.len()
        ),
        token: (rows / 2, columns / 2),
    })
}

/// The streams of every pair, in the order of [`models::ReidNetwork::tokens`].
fn pairs(streams: usize) -> impl Iterator<Item = [usize; 2]> {
    (1..streams).flat_map(|d| (0..d).map(move |r| [r, d]))
}
