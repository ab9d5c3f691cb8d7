//! Data sets on disk: the accepted layouts, and what is said about the others.

use std::fs;
use std::path::Path;

use data::layout::{LayoutError, RgbdFolder};
use data::{DepthFormat, Sample};
use image::{GrayImage, Luma, Rgb, RgbImage};
use tempfile::TempDir;

/// Writes one triple of `width` x `height` pictures into the three folders of `dir`, colour as JPEG.
fn write_triple(dir: &Path, folders: [&str; 3], name: &str, width: u32, height: u32) {
    for folder in folders {
        fs::create_dir_all(dir.join(folder)).unwrap();
    }
    let [rgb, depth, mask] = folders;
    let grey = |from: &dyn Fn(u32) -> u8| GrayImage::from_fn(width, height, |x, _| Luma([from(x)]));
    RgbImage::from_pixel(width, height, Rgb([0, 255, 0]))
        .save(dir.join(rgb).join(format!("{name}.jpg")))
        .unwrap();
    grey(&|x| (50 * x) as u8).save(dir.join(depth).join(format!("{name}.png"))).unwrap();
    grey(&|x| if x == 0 { 255 } else { 0 }).save(dir.join(mask).join(format!("{name}.png"))).unwrap();
}

const COMMON: [&str; 3] = ["RGB", "depth", "GT"];

fn data_set(folders: [&str; 3], names: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in names {
        write_triple(dir.path(), folders, name, 4, 3);
    }
    dir
}

fn open(dir: &Path) -> Result<RgbdFolder, LayoutError> {
    RgbdFolder::open(dir, DepthFormat::NearBright)
}

fn complaint(dir: &Path) -> String {
    open(dir).unwrap_err().to_string()
}

#[test]
fn every_public_layout_opens_sorted() {
    for folders in [
        COMMON,
        ["Image", "Depth", "Mask"],
        ["test_images", "test_depth", "test_masks"],
        ["train_images", "train_depth", "train_masks"],
        ["rgb", "DEPTH", "gt"],
    ] {
        let dir = data_set(folders, &["b", "c", "a"]);
        let set = open(dir.path()).unwrap();
        assert_eq!((set.len(), set.names().collect::<Vec<_>>()), (3, vec!["a", "b", "c"]), "{folders:?}");
    }
}

#[test]
fn a_sample_follows_the_conventions() {
    let dir = data_set(COMMON, &["a"]);
    let Sample { name, rgb, depth, mask } = open(dir.path()).unwrap().load(0).unwrap();
    assert_eq!((name.as_str(), rgb.dim(), depth.dim(), mask.dim()), ("a", (3, 3, 4), (3, 4), (3, 4)));
    assert!(rgb[[0, 1, 1]] < 0.02 && rgb[[1, 1, 1]] > 0.98);
    assert_eq!(mask.row(0).to_vec(), [1.0, 0.0, 0.0, 0.0]);
    assert_eq!((depth[[0, 0]], depth[[0, 1]], depth[[0, 3]]), (0.0, 8.0 / 255.0, 1.0));

    let inverted = RgbdFolder::open(dir.path(), DepthFormat::FarBright).unwrap().load(0).unwrap();
    assert_eq!((inverted.depth[[0, 0]], inverted.depth[[0, 3]]), (1.0, 8.0 / 255.0));
}

#[test]
fn one_half_of_a_set_is_opened_by_name() {
    let dir = data_set(["train_images", "train_depth", "train_masks"], &["a", "b"]);
    write_triple(dir.path(), ["test_images", "test_depth", "test_masks"], "z", 4, 3);
    assert_eq!(open(&dir.path().join("train")).unwrap().len(), 2);
    assert_eq!(open(&dir.path().join("test")).unwrap().names().collect::<Vec<_>>(), ["z"]);
    let both = complaint(dir.path());
    assert!(both.contains("train_images") && both.contains("DIR/test"), "{both}");
}

#[test]
fn all_problems_are_told_together() {
    let dir = data_set(COMMON, &["fine", "half", "twice", "small", "broken"]);
    let at = |path: &str| dir.path().join(path);
    fs::remove_file(at("depth/half.png")).unwrap();
    fs::copy(at("RGB/twice.jpg"), at("RGB/twice.png")).unwrap();
    GrayImage::new(9, 7).save(at("GT/small.png")).unwrap();
    fs::write(at("depth/broken.png"), "no picture").unwrap();
    fs::write(at("depth/other.bmp"), "BM").unwrap();
    fs::write(at("GT/orphan.png"), fs::read(at("GT/fine.png")).unwrap()).unwrap();
    fs::write(at("RGB/.hidden.png"), "ignored").unwrap();
    fs::write(at("RGB/readme.txt"), "ignored").unwrap();

    let error = open(dir.path()).unwrap_err();
    assert_eq!(error.problems.len(), 7, "{error}");
    let told = error.to_string();
    for expected in [
        "half: no depth picture",
        "RGB/twice.jpg and ",
        "RGB/twice.png have the same stem",
        "small: mask is 7 x 9, but 3 x 4",
        "depth/broken.png",
        "depth/other.bmp",
        "orphan: no colour picture",
        "orphan: no depth picture",
    ] {
        assert!(told.contains(expected), "`{expected}` is missing from:\n{told}");
    }
    assert!(!told.contains("fine"));
}

#[test]
fn a_long_list_is_cut_but_counted() {
    let dir = data_set(COMMON, &["complete"]);
    for i in 0..25 {
        fs::copy(dir.path().join("RGB/complete.jpg"), dir.path().join(format!("RGB/lone{i:02}.jpg")))
            .unwrap();
    }
    let told = complaint(dir.path()); // two problems each: no depth, no truth
    assert!(
        told.contains("lone09") && !told.contains("lone10") && told.ends_with("and 30 more problems"),
        "{told}"
    );
}

#[test]
fn missing_and_empty_folders() {
    let dir = data_set(COMMON, &["a"]);
    fs::remove_dir_all(dir.path().join("GT")).unwrap();
    assert!(complaint(dir.path()).contains("no truth folder: looked for gt, mask, masks"));
    let unlabelled = RgbdFolder::open_unlabelled(dir.path(), DepthFormat::NearBright).unwrap();
    assert_eq!(unlabelled.load(0).unwrap().mask, ndarray::Array2::<f32>::zeros((3, 4)));

    let empty = data_set(COMMON, &[]);
    for folder in COMMON {
        fs::create_dir(empty.path().join(folder)).unwrap();
    }
    assert!(complaint(empty.path()).contains("no PNG or JPEG pictures"));
    assert!(complaint(&empty.path().join("nowhere")).contains("cannot list"));
}

#[test]
fn a_file_that_went_bad_is_named_on_loading() {
    let dir = data_set(COMMON, &["a", "b"]);
    let set = open(dir.path()).unwrap();
    let path = dir.path().join("depth/b.png");
    GrayImage::new(40, 40).save(&path).unwrap();
    assert!(set.load(1).unwrap_err().to_string().contains("b: depth is 40 x 40"));
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 20]).unwrap();
    assert!(set.load(1).unwrap_err().to_string().contains("depth/b.png"));
    assert_eq!(set.load(0).unwrap().name, "a");
}
