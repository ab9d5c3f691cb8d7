//! Photographs that surfaces may wear in place of procedural patterns.

use std::fs;
use std::path::{Path, PathBuf};

use image::imageops::{FilterType, resize};
use image::{ImageBuffer, Rgb};
use ndarray::Array2;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::texture::Palette;
use crate::error::DataError;
use crate::image_io::{is_picture, read_rgb};
use crate::raycast::vec3::{Vec3, vec3};
use crate::transform::{Tap, reflected};

/// Photographs are kept with so many pixels along their longer side: as a texture they are seen from metres away.
const SIDE: usize = 256;

/// Pictures from a folder, or none: then every surface is procedural.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Album {
    photos: Vec<Photo>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq)]
struct Photo {
    /// Colours, RGB in [0, 1], `[H, W]`.
    pixels: Array2<Vec3>,
    palette: Palette,
}

impl Album {
    /// Every PNG and JPEG of a folder that is not hidden, in the order of their names.
    ///
    /// # Errors
    /// If the folder cannot be listed or holds none, or if one of them cannot be read.
    pub fn open(folder: &Path) -> Result<Album, DataError> {
        let read = DataError::read(folder);
        let entries =
            fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
        let mut paths: Vec<PathBuf> = entries.map_err(read)?;
        paths.retain(|path| {
            let hidden = path.file_name().unwrap_or_default().to_string_lossy().starts_with('.');
            !hidden && is_picture(path)
        });
        paths.sort();
        if paths.is_empty() {
            return Err(DataError::NoPictures { path: folder.to_owned() });
        }
        Ok(Album { photos: paths.iter().map(|path| Photo::read(path)).collect::<Result<_, _>>()? })
    }

    /// The number of a random photograph, if there is any; an empty album draws nothing from `rng`.
    pub fn pick(&self, rng: &mut ChaCha8Rng) -> Option<usize> {
        (!self.photos.is_empty()).then(|| rng.random_range(0..self.photos.len()))
    }

    /// The mean colour of photograph `number`, and those of its darker and of its lighter pixels.
    pub fn palette(&self, number: usize) -> Palette {
        self.photos[number].palette
    }

    /// Photograph `number` at (x, y), y up, where its longer side is 1 long; beyond its edges it is mirrored.
    pub fn colour(&self, number: usize, x: f32, y: f32) -> Vec3 {
        let pixels = &self.photos[number].pixels;
        let (height, width) = pixels.dim();
        let side = height.max(width) as f32;
        let tap = |distance: f32, side: usize| Tap::at(reflected(distance, side), side);
        let (row, column) = (tap(-y * side, height), tap(x * side, width));
        let along = |row: usize| pixels[[row, column.low]].mix(pixels[[row, column.high]], column.share);
        along(row.low).mix(along(row.high), row.share)
    }
}

impl Photo {
    fn read(path: &Path) -> Result<Photo, DataError> {
        let rgb = read_rgb(path)?; // [3, H, W]
        let (_, height, width) = rgb.dim();
        let buffer = ImageBuffer::from_fn(width as u32, height as u32, |x, y| {
            Rgb([0, 1, 2].map(|c| rgb[[c, y as usize, x as usize]]))
        });
        let scale = (SIDE as f32 / height.max(width) as f32).min(1.0);
        let shrunk = |side: usize| ((side as f32 * scale).round() as u32).max(1);
        let small = resize(&buffer, shrunk(width), shrunk(height), FilterType::Triangle);
        let size = (small.height() as usize, small.width() as usize);
        let pixels = Array2::from_shape_fn(size, |(y, x)| {
            let [r, g, b] = small.get_pixel(x as u32, y as u32).0;
            vec3(r, g, b)
        });
        Ok(Photo { palette: palette(&pixels), pixels })
    }
}

