//! Sheets of searches: in every row a query and what it found, the nearest first.
//!
//! Right and wrong are told by colour, by a sign and by the line of the frame, so that no one of them has to be seen:
//!
//! ```text
//! right     green    ✓    solid frame
//! wrong     orange   ✗    hatched frame
//! unknown   grey     ?    solid frame
//! ```

use crate::picture::{Tile, font, grey_picture, grid, rgb_picture};
use anyhow::{Context, Result};
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use ndarray::{Array3, Axis};
use std::path::Path;

/// Width of every picture on the sheet, in pixels.
const WIDTH: u32 = 160;
/// Thickness of a frame.
const FRAME: u32 = 5;
/// Height of the bar over a picture, which holds its rank.
const BAR: u32 = 22;
/// Length of the strokes of a hatched frame, and of the spaces between them.
const STROKE: u32 = 6;
/// Pixels between the cells.
const GAP: u32 = 8;

const WHITE: Rgb<u8> = Rgb([255; 3]);
const BLACK: Rgb<u8> = Rgb([0; 3]);
/// Green and orange of a palette chosen for readers who do not tell green from red (Okabe and Ito 2008), the green a
/// little darker, for white signs on it.
const GREEN: Rgb<u8> = Rgb([0, 140, 100]);
const ORANGE: Rgb<u8> = Rgb([213, 94, 0]);
const GREY: Rgb<u8> = Rgb([128; 3]);
const DARK: Rgb<u8> = Rgb([50; 3]);

/// One object seen by one camera at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Shot {
    /// Its pictures in every spectrum, `[3, H, W]`, or `[1, H, W]` in grey, with values in [0, 1]: they are set below each
    /// other, in this order.
    pub spectra: Vec<Array3<f32>>,
    /// Lines of text below: id, camera, distance.
    pub caption: Vec<String>,
}

/// What a search found at one rank.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The picture of the gallery.
    pub shot: Shot,
    /// Whether it shows the query's object, if that is known.
    pub right: Option<bool>,
}

/// A row of the sheet.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What was looked for.
    pub query: Shot,
    /// What was found, from rank 1 on. Rows may differ in length.
    pub found: Vec<Found>,
}

/// Draws a row per search: the query, then what was found. All captions are in one size, the larger of two if they fit.
///
/// # Panics
/// If there is no search, or a picture does not have one or three channels.
pub fn ranked_sheet(searches: &[Row]) -> RgbImage {
    let shots = searches.iter().flat_map(|search| {
        std::iter::once(&search.query).chain(search.found.iter().map(|found| &found.shot))
    });
    let fits = |line: &String| font::text_width(line, 2) <= WIDTH + 2 * FRAME;
    let scale = if shots.flat_map(|shot| &shot.caption).all(fits) { 2 } else { 1 };
    let row = |search: &Row| {
        let query =
            cell(&search.query, &Look { colour: DARK, hatched: false, bar: "query".to_owned() }, scale);
        let found = search
            .found
            .iter()
            .zip(1..)
            .map(|(found, rank)| cell(&found.shot, &Look::of(found.right, rank), scale));
        std::iter::once(query).chain(found).map(|cell| Tile::new("", cell)).collect()
    };
    grid(&searches.iter().map(row).collect::<Vec<Vec<Tile>>>(), GAP)
}

/// Writes [`ranked_sheet`] as a PNG.
///
/// # Errors
/// If the file cannot be written.
pub fn write_ranked_sheet(path: &Path, searches: &[Row]) -> Result<()> {
    ranked_sheet(searches).save(path).with_context(|| format!("cannot write {}", path.display()))
}

/// How a cell is set off.
struct Look {
    colour: Rgb<u8>,
    hatched: bool,
    /// What the bar says.
    bar: String,
}

impl Look {
    fn of(right: Option<bool>, rank: usize) -> Look {
        let (colour, sign) = match right {
            Some(true) => (GREEN, '✓'),
            Some(false) => (ORANGE, '✗'),
            None => (GREY, '?'),
        };
        Look { colour, hatched: right == Some(false), bar: format!("{rank} {sign}") }
    }
}

/// A bar, below it the pictures in a frame, below that the caption.
fn cell(shot: &Shot, look: &Look, scale: u32) -> RgbImage {
    let pictures: Vec<RgbImage> = shot.spectra.iter().map(picture).collect();
    let stack: u32 = pictures.iter().map(RgbImage::height).sum();
    let below = BAR + stack + FRAME;
    let line = (font::HEIGHT + 3) * scale;
    let width = WIDTH + 2 * FRAME;

    let mut cell = RgbImage::from_pixel(width, below + 3 + line * shot.caption.len() as u32, WHITE);
    for y in 0..below {
        for x in 0..width {
            let space = look.hatched && y >= BAR && (x + y) / STROKE % 2 == 1;
            cell.put_pixel(x, y, if space { WHITE } else { look.colour });
        }
    }
    font::write(&mut cell, &look.bar, (FRAME, 4), width, 2, WHITE);
    let mut y = BAR;
    for picture in pictures {
        imageops::replace(&mut cell, &picture, i64::from(FRAME), i64::from(y));
        y += picture.height();
    }
    for (text, i) in shot.caption.iter().zip(0..) {
        font::write(&mut cell, text, (0, below + 4 + i * line), width, scale, BLACK);
    }
    cell
}

