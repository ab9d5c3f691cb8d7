//! Memory of dropped tensors, kept for the next ones.
//!
//! A fresh large buffer comes from the operating system page by page, each page cleared at its first touch, which takes
//! about as long as computing what goes into it. A training step asks for the same sizes again and again, so buffers of
//! dropped tensors wait on shelves by size. Live and waiting tensors together never exceed what the live ones once
//! needed at their peak: the process does not grow by recycling. (Results in the making are not counted before they are tensors.)

use crate::real::Real;
use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

/// Smaller buffers are left to the allocator, which is fast for them.
const SMALLEST: usize = 16 * 1024;

/// The waiting buffers of one scalar type, in elements.
pub struct Pool<T> {
    shelves: BTreeMap<usize, Vec<Vec<T>>>,
    waiting: usize,
    live: usize,
    most_live: usize,
}

impl<T> Pool<T> {
    /// Empty shelves.
    pub const fn new() -> Pool<T> {
        Pool { shelves: BTreeMap::new(), waiting: 0, live: 0, most_live: 0 }
    }

    /// Takes a buffer of at least `len` and little more.
    fn take(&mut self, len: usize) -> Option<Vec<T>> {
        let size = *self.shelves.range(len..=len + len / 8).next()?.0;
        self.take_from(size)
    }

    fn take_from(&mut self, size: usize) -> Option<Vec<T>> {
        let shelf = self.shelves.get_mut(&size)?;
        let buffer = shelf.pop();
        if shelf.is_empty() {
            self.shelves.remove(&size);
        }
        self.waiting -= buffer.as_ref().map_or(0, |_| size);
        buffer
    }

    /// Counts a buffer that has become a tensor's; returns waiting ones that must go for it.
    fn enter(&mut self, size: usize) -> Vec<Vec<T>> {
        self.live += size;
        self.most_live = self.most_live.max(self.live);
        let mut gone = Vec::new();
        while self.live + self.waiting > self.most_live {
            let largest = *self.shelves.keys().next_back().expect("something waits");
            gone.extend(self.take_from(largest));
        }
        gone
    }

    /// A tensor's buffer comes back; returned if there is no room for it.
    fn leave(&mut self, buffer: Vec<T>) -> Option<Vec<T>> {
        let size = buffer.capacity();
        self.live -= size;
        if self.live + self.waiting + size > self.most_live {
            return Some(buffer);
        }
        self.waiting += size;
        self.shelves.entry(size).or_default().push(buffer);
        None
    }
}

fn pool<T: Real>() -> MutexGuard<'static, Pool<T>> {
    // The counts are changed before anything can panic.
    T::pool().lock().unwrap_or_else(PoisonError::into_inner)
}

/// A buffer of `len` values whose content is left over from another tensor (or zeros): for results that are written in full.
pub(crate) fn stale<T: Real>(len: usize) -> Vec<T> {
    let old = if len < SMALLEST { None } else { pool::<T>().take(len) };
    match old {
        None => vec![T::zero(); len],
        Some(mut buffer) => {
            buffer.resize(len, T::zero());
            buffer
        }
    }
}

/// A buffer of `len` zeros.
pub(crate) fn zeros<T: Real>(len: usize) -> Vec<T> {
    filled(len, T::zero())
}

/// A buffer of `len` copies of one value.
pub(crate) fn filled<T: Real>(len: usize, value: T) -> Vec<T> {
    let mut buffer = stale(len);
    super::for_chunks(&mut buffer, super::CHUNK, |_, chunk| chunk.fill(value));
    buffer
}

/// A copy in recycled memory.
pub(crate) fn copy_of<T: Real>(values: &[T]) -> Vec<T> {
    let mut buffer = stale(values.len());
    buffer.copy_from_slice(values);
    buffer
}

/// A tensor's values, whose memory goes back to the shelves when they are dropped.
pub(crate) struct Recycled<T: Real>(Vec<T>);

impl<T: Real> Recycled<T> {
    /// Takes over values.
    pub(crate) fn new(values: Vec<T>) -> Recycled<T> {
        if values.capacity() >= SMALLEST {
            let gone = pool::<T>().enter(values.capacity());
            drop(gone); // after the lock
        }
        Recycled(values)
    }

    /// The values.
    pub(crate) fn as_slice(&self) -> &[T] {
        &self.0
    }

    /// The values, to be changed.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<T: Real> Clone for Recycled<T> {
    fn clone(&self) -> Recycled<T> {
        Recycled::new(copy_of(&self.0))
    }
}

impl<T: Real> Drop for Recycled<T> {
    fn drop(&mut self) {
        if self.0.capacity() >= SMALLEST {
            let gone = pool::<T>().leave(std::mem::take(&mut self.0));
            drop(gone); // after the lock
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recycling_never_holds_more_than_tensors_once_did() {
        let mut pool = Pool::<f32>::new();
        let first: Vec<Vec<f32>> = [100, 200, 300].map(Vec::with_capacity).into();
        first.iter().for_each(|buffer| assert!(pool.enter(buffer.capacity()).is_empty()));
        first.into_iter().for_each(|buffer| assert!(pool.leave(buffer).is_none()));
        assert_eq!((pool.live, pool.waiting, pool.most_live), (0, 600, 600));
        assert!(pool.take(150).is_none(), "200 is too much for 150");
        let again = pool.take(190).expect("200 will do for 190");
        assert_eq!((again.capacity(), pool.waiting), (200, 400));
        assert!(pool.enter(200).is_empty());
        let gone = pool.enter(250); // 450 live, 400 waiting: the largest has to go
        assert_eq!(gone.iter().map(Vec::capacity).collect::<Vec<_>>(), [300]);
        assert_eq!((pool.live, pool.waiting, pool.most_live), (450, 100, 600));
    }

    #[test]
    fn a_recycled_buffer_has_the_asked_length() {
        let size = SMALLEST + 12_345; // a size no other test uses
        drop(Recycled::new(vec![1.0_f64; size]));
        assert_eq!(stale::<f64>(size).len(), size);
        drop(Recycled::new(vec![1.0_f64; size]));
        assert!(zeros::<f64>(size - 7).iter().all(|&x| x == 0.0));
    }
}
