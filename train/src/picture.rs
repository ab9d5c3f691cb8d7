//! Pictures of what a network sees and answers: sheets of labelled tiles, maps as colours.

mod colour;
pub(crate) mod font;

use image::{Rgb, RgbImage};
use ndarray::{ArrayView2, ArrayView3};

pub use colour::heat_colour;

/// Share of the map's colour in an overlay; the rest is the picture in grey.
const STRENGTH: f32 = 0.65;
const WHITE: Rgb<u8> = Rgb([255; 3]);
const BLACK: Rgb<u8> = Rgb([0; 3]);

/// A picture with its label.
#[derive(Clone, Debug, PartialEq)]
pub struct Tile {
    /// What to show.
    pub picture: RgbImage,
    /// What to write above it (letters, digits and a few signs); nothing if empty.
    pub label: String,
}

impl Tile {
    /// A picture with its label.
    pub fn new(label: impl Into<String>, picture: RgbImage) -> Tile {
        Tile { picture, label: label.into() }
    }
}

/// Sets tiles in rows and columns on white, `gap` pixels apart and from the edge.
///
/// A column is as wide as its widest tile, a row as high as its highest. All labels are written in one
/// size, the largest that fits into every column; what is still too long is cut off.
///
/// # Panics
/// If there is no tile.
pub fn grid(rows: &[Vec<Tile>], gap: u32) -> RgbImage {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    assert!(columns > 0, "a grid needs at least one tile");
    let widths: Vec<u32> = (0..columns)
        .map(|c| rows.iter().filter_map(|row| row.get(c)).map(|t| t.picture.width()).max().unwrap_or(0))
        .collect();
    let heights: Vec<u32> =
        rows.iter().map(|row| row.iter().map(|t| t.picture.height()).max().unwrap_or(0)).collect();
    let scale = label_scale(rows, &widths);
    let label_height = |row: &[Tile]| {
        let labelled = row.iter().any(|t| !t.label.is_empty());
        if labelled { (font::HEIGHT + 3) * scale } else { 0 }
    };
    let width = gap + widths.iter().map(|w| w + gap).sum::<u32>();
    let height = gap + rows.iter().zip(&heights).map(|(row, h)| label_height(row) + h + gap).sum::<u32>();

    let mut sheet = RgbImage::from_pixel(width, height, WHITE);
    let mut y = gap;
    for (row, height) in rows.iter().zip(heights) {
        let below_label = y + label_height(row);
        let mut x = gap;
        for (tile, width) in row.iter().zip(&widths) {
            font::write(&mut sheet, &tile.label, (x, y), x + width, scale, BLACK);
            image::imageops::replace(&mut sheet, &tile.picture, i64::from(x), i64::from(below_label));
            x += width + gap;
        }
        y = below_label + height + gap;
    }
    sheet
}

/// The largest text size, from 3 to 1 pixels per dot, at which every label fits into its column.
fn label_scale(rows: &[Vec<Tile>], widths: &[u32]) -> u32 {
    let fits = |scale: u32| {
        let mut labels = rows.iter().flat_map(|row| row.iter().zip(widths));
        labels.all(|(tile, &width)| font::text_width(&tile.label, scale) <= width)
    };
    [3, 2].into_iter().find(|&scale| fits(scale)).unwrap_or(1)
}

/// A picture `[3, H, W]` with values in [0, 1].
pub fn rgb_picture(rgb: ArrayView3<f32>) -> RgbImage {
    let (height, width) = size_of(&rgb);
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([0, 1, 2].map(|channel| byte(rgb[[channel, y as usize, x as usize]])))
    })
}

/// A map `[H, W]` with values in [0, 1], in grey: depth, masks, predictions.
pub fn grey_picture(map: ArrayView2<f32>) -> RgbImage {
    RgbImage::from_fn(map.ncols() as u32, map.nrows() as u32, |x, y| {
        Rgb([byte(map[[y as usize, x as usize]]); 3])
    })
}

