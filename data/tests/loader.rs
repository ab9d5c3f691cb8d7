//! The loader's promises: one order for any number of threads, resuming in the middle, and errors that arrive.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use autograd::random::{Key, site};
use data::{
    Augment, Batch, DataError, DepthFormat, KeyOf, Order, Plan, RgbdFolder, Sample, augment, batches,
    planned_batches, transform,
};
use ndarray::{Array2, Array3};
use rand::RngExt;

/// A sample whose pixels tell its index, and one random number of its key.
fn numbered(index: usize, key: Key, _: Key) -> Result<Sample, DataError> {
    let draw: f32 = key.rng(site("test")).random();
    Ok(Sample {
        name: format!("s{index}"),
        rgb: Array3::from_elem((3, 2, 3), index as f32 / 100.0),
        depth: Array2::from_elem((2, 3), draw),
        mask: Array2::from_elem((2, 3), (index % 2) as f32),
    })
}

const SHUFFLED: Order = Order { seed: 3, epoch: 1, shuffle: true, start_batch: 0, drop_last: false };

fn collect(order: Order, workers: usize) -> Vec<Batch> {
    batches(23, 4, order, workers, numbered).collect::<Result<_, _>>().unwrap()
}

fn indices(batches: &[Batch]) -> Vec<usize> {
    batches.iter().flat_map(|batch| batch.indices.clone()).collect()
}

#[test]
fn a_batch_stacks_its_samples() {
    let first = batches(3, 2, Order::default(), 0, numbered).next().unwrap().unwrap();
    assert_eq!(
        (first.names.as_slice(), first.indices.as_slice()),
        (["s0".into(), "s1".into()].as_slice(), &[0, 1][..])
    );
    assert_eq!(
        (first.rgb.dim(), first.depth.dim(), first.mask.dim()),
        ((2, 3, 2, 3), (2, 1, 2, 3), (2, 1, 2, 3))
    );
    assert_eq!(
        (first.rgb[[0, 2, 1, 1]], first.rgb[[1, 0, 1, 2]], first.mask[[1, 0, 0, 0]]),
        (0.0, 0.01, 1.0)
    );
    assert_eq!(
        first.depth[[1, 0, 1, 1]],
        numbered(1, Key { seed: 0, epoch: 0, step: 1 }, Key::default()).unwrap().depth[[0, 0]]
    );
}

#[test]
fn the_order_is_a_permutation_of_seed_and_epoch() {
    let order = indices(&collect(SHUFFLED, 0));
    assert_eq!(order.iter().collect::<HashSet<_>>().len(), 23);
    assert_ne!(order, indices(&collect(Order { epoch: 2, ..SHUFFLED }, 0)));
    assert_ne!(order, indices(&collect(Order { seed: 4, ..SHUFFLED }, 0)));
    assert_eq!(indices(&collect(Order { shuffle: false, ..SHUFFLED }, 0)), (0..23).collect::<Vec<_>>());
}

#[test]
fn every_place_is_equally_likely() {
    // Where does sample 0 land among 4, over 2000 epochs? Each place expects 500, with a deviation of 19.
    let mut places = [0; 4];
    for epoch in 0..2000 {
        let order = Order { epoch, ..SHUFFLED };
        let first = batches(4, 4, order, 0, numbered).next().unwrap().unwrap();
        places[first.indices.iter().position(|&i| i == 0).unwrap()] += 1;
    }
    assert!(places.iter().all(|n| (400..600).contains(n)), "{places:?}");
}

#[test]
fn workers_change_nothing() {
    let alone = collect(SHUFFLED, 0);
    assert_eq!(alone.len(), 6);
    assert_eq!(alone[5].indices.len(), 3);
    for workers in [1, 4, 9] {
        assert_eq!(collect(SHUFFLED, workers), alone, "{workers} workers");
    }
}

#[test]
fn resuming_gives_the_tail_and_loads_nothing_before_it() {
    let whole = collect(SHUFFLED, 0);
    for workers in [0, 2] {
        let loads = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&loads);
        let count_and_load = move |index, key, batch| {
            counter.fetch_add(1, Ordering::Relaxed);
            numbered(index, key, batch)
        };
        let order = Order { start_batch: 4, ..SHUFFLED };
        let tail: Vec<Batch> = batches(23, 4, order, workers, count_and_load).map(Result::unwrap).collect();
        assert_eq!(tail, whole[4..]);
        assert_eq!(loads.load(Ordering::Relaxed), 7);
    }
    assert!(collect(Order { start_batch: 99, ..SHUFFLED }, 2).is_empty());
}

/// Samples of a side that is drawn for their batch.
fn sized(index: usize, key: Key, batch: Key) -> Result<Sample, DataError> {
    let side = batch.rng(site("size")).random_range(1..100);
    Ok(transform::resize(&numbered(index, key, batch)?, side, side))
}

#[test]
fn what_is_drawn_for_a_batch_is_common_to_it_and_reproducible() {
    let draw = |order, workers| -> Vec<Batch> {
        batches(23, 4, order, workers, sized).collect::<Result<_, _>>().unwrap()
    };
    let alone = draw(SHUFFLED, 0); // that the batches stack at all proves that each has one size
    let sides: HashSet<usize> = alone.iter().map(|batch| batch.mask.dim().2).collect();
    assert!(sides.len() >= 4, "{sides:?}");
    assert_eq!(draw(SHUFFLED, 3), alone);
    assert_eq!(draw(Order { start_batch: 2, ..SHUFFLED }, 2), alone[2..]);
    assert_ne!(draw(Order { epoch: 2, ..SHUFFLED }, 0)[0].mask.dim(), alone[0].mask.dim());
}

