//! Data sets, procedural scenes and loaders.
//!
//! What is for detection ends in a [`Sample`]: one RGB-D picture with the mask of its salient object. Samples come from
//! files ([`layout`], read by [`image_io`], their depth brought to one convention by [`depth`]) or are drawn
//! ([`scenes`]). They are varied ([`augment()`]), resized ([`transform`]) and stacked into batches by background threads
//! ([`loader`]), in an order that no thread can influence. [`survey`] looks a data set through beforehand.
//! What is for re-identification ends in a [`ReidSample`]: one vehicle in several spectra, with its number and the
//! camera's. [`reid`] reads, varies and checks them and plans their batches; [`vehicles`] draws them.

pub mod augment;
pub mod depth;
pub mod error;
pub mod image_io;
pub mod import;
pub mod layout;
pub mod loader;
mod numpy;
mod raycast;
pub mod reid;
pub mod sample;
pub mod scenes;
pub mod survey;
pub mod transform;
pub mod vehicles;

pub use augment::{Augment, augment};
pub use depth::DepthFormat;
pub use error::DataError;
pub use layout::RgbdFolder;
pub use loader::{Batches, KeyOf, Order, Plan, batches, planned_batches};
pub use reid::{Normalised, ReidAugment, ReidBatch, ReidFolder, ReidSample};
pub use sample::{Batch, Sample};
