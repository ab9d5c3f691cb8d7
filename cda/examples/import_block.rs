//! Reads a MutualFormer block that another framework wrote, with a pair of inputs and output, and says how far our
//! output is from theirs. `tests/fixtures/load_in_pytorch.py` writes them.
//!
//! `cargo run -p cda --example import_block -- DIR`

use autograd::checkpoint::LoadMode;
use autograd::{Ctx, Dtype, Params, Real, Tensor, TensorFile, Var};
use cda::{BlockConfig, MutualFormerBlock};
use std::error::Error;
use std::path::{Path, PathBuf};

/// Largest difference of the outputs, relative to the largest output.
fn difference<T: Real>(dir: &Path) -> Result<f64, Box<dyn Error>> {
    let dtype = if T::DTYPE == Dtype::F64 { "f64" } else { "f32" };
    let weights = TensorFile::read(dir.join(format!("pytorch_block_{dtype}.safetensors")))?;
    let option = |name: &str| -> Result<usize, Box<dyn Error>> {
        Ok(weights.metadata.get(name).ok_or(format!("no metadata {name}"))?.parse()?)
    };
    let config = BlockConfig::new(option("dim")?, option("num_heads")?);
    let (mut params, block) = Params::<T>::build(0, |scope| MutualFormerBlock::new(scope, config));
    params.import("", &weights, LoadMode::Strict)?;

    let pair = TensorFile::read(dir.join(format!("pytorch_pair_{dtype}.safetensors")))?;
    let tensor = |name: &str| -> Result<Tensor<T>, Box<dyn Error>> {
        Ok(pair.get(name).ok_or(format!("no tensor {name}"))?.to())
    };
    let (x, x_rd) = (Var::constant(tensor("x")?), Var::constant(tensor("x_rd")?));
    let (ours, theirs) = (block?.forward(&Ctx::eval(&params), &x, &x_rd), tensor("y")?);
    // By total_cmp a NaN is the largest of all.
    let largest = |x: &Tensor<T>| x.as_slice().iter().map(|x| x.f64().abs()).max_by(f64::total_cmp);
    let difference = ours.sub(&Var::constant(theirs.clone()));
    Ok(largest(difference.value()).unwrap_or(0.0) / largest(&theirs).unwrap_or(1.0))
}

fn main() -> Result<(), Box<dyn Error>> {
    let dir = PathBuf::from(std::env::args().nth(1).ok_or("usage: import_block DIR")?);
    for (dtype, found, allowed) in
        [("f64", difference::<f64>(&dir)?, 1e-13), ("f32", difference::<f32>(&dir)?, 1e-5)]
    {
        println!("{dtype}: outputs differ by {found:.1e} of the largest");
        if found.is_nan() || found > allowed {
            return Err(format!("{dtype}: more than the {allowed:e} that rounding explains").into());
        }
    }
    Ok(())
}