/// A spectrum at the sheet's width.
fn picture(spectrum: &Array3<f32>) -> RgbImage {
    let picture = match spectrum.len_of(Axis(0)) {
        1 => grey_picture(spectrum.index_axis(Axis(0), 0)),
        _ => rgb_picture(spectrum.view()),
    };
    let height = (picture.height() * WIDTH).div_ceil(picture.width());
    imageops::resize(&picture, WIDTH, height, FilterType::Triangle)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Colour and a spectrum in grey of H = 20 by W = 40: 160 by 80 each on the sheet.
    fn shot(red: f32, lines: &[&str]) -> Shot {
        let colour = Array3::from_shape_fn((3, 20, 40), |(channel, ..)| if channel == 0 { red } else { 0.2 });
        Shot {
            spectra: vec![colour, Array3::from_elem((1, 20, 40), 0.6)],
            caption: lines.iter().map(|&line| line.to_owned()).collect(),
        }
    }

    fn found(right: Option<bool>) -> Found {
        Found { shot: shot(0.4, &["id 4 cam 2", "0.1234"]), right }
    }

    const STEP: u32 = WIDTH + 2 * FRAME + GAP;
    const HEIGHT: u32 = BAR + 160 + FRAME + 3 + 2 * 20;

    fn two_searches() -> Vec<Row> {
        let query = || shot(1.0, &["id 4 cam 1"]);
        vec![
            Row { query: query(), found: vec![found(Some(true)), found(Some(false)), found(None)] },
            Row { query: query(), found: vec![found(None)] },
        ]
    }

    #[test]
    fn a_sheet_has_a_row_per_search_and_white_where_nothing_was_found() {
        let sheet = ranked_sheet(&two_searches());
        assert_eq!(sheet.dimensions(), (GAP + 4 * STEP, GAP + 2 * (HEIGHT + GAP)));
        let bar =
            |row: u32, column: u32| *sheet.get_pixel(GAP + column * STEP + 1, GAP + row * (HEIGHT + GAP) + 1);
        assert_eq!([0, 1, 2, 3].map(|column| bar(0, column)), [DARK, GREEN, ORANGE, GREY]);
        assert_eq!([0, 1, 2, 3].map(|column| bar(1, column)), [DARK, GREY, WHITE, WHITE]);
        let only = Row { query: shot(0.5, &[]), found: Vec::new() };
        assert_eq!(ranked_sheet(&[only]).dimensions(), (STEP + GAP, 2 * GAP + HEIGHT - 40));
    }

    #[test]
    fn frames_tell_right_from_wrong_without_colour() {
        let sheet = ranked_sheet(&two_searches());
        // The left edge of a frame, beside the pictures.
        let edge = |column: u32| -> Vec<Rgb<u8>> {
            let y = GAP + BAR;
            (y..y + 160).map(|y| *sheet.get_pixel(GAP + column * STEP + 2, y)).collect()
        };
        assert!(edge(1).iter().all(|&p| p == GREEN) && edge(3).iter().all(|&p| p == GREY));
        let strokes = edge(2).iter().filter(|&&p| p == ORANGE).count();
        let spaces = edge(2).iter().filter(|&&p| p == WHITE).count();
        assert!(strokes + spaces == 160 && (70..=90).contains(&strokes), "{strokes} and {spaces}");
        // The signs after the rank differ.
        let sign = |column: u32| -> Vec<bool> {
            let at = |i: u32| sheet.get_pixel(GAP + column * STEP + FRAME + 24 + i % 12, GAP + 4 + i / 12);
            (0..12 * 14).map(|i| *at(i) == WHITE).collect()
        };
        assert!(sign(1) != sign(2) && sign(2) != sign(3) && sign(1) != sign(3));
        assert!([1, 2, 3].iter().all(|&column| sign(column).contains(&true)));
    }

    #[test]
    fn every_spectrum_is_seen() {
        let sheet = ranked_sheet(&two_searches());
        let at = |spectrum: u32| *sheet.get_pixel(GAP + FRAME + 80, GAP + BAR + 80 * spectrum + 40);
        assert_eq!([at(0), at(1)], [Rgb([255, 51, 51]), Rgb([153; 3])]);
    }

    #[test]
    fn long_captions_are_small() {
        let height =
            |line: &str| ranked_sheet(&[Row { query: shot(0.5, &[line]), found: Vec::new() }]).height();
        assert_eq!(height("fourteen lette"), height("fourteen letters are too many") + 10);
    }

    #[test]
    fn a_sheet_is_written_as_a_picture_and_a_folder_that_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sheet.png");
        write_ranked_sheet(&file, &two_searches()).unwrap();
        assert_eq!(image::open(&file).unwrap().into_rgb8(), ranked_sheet(&two_searches()));
        let missing = folder.path().join("none").join("sheet.png");
        let message = format!("{:#}", write_ranked_sheet(&missing, &two_searches()).unwrap_err());
        assert!(message.contains("cannot write"), "{message}");
    }
}
