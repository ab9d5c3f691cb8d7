//! Pictures from and to files.
//!
//! Files are recognised by their content, not their extension, because public data sets contain JPEGs named `.png`.
//! Transparency is ignored, palettes are expanded, and a picture is turned the way its EXIF orientation asks.

use std::fs::{self, File};
use std::io::{BufWriter, Cursor, Write};
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageError, ImageReader, Limits};
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis};

use crate::error::DataError;

/// One channel as a file stores it.
#[derive(Clone, Debug, PartialEq)]
pub struct Grey {
    /// The stored numbers, `[H, W]`.
    pub values: Array2<f32>,
    /// The largest number the file could hold: 255, 65535, or infinity for a file of floats.
    pub full_scale: f32,
}

/// Whether a file is called PNG or JPEG, in any case.
pub fn is_picture(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    ["png", "jpg", "jpeg"].contains(&extension.as_str())
}

/// Reads a colour picture as `[3, H, W]` in [0, 1]. A grey picture gives three equal channels.
///
/// # Errors
/// If the file is missing, cut short, or neither PNG nor JPEG.
pub fn read_rgb(path: &Path) -> Result<Array3<f32>, DataError> {
    let Pixels { values, full_scale } = Pixels::read(path)?; // [H, W, 3]
    Ok(values
        .permuted_axes([2, 0, 1])
        .mapv(|v| f32::from(v) / f32::from(full_scale))
        .as_standard_layout()
        .into_owned())
}

/// Reads one channel as stored, `[H, W]`, 8 or 16 bits deep. Colours become PIL's and OpenCV's luma.
///
/// # Errors
/// As [`read_rgb`].
pub fn read_grey(path: &Path) -> Result<Grey, DataError> {
    let Pixels { values, full_scale } = Pixels::read(path)?; // [H, W, 3]
    let luma = values.map_axis(Axis(2), |rgb| luma(rgb[0].into(), rgb[1].into(), rgb[2].into()) as f32);
    Ok(Grey { values: luma, full_scale: full_scale.into() })
}

/// Reads a mask, `[H, W]`: 1 where the grey value is above 128 of 255 (the threshold of the published metrics), else 0.
///
/// # Errors
/// As [`read_rgb`].
pub fn read_mask(path: &Path) -> Result<Array2<f32>, DataError> {
    let Grey { values, full_scale } = read_grey(path)?;
    Ok(values.mapv(|v| if v * 255.0 > 128.0 * full_scale { 1.0 } else { 0.0 }))
}

/// (H, W) of a picture once turned upright, from its header alone.
///
/// # Errors
/// If the file is missing or its header is neither PNG's nor JPEG's.
pub fn read_size(path: &Path) -> Result<(usize, usize), DataError> {
    let reader =
        ImageReader::open(path).and_then(ImageReader::with_guessed_format).map_err(DataError::read(path))?;
    let mut decoder = reader.into_decoder().map_err(DataError::decode(path))?;
    let (width, height) = decoder.dimensions();
    let (height, width) = (height as usize, width as usize);
    Ok(if swaps_sides(orientation(&mut decoder)) { (width, height) } else { (height, width) })
}

/// Writes `[H, W]` grey values as an 8-bit PNG. A reader never sees half a file: the picture is written beside its
/// place and then renamed.
///
/// # Errors
/// If the folder is missing or cannot be written to.
pub fn write_grey(path: &Path, grey: ArrayView2<u8>) -> Result<(), DataError> {
    let (height, width) = grey.dim();
    let bytes: Vec<u8> = grey.iter().copied().collect();
    write_png(path, &bytes, (height, width), ExtendedColorType::L8)
}

/// Writes `[3, H, W]` colours in [0, 1] as an 8-bit PNG, the way of [`write_grey`].
///
/// # Errors
/// As [`write_grey`].
///
/// # Panics
/// If there are not three channels.
pub fn write_rgb(path: &Path, rgb: ArrayView3<f32>) -> Result<(), DataError> {
    let (channels, height, width) = rgb.dim();
    assert_eq!(channels, 3, "write_rgb expects [3, H, W], found [{channels}, {height}, {width}]");
    let bytes: Vec<u8> = rgb.permuted_axes([1, 2, 0]).iter().map(|&v| to_u8(v)).collect();
    write_png(path, &bytes, (height, width), ExtendedColorType::Rgb8)
}

