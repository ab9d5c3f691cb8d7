//! Depth in other people's formats, rewritten once in the loader's convention.

use std::fmt;
use std::fs;
use std::path::Path;

use crate::depth::{DepthFormat, range, to_convention, valid_values};
use crate::error::DataError;
use crate::image_io::{Grey, read_grey, to_u8, write_grey};
use crate::numpy;

/// What [`import_depth`] found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ImportStats {
    /// Rows of the map.
    pub height: usize,
    /// Columns of the map.
    pub width: usize,
    /// How the file was read.
    pub format: DepthFormat,
    /// Share of pixels that hold a measurement, in (0, 1].
    pub valid: f32,
    /// Smallest valid value, in the file's unit.
    pub min: f32,
    /// Largest valid value, in the file's unit.
    pub max: f32,
}

impl fmt::Display for ImportStats {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let ImportStats { height, width, format, valid, min, max } = self;
        write!(f, "{height} x {width} (height x width), read as {format}: {:.1}% valid, ", 100.0 * valid)?;
        write!(f, "stored values {min} to {max}")
    }
}

/// Rewrites a depth file as an 8-bit PNG in the loader's convention: near is bright, 0 is missing, and the farthest
/// valid pixel is 8. Reading that PNG as [`DepthFormat::NearBright`] gives the same map again.
///
/// Accepts 8- and 16-bit pictures, and `.npy` or `.npz` files of f32, f64, u8 or u16 (of an archive, the first
/// array). Without a `format`, 16-bit pictures and `.npy` files are taken for distances (`mm`), 8-bit pictures and
/// `.npz` files for disparities.
///
/// # Errors
/// If the input cannot be read, holds no valid pixel, or the output cannot be written.
pub fn import_depth(
    input: &Path,
    format: Option<DepthFormat>,
    output: &Path,
) -> Result<ImportStats, DataError> {
    let (stored, usual_format) = read_stored(input)?;
    let format = format.unwrap_or(usual_format);
    let stats =
        measure(&stored, format).ok_or_else(|| DataError::NoValidDepth { path: input.to_owned(), format })?;
    write_grey(output, to_convention(&stored, format).mapv(to_u8).view())?;
    Ok(stats)
}

/// The stored values, `[H, W]`, and the format such a file usually has. Files are told apart by their first bytes.
fn read_stored(input: &Path) -> Result<(Grey, DepthFormat), DataError> {
    let bytes = fs::read(input).map_err(DataError::read(input))?;
    if numpy::is_npz(&bytes) {
        return Ok((numpy::read_npz(input, &bytes)?, DepthFormat::Disparity));
    }
    if numpy::is_npy(&bytes) {
        return Ok((numpy::read_npy(input, &bytes)?, DepthFormat::Mm));
    }
    let stored = read_grey(input)?;
    let format = if stored.full_scale > 255.0 { DepthFormat::Mm } else { DepthFormat::Disparity };
    Ok((stored, format))
}

