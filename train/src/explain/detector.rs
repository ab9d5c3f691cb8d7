//! What a detector's blocks get to see of an RGB-D picture.

use super::{BlockView, Explained, diffusion_of, shown};
use crate::detector::Detector;
use crate::picture::{grey_picture, rgb_picture};
use crate::source::Inputs;
use anyhow::{Context, Result};
use autograd::Ctx;
use data::{Batch, Sample, transform};
use models::SodConfig;
use ndarray::ArrayView2;

/// The scale of a level, how its blocks are called, and what its tokens are.
struct LevelName {
    blocks: String,
    numbered: bool,
    note: String,
}

/// Runs a detector on one picture; its mask says only how large the prediction is. The token to begin with is the one
/// whose cell is the most salient.
///
/// # Errors
/// If the network's blocks do not mix the modalities.
pub fn of_detector(detector: &Detector, sample: &Sample) -> Result<Explained> {
    let fusion = detector.config.model.fusion();
    let cda = diffusion_of(&fusion)?;
    let size = detector.config.data.size;
    let small = transform::resize(sample, size, size);
    let inputs = Inputs::of(&Batch::stack(&[0], &[small])?);
    let ctx = Ctx::eval(&detector.params);
    let levels = detector.forward(&ctx, &inputs).levels;

    let mut blocks = Vec::new();
    for (i, (level, LevelName { blocks: start, numbered, note })) in
        levels.iter().zip(level_names(&detector.config.model, size)).enumerate()
    {
        for (number, block) in detector.net.blocks(i).iter().enumerate() {
            let name = if numbered { format!("{start}.{number}") } else { start.clone() };
            blocks.push(BlockView::new(&ctx, (name, block), level, [0, 1], &note));
        }
    }
    let first = blocks.first().context("this network has no level at which MutualFormer fuses")?;
    let saliency = detector.predict(std::slice::from_ref(sample))?.remove(0);
    let token = most_salient(saliency.view(), first.grid);
    Ok(Explained {
        title: sample.name.clone(),
        pictures: vec![
            ("RGB".to_owned(), shown(&rgb_picture(sample.rgb.view()))),
            ("depth".to_owned(), shown(&grey_picture(sample.depth.view()))),
        ],
        blocks,
        fusion,
        cda,
        saliency: Some(shown(&grey_picture(saliency.view()))),
        prediction: format!("Of the whole picture: {:.2}.", saliency.mean().unwrap_or(0.0)),
        token,
    })
}

/// The levels in the order of [`models::SodOutput::levels`], for pictures of `size` × `size` pixels.
fn level_names(model: &SodConfig, size: usize) -> Vec<LevelName> {
    match model {
        SodConfig::Tiny(config) => {
            let level = |stride: &usize| LevelName {
                blocks: format!("mutual{stride}.block"),
                numbered: false,
                note: format!(
                    "A token of this block is a pixel of the feature maps at 1/{stride} of the {size} × {size} pixels that the \
                     network sees. Convolutions made it from more than its cell."
                ),
            };
            config.scales.strides().iter().map(level).collect()
        }
        SodConfig::MutualResNet50(config) | SodConfig::MutualMobileNetV2(config) => {
            let mut levels = config.levels.clone();
            levels.sort_by_key(|level| level.stride);
            let name = |level: &models::LevelConfig| LevelName {
                blocks: format!("fuse{}.blocks", level.stride),
                numbered: true,
                note: format!(
                    "A token of this block is a patch of {patch} × {patch} of the {size} × {size} pixels that the network sees, \
                     {step} from the next. A cell is the share of the picture that the decoder gives back to the token.",
                    patch = level.patch * level.stride,
                    step = level.step * level.stride
                ),
            };
            levels.iter().map(name).collect()
        }
    }
}

/// The cell of `grid` with the largest mean of a map; the middle one where all are equal or none is larger than NaN.
fn most_salient(map: ArrayView2<f32>, [rows, columns]: [usize; 2]) -> (usize, usize) {
    let (height, width) = map.dim();
    let mut cells = vec![(0.0, 0); rows * columns]; // sums and counts
    for ((y, x), &value) in map.indexed_iter() {
        let cell = &mut cells[y * rows / height * columns + x * columns / width];
        *cell = (cell.0 + f64::from(value), cell.1 + 1);
    }
    let mean = |&(sum, count): &(f64, usize)| sum / count.max(1) as f64;
    let best = (0..cells.len()).max_by(|&a, &b| mean(&cells[a]).total_cmp(&mean(&cells[b]))).unwrap_or(0);
    (best / columns, best % columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn the_most_salient_token_is_the_one_over_the_object() {
        // An object in the lower left of a picture whose sides the grid does not divide.
        let map = Array2::from_shape_fn((31, 50), |(y, x)| if y > 20 && x < 12 { 0.9 } else { 0.1 });
        assert_eq!(most_salient(map.view(), [3, 4]), (2, 0));
        assert_eq!(most_salient(map.view(), [1, 1]), (0, 0));
        // More cells than pixels.
        assert_eq!(most_salient(Array2::from_elem((1, 1), 0.5).view(), [2, 2]), (0, 0));
    }
}