/// Writes `[3, H, W]` as an 8-bit JPEG whose artefacts stay below a camera's noise. Values outside [0, 1] are clipped.
///
/// # Errors
/// If the file cannot be written.
///
/// # Panics
/// If there are not three channels.
pub fn write_jpeg(path: &Path, rgb: ArrayView3<f32>) -> Result<(), DataError> {
    const QUALITY: u8 = 92;
    let (channels, height, width) = rgb.dim();
    assert_eq!(channels, 3, "write_jpeg expects [3, H, W], found [{channels}, {height}, {width}]");
    let bytes: Vec<u8> = rgb.permuted_axes([1, 2, 0]).iter().map(|&v| to_u8(v)).collect();
    let write = || -> Result<(), ImageError> {
        let mut file = BufWriter::new(File::create(path)?);
        let encoder = JpegEncoder::new_with_quality(&mut file, QUALITY);
        encoder.write_image(&bytes, width as u32, height as u32, ExtendedColorType::Rgb8)?;
        Ok(file.flush()?)
    };
    write().map_err(|cause| DataError::Write { path: path.to_owned(), cause })
}

/// A value in [0, 1] as one of 256 levels, rounded to the nearest; values outside are clipped.
pub fn to_u8(value: f32) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0).round() as u8
}

/// PIL's `L`: (299 R + 587 G + 114 B) / 1000 in 16-bit fixed point. The weights sum to 65536, so a grey stays itself,
/// and 16-bit colours still fit: 65535 · 65536 + 32768 < 2³².
fn luma(r: u32, g: u32, b: u32) -> u32 {
    (19595 * r + 38470 * g + 7471 * b + 0x8000) >> 16
}

/// A decoded, upright picture as integers.
struct Pixels {
    /// `[H, W, 3]`.
    values: Array3<u16>,
    /// 255 or 65535.
    full_scale: u16,
}

impl Pixels {
    fn read(path: &Path) -> Result<Pixels, DataError> {
        let bytes = fs::read(path).map_err(DataError::read(path))?;
        if is_cut_short(&bytes) {
            return Err(DataError::CutShort { path: path.to_owned() });
        }
        let image = decode(&bytes).map_err(DataError::decode(path))?;
        let shape = (image.height() as usize, image.width() as usize, 3);
        let sixteen_bits = image.color().bytes_per_pixel() / image.color().channel_count() == 2;
        let (values, full_scale) = if sixteen_bits {
            (image.into_rgb16().into_raw(), 65535)
        } else {
            (image.into_rgb8().into_raw().into_iter().map(u16::from).collect(), 255)
        };
        let values = Array3::from_shape_vec(shape, values).expect("a decoded picture has H * W * 3 values");
        Ok(Pixels { values, full_scale })
    }
}

