//! Writes a MutualFormer block for another framework: weights under their `state_dict` names, and one pair of inputs
//! and output, in both types. `tests/fixtures/load_in_pytorch.py` reads them.
//!
//! `cargo run -p cda --example export_block -- DIR`

use autograd::random::{Key, site};
use autograd::{Ctx, Dtype, HostTensor, Params, Real, Tensor, TensorFile, Var};
use cda::{BlockConfig, MutualFormerBlock};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

const DIM: usize = 48;
const HEADS: usize = 4;

/// A block whose norms are not 1 and 0 any more: exchanged parameters would show.
fn random_block<T: Real>() -> Result<(Params<T>, MutualFormerBlock), Box<dyn Error>> {
    let (mut params, block) =
        Params::build(7, |scope| MutualFormerBlock::new(scope, BlockConfig::new(DIM, HEADS)));
    for id in params.ids() {
        let initial = params.get(id).clone();
        let noise = Tensor::<T>::randn(initial.shape(), Key::default(), site(params.name(id)));
        let noisy = initial.as_slice().iter().zip(noise.as_slice()).map(|(&x, &e)| x + T::of(0.2) * e);
        params.set(id, Tensor::from_vec(noisy.collect(), initial.shape()));
    }
    Ok((params, block?))
}

/// `block_f64.safetensors` and `pair_f64.safetensors`, or the same with `f32`.
fn export<T: Real>(dir: &Path) -> Result<(), Box<dyn Error>> {
    let dtype = if T::DTYPE == Dtype::F64 { "f64" } else { "f32" };
    let (params, block) = random_block::<T>()?;
    let options = [("dim", DIM), ("num_heads", HEADS)];
    let metadata: BTreeMap<String, String> =
        options.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    params.save(dir.join(format!("block_{dtype}.safetensors")), metadata)?;

    let input =
        |name: &str, channels: usize| Tensor::<T>::randn(&[2, 50, channels], Key::default(), site(name));
    let (x, x_rd) = (input("x", 2 * DIM), input("x_rd", DIM));
    let y = block.forward(&Ctx::eval(&params), &Var::constant(x.clone()), &Var::constant(x_rd.clone()));
    let mut pair = TensorFile::new();
    for (name, tensor) in [("x", &x), ("x_rd", &x_rd), ("y", y.value())] {
        pair.push(name, HostTensor::of(tensor)?);
    }
    pair.write(dir.join(format!("pair_{dtype}.safetensors")))?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let dir = PathBuf::from(std::env::args().nth(1).ok_or("usage: export_block DIR")?);
    std::fs::create_dir_all(&dir)?;
    export::<f64>(&dir)?;
    export::<f32>(&dir)
}
