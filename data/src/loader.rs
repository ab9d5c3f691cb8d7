//! Batches, made by background threads in an order that no thread can influence.
//!
//! With W workers, worker w makes batches w, w + W, w + 2W, … and the reader visits the workers in turn. So the order
//! needs no bookkeeping, and a channel with room for one batch keeps every worker at most two batches ahead: the one
//! waiting in the channel and the one in its hands.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use autograd::random::{Key, site};
use ndarray::{Array4, Axis, s};
use rand::RngExt;

use crate::error::DataError;
use crate::sample::Sample;

/// In which order a pass over the data goes, and which part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Order {
    /// The run's seed.
    pub seed: u64,
    /// Number of this pass over the data; each has its own shuffle and its own augmentations.
    pub epoch: u64,
    /// Whether to shuffle; without, samples come in index order.
    pub shuffle: bool,
    /// How many batches to leave out at the start, to resume within an epoch. They are not loaded.
    pub start_batch: usize,
    /// Whether to leave out a last batch that is not full.
    pub drop_last: bool,
}

/// Samples of one size, stacked.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The samples' names.
    pub names: Vec<String>,
    /// Their indices in the data set.
    pub indices: Vec<usize>,
    /// Colour in [0, 1], `[B, 3, H, W]`.
    pub rgb: Array4<f32>,
    /// Depth in [0, 1], near = 1, 0 = missing, `[B, 1, H, W]`.
    pub depth: Array4<f32>,
    /// Truth, 0 or 1, `[B, 1, H, W]`.
    pub mask: Array4<f32>,
}

impl Batch {
    /// Stacks samples of one size, of which there is at least one; `indices` are their numbers in the data set.
    ///
    /// # Errors
    /// Names the sample and the part whose size differs from the first sample's depth.
    pub fn stack(indices: &[usize], samples: &[Sample]) -> Result<Batch, DataError> {
        let (count, (height, width)) = (samples.len(), samples[0].depth.dim());
        let mut batch = Batch {
            names: samples.iter().map(|sample| sample.name.clone()).collect(),
            indices: indices.to_vec(),
            rgb: Array4::zeros((count, 3, height, width)),
            depth: Array4::zeros((count, 1, height, width)),
            mask: Array4::zeros((count, 1, height, width)),
        };
        for (b, Sample { name, rgb, depth, mask }) in samples.iter().enumerate() {
            let (_, rgb_height, rgb_width) = rgb.dim();
            let sizes = [("rgb", (rgb_height, rgb_width)), ("depth", depth.dim()), ("mask", mask.dim())];
            if let Some((part, found)) = sizes.into_iter().find(|&(_, size)| size != (height, width)) {
                return Err(DataError::SizeMismatch {
                    name: name.clone(),
                    part,
                    expected: (height, width),
                    found,
                });
            }
            batch.rgb.index_axis_mut(Axis(0), b).assign(rgb); // [3, H, W]
            batch.depth.slice_mut(s![b, 0, .., ..]).assign(depth); // [H, W]
            batch.mask.slice_mut(s![b, 0, .., ..]).assign(mask);
        }
        Ok(batch)
    }
}

/// One pass over `len` samples in batches of `batch`, made ahead of time by `workers` threads, or on demand in the
/// calling thread if there are none. `load` gets the index of a sample and two keys. The first is the sample's, for its
/// augmentation: the seed, the epoch and that index. The second is the batch's, for what its samples must have in common,
/// such as their size: the seed, the epoch and the number of the batch. Neither the number of workers nor resuming
/// changes what is drawn from them.
///
/// An item is an error if a sample of its batch cannot be loaded, or if loading it panicked; the items after it are
/// not affected.
///
/// # Panics
/// If `batch` is zero.
pub fn batches(
    len: usize,
    batch: usize,
    order: Order,
    workers: usize,
    load: impl Fn(usize, Key, Key) -> Result<Sample, DataError> + Send + Sync + 'static,
) -> Batches {
    assert!(batch > 0, "a batch must hold at least one sample");
    let count = if order.drop_last { len / batch } else { len.div_ceil(batch) };
    let plan = Plan { indices: permutation(len, order), batch, count, order, load: Box::new(load) };
    let next = order.start_batch.min(count);
    let made_by = if workers == 0 {
        MadeBy::Caller(plan)
    } else {
        let plan = Arc::new(plan);
        MadeBy::Workers((0..workers).map(|w| Worker::start(&plan, next + w, workers)).collect())
    };
    Batches { made_by, first: next, next, count }
}

