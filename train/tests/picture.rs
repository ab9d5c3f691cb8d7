//! Picture sheets and overlays: sizes, and the pixels that matter.

use image::{Rgb, RgbImage};
use ndarray::{Array2, Array3, array};
use train::picture::{Tile, grey_picture, grid, heat_colour, heat_overlay, rgb_picture};

const WHITE: Rgb<u8> = Rgb([255; 3]);
const BLACK: Rgb<u8> = Rgb([0; 3]);
const RED: Rgb<u8> = Rgb([200, 0, 0]);

fn red(width: u32, height: u32) -> RgbImage {
    RgbImage::from_pixel(width, height, RED)
}

#[test]
fn tiles_without_labels_stand_a_gap_apart() {
    let sheet =
        grid(&[vec![Tile::new("", red(10, 6)), Tile::new("", red(4, 8))], vec![Tile::new("", red(3, 5))]], 2);
    assert_eq!(sheet.dimensions(), (2 + 10 + 2 + 4 + 2, 2 + 8 + 2 + 5 + 2));
    assert_eq!(sheet.pixels().filter(|&&p| p == RED).count(), 10 * 6 + 4 * 8 + 3 * 5);
    for (x, y, expected) in [
        (1, 2, WHITE),
        (2, 2, RED),
        (11, 7, RED),
        (11, 8, WHITE), // The first tile is lower than its row.
        (12, 2, WHITE),
        (14, 9, RED),
        (2, 12, RED),
        (5, 12, WHITE),
    ] {
        assert_eq!(*sheet.get_pixel(x, y), expected, "at ({x}, {y})");
    }
}

#[test]
fn a_label_stands_above_its_tile_as_large_as_fits() {
    // Four letters are 23 dots wide: 69 pixels at scale 3, 46 at scale 2, 23 at scale 1.
    for (width, scale) in [(80, 3), (69, 3), (68, 2), (46, 2), (45, 1), (10, 1)] {
        let sheet = grid(&[vec![Tile::new("IIII", red(width, 20))]], 4);
        assert_eq!(sheet.dimensions(), (4 + width + 4, 4 + 10 * scale + 20 + 4), "width {width}");
        let ink: Vec<(u32, u32)> =
            sheet.enumerate_pixels().filter(|p| *p.2 == BLACK).map(|(x, y, _)| (x, y)).collect();
        assert_eq!(ink.iter().map(|p| p.1).min(), Some(4), "width {width}");
        assert_eq!(ink.iter().map(|p| p.1).max(), Some(4 + 7 * scale - 1), "width {width}");
        assert!(ink.iter().all(|&(x, _)| x < 4 + width), "the label leaves its tile of width {width}");
        assert_eq!(*sheet.get_pixel(4, 4 + 10 * scale), RED);
    }
}

#[test]
#[should_panic(expected = "at least one tile")]
fn a_grid_of_nothing_is_refused() {
    grid(&[Vec::new()], 2);
}

#[test]
fn arrays_become_pictures() {
    let rgb = Array3::from_shape_fn((3, 2, 3), |(c, y, x)| c as f32 * 0.5 + 0.1 * y as f32 + 0.01 * x as f32);
    let picture = rgb_picture(rgb.view());
    assert_eq!(picture.dimensions(), (3, 2));
    // 0.12 and 0.62 of 255, and 1.12 cut off at 1.
    assert_eq!(*picture.get_pixel(2, 1), Rgb([31, 158, 255]));
    let grey = grey_picture(array![[0.0, 0.2, 1.0], [-1.0, 0.5, 2.0]].view());
    assert_eq!(grey.dimensions(), (3, 2));
    let bytes: Vec<u8> = grey.pixels().map(|p| p.0[0]).collect();
    assert_eq!(bytes, [0, 51, 255, 0, 128, 255]);
}

/// What an overlay shows where the picture is black and the map has the value `t`.
fn on_black(t: f32) -> [u8; 3] {
    heat_colour(t).0.map(|channel| (0.65 * f32::from(channel)).round() as u8)
}

#[test]
fn an_overlay_is_stretched_and_enlarged_bilinearly() {
    let picture = heat_overlay(Array3::zeros((3, 8, 16)).view(), array![[3.0, 5.0]].view(), None);
    assert_eq!(picture.dimensions(), (16, 8));
    // Cell centres lie at x = 3.5 and 11.5; beyond them the map is constant.
    for (x, t) in [(0, 0.0), (3, 0.0), (5, 1.5 / 8.0), (8, 4.5 / 8.0), (12, 1.0), (15, 1.0)] {
        for y in [0, 7] {
            assert_eq!(picture.get_pixel(x, y).0, on_black(t), "at ({x}, {y})");
        }
    }
}

#[test]
fn the_picture_shows_through_in_grey() {
    let mut rgb = Array3::zeros((3, 4, 4));
    rgb[[1, 0, 0]] = 1.0;
    let map = Array2::from_elem((2, 2), 0.3);
    let picture = heat_overlay(rgb.view(), map.view(), None);
    assert_eq!(picture.get_pixel(1, 0).0, on_black(0.0), "a constant map is the lowest colour");
    for channel in 0..3 {
        let added =
            i32::from(picture.get_pixel(0, 0).0[channel]) - i32::from(picture.get_pixel(1, 0).0[channel]);
        // 0.35 of green's grey, 0.587.
        assert!((added - 52).abs() <= 1, "channel {channel} gained {added}");
    }
}

#[test]
fn the_query_is_framed_in_white_and_black() {
    let map = Array2::zeros((4, 5));
    let plain = heat_overlay(Array3::zeros((3, 40, 50)).view(), map.view(), None);
    let framed = heat_overlay(Array3::zeros((3, 40, 50)).view(), map.view(), Some((1, 3)));
    // The cell covers x 30..40 and y 10..20.
    for (x, y, expected) in
        [(29, 15, WHITE), (28, 15, BLACK), (40, 20, WHITE), (41, 21, BLACK), (35, 9, WHITE)]
    {
        assert_eq!(*framed.get_pixel(x, y), expected, "at ({x}, {y})");
    }
    let changed = plain.pixels().zip(framed.pixels()).filter(|(a, b)| a != b).count();
    assert_eq!(changed, 14 * 14 - 10 * 10);
    // In a corner the frame is cut off.
    let corner = heat_overlay(Array3::zeros((3, 40, 50)).view(), map.view(), Some((3, 4)));
    assert_eq!(*corner.get_pixel(39, 39), WHITE);
    assert_eq!(corner.get_pixel(49, 39), plain.get_pixel(49, 39));
}

#[test]
#[should_panic(expected = "cell (4, 0) is not in a map of 4 x 5")]
fn a_query_outside_the_map_is_refused() {
    heat_overlay(Array3::zeros((3, 8, 8)).view(), Array2::zeros((4, 5)).view(), Some((4, 0)));
}