/// `None` if nothing is valid.
fn measure(stored: &Grey, format: DepthFormat) -> Option<ImportStats> {
    let (height, width) = stored.values.dim();
    let count = valid_values(stored, format).count();
    let (min, max) = range(valid_values(stored, format));
    let valid = count as f32 / (height * width) as f32;
    (count > 0).then_some(ImportStats { height, width, format, valid, min, max })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageBuffer, Luma};
    use ndarray::{Array2, Array3, array};
    use ndarray_npy::WriteNpyExt;
    use std::io::Write;
    use std::path::PathBuf;
    use tempfile::TempDir;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    fn file(dir: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn npy(array: &impl WriteNpyExt) -> Vec<u8> {
        let mut bytes = Vec::new();
        array.write_npy(&mut bytes).unwrap();
        bytes
    }

    fn npz(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut archive = ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, bytes) in members {
            archive.start_file(*name, SimpleFileOptions::default()).unwrap();
            archive.write_all(bytes).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    /// Imports and reads the result back as levels.
    fn import(dir: &TempDir, input: &Path, format: Option<DepthFormat>) -> (ImportStats, Array2<f32>) {
        let output = dir.path().join("out.png");
        let stats = import_depth(input, format, &output).unwrap();
        (stats, read_grey(&output).unwrap().values)
    }

    #[test]
    fn sixteen_bit_millimetres() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("depth.png");
        ImageBuffer::<Luma<u16>, _>::from_raw(2, 2, vec![0u16, 2000, 1000, 1333])
            .unwrap()
            .save(&path)
            .unwrap();
        let (stats, levels) = import(&dir, &path, None);
        let expected = ImportStats {
            height: 2,
            width: 2,
            format: DepthFormat::Mm,
            valid: 0.75,
            min: 1000.0,
            max: 2000.0,
        };
        assert_eq!(stats, expected);
        // In 1/z, 4/3 m is half-way: 8 + 247 / 2 = 131.5. 1333 mm is a hair nearer.
        assert_eq!(levels, array![[0.0, 8.0], [255.0, 132.0]]);
    }

    #[test]
    fn disparity_in_an_archive_with_infinities() {
        let dir = tempfile::tempdir().unwrap();
        let single = array![[f32::INFINITY, 10.0, 30.0], [20.0, f32::NAN, 0.0]];
        let double = single.mapv(f64::from);
        let expected = array![[0.0, 8.0, 255.0], [132.0, 0.0, 0.0]];
        for (name, bytes) in [("single.npz", npy(&single)), ("double.npz", npy(&double))] {
            let second = npy(&array![[1.0f32]]);
            let path = file(&dir, name, &npz(&[("left.npy", bytes), ("other.npy", second)]));
            let (stats, levels) = import(&dir, &path, None);
            assert_eq!(
                (stats.format, stats.valid, stats.min, stats.max),
                (DepthFormat::Disparity, 0.5, 10.0, 30.0)
            );
            assert_eq!(levels, expected, "{name}");
        }
    }

    #[test]
    fn float_depth_in_metres_and_integer_arrays() {
        let dir = tempfile::tempdir().unwrap();
        let metres = file(&dir, "metres.npy", &npy(&array![[1.0f32, 2.0, f32::NAN]]));
        assert_eq!(import(&dir, &metres, None).1, array![[255.0, 8.0, 0.0]]);
        let column_major = npy(&array![[1.0f64, 2.0], [4.0, 4.0]].reversed_axes());
        let turned = file(&dir, "turned.npy", &column_major);
        assert_eq!(
            import(&dir, &turned, Some(DepthFormat::NearBright)).1,
            array![[8.0, 255.0], [90.0, 255.0]]
        );
        let millimetres = file(&dir, "mm.npy", &npy(&array![[1000u16, 0, 2000]]));
        assert_eq!(import(&dir, &millimetres, None).1, array![[255.0, 0.0, 8.0]]);
        let inverted = file(&dir, "inverted.npy", &npy(&array![[0u8, 254, 255]]));
        assert_eq!(import(&dir, &inverted, Some(DepthFormat::FarBright)).1, array![[255.0, 8.0, 0.0]]);
        let batch =
            file(&dir, "batch.npy", &npy(&Array3::from_shape_fn((1, 1, 2), |(_, _, x)| x as f32 + 1.0)));
        assert_eq!(import(&dir, &batch, Some(DepthFormat::Disparity)).1, array![[8.0, 255.0]]);
    }

    #[test]
    fn the_report_reads_well() {
        let dir = tempfile::tempdir().unwrap();
        let path = file(&dir, "a.npy", &npy(&array![[0.0f32, 1.5], [2.0, 3.0]]));
        let text = import(&dir, &path, None).0.to_string();
        assert_eq!(text, "2 x 2 (height x width), read as mm: 75.0% valid, stored values 1.5 to 3");
    }

    #[test]
    fn errors_name_the_file_and_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        let whole = npz(&[("a.npy", npy(&array![[1.0f32, 2.0]]))]);
        let cases = [
            ("integers.npy", npy(&array![[1i64, 2]]), "none of f32"),
            ("cube.npy", npy(&Array3::<f32>::ones((2, 2, 2))), "[2, 2, 2]"),
            ("line.npy", npy(&array![1.0f32, 2.0]), "[2]"),
            ("empty.npz", npz(&[]), "empty.npz"),
            ("half.npz", whole[..whole.len() / 2].to_vec(), "half.npz"),
            ("half.npy", npy(&array![[1.0f32, 2.0]])[..100].to_vec(), "half.npy"),
            ("blank.npy", npy(&Array2::<f32>::zeros((3, 3))), "no valid depth when read as mm"),
            ("words.txt", b"one two three four".to_vec(), "words.txt"),
        ];
        for (name, bytes, reason) in cases {
            let path = file(&dir, name, &bytes);
            let message = import_depth(&path, None, &dir.path().join("out.png")).unwrap_err().to_string();
            assert!(message.contains(name) && message.contains(reason), "{message}");
        }
        assert!(!dir.path().join("out.png").exists());
    }
}
