//! Counter-based randomness: a number depends on *where* it is used, not on what else has been drawn.
//!
//! Every random tensor is named by four integers: the run's `seed`, the `epoch`, the `step` (or the index of a
//! sample) and the `site` (which dropout, which augmentation). ChaCha8 is keyed by the seed and its 64-bit stream
//! number is a hash of the other three. Threads, worker counts and resumed runs therefore see the same numbers. Element
//! `e` of a dropout mask is word `e mod 16` of block `e div 16` of its stream, so that threads and device kernels can
//! compute any element alone; normal and initial values are drawn from their stream one after the other.
//!
//! Two limits. [`Ctx`](crate::Ctx) counts the sites of a pass, so switching a dropout off changes the masks of the ones
//! after it. And passes with equal keys have equal masks: micro-batches that accumulate gradients need one key each.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The run's seed plus the position in training; together with a site it names one stream of random words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Key {
    /// The run's seed: the first eight bytes of the ChaCha8 key, little-endian (the rest are zero).
    pub seed: u64,
    /// Epoch number, or 0 where there are no epochs.
    pub epoch: u64,
    /// Step number in training, sample index in a data pipeline.
    pub step: u64,
}

impl Key {
    /// The random words of one site (one dropout layer, one augmentation) at this position.
    pub fn rng(&self, site: u64) -> ChaCha8Rng {
        let mut bytes = [0u8; 24];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip([self.epoch, self.step, site]) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        let mut rng = ChaCha8Rng::from_seed(self.chacha_key());
        rng.set_stream(fnv1a(&bytes));
        rng
    }

    fn chacha_key(&self) -> [u8; 32] {
        let mut key = [0u8; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key
    }
}

/// A site named in words: `site("data.flip")`, or a parameter's name for its initial values.
pub fn site(name: &str) -> u64 {
    fnv1a(name.as_bytes())
}

/// FNV-1a, 64 bit: the one hash that decides streams, written out because its value is part of the file format of
/// every reproducible run.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::Rng;

    #[test]
    fn words_are_addressable_and_streams_differ() {
        let key = Key { seed: 7, epoch: 1, step: 2 };
        let mut rng = key.rng(3);
        let words: Vec<u32> = (0..40).map(|_| rng.next_u32()).collect();
        let mut jumped = key.rng(3);
        jumped.set_word_pos(33);
        assert_eq!(jumped.next_u32(), words[33]);
        assert_ne!(key.rng(4).next_u32(), words[0]);
        assert_ne!(Key { epoch: 2, step: 1, ..key }.rng(3).next_u32(), words[0]);
    }
}
