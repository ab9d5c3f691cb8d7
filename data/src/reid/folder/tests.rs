use super::*;
use crate::image_io::{write_jpeg, write_rgb};
use crate::vehicles::{Layout, write_layout};
use ndarray::{Array3, Axis, concatenate};
use tempfile::TempDir;

/// A picture of `crops` crops of `height` rows; each has its own grey.
fn picture(height: usize, crops: usize) -> Array3<f32> {
    Array3::from_shape_fn((3, height, 2 * height * crops), |(_, _, x)| 0.2 + 0.3 * (x / (2 * height)) as f32)
}

/// A set of these files, names relative to it.
fn set(files: &[(&str, Array3<f32>)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, pixels) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if name.ends_with("png") {
            write_rgb(&path, pixels.view())
        } else {
            write_jpeg(&path, pixels.view())
        }
        .unwrap();
    }
    dir
}

#[test]
fn all_spectra_of_a_written_set_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout { seed: 5, train_ids: 2, test_ids: 2, cams: 2, per_cam: 2, height: 32 };
    write_layout(dir.path(), &layout, &|_| ()).unwrap();
    let open = |dir: &Path, part| ReidFolder::open(dir, part, 2).unwrap();
    let [train, query, gallery] = Part::ALL.map(|part| open(dir.path(), part));
    assert_eq!((train.len(), query.len(), gallery.len()), (8, 2, 6));
    assert_eq!(train.ids(), [1, 1, 1, 1, 2, 2, 2, 2]);
    assert_eq!(train.cams(), [1, 1, 2, 2, 1, 1, 2, 2]);
    assert_eq!(query.names().collect::<Vec<_>>(), ["0003_c001_001", "0004_c002_001"]);
    let inner = dir.path().join("rgbir");
    assert_eq!(open(&inner, Part::Gallery).inventory(), gallery.inventory());
    assert_eq!(gallery.inventory().lines().count(), 6);

    let sample = query.load(1).unwrap();
    assert_eq!((sample.name.as_str(), sample.id, sample.cam), ("0004_c002_001", 4, 2));
    let file = read_rgb(query.file(1)).unwrap();
    let views: Vec<_> = sample.pictures.iter().map(|picture| picture.view()).collect();
    assert_eq!(sample.pictures[0].dim(), (3, 32, 64));
    assert_eq!(concatenate(Axis(2), &views).unwrap(), file);
    // One spectrum of a file that holds two.
    let colours = ReidFolder::open(dir.path(), Part::Query, 1).unwrap().load(1).unwrap();
    assert_eq!(colours.pictures, sample.pictures[..1]);
}

#[test]
fn the_third_spectrum_must_be_there() {
    let dir =
        set(&[("rgbir/query/0001_c1_1.png", picture(8, 3)), ("rgbir/query/0002_c1_1.png", picture(8, 2))]);
    assert_eq!(ReidFolder::open(dir.path(), Part::Query, 2).unwrap().len(), 2);
    let error = ReidFolder::open(dir.path(), Part::Query, 3).unwrap_err().to_string();
    assert!(
        error.contains("0002_c1_1.png is 8 x 32 (height x width), room for 2 of the 3 spectra"),
        "{error}"
    );
    assert!(!error.contains("0001_c1_1"), "{error}");
    let thermal = read_spectra(&dir.path().join("rgbir/query/0001_c1_1.png"), 3).unwrap().remove(2);
    assert!(thermal.iter().all(|v| (v - 0.8).abs() < 0.01));
}

#[test]
fn every_fault_is_told_at_once() {
    let dir = set(&[
        ("query/0001_c1_1.jpg", picture(8, 2)),
        ("query/0601_c1_1.jpg", picture(8, 2)),
        ("query/0001_c9_1.jpg", picture(8, 2)),
        ("query/front.jpg", picture(8, 2)),
        ("query/0002_c1_1.png", Array3::zeros((3, 8, 40))),
        ("query/0003_c1_1.png", Array3::zeros((3, 8, 8))),
    ]);
    fs::write(dir.path().join("query/0004_c1_1.jpg"), "no picture").unwrap();
    fs::write(dir.path().join("query/0005_c1_1.bmp"), "BM").unwrap();
    fs::write(dir.path().join("query/notes.txt"), "passed over").unwrap();
    fs::write(dir.path().join("query/._0001_c1_1.jpg"), "passed over").unwrap();
    let (sound, problems) = ReidFolder::open_sound(dir.path(), Part::Query, 2);
    assert_eq!(sound.names().collect::<Vec<_>>(), ["0001_c1_1"]);
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let expected = [
        "query/0001_c9_1.jpg: camera 9 is not",
        "query/0002_c1_1.png is 8 x 40",
        "query/0003_c1_1.png is 8 x 8",
        "query/0004_c1_1.jpg",
        "query/0005_c1_1.bmp is neither PNG nor JPEG",
        "query/0601_c1_1.jpg: identity 0601 is not",
        "query/front.jpg: its name should hold",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    assert!(told.iter().zip(expected).all(|(told, expected)| told.contains(expected)), "{told:#?}");

    let error = ReidFolder::open(dir.path(), Part::Query, 2).unwrap_err().to_string();
    assert!(
        error.contains("cannot be used for re-identification")
            && told.iter().all(|line| error.contains(line))
    );
    let error = ReidFolder::open(dir.path(), Part::Train, 2).unwrap_err().to_string();
    assert!(error.contains("neither a folder rgbir/bounding_box_train nor bounding_box_train"), "{error}");
    fs::create_dir(dir.path().join("bounding_box_test")).unwrap();
    let error = ReidFolder::open(dir.path(), Part::Gallery, 2).unwrap_err().to_string();
    assert!(error.contains("bounding_box_test holds no PNG or JPEG picture"), "{error}");
}

#[test]
fn a_plain_folder_needs_no_names() {
    let dir = set(&[("front.png", picture(8, 2)), ("0012_c3_1.jpg", picture(8, 2))]);
    let folder = ReidFolder::open_plain(dir.path(), 2).unwrap();
    assert_eq!((folder.ids(), folder.cams()), (vec![12, UNKNOWN], vec![3, UNKNOWN]));
    assert_eq!(folder.load(1).unwrap().name, "front");
    fs::write(dir.path().join("odd.png"), "no picture").unwrap();
    assert!(ReidFolder::open_plain(dir.path(), 2).unwrap_err().to_string().contains("odd.png"));
    assert!(
        ReidFolder::open_plain(&dir.path().join("absent"), 2).unwrap_err().to_string().contains("absent")
    );
}
