//! What a trained detector makes of one picture, in floats: for `train/bench/load_run_in_pytorch.py`, which computes the same in
//! PyTorch from the same weights.
//!
//! `cargo run -p train --example export_prediction -- runs/demo RGB.png DEPTH.png OUT.safetensors`

use anyhow::{Context, Result, ensure};
use autograd::checkpoint::{HostTensor, TensorFile};
use autograd::{Ctx, Tensor};
use data::depth::to_convention;
use data::image_io::{read_grey, read_rgb};
use data::{Batch, DepthFormat, Sample};
use ndarray::Array2;
use std::path::{Path, PathBuf};
use train::detector::Detector;
use train::source::Inputs;
use train::task::Task;

fn main() -> Result<()> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [run, rgb, depth, out] = paths.as_slice() else {
        anyhow::bail!("usage: export_prediction RUN RGB.png DEPTH.png OUT.safetensors");
    };
    let detector = Detector::load(&run.join("best.safetensors"))?;
    let sample = read(rgb, depth)?;
    let (size, found) = (detector.config.data.size, sample.depth.dim());
    ensure!(
        found == (size, size),
        "the picture has {found:?} pixels; one of {size} x {size} needs no resizing, which would differ from PyTorch's"
    );
    let inputs = Inputs::of(&Batch::stack(&[0], &[sample])?);
    let logits = detector.forward(&Ctx::eval(&detector.params), &inputs).logits; // [1, 1, S, S]
    let mut file = TensorFile::new();
    let named: [(&str, &Tensor); 3] =
        [("rgb", &inputs.rgb), ("depth", &inputs.depth), ("logits", logits.value())];
    for (name, tensor) in named {
        file.push(name, HostTensor::of(tensor)?);
    }
    file.write(out)?;
    Ok(())
}

/// A picture and its depth as `mutualformer predict` reads them.
fn read(rgb: &Path, depth: &Path) -> Result<Sample> {
    let name = rgb.file_stem().context("the picture's path names no file")?.to_string_lossy().into_owned();
    let depth = to_convention(&read_grey(depth)?, DepthFormat::NearBright);
    let mask = Array2::zeros(depth.dim());
    Ok(Sample { name, rgb: read_rgb(rgb)?, depth, mask })
}
