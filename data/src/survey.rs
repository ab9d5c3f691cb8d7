//! A look at every picture of a data set before a run: what is wrong, what is odd, and what it holds.

use std::fmt;
use std::path::Path;

use ndarray::Array2;
use rayon::prelude::*;

use crate::depth::{DepthFormat, range};
use crate::error::DataError;
use crate::image_io::{Grey, read_grey};
use crate::layout::RgbdFolder;
use crate::sample::Sample;
use crate::transform::mask_at;

/// What [`survey`] found.
#[derive(Clone, Debug)]
pub struct Survey {
    /// How its depth was read.
    pub format: DepthFormat,
    /// What is wrong, a sentence each: first what keeps a picture from being used, then what makes it useless.
    pub problems: Vec<String>,
    /// The pictures that can be read and have an object and depth, in order.
    pub fine: Vec<Facts>,
}

/// What one picture holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// The sample.
    pub name: String,
    /// (H, W) of the colour picture.
    pub size: (usize, usize),
    /// Whether depth or mask have another size.
    pub resized: bool,
    /// Share of the mask that is foreground, in (0, 1].
    pub foreground: f32,
    /// Share of the depth that is missing, in [0, 1).
    pub missing: f32,
    /// Whether the mask file holds greys that are clearly neither black nor white.
    pub grey_mask: bool,
    /// Mean depth of the object minus that of the rest, above 0 where the object is nearer; `None` where one of them
    /// has no depth.
    pub nearer: Option<f32>,
}

/// Reads every picture of a data set, or those of a `list`, and gathers its faults; [`RgbdFolder::open`] describes the
/// arguments.
pub fn survey(dir: &Path, format: DepthFormat, list: Option<&Path>) -> Survey {
    let (set, problems) = RgbdFolder::open_sound(dir, format, list);
    let mut problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let looks: Vec<Result<Facts, String>> = (0..set.len()).into_par_iter().map(|i| look(&set, i)).collect();
    let mut fine = Vec::new();
    for look in looks {
        match look {
            Ok(facts) => fine.push(facts),
            Err(problem) => problems.push(problem),
        }
    }
    Survey { format, problems, fine }
}

fn look(set: &RgbdFolder, index: usize) -> Result<Facts, String> {
    let told = |error: DataError| error.to_string();
    let sample = set.load_to_score(index).map_err(told)?;
    let stored_depth = set.depth_size(index).map_err(told)?;
    let mask_file = set.mask_file(index).map(read_grey).transpose().map_err(told)?;
    let Sample { name, depth, mask, .. } = sample;
    let (low, high) = range(depth.iter().copied().filter(|&d| d > 0.0));
    let fault = match () {
        () if mask.iter().all(|&m| m == 0.0) => Some("the mask is empty"),
        () if low > high => Some("no depth"),
        () if low == high => Some("the depth is the same everywhere"),
        () => None,
    };
    if let Some(fault) = fault {
        return Err(format!("{name}: {fault}"));
    }
    let size = depth.dim();
    Ok(Facts {
        resized: mask.dim() != size || stored_depth != size,
        foreground: mask.mean().unwrap_or(0.0),
        missing: share(&depth, |d| d == 0.0),
        grey_mask: mask_file.is_some_and(|file| has_greys(&file)),
        nearer: nearer(&depth, &mask_at(&name, mask, size).map_err(told)?),
        name,
        size,
    })
}

fn share(plane: &Array2<f32>, test: impl Fn(f32) -> bool) -> f32 {
    plane.iter().filter(|&&v| test(v)).count() as f32 / plane.len() as f32
}

/// Greys between an eighth and seven eighths; what a JPEG does to a sharp black-and-white edge stays outside, mostly.
fn has_greys(Grey { values, full_scale }: &Grey) -> bool {
    values.iter().any(|&v| (full_scale / 8.0..=full_scale * 7.0 / 8.0).contains(&v))
}

/// Mean valid depth on the mask minus that beside it.
fn nearer(depth: &Array2<f32>, mask: &Array2<f32>) -> Option<f32> {
    let mean = |side: f32| {
        let (mut sum, mut count) = (0.0f64, 0usize);
        for (&d, _) in depth.iter().zip(mask).filter(|&(&d, &m)| d > 0.0 && m == side) {
            sum += f64::from(d);
            count += 1;
        }
        (count > 0).then(|| sum / count as f64)
    };
    Some((mean(1.0)? - mean(0.0)?) as f32)
}

/// How many names a remark lists before it only counts.
const NAMED: usize = 3;

impl Survey {
    /// What is odd but may be right, a sentence each.
    pub fn remarks(&self) -> Vec<String> {
        let named = |test: &dyn Fn(&Facts) -> bool, words: &str| {
            let names: Vec<&str> = self.fine.iter().filter(|f| test(f)).map(|f| f.name.as_str()).collect();
            let more = if names.len() > NAMED { ", …" } else { "" };
            let listed = names[..names.len().min(NAMED)].join(", ");
            (!names.is_empty()).then(|| format!("{} {words} ({listed}{more})", names.len()))
        };
        let mut remarks = Vec::new();
        remarks
            .extend(named(&|f| f.resized, "pictures have depth or masks of another size, which is resized"));
        remarks
            .extend(named(&|f| f.grey_mask, "masks hold greys: what is above 128 of 255 counts as object"));
        let measured: Vec<f32> = self.fine.iter().filter_map(|f| f.nearer).collect();
        let farther = measured.iter().filter(|&&nearer| nearer < 0.0).count();
        // Objects are near as a rule, not always.
        if 3 * farther > 2 * measured.len() {
            remarks.push(format!(
                "the object is farther than the rest in {farther} of {} pictures: is the depth {}, not {}?",
                measured.len(),
                self.format.reversed(),
                self.format
            ));
        }
        remarks
    }
}

