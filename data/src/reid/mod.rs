//! Re-identification: pictures of one thing in several spectra, with its number and that of the camera.
//!
//! Samples come from files ([`ReidFolder`]) or are drawn ([`crate::vehicles::Series`]). [`augment`] varies and normalises
//! them, [`identity_batches`] plans the batches of an epoch, and [`crate::planned_batches`] with [`ReidBatch::stack`] makes
//! them. [`survey()`] looks a set through beforehand.

use ndarray::{Array3, Array4, ArrayView3, Axis, stack};

use crate::error::DataError;

mod augment;
mod folder;
mod label;
mod sampler;
pub mod survey;

pub use augment::{EraseFill, ReidAugment, augment, unchanged};
pub use folder::{Part, ReidFolder, UNKNOWN, read_spectra};
pub use label::{CAMS, IDS, Label, LabelError};
pub use sampler::identity_batches;
pub use survey::{ReidSurvey, survey};

/// The spectra of a picture, in order: colour, near infrared, thermal infrared. A set has the first one, two or three.
pub const SPECTRA: [&str; 3] = ["RGB", "NIR", "TIR"];

/// One thing as one camera saw it, in every spectrum.
#[derive(Clone, Debug, PartialEq)]
pub struct ReidSample {
    /// The file's stem.
    pub name: String,
    /// Identity, as in the file name.
    pub id: u32,
    /// Camera, as in the file name, from 1.
    pub cam: u32,
    /// A picture in [0, 1] for every spectrum, `[3, H, W]`, in the order of [`SPECTRA`]; all of one size.
    pub pictures: Vec<Array3<f32>>,
}

/// A sample as a network expects it: its pictures have the network's size, and ImageNet's mean and deviation are taken
/// out of them, in every spectrum alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalised(pub ReidSample);

/// Samples of one size, stacked.
#[derive(Clone, Debug, PartialEq)]
pub struct ReidBatch {
    /// The samples' names.
    pub names: Vec<String>,
    /// Their indices in the data set.
    pub indices: Vec<usize>,
    /// Their identities, as in the file names.
    pub ids: Vec<u32>,
    /// Their cameras, as in the file names.
    pub cams: Vec<u32>,
    /// Normalised pictures of every spectrum, `[B, 3, H, W]`.
    pub pictures: Vec<Array4<f32>>,
}

impl ReidBatch {
    /// Stacks samples of one size and as many spectra, of which there is at least one; `indices` are their numbers in the
    /// data set.
    ///
    /// # Errors
    /// Names the sample whose pictures differ in size from the first one's.
    ///
    /// # Panics
    /// If there is no sample, or one has not as many spectra as the first.
    pub fn stack(indices: &[usize], samples: &[Normalised]) -> Result<ReidBatch, DataError> {
        let spectra = 0..samples[0].0.pictures.len();
        Ok(ReidBatch {
            names: samples.iter().map(|Normalised(sample)| sample.name.clone()).collect(),
            indices: indices.to_vec(),
            ids: samples.iter().map(|Normalised(sample)| sample.id).collect(),
            cams: samples.iter().map(|Normalised(sample)| sample.cam).collect(),
            pictures: spectra.map(|spectrum| stack_spectrum(samples, spectrum)).collect::<Result<_, _>>()?,
        })
    }
}

/// One spectrum of all samples, `[B, 3, H, W]`.
fn stack_spectrum(samples: &[Normalised], spectrum: usize) -> Result<Array4<f32>, DataError> {
    let size = |picture: &Array3<f32>| (picture.dim().1, picture.dim().2);
    let expected = size(&samples[0].0.pictures[0]);
    for Normalised(ReidSample { name, pictures, .. }) in samples {
        let found = size(&pictures[spectrum]);
        if found != expected {
            let (name, part) = (name.clone(), SPECTRA[spectrum]);
            return Err(DataError::SizeMismatch { name, part, expected, found });
        }
    }
    let views: Vec<ArrayView3<f32>> =
        samples.iter().map(|sample| sample.0.pictures[spectrum].view()).collect();
    Ok(stack(Axis(0), &views).expect("all pictures are [3, H, W] of one size"))
}
