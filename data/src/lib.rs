//! Data sets, procedural scenes and loaders.
//!
//! Read in this order:
//!
//! 1. [`sample`]: what every source for detection ends in, a [`Sample`]: one RGB-D picture with the mask of its salient
//!    object. Colour lies in [0, 1]; so does depth, near = 1, 0 = missing.
//! 2. Where samples come from: files ([`layout`] finds them, [`image_io`] reads them, [`depth`] brings their depth to one
//!    convention), or a ray caster that draws them ([`scenes`]).
//! 3. What is done to them: [`augment()`], [`transform`], and [`loader`], which stacks them into batches by background
//!    threads in an order that no thread can influence. [`survey`] looks a data set through beforehand.
//! 4. For re-identification everything ends in a [`ReidSample`], one vehicle in several spectra with its number and the
//!    camera's: [`reid`] reads, varies and checks them and plans their batches; [`vehicles`] draws them.
//!
//! ```
//! use autograd::random::Key;
//! use data::scenes::{self, SceneKind};
//! use data::{Augment, augment, transform};
//!
//! let scene = scenes::render(1, 0, 64); // scene 0 of the endless series 1, 64 pixels square
//! let sample = scene.sample;
//! assert_eq!(sample.rgb.dim(), (3, 64, 64)); // [3, H, W]
//! assert_eq!(sample.depth.dim(), (64, 64)); // [H, W]
//! assert!(SceneKind::ALL.contains(&scene.kind));
//!
//! let mirrored = Augment { flip: 1.0, ..Augment::NONE }; // a probability: always
//! let flipped = augment(&sample, &mirrored, Key::default());
//! assert_eq!(flipped.rgb[[0, 10, 0]], sample.rgb[[0, 10, 63]]);
//! let small = transform::resize(&sample, 32, 32);
//! assert_eq!(small.mask.dim(), (32, 32));
//! ```

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