/// The mean colour, and the means of the pixels darker and lighter than it.
fn palette(pixels: &Array2<Vec3>) -> Palette {
    let brightness = |colour: &Vec3| colour.array().iter().sum::<f32>();
    let mean = |chosen: &dyn Fn(&Vec3) -> bool| {
        let found: Vec<&Vec3> = pixels.iter().filter(|colour| chosen(colour)).collect();
        let sum = found.iter().fold(Vec3::splat(0.0), |sum, &&colour| sum + colour);
        (!found.is_empty()).then(|| sum * (1.0 / found.len() as f32))
    };
    let all = mean(&|_| true).expect("a picture has pixels");
    let dark = mean(&|colour| brightness(colour) < brightness(&all));
    let light = mean(&|colour| brightness(colour) > brightness(&all));
    [all, dark.unwrap_or(all), light.unwrap_or(all)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use autograd::random::Key;

    fn album(pixels: Array2<Vec3>) -> Album {
        Album { photos: vec![Photo { palette: palette(&pixels), pixels }] }
    }

    #[test]
    fn a_photograph_goes_back_and_forth() {
        // Two rows of four pixels: the row is the green channel, the column the red one.
        let album = album(Array2::from_shape_fn((2, 4), |(y, x)| vec3(x as f32, y as f32, 0.0)));
        let at = |x: f32, y: f32| album.colour(0, x, y).array();
        assert_eq!(at(0.125, -0.125), [0.0, 0.0, 0.0]); // the centre of the pixel on the upper left
        assert_eq!(at(0.375, -0.125), [1.0, 0.0, 0.0]);
        assert_eq!(at(0.25, -0.25), [0.5, 0.5, 0.0]); // between four of them
        assert_eq!(at(0.875, -0.375), [3.0, 1.0, 0.0]);
        for (x, y) in [(0.3, -0.2), (0.71, -0.44), (0.02, -0.01)] {
            let expected = at(x, y);
            for (mx, my) in [(-x, y), (2.0 - x, y), (x + 2.0, y), (x, -y), (x, y + 1.0), (x - 4.0, -1.0 - y)]
            {
                let found = at(mx, my);
                let close = expected.iter().zip(found).all(|(a, b)| (a - b).abs() < 1e-4);
                assert!(close, "({x}, {y}) {expected:?}, ({mx}, {my}) {found:?}");
            }
        }
    }

    #[test]
    fn palettes_are_means() {
        let grey = |v: f32| Vec3::splat(v);
        let album = album(Array2::from_shape_vec((1, 4), [0.0, 0.25, 0.75, 1.0].map(grey).to_vec()).unwrap());
        assert_eq!(album.palette(0).map(|colour| colour.array()[0]), [0.5, 0.125, 0.875]);
        assert_eq!(palette(&Array2::from_elem((2, 2), grey(0.5))).map(|c| c.array()[1]), [0.5; 3]);
    }

    #[test]
    fn an_empty_album_draws_nothing() {
        let (mut rng, mut other) = (Key::default().rng(1), Key::default().rng(1));
        assert_eq!(Album::default().pick(&mut rng), None);
        assert_eq!(rng.random::<u64>(), other.random::<u64>());
    }

    #[test]
    fn pictures_are_read_in_the_order_of_their_names_and_shrunk() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        assert!(Album::open(folder.path()).unwrap_err().to_string().contains("no PNG or JPEG"));
        crate::image_io::write_rgb(&path("b.png"), ndarray::Array3::from_elem((3, 4, 4), 1.0).view())
            .unwrap();
        crate::image_io::write_rgb(&path("a.png"), ndarray::Array3::zeros((3, 300, 600)).view()).unwrap();
        let album = Album::open(folder.path()).unwrap();
        assert_eq!(album.photos[0].pixels.dim(), (128, 256));
        assert_eq!(album.colour(1, 0.4, 0.9).array(), [1.0; 3]);
        assert!(Album::open(&path("absent")).unwrap_err().to_string().contains("absent"));
    }
}
