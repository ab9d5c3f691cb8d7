//! What is in a file of tensors: safetensors, or a state dict of `torch.save`.

use anyhow::Result;
use autograd::TensorFile;
use std::io::Write;
use std::path::Path;

/// Prints metadata, and name, type in the file, shape and statistics of every tensor.
///
/// # Errors
/// A file that cannot be read, or is neither safetensors nor a state dict.
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
        let dtype = file.stored_dtype(name).expect("every tensor was in the file").to_lowercase();
        let shape = format!("{:?}", tensor.shape());
        let values = tensor.to::<f64>();
        let statistics = Statistics::of(values.as_slice());
        writeln!(out, "{name:<48} {dtype:<4} {shape:<18} {statistics}")?;
        total += values.numel();
    }
    writeln!(out, "{total} values")?;
    Ok(())
}

/// Of the finite values; how many are not is counted.
struct Statistics {
    mean: f64,
    std: f64,
    min: f64,
    max: f64,
    finite: usize,
    nan: usize,
    infinite: usize,
}

impl Statistics {
    fn of(values: &[f64]) -> Statistics {
        let finite = || values.iter().copied().filter(|x| x.is_finite());
        let count = finite().count();
        let mean = finite().sum::<f64>() / count as f64;
        Statistics {
            mean,
            std: (finite().map(|x| (x - mean).powi(2)).sum::<f64>() / count as f64).sqrt(),
            min: finite().fold(f64::INFINITY, f64::min),
            max: finite().fold(f64::NEG_INFINITY, f64::max),
            finite: count,
            nan: values.iter().filter(|x| x.is_nan()).count(),
            infinite: values.iter().filter(|x| x.is_infinite()).count(),
        }
    }
}

impl std::fmt::Display for Statistics {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let Statistics { mean, std, min, max, .. } = self;
        if self.finite > 0 {
            write!(f, "{mean:>11.4e} {std:>11.4e} {min:>11.4e} {max:>11.4e}")?;
        } else {
            write!(f, "{0:>11} {0:>11} {0:>11} {0:>11}", "-")?;
        }
        for (count, what) in [(self.nan, "NaN"), (self.infinite, "infinite")] {
            if count > 0 {
                write!(f, "  {count} {what}")?;
            }
        }
        Ok(())
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