impl fmt::Display for Survey {
    /// One line about the pictures that are fine.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Some(first) = self.fine.first() else { return f.write_str("no picture is fine") };
        let count = self.fine.len();
        let area = |facts: &&Facts| facts.size.0 * facts.size.1;
        let smallest = self.fine.iter().min_by_key(area).unwrap_or(first).size;
        let largest = self.fine.iter().max_by_key(area).unwrap_or(first).size;
        let mean = |of: fn(&Facts) -> f32| self.fine.iter().map(of).sum::<f32>() / count as f32 * 100.0;
        write!(f, "{count} pictures of {} x {}", smallest.0, smallest.1)?;
        if smallest != largest {
            write!(f, " to {} x {}", largest.0, largest.1)?;
        }
        let (foreground, missing) = (mean(|facts| facts.foreground), mean(|facts| facts.missing));
        write!(f, " (height x width), {foreground:.1} % foreground, {missing:.1} % of the depth missing")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, Luma, RgbImage};
    use tempfile::TempDir;

    /// A picture whose left half is the object; `near` and `far` are the stored depths of object and rest.
    fn write(dir: &TempDir, name: &str, near: u8, far: u8) {
        for folder in ["RGB", "depth", "GT"] {
            std::fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        let halves =
            |left: u8, right: u8| GrayImage::from_fn(16, 8, |x, _| Luma([if x < 8 { left } else { right }]));
        RgbImage::new(16, 8).save(dir.path().join(format!("RGB/{name}.png"))).unwrap();
        halves(near, far).save(dir.path().join(format!("depth/{name}.png"))).unwrap();
        halves(255, 0).save(dir.path().join(format!("GT/{name}.png"))).unwrap();
    }

    fn look_at(dir: &TempDir, format: DepthFormat) -> Survey {
        survey(dir.path(), format, None)
    }

    #[test]
    fn a_good_set_is_described_and_not_remarked_on() {
        let dir = tempfile::tempdir().unwrap();
        ["a", "b", "c"].iter().for_each(|name| write(&dir, name, 200, 100));
        write(&dir, "d", 100, 0);
        GrayImage::from_fn(16, 8, |x, _| Luma([[200, 100, 0, 0][x as usize / 4]]))
            .save(dir.path().join("depth/d.png"))
            .unwrap();
        let found = look_at(&dir, DepthFormat::NearBright);
        assert_eq!((found.problems.len(), found.remarks()), (0, Vec::new()));
        assert_eq!(
            found.to_string(),
            "4 pictures of 8 x 16 (height x width), 50.0 % foreground, 12.5 % of the depth missing"
        );
        assert_eq!(found.fine[3].nearer, None, "the rest has no depth");
        assert!((found.fine[0].nearer.unwrap() - (1.0 - crate::depth::FARTHEST)).abs() < 1e-6);
    }

    #[test]
    fn depth_the_wrong_way_round_is_suspected() {
        let dir = tempfile::tempdir().unwrap();
        ["a", "b", "c"].iter().for_each(|name| write(&dir, name, 200, 100));
        let remarks = look_at(&dir, DepthFormat::FarBright).remarks();
        assert_eq!(
            remarks,
            [
                "the object is farther than the rest in 3 of 3 pictures: is the depth near-bright, not far-bright?"
            ]
        );
        // Two of four is no reason.
        write(&dir, "c", 50, 100);
        write(&dir, "d", 50, 100);
        assert!(look_at(&dir, DepthFormat::FarBright).remarks().is_empty());
        assert!(look_at(&dir, DepthFormat::NearBright).remarks().is_empty());
    }

    #[test]
    fn every_fault_is_found_at_once() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["alone", "bare", "constant", "cut", "fine", "holes", "small"] {
            write(&dir, name, 200, 100);
        }
        let save = |image: GrayImage, path: &str| image.save(dir.path().join(path)).unwrap();
        std::fs::remove_file(dir.path().join("GT/alone.png")).unwrap();
        save(GrayImage::new(16, 8), "GT/bare.png");
        save(GrayImage::from_pixel(16, 8, Luma([9])), "depth/constant.png");
        save(GrayImage::new(16, 8), "depth/holes.png");
        save(GrayImage::from_fn(8, 4, |x, _| Luma([100 + x as u8])), "depth/small.png");
        save(GrayImage::from_fn(16, 8, |x, _| Luma([x as u8 * 16])), "GT/small.png");
        let cut = dir.path().join("RGB/cut.png");
        let bytes = std::fs::read(&cut).unwrap();
        std::fs::write(&cut, &bytes[..bytes.len() - 20]).unwrap();

        let found = look_at(&dir, DepthFormat::NearBright);
        assert_eq!(found.problems.len(), 5, "{:?}", found.problems);
        for (problem, expected) in found.problems.iter().zip([
            "alone: no truth picture",
            "bare: the mask is empty",
            "constant: the depth is the same everywhere",
            "RGB/cut.png",
            "holes: no depth",
        ]) {
            assert!(problem.contains(expected), "{problem}");
        }
        assert_eq!(found.fine.iter().map(|facts| facts.name.as_str()).collect::<Vec<_>>(), ["fine", "small"]);
        assert_eq!(
            found.remarks(),
            [
                "1 pictures have depth or masks of another size, which is resized (small)",
                "1 masks hold greys: what is above 128 of 255 counts as object (small)"
            ]
        );
    }
}