/// The batches of one epoch, in order. Dropping it ends its threads, once each has finished the batch in its
/// hands.
pub struct Batches {
    made_by: MadeBy,
    first: usize,
    next: usize,
    count: usize,
}

enum MadeBy {
    Caller(Plan),
    Workers(Vec<Worker>),
}

impl Iterator for Batches {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.count {
            return None;
        }
        let number = self.next;
        self.next += 1;
        Some(match &self.made_by {
            MadeBy::Caller(plan) => plan.make(number),
            MadeBy::Workers(workers) => {
                let worker = &workers[(number - self.first) % workers.len()];
                worker.batches.recv().expect("a worker ends only after its last batch")
            }
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count - self.next, Some(self.count - self.next))
    }
}

impl ExactSizeIterator for Batches {}

impl Drop for Batches {
    fn drop(&mut self) {
        if let MadeBy::Workers(workers) = &mut self.made_by {
            for Worker { batches, thread } in workers.drain(..) {
                drop(batches); // a worker that waits to send gives up
                let _ = thread.join(); // its panics have been reported as errors
            }
        }
    }
}

/// A background thread and what it sends.
struct Worker {
    batches: Receiver<Result<Batch, DataError>>,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Starts a thread that makes batches `first`, `first + stride`, …
    fn start(plan: &Arc<Plan>, first: usize, stride: usize) -> Worker {
        let (sender, batches) = sync_channel(1);
        let plan = Arc::clone(plan);
        let thread = thread::spawn(move || {
            for number in (first..plan.count).step_by(stride) {
                // Sending waits while the channel is full, and fails once the reader is gone.
                if sender.send(plan.make(number)).is_err() {
                    break;
                }
            }
        });
        Worker { batches, thread }
    }
}

/// Everything that decides what a batch holds.
struct Plan {
    /// The samples' indices in the order of this epoch.
    indices: Vec<usize>,
    /// Samples in a batch.
    batch: usize,
    /// Batches in the epoch.
    count: usize,
    order: Order,
    load: Box<dyn Fn(usize, Key, Key) -> Result<Sample, DataError> + Send + Sync>,
}

impl Plan {
    fn make(&self, number: usize) -> Result<Batch, DataError> {
        let end = ((number + 1) * self.batch).min(self.indices.len());
        let indices = &self.indices[number * self.batch..end];
        let samples: Vec<Sample> =
            indices.iter().map(|&index| self.load_one(index, number)).collect::<Result<_, _>>()?;
        Batch::stack(indices, &samples)
    }

    /// A panic in `load` becomes an error: it must neither kill the thread silently nor leave the reader waiting.
    fn load_one(&self, index: usize, batch: usize) -> Result<Sample, DataError> {
        let key = |step: usize| Key { seed: self.order.seed, epoch: self.order.epoch, step: step as u64 };
        catch_unwind(AssertUnwindSafe(|| (self.load)(index, key(index), key(batch))))
            .unwrap_or_else(|panic| Err(DataError::Panicked { index, message: message(panic.as_ref()) }))
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

/// 0, 1, … len - 1, shuffled by Fisher and Yates if asked.
fn permutation(len: usize, order: Order) -> Vec<usize> {
    let mut indices: Vec<usize> = (0..len).collect();
    if order.shuffle {
        let mut rng = Key { seed: order.seed, epoch: order.epoch, step: 0 }.rng(site("data.shuffle"));
        for last in (1..len).rev() {
            indices.swap(last, rng.random_range(0..=last));
        }
    }
    indices
}