/// The index of every sample with what its key and its batch's key say, batch by batch.
fn keys_of(key_of: KeyOf, start_batch: usize, workers: usize) -> Vec<Vec<(usize, Key, Key)>> {
    let batches = vec![vec![3, 3, 0], vec![2], vec![3, 1]];
    let plan = Plan { seed: 5, epoch: 2, batches, start_batch, key_of };
    let load = |index, key, batch| Ok((index, key, batch));
    let stack = |indices: &[usize], samples: &[(usize, Key, Key)]| {
        assert!(samples.iter().map(|sample| &sample.0).eq(indices));
        Ok(samples.to_vec())
    };
    planned_batches(plan, workers, load, stack).collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_sample_in_two_places_has_two_keys_if_places_count() {
    let steps = |batches: &[Vec<(usize, Key, Key)>]| -> Vec<Vec<u64>> {
        batches.iter().map(|batch| batch.iter().map(|(_, key, _)| key.step).collect()).collect()
    };
    let by_place = keys_of(KeyOf::Place, 0, 0);
    assert_eq!(steps(&by_place), [vec![0, 1, 2], vec![3], vec![4, 5]]);
    assert_eq!(steps(&keys_of(KeyOf::Index, 0, 0)), [vec![3, 3, 0], vec![2], vec![3, 1]]);
    assert!(by_place.iter().flatten().all(|(_, key, batch)| (key.seed, key.epoch, batch.seed) == (5, 2, 5)));
    for (number, batch) in by_place.iter().enumerate() {
        assert!(batch.iter().all(|(_, _, key)| key.step == number as u64));
    }
    assert_eq!(keys_of(KeyOf::Place, 0, 2), by_place);
    assert_eq!(keys_of(KeyOf::Place, 1, 2), by_place[1..]);
}

#[test]
fn lengths_are_known_beforehand() {
    let length = |len, drop_last| batches(len, 4, Order { drop_last, ..SHUFFLED }, 0, numbered).len();
    assert_eq!(
        [length(23, false), length(23, true), length(24, true), length(3, true), length(0, false)],
        [6, 5, 6, 0, 0]
    );
    assert!(collect(Order { drop_last: true, ..SHUFFLED }, 3).iter().all(|batch| batch.indices.len() == 4));
}

#[test]
fn panics_and_odd_sizes_become_errors_and_the_rest_goes_on() {
    for workers in [0, 1, 3] {
        let load = |index: usize, key, batch| match index {
            5 => panic!("sample {index} is cursed"),
            9 => Ok(Sample { mask: Array2::zeros((7, 7)), ..numbered(index, key, batch)? }),
            _ => numbered(index, key, batch),
        };
        let results: Vec<_> = batches(16, 4, Order::default(), workers, load).collect();
        let told: Vec<String> =
            results.iter().map(|r| r.as_ref().map_or_else(|e| e.to_string(), |_| "fine".into())).collect();
        assert_eq!(told[0], "fine");
        assert_eq!(told[1], "loading sample 5 panicked: sample 5 is cursed");
        assert!(told[2].contains("s9: mask is 7 x 7, but 2 x 3"), "{}", told[2]);
        assert_eq!(told[3], "fine");
    }
}

#[test]
fn look_ahead_is_bounded_and_dropping_ends_the_threads() {
    let loads = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&loads);
    let mut stream = batches(1000, 1, Order::default(), 3, move |index, key, batch| {
        counter.fetch_add(1, Ordering::Relaxed);
        numbered(index, key, batch)
    });
    stream.next().unwrap().unwrap();
    thread::sleep(Duration::from_millis(100));
    let ahead = loads.load(Ordering::Relaxed);
    assert!(ahead <= 1 + 2 * 3, "{ahead} samples loaded for one that was asked for");
    drop(stream);
    // The closure, and with it the counter, is gone: no thread is left to hold it.
    assert_eq!(Arc::strong_count(&loads), 1);
}

#[test]
fn a_corrupt_file_in_the_middle_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for folder in ["RGB", "depth", "GT"] {
        std::fs::create_dir(dir.path().join(folder)).unwrap();
        for i in 0..6 {
            let picture = image::GrayImage::from_fn(20, 16, |x, y| image::Luma([(x * 9 + y * 5 + i) as u8]));
            picture.save(dir.path().join(folder).join(format!("p{i}.png"))).unwrap();
        }
    }
    let set = RgbdFolder::open(dir.path(), DepthFormat::NearBright, None).unwrap();
    let bad = dir.path().join("depth/p3.png");
    let bytes = std::fs::read(&bad).unwrap();
    std::fs::write(&bad, &bytes[..bytes.len() / 2]).unwrap();

    let settings = Augment { crop: 0.0, ..Augment::default() };
    let load = move |index, key, _| Ok(augment(&set.load(index)?, &settings, key));
    let results: Vec<_> = batches(6, 2, Order::default(), 2, load).collect();
    assert_eq!(results.len(), 3);
    assert!(results[0].is_ok() && results[2].is_ok());
    assert!(results[1].as_ref().unwrap_err().to_string().contains("depth/p3.png"));
}