/// Lays a coarse map `[h, w]`, such as one row of an affinity matrix, over a picture `[3, H, W]`.
///
/// The map is stretched between its smallest and its largest value, enlarged bilinearly and coloured by
/// [`heat_colour`]; the picture shows through in grey, so that all colour is the map's. `query` is the row
/// and column of the map's cell that asked, and gets a white frame.
///
/// # Panics
/// If the picture does not have three channels, the map is empty, or `query` lies outside the map.
pub fn heat_overlay(rgb: ArrayView3<f32>, map: ArrayView2<f32>, query: Option<(usize, usize)>) -> RgbImage {
    let (height, width) = size_of(&rgb);
    assert!(!map.is_empty(), "an overlay needs a map with at least one cell");
    let lowest = map.iter().copied().fold(f32::INFINITY, f32::min);
    let highest = map.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let range = if highest > lowest { highest - lowest } else { 1.0 };
    let mut picture = RgbImage::from_fn(width, height, |x, y| {
        let at = |channel: usize| rgb[[channel, y as usize, x as usize]];
        let grey = 0.299 * at(0) + 0.587 * at(1) + 0.114 * at(2);
        let value = bilinear(map, (y as f32 + 0.5) / height as f32, (x as f32 + 0.5) / width as f32);
        let heat = heat_colour((value - lowest) / range);
        Rgb(heat.0.map(|channel| byte(STRENGTH * f32::from(channel) / 255.0 + (1.0 - STRENGTH) * grey)))
    });
    if let Some(cell) = query {
        frame_cell(&mut picture, cell, map.dim());
    }
    picture
}

/// The map's value at a point given in shares of its height and width; a cell's value holds at its centre.
fn bilinear(map: ArrayView2<f32>, down: f32, right: f32) -> f32 {
    let along = |share: f32, cells: usize| {
        let position = (share * cells as f32 - 0.5).clamp(0.0, (cells - 1) as f32);
        let first = position as usize;
        (first, (first + 1).min(cells - 1), position - first as f32)
    };
    let (top, bottom, v) = along(down, map.nrows());
    let (left, right, u) = along(right, map.ncols());
    let mix = |a: f32, b: f32, share: f32| a + share * (b - a);
    mix(mix(map[[top, left]], map[[top, right]], u), mix(map[[bottom, left]], map[[bottom, right]], u), v)
}

/// Draws a white frame just around a cell, and a black one around that: one of them stands out anywhere.
fn frame_cell(picture: &mut RgbImage, (row, column): (usize, usize), (rows, columns): (usize, usize)) {
    assert!(row < rows && column < columns, "cell ({row}, {column}) is not in a map of {rows} x {columns}");
    let edge = |index: usize, cells: usize, pixels: u32| (index * pixels as usize / cells) as i64;
    let (width, height) = picture.dimensions();
    let (left, right) = (edge(column, columns, width), edge(column + 1, columns, width));
    let (top, bottom) = (edge(row, rows, height), edge(row + 1, rows, height));
    let thickness = i64::from(width.min(height) / 160 + 1);
    for y in top - 2 * thickness..bottom + 2 * thickness {
        for x in left - 2 * thickness..right + 2 * thickness {
            // How far outside the cell this pixel is; 0 inside.
            let outside = (left - x).max(x - right + 1).max(top - y).max(y - bottom + 1).max(0);
            let inside_picture = (0..i64::from(width)).contains(&x) && (0..i64::from(height)).contains(&y);
            if outside > 0 && inside_picture {
                let colour = if outside <= thickness { WHITE } else { BLACK };
                picture.put_pixel(x as u32, y as u32, colour);
            }
        }
    }
}

/// Height and width of a picture `[3, H, W]`.
fn size_of(rgb: &ArrayView3<f32>) -> (u32, u32) {
    let (channels, height, width) = rgb.dim();
    assert_eq!(channels, 3, "a colour picture is [3, H, W], not [{channels}, {height}, {width}]");
    (height as u32, width as u32)
}

/// A value in [0, 1] as a byte.
fn byte(value: f32) -> u8 {
    (255.0 * value).round() as u8
}
