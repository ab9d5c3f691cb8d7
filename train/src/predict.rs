//! Saliency maps for files, folders and data sets.
//!
//! A map is the network's sigmoid as it is, at the size of the picture; it is not stretched to fill 0 to 255 as some
//! published maps are, since the measures stretch every map themselves.

use crate::detector::Detector;
use crate::metrics::sod::quantise;
use crate::pictures::{pictures_by_stem, report};
use anyhow::{Context, Result, bail, ensure};
use data::depth::to_convention;
use data::image_io::{read_grey, read_rgb, read_size, write_grey};
use data::layout::{Part, find_sets, part_folder};
use data::transform::depth_at;
use data::{DepthFormat, Sample};
use indicatif::{ProgressBar, ProgressStyle};
use ndarray::Array2;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A map to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The picture.
    pub rgb: PathBuf,
    /// Its depth.
    pub depth: PathBuf,
    /// Its truth, where there is one: the map gets its size, so that it can be scored.
    pub mask: Option<PathBuf>,
    /// The PNG to write; its folder is made.
    pub out: PathBuf,
}

/// The job of one picture with its depth and the file `out`, or the jobs of a folder of pictures, paired with the
/// folder `depth` by stem, and the folder `out`.
///
/// # Errors
/// What does not exist, or is neither two files nor two folders; a map that is not called PNG; of folders all that is
/// missing or double.
pub fn jobs(rgb: &Path, depth: &Path, out: &Path) -> Result<Vec<Job>> {
    if rgb.is_file() && depth.is_file() {
        let extension = out.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        ensure!(extension.as_deref() == Some("png"), "--out {}: a map is a PNG, name it so", out.display());
        let job = Job { rgb: rgb.to_owned(), depth: depth.to_owned(), mask: None, out: out.to_owned() };
        return Ok(vec![not_overwriting(job)?]);
    }
    for (option, path) in [("--rgb", rgb), ("--depth", depth)] {
        ensure!(path.exists(), "{option} {}: there is no such file or folder", path.display());
    }
    ensure!(
        rgb.is_dir() && depth.is_dir(),
        "--rgb {} and --depth {} must be two files or two folders",
        rgb.display(),
        depth.display()
    );
    let mut problems = Vec::new();
    let jobs = folder_jobs([rgb, depth], None, out, &mut problems)?;
    report("cannot pair pictures and depths", &problems)?;
    Ok(jobs)
}

/// The jobs of a data set in a public layout, or of all sets in a folder; the maps of each go to `out`/SET.
///
/// # Errors
/// If there is no data set; otherwise all that is missing or double in all of them.
pub fn data_jobs(root: &Path, out: &Path) -> Result<Vec<Job>> {
    let (mut jobs, mut problems) = (Vec::new(), Vec::new());
    let sets = find_sets(root, &[Part::Rgb, Part::Depth])?;
    let complete = |name: &str| sets.iter().any(|set| set.name == name);
    for set in find_sets(root, &[Part::Rgb])?.iter().filter(|set| !complete(&set.name)) {
        eprintln!("left out: {} has no depth folder", set.name);
    }
    for set in sets {
        let folder = |part| part_folder(&set.dir, part);
        let (rgb, depth) = (folder(Part::Rgb)?, folder(Part::Depth)?);
        let masks = folder(Part::Mask).ok();
        jobs.extend(folder_jobs([&rgb, &depth], masks.as_deref(), &out.join(&set.name), &mut problems)?);
    }
    report("cannot pair pictures and depths", &problems)?;
    Ok(jobs)
}

/// The job, unless its map would take the place of one of its own pictures.
fn not_overwriting(job: Job) -> Result<Job> {
    let pictures = [&job.rgb, &job.depth].into_iter().chain(&job.mask).map(PathBuf::as_path);
    refuse_overwriting(&job.out, pictures)?;
    Ok(job)
}

