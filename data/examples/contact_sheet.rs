//! Draws scenes side by side (colour, depth, mask) into one PNG:
//! `cargo run -p data --example contact_sheet -- out.png [seed] [first] [size]`.

use data::Sample;
use data::scenes::{SceneKind, render_kind};
use image::{Rgb, RgbImage};

/// Scenes per row and rows; the kinds take turns.
const ACROSS: u32 = 4;
const DOWN: u32 = 6;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = arguments.first().ok_or("name the PNG to write")?;
    let number =
        |place: usize, otherwise: u64| arguments.get(place).map_or(Ok(otherwise), |text| text.parse());
    let (seed, first, size) = (number(1, 0)?, number(2, 0)?, number(3, 128)?);

    let mut sheet = RgbImage::new(ACROSS * 3 * size as u32, DOWN * size as u32);
    for place in 0..ACROSS * DOWN {
        let kind = SceneKind::ALL[(place / ACROSS) as usize % SceneKind::ALL.len()];
        let scene = render_kind(kind, seed, first + u64::from(place), size as usize);
        paste(&mut sheet, &scene.sample, place % ACROSS * 3 * size as u32, place / ACROSS * size as u32);
    }
    sheet.save(path)?;
    Ok(())
}

/// Colour, depth and mask of one sample, from left to right.
fn paste(sheet: &mut RgbImage, sample: &Sample, left: u32, top: u32) {
    let (height, width) = sample.depth.dim();
    let byte = |value: f32| (value * 255.0).round() as u8;
    for (row, column) in (0..height).flat_map(|row| (0..width).map(move |column| (row, column))) {
        let colour = [0, 1, 2].map(|channel| byte(sample.rgb[[channel, row, column]]));
        let depth = [byte(sample.depth[[row, column]]); 3];
        let mask = [byte(sample.mask[[row, column]]); 3];
        for (panel, pixel) in [colour, depth, mask].into_iter().enumerate() {
            sheet.put_pixel(left + (panel * width + column) as u32, top + row as u32, Rgb(pixel));
        }
    }
}
