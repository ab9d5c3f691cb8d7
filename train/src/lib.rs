//! The library behind the `mutualformer` tool: everything between a network and its results.
//!
//! Read in this order:
//!
//! 1. [`task`]: what the training loop asks of a task; [`trainer`]: the loop, which knows no task; [`optimisation`]: what
//!    turns gradients into updates; [`run_folder`]: what a run leaves on disk, and how it goes on from there.
//! 2. Detection: [`config`], [`source`] (data), [`detection`] (how the task is learned), [`losses`], [`detector`] (a
//!    network with its weights), [`metrics::sod`].
//! 3. [`reid`]: the same for re-identification, with [`metrics::reid`].
//! 4. The commands: [`cli`] says what can be typed; [`demo`], [`mod@predict`], [`mod@score`], [`explain`], [`check`],
//!    [`inspect`], [`replay`] and others carry it out. [`device`] is the only place that knows where to compute.
//!
//! A program of your own can use a detector without the tool:
//!
//! ```
//! use train::detector::Detector;
//! use train::metrics::sod::score_prediction;
//!
//! let detector = Detector::bundled()?; // the weights that come with the tool; `Task::load` reads those of a run
//! let sample = data::scenes::render(7, 0, 64).sample;
//! let (height, width) = sample.mask.dim();
//! let maps = detector.predict(std::slice::from_ref(&sample))?; // saliency in [0, 1], [H, W] each
//! let (map, mask) = (maps[0].as_slice().unwrap(), sample.mask.as_slice().unwrap());
//! let scores = score_prediction(map, mask, height, width).scores;
//! assert!(scores.mae < 0.2, "mean absolute error {}", scores.mae);
//! # Ok::<(), anyhow::Error>(())
//! ```

mod bench;
pub mod check;
pub mod cli;
pub mod config;
pub mod demo;
pub mod detection;
pub mod detector;
pub mod device;
mod devices;
pub mod explain;
pub mod inspect;
pub mod losses;
pub mod memory;
pub mod metrics;
pub mod optimisation;
pub mod picture;
pub mod pictures;
pub mod plots;
pub mod predict;
pub mod reid;
pub mod replay;
pub mod report;
pub mod run_folder;
pub mod score;
pub mod sets_table;
pub mod shrink;
pub mod source;
pub mod summary;
pub mod task;
pub mod trainer;
