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
use rand::RngExt;

use crate::error::DataError;
use crate::sample::{Batch, Sample};

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

/// One pass over `len` RGB-D samples in batches of `batch`: [`planned_batches`] in the given order, where what a sample's
/// key draws depends on its index and not on its place.
///
/// # Panics
/// If `batch` is zero.
///
/// # Errors
/// The iterator yields the error of a sample that `load` could not make in the place of its batch.
pub fn batches(
    len: usize,
    batch: usize,
    order: Order,
    workers: usize,
    load: impl Fn(usize, Key, Key) -> Result<Sample, DataError> + Send + Sync + 'static,
) -> Batches<Batch> {
    assert!(batch > 0, "a batch must hold at least one sample");
    let mut batches: Vec<Vec<usize>> = permutation(len, order).chunks(batch).map(<[usize]>::to_vec).collect();
    if order.drop_last && !len.is_multiple_of(batch) {
        batches.pop();
    }
    let Order { seed, epoch, start_batch, .. } = order;
    let plan = Plan { seed, epoch, batches, start_batch, key_of: KeyOf::Index };
    planned_batches(plan, workers, load, Batch::stack)
}

/// Which samples a pass over the data visits, in which order, and what its random numbers depend on.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The run's seed.
    pub seed: u64,
    /// Number of this pass over the data.
    pub epoch: u64,
    /// The samples' indices in the data set, batch by batch. A sample may occur in several places.
    pub batches: Vec<Vec<usize>>,
    /// How many batches to leave out at the start, to resume within an epoch. They are not loaded.
    pub start_batch: usize,
    /// What tells the samples' keys apart.
    pub key_of: KeyOf,
}

/// What tells the keys of the samples of one epoch apart, by which their augmentations are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOf {
    /// The sample's index in the data set: its augmentation stays the same wherever the order puts it.
    Index,
    /// How many samples come before it in the epoch: a sample that occurs twice is augmented in two ways.
    Place,
}

/// The plan's batches, made ahead of time by `workers` threads, or on demand in the calling thread if there are none.
/// `load` gets the index of a sample and two keys of the plan's seed and epoch. The first is the sample's, for its
/// augmentation ([`KeyOf`]). The second is the batch's, for what its samples must have in common, such as their size:
/// its step is the number of the batch. Neither the number of workers nor resuming changes what is drawn from them.
/// `stack` gets the indices of a batch and what was loaded for them.
///
/// An item is an error if a sample of its batch cannot be loaded, or if loading it panicked; the items after it are
/// not affected.
pub fn planned_batches<S: 'static, B: Send + 'static>(
    plan: Plan,
    workers: usize,
    load: impl Fn(usize, Key, Key) -> Result<S, DataError> + Send + Sync + 'static,
    stack: impl Fn(&[usize], &[S]) -> Result<B, DataError> + Send + Sync + 'static,
) -> Batches<B> {
    let count = plan.batches.len();
    let next = plan.start_batch.min(count);
    let make: Make<B> = Box::new(move |number| {
        let samples: Vec<S> = plan.load(number, &load)?;
        stack(&plan.batches[number], &samples)
    });
    let made_by = if workers == 0 {
        MadeBy::Caller(make)
    } else {
        let make = Arc::new(make);
        MadeBy::Workers(
            (0..workers).map(|w| Worker::start(&make, (next + w..count).step_by(workers))).collect(),
        )
    };
    Batches { made_by, first: next, next, count }
}

impl Plan {
    /// The samples of batch `number`.
    fn load<S>(
        &self,
        number: usize,
        load: impl Fn(usize, Key, Key) -> Result<S, DataError>,
    ) -> Result<Vec<S>, DataError> {
        let key = |step: usize| Key { seed: self.seed, epoch: self.epoch, step: step as u64 };
        let before: usize = self.batches[..number].iter().map(Vec::len).sum();
        let load_one = |(position, &index): (usize, &usize)| {
            let step = match self.key_of {
                KeyOf::Index => index,
                KeyOf::Place => before + position,
            };
            // A panic becomes an error: it must neither kill the thread silently nor leave the reader waiting.
            catch_unwind(AssertUnwindSafe(|| load(index, key(step), key(number))))
                .unwrap_or_else(|panic| Err(DataError::Panicked { index, message: message(panic.as_ref()) }))
        };
        self.batches[number].iter().enumerate().map(load_one).collect()
    }
}

/// Makes the batch of a number.
type Make<B> = Box<dyn Fn(usize) -> Result<B, DataError> + Send + Sync>;

/// The batches of one epoch, in order. Dropping it ends its threads, once each has finished the batch in its
/// hands.
pub struct Batches<B> {
    made_by: MadeBy<B>,
    first: usize,
    next: usize,
    count: usize,
}

enum MadeBy<B> {
    Caller(Make<B>),
    Workers(Vec<Worker<B>>),
}

impl<B> Iterator for Batches<B> {
    type Item = Result<B, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.count {
            return None;
        }
        let number = self.next;
        self.next += 1;
        Some(match &self.made_by {
            MadeBy::Caller(make) => make(number),
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

impl<B> ExactSizeIterator for Batches<B> {}

impl<B> Drop for Batches<B> {
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
struct Worker<B> {
    batches: Receiver<Result<B, DataError>>,
    thread: JoinHandle<()>,
}

impl<B: Send + 'static> Worker<B> {
    /// Starts a thread that makes the batches of these numbers.
    fn start(make: &Arc<Make<B>>, numbers: impl Iterator<Item = usize> + Send + 'static) -> Worker<B> {
        let (sender, batches) = sync_channel(1);
        let make = Arc::clone(make);
        let thread = thread::spawn(move || {
            for number in numbers {
                // Sending waits while the channel is full, and fails once the reader is gone.
                if sender.send(make(number)).is_err() {
                    break;
                }
            }
        });
        Worker { batches, thread }
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
