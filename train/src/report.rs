//! Pictures of a run: curves over training, sheets of predictions, affinities over a scene.

use crate::detector::Detector;
use crate::picture::{Tile, grey_picture, grid, heat_overlay, rgb_picture};
use crate::plots::{Series, line_plot};
use crate::run_folder::{Record, RunFolder};
use crate::source::Inputs;
use anyhow::{Context, Result};
use autograd::{Ctx, Tensor, Var};
use cda::{affinity, cross_attention_map, cross_diffusion};
use data::{Batch, Sample, transform};
use image::RgbImage;
use ndarray::{Array2, ArrayView2};
use std::path::Path;

/// Pixels between the tiles of a sheet.
const GAP: u32 = 4;

/// Draws `plots/loss.svg`, `plots/lr.svg` and `plots/metrics.svg` from the run's records.
///
/// # Errors
/// Records that cannot be read, plots that cannot be written.
pub fn plot_run(run: &RunFolder) -> Result<()> {
    let (mut loss, mut rate) = (Vec::new(), Vec::new());
    let mut metrics: Vec<Series> = Vec::new();
    for record in run.records()? {
        let (step, values) = match record {
            Record::Step { step, loss: value, lr, .. } => {
                loss.push((step as f64, value));
                rate.push((step as f64, lr));
                continue;
            }
            Record::Validation { step, structure, max_f, max_e, mae, .. } => {
                (step, vec![("S-measure", structure), ("max F", max_f), ("max E", max_e), ("MAE", mae)])
            }
            Record::Search { step, scores, .. } => {
                (step, vec![("mAP", scores.mean_ap), ("rank-1", scores.rank1), ("mINP", scores.mean_inp)])
            }
        };
        metrics.resize_with(values.len(), || Series::new("", Vec::new()));
        for (series, (name, value)) in metrics.iter_mut().zip(values) {
            series.name = name.to_owned();
            series.points.push((step as f64, value));
        }
    }
    let plot = |name: &str, title: &str, y: &str, series: &[Series]| {
        line_plot(&run.path(&format!("plots/{name}.svg")), title, "update", y, series)
    };
    plot("loss", "Training loss", "loss", &[Series::new("loss", loss)])?;
    plot("lr", "Learning rate", "learning rate", &[Series::new("learning rate", rate)])?;
    if metrics.is_empty() {
        return Ok(()); // a run without a validation set
    }
    plot("metrics", "Validation", "score", &metrics)
}

/// Writes a sheet with a row per sample: RGB, depth, truth, prediction.
/// Maps are `[H, W]`, one for each sample.
///
/// # Errors
/// A sheet that cannot be written.
pub fn prediction_sheet(path: &Path, samples: &[Sample], maps: &[Array2<f32>]) -> Result<()> {
    let row = |(sample, map): (&Sample, &Array2<f32>)| {
        vec![
            Tile::new(label(&sample.name), rgb_picture(sample.rgb.view())),
            Tile::new("depth", grey_picture(sample.depth.view())),
            Tile::new("truth", grey_picture(sample.mask.view())),
            Tile::new("prediction", grey_picture(map.view())),
        ]
    };
    let rows: Vec<Vec<Tile>> = samples.iter().zip(maps).map(row).collect();
    save(&grid(&rows, GAP), path)
}

/// A name that fits over a small picture: camouflaged_000001 is "camouflaged 1".
fn label(name: &str) -> String {
    let word = |word: &str| word.parse::<u64>().map_or(word.to_owned(), |number| number.to_string());
    name.split('_').map(word).collect::<Vec<_>>().join(" ")
}

