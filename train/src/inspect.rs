//! What is in a safetensors file.

use anyhow::Result;
use autograd::checkpoint::{HostTensor, TensorFile};
use std::io::Write;
use std::path::Path;

/// Prints metadata, and name, type, shape and statistics of every tensor.
pub fn inspect(path: &Path) -> Result<()> {
    let file = TensorFile::read(path)?;
    // Not println!, which panics when the reader (`| head`) has seen enough.
    let mut out = std::io::stdout().lock();
    for (name, value) in &file.metadata {
        let value = if value.contains('\n') { format!("\n{}", indented(value)) } else { value.to_owned() };
        writeln!(out, "{name}: {value}")?;
    }
    writeln!(
        out,
        "{:<48} {:<4} {:<18} {:>11} {:>11} {:>11} {:>11}",
        "name", "type", "shape", "mean", "std", "min", "max"
    )?;
    let mut total = 0;
    for (name, tensor) in &file.tensors {
        let (dtype, values): (&str, Vec<f64>) = match tensor {
            HostTensor::F32(t) => ("f32", t.as_slice().iter().map(|&x| f64::from(x)).collect()),
            HostTensor::F64(t) => ("f64", t.as_slice().to_vec()),
            HostTensor::I64(t) => ("i64", t.values().iter().map(|&x| x as f64).collect()),
        };
        let n = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / n;
        let std = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
        let min = values.iter().copied().fold(f64::INFINITY, f64::min);
        let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let shape = format!("{:?}", tensor.shape());
        writeln!(
            out,
            "{name:<48} {dtype:<4} {shape:<18} {mean:>11.4e} {std:>11.4e} {min:>11.4e} {max:>11.4e}"
        )?;
        total += values.len();
    }
    writeln!(out, "{total} values")?;
    Ok(())
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
