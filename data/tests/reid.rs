//! From files to batches: the whole way of a re-identification set, and the same batches from any number of threads.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use autograd::random::Key;
use data::reid::{Part, augment, identity_batches, unchanged};
use data::vehicles::{Layout, write_layout};
use data::{
    DataError, KeyOf, Normalised, Plan, ReidAugment, ReidBatch, ReidFolder, ReidSample, planned_batches,
};
use ndarray::{Array3, Axis};

const SIZE: [usize; 2] = [12, 24];

/// 5 identities, 6 pictures of each; 2 of each are left out of chunks of 4.
fn training_set(dir: &Path) -> ReidFolder {
    let layout = Layout { seed: 5, train_ids: 5, test_ids: 1, cams: 3, per_cam: 2, height: 16 };
    write_layout(dir, &layout, &|_| ()).unwrap();
    ReidFolder::open(dir, Part::Train, 2).unwrap()
}

/// An epoch of 2 identities with 4 pictures of each.
fn epoch(set: &Arc<ReidFolder>, start_batch: usize, workers: usize) -> Vec<ReidBatch> {
    let (seed, epoch) = (3, 2);
    let batches = identity_batches(&set.ids(), 2, 4, Key { seed, epoch, step: 0 });
    let plan = Plan { seed, epoch, batches, start_batch, key_of: KeyOf::Place };
    let set = Arc::clone(set);
    let load = move |index, key, _| Ok(augment(&set.load(index)?, &ReidAugment::default(), SIZE, key));
    planned_batches(plan, workers, load, ReidBatch::stack).collect::<Result<_, _>>().unwrap()
}

#[test]
fn an_epoch_is_the_same_from_any_thread_and_from_the_middle() {
    let dir = tempfile::tempdir().unwrap();
    let set = Arc::new(training_set(dir.path()));
    let alone = epoch(&set, 0, 0);
    assert_eq!(alone.len(), 2, "one chunk of each of 5 identities makes two batches of two");
    for batch in &alone {
        assert_eq!((batch.names.len(), batch.pictures.len()), (8, 2));
        assert!(batch.pictures.iter().all(|pictures| pictures.dim() == (8, 3, 12, 24)));
        let ids: HashSet<u32> = batch.ids.iter().copied().collect();
        assert_eq!(ids.len(), 2);
        for (place, &index) in batch.indices.iter().enumerate() {
            assert_eq!((set.ids()[index], set.cams()[index]), (batch.ids[place], batch.cams[place]));
            assert_eq!(set.names().nth(index), Some(batch.names[place].as_str()));
        }
    }
    assert_eq!(epoch(&set, 0, 3), alone);
    assert_eq!(epoch(&set, 1, 2), alone[1..]);
}

#[test]
fn a_picture_drawn_twice_is_varied_in_two_ways() {
    let dir = tempfile::tempdir().unwrap();
    let set = Arc::new(training_set(dir.path()));
    let batches = vec![vec![7, 7], vec![7]];
    let plan = Plan { seed: 1, epoch: 1, batches, start_batch: 0, key_of: KeyOf::Place };
    let load = move |index, key, _| Ok(augment(&set.load(index)?, &ReidAugment::default(), SIZE, key));
    let made: Vec<ReidBatch> =
        planned_batches(plan, 0, load, ReidBatch::stack).collect::<Result<_, _>>().unwrap();
    let colours = [&made[0].pictures[0], &made[1].pictures[0]];
    let three = [(0, 0), (0, 1), (1, 0)].map(|(batch, place)| colours[batch].index_axis(Axis(0), place));
    assert!(three[0] != three[1] && three[1] != three[2] && three[0] != three[2]);
}

#[test]
fn a_batch_stacks_each_spectrum_and_names_odd_sizes() {
    let sample = |name: &str, height: usize, value: f32| ReidSample {
        name: name.into(),
        id: 4,
        cam: 2,
        pictures: vec![
            Array3::from_elem((3, height, 2 * height), value),
            Array3::from_elem((3, height, 2 * height), value / 2.0),
        ],
    };
    let both = [sample("a", 8, 0.5), sample("b", 4, 1.0)];
    let stacked = ReidBatch::stack(&[3, 9], &both.clone().map(|sample| unchanged(&sample, SIZE))).unwrap();
    assert_eq!((stacked.names, stacked.indices), (vec!["a".into(), "b".into()], vec![3, 9]));
    assert_eq!((stacked.ids, stacked.cams), (vec![4, 4], vec![2, 2]));
    for (spectrum, values) in [[0.5, 1.0], [0.25, 0.5]].into_iter().enumerate() {
        for (place, value) in values.into_iter().enumerate() {
            let red = stacked.pictures[spectrum][[place, 0, 5, 7]];
            assert!((red - (value - 0.485) / 0.229).abs() < 1e-6);
        }
    }
    let error = ReidBatch::stack(&[3, 9], &both.map(Normalised)).unwrap_err();
    assert!(matches!(&error, DataError::SizeMismatch { .. }), "{error}");
    assert!(error.to_string().starts_with("b: RGB is 4 x 8, but 8 x 16"), "{error}");
}
