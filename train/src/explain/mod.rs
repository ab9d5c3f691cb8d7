//! `mutualformer explain`: what every token of a picture attends to.
//!
//! [`of_detector`] and [`of_embedder`] run a network on one picture and keep what its MutualFormer blocks got to see: the
//! queries, keys and values of both modalities. [`page`] writes them into one HTML file, which computes every map itself
//! (`diffusion.js`), so that α, the steps and the preset can be changed there. [`heat`] writes the maps of one token as
//! pictures, by the engine's own plain path.

mod base64;
mod detector;
mod embedder;
pub mod heat;
pub mod page;

use anyhow::{Result, bail, ensure};
use autograd::{Ctx, Tensor};
use cda::{CdaConfig, CrossBranch, Fusion, FusionKind, MutualFormerBlock, Qkv};
use image::RgbImage;
use image::imageops::{self, FilterType};
use models::TokenLevel;

pub use detector::of_detector;
pub use embedder::of_embedder;

/// Pixels of the longer side of the pictures that are shown.
const LONGEST: u32 = 448;

/// One picture and what a network makes of it.
pub struct Explained {
    /// The picture's name.
    pub title: String,
    /// Its modalities, by name, brought to 448 pixels a side or a little less.
    pub pictures: Vec<(String, RgbImage)>,
    /// Where modalities were mixed, at least one.
    pub blocks: Vec<BlockView>,
    /// What fills U_rd and U_dr.
    pub fusion: Fusion,
    /// The diffusion's options; those of a configuration whose fusion does not diffuse say what it would be.
    pub cda: CdaConfig,
    /// The saliency map, if the network makes one.
    pub saliency: Option<RgbImage>,
    /// The prediction in a sentence.
    pub prediction: String,
    /// Row and column of the token to begin with, among those of the first block.
    pub token: (usize, usize),
}

/// What one MutualFormer block got to see.
pub struct BlockView {
    /// The block's name among the network's parameters.
    pub name: String,
    /// What a token is there.
    pub note: String,
    /// The pictures of r and of d.
    pub pair: [usize; 2],
    /// Token grid: rows and columns.
    pub grid: [usize; 2],
    /// Q, K and V of modality r, `[1, H, N, d]` each.
    pub r: Qkv,
    /// The same of modality d.
    pub d: Qkv,
    /// What becomes of U_rd and U_dr.
    pub cross: CrossBranch,
}

impl BlockView {
    fn new(
        ctx: &Ctx,
        (name, block): (String, &MutualFormerBlock),
        tokens: &TokenLevel,
        pair: [usize; 2],
        note: &str,
    ) -> BlockView {
        let (r, d) = block.projections(ctx, &tokens.x);
        let cross = block.cross_branch(ctx);
        BlockView { name, note: note.to_owned(), pair, grid: tokens.grid, r, d, cross }
    }

    /// The token at the same place as `token` of another `grid`.
    fn token_like(&self, token: (usize, usize), grid: [usize; 2]) -> (usize, usize) {
        let along = |index: usize, from: usize, to: usize| (2 * index + 1) * to / (2 * from);
        (along(token.0, grid[0], self.grid[0]), along(token.1, grid[1], self.grid[1]))
    }
}

impl Explained {
    /// The same, beginning with another token, counted in rows and columns from 0.
    ///
    /// # Errors
    /// If the first block has no such token.
    pub fn at(self, token: (usize, usize)) -> Result<Explained> {
        let BlockView { grid: [rows, columns], name, .. } = &self.blocks[0];
        ensure!(
            token.0 < *rows && token.1 < *columns,
            "--token {},{}: {name} has {rows} rows and {columns} columns of tokens, counted from 0",
            token.0,
            token.1
        );
        Ok(Explained { token, ..self })
    }
}

/// How modalities are diffused through each other, or would be from the same Q and K.
fn diffusion_of(fusion: &Fusion) -> Result<CdaConfig> {
    match fusion.kind {
        FusionKind::Cda | FusionKind::CdaPaper | FusionKind::CaCda => {
            Ok(fusion.diffusion().expect("these kinds diffuse"))
        }
        FusionKind::Ca => Ok(fusion.cda),
        FusionKind::Concat | FusionKind::Sum => bail!(
            "this network's blocks keep the modalities apart (fusion = \"{}\"), so there is no cross-affinity to look at; \
             explain one with fusion = cda, cda-paper, ca or ca+cda",
            if fusion.kind == FusionKind::Sum { "sum" } else { "concat" }
        ),
    }
}

/// A picture at the size at which it is shown: large ones shrink, small ones grow by a whole factor.
fn shown(picture: &RgbImage) -> RgbImage {
    let (width, height) = picture.dimensions();
    let longer = width.max(height);
    if longer <= LONGEST {
        let factor = LONGEST / longer;
        return imageops::resize(picture, width * factor, height * factor, FilterType::Nearest);
    }
    let side = |pixels: u32| (pixels * LONGEST / longer).max(1);
    imageops::resize(picture, side(width), side(height), FilterType::Triangle)
}

/// A tensor's numbers.
fn numbers(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.to_host()?.as_slice().to_vec())
}
