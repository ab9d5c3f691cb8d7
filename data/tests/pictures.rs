//! The kinds of files that public sets hold, each read as what it shows. The files in `pictures/` were written by
//! Pillow 13 (the interlaced one by hand), the expected values are what Pillow decodes.

use std::fs;
use std::path::{Path, PathBuf};

use data::image_io::{read_grey, read_mask, read_rgb, read_size};
use image::{GrayImage, Luma};
use ndarray::{Array2, array};

fn picture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures").join(name)
}

/// The colour at (y, x) in 0 to 255.
fn colour(name: &str, y: usize, x: usize) -> [f32; 3] {
    let rgb = read_rgb(&picture(name)).unwrap();
    [0, 1, 2].map(|c| (rgb[[c, y, x]] * 255.0).round())
}

#[test]
fn palettes_of_eight_four_and_one_bit_are_expanded() {
    // Entry i of the palette is (7 i, 31 i, 255 - i), modulo 256.
    let entry = |i: usize| [i * 7 % 256, i * 31 % 256, 255 - i].map(|v| v as f32);
    for (y, x) in [(0, 0), (5, 7), (8, 12)] {
        assert_eq!(colour("palette8.png", y, x), entry(y * 13 + x));
        assert_eq!(colour("palette4.png", y, x), entry((y * 3 + x) % 16));
        // A transparent entry keeps its colour.
        assert_eq!(colour("palette_alpha.png", y, x), entry((y * 3 + x) % 16));
    }
    assert_eq!(colour("palette_alpha.png", 0, 3), entry(3));
    // Two colours, one bit a pixel: red, blue.
    let path = picture("palette1.png");
    assert_eq!(read_rgb(&path).unwrap(), array![[[1.0, 0.0]], [[0.0, 0.0]], [[0.0, 1.0]]]);
    assert_eq!(read_grey(&path).unwrap().values, array![[76.0, 29.0]]);
}

#[test]
fn a_mask_of_one_bit_is_a_mask() {
    let checkers = Array2::from_shape_fn((9, 13), |(y, x)| if (y + x) % 2 == 0 { 1.0 } else { 0.0 });
    assert_eq!(read_mask(&picture("onebit.png")).unwrap(), checkers);
}

#[test]
fn an_interlaced_depth_of_sixteen_bits_keeps_every_bit() {
    let grey = read_grey(&picture("interlaced16.png")).unwrap();
    assert_eq!(grey.full_scale, 65535.0);
    assert_eq!(grey.values, Array2::from_shape_fn((9, 13), |(y, x)| (y * 4000 + x * 300) as f32));
    assert_eq!(read_size(&picture("interlaced16.png")).unwrap(), (9, 13));
}

#[test]
fn jpegs_progressive_grey_and_in_printing_colours() {
    for (name, left, right) in [
        ("progressive.jpg", [200.0, 40.0, 90.0], [20.0, 160.0, 220.0]),
        ("cmyk.jpg", [200.0, 40.0, 90.0], [20.0, 160.0, 220.0]),
        ("grey.jpg", [94.0; 3], [125.0; 3]),
    ] {
        for (x, expected) in [(4, left), (28, right)] {
            let found = colour(name, 8, x);
            let close = found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 2.0);
            assert!(close, "{name}: {found:?} is not {expected:?}");
        }
    }
}

#[test]
fn depth_stored_as_grey_colours_is_its_grey() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("depth.png");
    let image = image::RgbImage::from_fn(256, 1, |x, _| image::Rgb([x as u8; 3]));
    image.save(&path).unwrap();
    let grey = read_grey(&path).unwrap();
    assert_eq!((grey.full_scale, grey.values), (255.0, Array2::from_shape_fn((1, 256), |(_, x)| x as f32)));
}

/// A JPEG with an EXIF block that holds only this orientation.
fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let block =
        [b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice(), &[orientation], &[0; 7]]
            .concat();
    let header = [0xFF, 0xE1, 0, (block.len() + 2) as u8];
    [&jpeg[..2], &header, &block, &jpeg[2..]].concat()
}

#[test]
fn all_eight_exif_orientations_turn_the_picture_and_its_size() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("turned.jpg");
    // Quarters 0 1 over 2 3, in four greys; 32 wide, 16 high.
    let image = GrayImage::from_fn(32, 16, |x, y| Luma([(80 * (x / 16 + 2 * (y / 8))) as u8]));
    image.save(&path).unwrap();
    let stored = fs::read(&path).unwrap();
    for (orientation, upright) in [
        (1, [[0, 1], [2, 3]]),
        (2, [[1, 0], [3, 2]]),
        (3, [[3, 2], [1, 0]]),
        (4, [[2, 3], [0, 1]]),
        (5, [[0, 2], [1, 3]]),
        (6, [[2, 0], [3, 1]]),
        (7, [[3, 1], [2, 0]]),
        (8, [[1, 3], [0, 2]]),
    ] {
        fs::write(&path, with_orientation(&stored, orientation)).unwrap();
        let (height, width) = if orientation < 5 { (16, 32) } else { (32, 16) };
        assert_eq!(read_size(&path).unwrap(), (height, width), "orientation {orientation}");
        let grey = read_grey(&path).unwrap().values;
        assert_eq!(grey.dim(), (height, width), "orientation {orientation}");
        let quarter = |y: usize, x: usize| {
            (grey[[height * (1 + 2 * y) / 4, width * (1 + 2 * x) / 4]] / 80.0).round() as i32
        };
        let found = [[quarter(0, 0), quarter(0, 1)], [quarter(1, 0), quarter(1, 1)]];
        assert_eq!(found, upright, "orientation {orientation}");
    }
}