fn decode(bytes: &[u8]) -> Result<DynamicImage, ImageError> {
    let mut decoder = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?.into_decoder()?;
    // A header may claim any size; refuse to allocate more than the crate's default (512 MiB) on its word.
    Limits::default().reserve(decoder.total_bytes())?;
    let orientation = orientation(&mut decoder);
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// The EXIF orientation; a broken EXIF block says nothing about the pixels, so it counts as none.
fn orientation(decoder: &mut impl ImageDecoder) -> Orientation {
    decoder.orientation().unwrap_or(Orientation::NoTransforms)
}

fn swaps_sides(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
}

/// Whether a JPEG lacks the end marker after its last scan. The decoder would fill the rest with grey and say
/// nothing; PNGs carry checksums and need no such help.
fn is_cut_short(bytes: &[u8]) -> bool {
    let last = |marker: [u8; 2]| bytes.windows(2).rposition(|pair| pair == marker);
    bytes.starts_with(&[0xFF, 0xD8]) && last([0xFF, 0xDA]) > last([0xFF, 0xD9])
}

fn write_png(
    path: &Path,
    bytes: &[u8],
    size: (usize, usize),
    color: ExtendedColorType,
) -> Result<(), DataError> {
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = encode(&temporary, bytes, size, color).and_then(|()| Ok(fs::rename(&temporary, path)?));
    written.map_err(|cause| {
        // Nothing more can be done if the leftover cannot be removed either; the first error is the one to report.
        let _ = fs::remove_file(&temporary);
        DataError::Write { path: path.to_owned(), cause }
    })
}

fn encode(
    path: &Path,
    bytes: &[u8],
    size: (usize, usize),
    color: ExtendedColorType,
) -> Result<(), ImageError> {
    let (height, width) = size;
    let mut file = BufWriter::new(File::create(path)?);
    PngEncoder::new(&mut file).write_image(bytes, width as u32, height as u32, color)?;
    Ok(file.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, ImageBuffer, Luma, LumaA, Rgb, RgbImage, Rgba};
    use ndarray::array;
    use tempfile::TempDir;

    fn folder() -> TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn luma_is_pils_and_not_rec_709() {
        // PIL.Image.new("RGB", (1, 1), c).convert("L") for these colours.
        assert_eq!([luma(255, 0, 0), luma(0, 255, 0), luma(0, 0, 255)], [76, 150, 29]);
        assert_eq!(luma(65535, 65535, 65535), 65535);
        assert!((0..=255).all(|v| luma(v, v, v) == v));
    }

    #[test]
    fn eight_and_sixteen_bits_colour_grey_and_alpha() {
        let dir = folder();
        let path = dir.path().join("a.png");
        let rgb = |path: &Path| read_rgb(path).unwrap().into_iter().collect::<Vec<_>>();

        RgbImage::from_raw(2, 1, vec![255, 0, 51, 0, 255, 102]).unwrap().save(&path).unwrap();
        assert_eq!(read_rgb(&path).unwrap(), array![[[1.0, 0.0]], [[0.0, 1.0]], [[0.2, 0.4]]]);
        assert_eq!(read_grey(&path).unwrap().values, array![[82.0, 161.0]]);

        ImageBuffer::from_pixel(1, 1, Rgba([255u8, 0, 0, 7])).save(&path).unwrap();
        assert_eq!(rgb(&path), [1.0, 0.0, 0.0]);
        assert_eq!(read_grey(&path).unwrap(), Grey { values: array![[76.0]], full_scale: 255.0 });

        ImageBuffer::from_pixel(1, 1, Rgb([65535u16, 0, 13107])).save(&path).unwrap();
        assert_eq!(rgb(&path), [1.0, 0.0, 0.2]);

        ImageBuffer::from_pixel(1, 1, Luma([1234u16])).save(&path).unwrap();
        assert_eq!(read_grey(&path).unwrap(), Grey { values: array![[1234.0]], full_scale: 65535.0 });

        ImageBuffer::from_pixel(1, 1, LumaA([51u8, 0])).save(&path).unwrap();
        assert_eq!(rgb(&path), [0.2, 0.2, 0.2]);
    }

    #[test]
    fn masks_are_cut_above_128_at_both_depths() {
        let dir = folder();
        let path = dir.path().join("m.png");
        GrayImage::from_raw(4, 1, vec![0, 128, 129, 255]).unwrap().save(&path).unwrap();
        assert_eq!(read_mask(&path).unwrap(), array![[0.0, 0.0, 1.0, 1.0]]);
        ImageBuffer::<Luma<u16>, _>::from_raw(2, 1, vec![128 * 257u16, 129 * 257])
            .unwrap()
            .save(&path)
            .unwrap();
        assert_eq!(read_mask(&path).unwrap(), array![[0.0, 1.0]]);
    }

    #[test]
    fn written_pictures_come_back_and_leave_no_temporary() {
        let dir = folder();
        let (grey, rgb) = (dir.path().join("grey.png"), dir.path().join("rgb.png"));
        let levels = Array2::from_shape_fn((3, 5), |(y, x)| (y * 50 + x) as u8);
        let colours = Array3::from_shape_fn((3, 2, 4), |(c, y, x)| (c * 80 + y * 10 + x) as f32 / 255.0);
        write_grey(&grey, levels.view()).unwrap();
        write_rgb(&rgb, colours.view()).unwrap();
        assert_eq!(read_grey(&grey).unwrap().values, levels.mapv(f32::from));
        assert_eq!(read_rgb(&rgb).unwrap(), colours);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn errors_name_the_file() {
        let dir = folder();
        let message = |name: &str| read_rgb(&dir.path().join(name)).unwrap_err().to_string();
        assert!(message("absent.png").contains("absent.png"));
        fs::write(dir.path().join("text.png"), "no picture at all, only words").unwrap();
        assert!(message("text.png").contains("text.png"));
        let nowhere = dir.path().join("no/such/folder/out.png");
        assert!(write_grey(&nowhere, array![[1u8]].view()).unwrap_err().to_string().contains("out.png"));
    }

    #[test]
    fn files_cut_short_are_refused() {
        let dir = folder();
        let noise = RgbImage::from_fn(64, 64, |x, y| {
            Rgb([((x * 37) ^ (y * 91)) as u8, (x * y) as u8, (x ^ y) as u8])
        });
        for name in ["cut.jpg", "cut.png"] {
            let path = dir.path().join(name);
            noise.save(&path).unwrap();
            assert!(read_rgb(&path).is_ok());
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len() * 2 / 3]).unwrap();
            assert!(read_rgb(&path).unwrap_err().to_string().contains(name));
        }
    }
}
