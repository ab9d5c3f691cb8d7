//! Pictures as points on a sphere, with the object and the camera of each.

use anyhow::{Result, bail, ensure};
use autograd::{Real, Tensor};
use rayon::prelude::*;

/// Rows of a block: enough that a matrix product is busy, few enough that the distances of a block fit in memory.
pub(super) const BLOCK: usize = 512;

/// Normalised features `[N, D]` and, for every row, id and camera.
pub struct Features {
    /// `[512, D]`, the last with fewer rows.
    blocks: Vec<Tensor<f64>>,
    labels: Vec<(i64, i64)>,
    dim: usize,
}

impl Features {
    /// Divides every row of `features` `[N, D]` by its length. PyTorch equivalent: `F.normalize(features.double())`.
    ///
    /// # Errors
    /// If there is no row, or the numbers of rows, ids and cameras differ; if a row has a NaN or infinite number, or
    /// cannot be given the length 1: the row is named, counted from 0.
    pub fn new<T: Real>(features: &Tensor<T>, ids: &[i64], cams: &[i64]) -> Result<Features> {
        let &[n, dim] = features.shape() else {
            bail!("feat has shape {:?}, not [pictures, numbers]", features.shape());
        };
        ensure!(n > 0 && dim > 0, "feat is empty, of shape {:?}", features.shape());
        ensure!(ids.len() == n, "feat has {n} rows, id has {}", ids.len());
        ensure!(cams.len() == n, "feat has {n} rows, cam has {}", cams.len());
        let mut blocks = Vec::with_capacity(n.div_ceil(BLOCK));
        for (i, rows) in features.as_slice().chunks(BLOCK * dim).enumerate() {
            let mut values: Vec<f64> = rows.iter().map(|x| x.f64()).collect();
            let normalised = values.par_chunks_mut(dim).map(normalise).collect::<Vec<_>>();
            if let Some(row) = normalised.iter().position(Result::is_err) {
                normalised.into_iter().nth(row).expect("found").map_err(|error| {
                    error.context(format!("feat, row {} (counted from 0)", i * BLOCK + row))
                })?;
            }
            let height = values.len() / dim;
            blocks.push(Tensor::from_vec(values, &[height, dim]));
        }
        let labels = ids.iter().copied().zip(cams.iter().copied()).collect();
        Ok(Features { blocks, labels, dim })
    }

    /// Rows N.
    #[allow(clippy::len_without_is_empty, reason = "there is one row at least")]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Numbers D in a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Id and camera of a row.
    pub(super) fn label(&self, row: usize) -> (i64, i64) {
        self.labels[row]
    }

    /// The rows, in blocks `[M, D]`.
    pub(super) fn blocks(&self) -> &[Tensor<f64>] {
        &self.blocks
    }
}

/// Gives a row the length 1.
fn normalise(row: &mut [f64]) -> Result<()> {
    if let Some(&x) = row.iter().find(|x| !x.is_finite()) {
        bail!("{x} is not a finite number");
    }
    let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
    ensure!(length.is_normal(), "its length {length} cannot be made 1");
    row.iter_mut().for_each(|x| *x /= length);
    Ok(())
}
