//! The maps of one token as pictures, computed with N × N matrices by the engine's plain path.

use super::{BlockView, Explained};
use crate::picture::{Tile, font, grid, heat_colour, heat_overlay};
use crate::report::mean_row;
use anyhow::{Context, Result};
use autograd::Var;
use cda::{CdaConfig, affinity, cross_attention_map, cross_diffusion, diffusion_matrix};
use image::{Rgb, RgbImage};
use ndarray::{Array2, Array3};
use std::path::Path;

/// Pixels between the tiles of a picture.
const GAP: u32 = 4;
/// The colour scale beside the maps: width of the bar, and of the whole with its numbers.
const SCALE: (u32, u32) = (16, 110);

/// Writes a PNG for every map of every block into the folder `dir`, which is made: the row of the token at the place of
/// [`Explained::token`], averaged over heads, over both pictures; and the pictures themselves. Returns how many.
///
/// # Errors
/// If a file cannot be written.
pub fn write_pngs(explained: &Explained, dir: &Path) -> Result<usize> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let save = |name: &str, picture: &RgbImage| {
        let path = dir.join(format!("{name}.png"));
        picture.save(&path).with_context(|| format!("cannot write {}", path.display()))
    };
    let saliency = explained.saliency.iter().map(|picture| ("saliency".to_owned(), picture));
    let pictures = explained.pictures.iter().map(|(name, picture)| (name.to_lowercase(), picture));
    let mut count = 0;
    for (name, picture) in pictures.chain(saliency) {
        save(&name, picture)?;
        count += 1;
    }
    for block in &explained.blocks {
        let token = block.token_like(explained.token, explained.blocks[0].grid);
        for (name, map) in maps(block, &explained.cda) {
            let row = mean_row(map.value(), block.grid, token)?;
            save(&format!("{}-{name}", block.name), &picture(explained, block, &row, token, name))?;
            count += 1;
        }
    }
    Ok(count)
}

/// Every map `[1, H, N, N]` by its name.
fn maps(block: &BlockView, config: &CdaConfig) -> [(&'static str, Var); 8] {
    let (r, d) = (&block.r, &block.d);
    let (p_r, p_d) = (affinity(r), affinity(d));
    let x = cross_diffusion((&p_r, &p_d), (r, d), config);
    [
        ("s_r", diffusion_matrix(&p_r, config)),
        ("s_d", diffusion_matrix(&p_d, config)),
        ("p_r", p_r),
        ("p_d", p_d),
        ("ca_rd", cross_attention_map(r, d)),
        ("ca_dr", cross_attention_map(d, r)),
        ("x_rd", x.rd),
        ("x_dr", x.dr),
    ]
}

/// A row over both pictures, with its scale.
fn picture(
    explained: &Explained,
    block: &BlockView,
    row: &Array2<f32>,
    token: (usize, usize),
    name: &str,
) -> RgbImage {
    let over = |picture: usize| {
        let (modality, picture) = &explained.pictures[picture];
        let picture = heat_overlay(values(picture).view(), row.view(), Some(token));
        Tile::new(format!("{name} over {modality}"), picture)
    };
    let tiles = block.pair.map(over);
    let scale = Tile::new("", scale(row, tiles[0].picture.height()));
    grid(&[tiles.into_iter().chain([scale]).collect()], GAP)
}

/// The colours from a row's largest value, above, to its smallest.
fn scale(row: &Array2<f32>, height: u32) -> RgbImage {
    let (black, white) = (Rgb([0; 3]), Rgb([255; 3]));
    let (low, high) =
        row.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)));
    let mut picture = RgbImage::from_fn(SCALE.1, height, |x, y| {
        if x < SCALE.0 { heat_colour(1.0 - y as f32 / (height - 1).max(1) as f32) } else { white }
    });
    let below = height.saturating_sub(2 * font::HEIGHT);
    for (value, y) in [(high, 0), (low, below)] {
        font::write(&mut picture, &format!("{value:.5}"), (SCALE.0 + 4, y), SCALE.1, 2, black);
    }
    picture
}

/// A picture as numbers in [0, 1], `[3, H, W]`.
fn values(picture: &RgbImage) -> Array3<f32> {
    let (width, height) = picture.dimensions();
    Array3::from_shape_fn((3, height as usize, width as usize), |(channel, y, x)| {
        f32::from(picture.get_pixel(x as u32, y as u32).0[channel]) / 255.0
    })
}