/// An error if what is written to `out` would take the place of one of `pictures`.
pub(crate) fn refuse_overwriting<'a>(out: &Path, mut pictures: impl Iterator<Item = &'a Path>) -> Result<()> {
    let Ok(existing) = out.canonicalize() else { return Ok(()) };
    let own = pictures.any(|path| path.canonicalize().is_ok_and(|path| path == existing));
    ensure!(!own, "--out: {} is one of the pictures to predict from", out.display());
    Ok(())
}

/// Makes the folder that `file` is to be written into.
pub(crate) fn create_folder_of(file: &Path) -> Result<()> {
    let folder = file.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
}

/// One job for every picture of the folder `rgb` that has a depth, with its truth where there is one.
fn folder_jobs(
    [rgb, depth]: [&Path; 2],
    masks: Option<&Path>,
    out: &Path,
    problems: &mut Vec<String>,
) -> Result<Vec<Job>> {
    let (pictures, depths) = (pictures_by_stem(rgb, problems)?, pictures_by_stem(depth, problems)?);
    let masks = masks.map_or_else(|| Ok(BTreeMap::new()), |masks| pictures_by_stem(masks, problems))?;
    ensure!(!pictures.is_empty(), "{} holds no picture", rgb.display());
    let mut jobs = Vec::with_capacity(pictures.len());
    for (stem, rgb) in pictures {
        match depths.get(&stem) {
            Some(depth) => {
                let (depth, mask, out) =
                    (depth.clone(), masks.get(&stem).cloned(), out.join(format!("{stem}.png")));
                jobs.push(not_overwriting(Job { rgb, depth, mask, out })?);
            }
            None => problems.push(format!("{stem}: no depth for {} in {}", rgb.display(), depth.display())),
        }
    }
    Ok(jobs)
}

/// Predicts and writes all maps. A picture that fails does not stop the others.
///
/// # Errors
/// All pictures that failed and why, once the others are written.
pub fn predict(detector: &Detector, jobs: &[Job], format: DepthFormat) -> Result<()> {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} pictures, {per_sec}, {elapsed} + {eta}");
    let bar = ProgressBar::new(jobs.len() as u64).with_style(style.expect("the template is well-formed"));
    let mut failures = Vec::new();
    // One after the other, so that memory does not grow with their number.
    for job in jobs {
        let written = read(job, format).and_then(|sample| write(detector, sample, &job.out));
        failures.extend(written.err().map(|error| format!("{error:#}")));
        bar.inc(1);
    }
    bar.finish_and_clear();
    match failures.as_slice() {
        [] => Ok(()),
        [only] if jobs.len() == 1 => bail!("{only}"),
        _ => {
            report(&format!("{} of {} maps are written", jobs.len() - failures.len(), jobs.len()), &failures)
        }
    }
}

/// A picture and its depth; the truth is left empty, of the size that the map is to have.
pub(crate) fn read(job: &Job, format: DepthFormat) -> Result<Sample> {
    let Job { rgb, depth, mask, .. } = job;
    let name = rgb.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let rgb_values = read_rgb(rgb)?;
    let (_, height, width) = rgb_values.dim();
    let depth_values = to_convention(&read_grey(depth)?, format);
    // A sensor's depth is often coarser than the picture.
    let depth_values = depth_at(&name, depth_values, (height, width))
        .with_context(|| format!("{} and {} do not show the same view", rgb.display(), depth.display()))?;
    let size = mask.as_deref().map_or(Ok((height, width)), read_size)?;
    Ok(Sample { name, rgb: rgb_values, depth: depth_values, mask: Array2::zeros(size) })
}

/// Predicts one picture and writes its map.
fn write(detector: &Detector, sample: Sample, out: &Path) -> Result<()> {
    let maps = detector.predict(&[sample])?;
    create_folder_of(out)?;
    write_grey(out, maps[0].mapv(quantise).view())?;
    Ok(())
}