/// Draws the cross-affinity of one token of `sample` over its picture, under cross-attention and under CDA from the same
/// Q and K of the detector's finest MutualFormer level, with both modalities' own affinities beside them. The token is
/// the one on the middle of the truth.
///
/// # Errors
/// A sheet that cannot be written, or a failure of the device.
pub fn affinity_sheet(path: &Path, detector: &Detector, sample: &Sample) -> Result<()> {
    let size = detector.config.data.size;
    let sample = transform::resize(sample, size, size);
    let inputs = Inputs::of(&Batch::stack(&[0], std::slice::from_ref(&sample))?);
    let ctx = Ctx::eval(&detector.params);
    let level = &detector.forward(&ctx, &inputs).levels[0];
    let (r, d) = detector.net.block(0).projections(&ctx, &level.x);
    let (p_r, p_d) = (affinity(&r), affinity(&d));
    let x = cross_diffusion((&p_r, &p_d), (&r, &d), &detector.config.model.fusion().cda);
    let ca = cross_attention_map(&r, &d);

    let query = middle_cell(sample.mask.view(), level.grid);
    let tile = |label: &str, map: &Var| -> Result<Tile> {
        let row = mean_row(map.value(), level.grid, query)?;
        Ok(Tile::new(label, enlarge(&heat_overlay(sample.rgb.view(), row.view(), Some(query)))))
    };
    let row = vec![
        Tile::new("RGB", enlarge(&rgb_picture(sample.rgb.view()))),
        Tile::new("depth", enlarge(&grey_picture(sample.depth.view()))),
        tile("P r (RGB)", &p_r)?,
        tile("P d (depth)", &p_d)?,
        tile("CA r-d", &ca)?,
        tile("CDA r-d", &x.rd)?,
    ];
    save(&grid(&[row], GAP), path)
}

/// Row `query` of a map `[1, H, N, N]`, averaged over heads, on the token grid `[rows, cols]`.
pub(crate) fn mean_row(map: &Tensor, grid: [usize; 2], query: (usize, usize)) -> Result<Array2<f32>> {
    let (heads, n) = (map.size(1), map.size(2));
    let token = query.0 * grid[1] + query.1;
    let host = map.to_host()?;
    let values = host.as_slice();
    let mean = |j: usize| (0..heads).map(|h| values[(h * n + token) * n + j]).sum::<f32>() / heads as f32;
    Ok(Array2::from_shape_fn((grid[0], grid[1]), |(y, x)| mean(y * grid[1] + x)))
}

/// The token under the centre of the truth, or the middle one where there is no truth; if the object is not at its own
/// centre, the nearest token that is on it.
fn middle_cell(mask: ArrayView2<f32>, grid: [usize; 2]) -> (usize, usize) {
    let (height, width) = mask.dim();
    let cell = |(y, x): (usize, usize)| (y * grid[0] / height, x * grid[1] / width);
    let inside: Vec<(usize, usize)> =
        mask.indexed_iter().filter(|&(_, &m)| m > 0.5).map(|(at, _)| at).collect();
    if inside.is_empty() {
        return (grid[0] / 2, grid[1] / 2);
    }
    let mean = |f: fn(&(usize, usize)) -> usize| {
        inside.iter().map(|at| f(at) as f64).sum::<f64>() / inside.len() as f64
    };
    let (cy, cx) = (mean(|at| at.0), mean(|at| at.1));
    let distance = |at: &(usize, usize)| (at.0 as f64 - cy).powi(2) + (at.1 as f64 - cx).powi(2);
    let nearest = inside.into_iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
    nearest.map_or((grid[0] / 2, grid[1] / 2), cell)
}

/// Enlarges small pictures to about 192 pixels by a whole factor, so that labels fit over them.
fn enlarge(picture: &RgbImage) -> RgbImage {
    let factor = (192 / picture.width().max(1)).max(1);
    let (width, height) = (picture.width() * factor, picture.height() * factor);
    image::imageops::resize(picture, width, height, image::imageops::FilterType::Nearest)
}

fn save(picture: &RgbImage, path: &Path) -> Result<()> {
    picture.save(path).with_context(|| format!("cannot write {}", path.display()))
}
