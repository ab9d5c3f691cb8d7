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
    RgbdFolder::open(dir, DepthFormat::NearBright, None)
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

    let inverted = RgbdFolder::open(dir.path(), DepthFormat::FarBright, None).unwrap().load(0).unwrap();
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
    GrayImage::new(9, 30).save(at("GT/small.png")).unwrap();
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
        "small: mask is 30 x 9, the colour picture 3 x 4",
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
    GrayImage::new(9, 90).save(&path).unwrap();
    assert!(set.load(1).unwrap_err().to_string().contains("b: depth is 90 x 9"));
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 20]).unwrap();
    assert!(set.load(1).unwrap_err().to_string().contains("depth/b.png"));
    assert_eq!(set.load(0).unwrap().name, "a");
}

#[test]
fn sets_side_by_side_and_masks_of_either_kind() {
    let root = tempfile::tempdir().unwrap();
    write_triple(&root.path().join("SIP"), ["Image", "Depth", "Mask"], "a", 16, 16);
    write_triple(&root.path().join("NLPR/train"), COMMON, "b", 16, 16);
    write_triple(&root.path().join("DUT-RGBD"), ["test_images", "test_depth", "test_masks"], "c.1", 16, 16);
    // A truth as JPEG, as some packs have it: its ripples are cut away.
    let mask = root.path().join("SIP/Mask");
    fs::remove_file(mask.join("a.png")).unwrap();
    GrayImage::from_fn(16, 16, |x, _| Luma([if x < 8 { 255 } else { 0 }])).save(mask.join("a.JPG")).unwrap();
    for (set, name, foreground) in
        [("SIP", "a", 128.0), ("NLPR/train", "b", 16.0), ("DUT-RGBD/test", "c.1", 16.0)]
    {
        let set = open(&root.path().join(set)).unwrap();
        assert_eq!(set.names().collect::<Vec<_>>(), [name]);
        let mask = set.load(0).unwrap().mask;
        assert!(mask.iter().all(|&m| m == 0.0 || m == 1.0) && mask.sum() == foreground, "{name}: {mask}");
    }
}

#[test]
fn a_list_takes_its_samples_in_its_order() {
    let dir = data_set(COMMON, &["a", "b", "c", "d.png"]);
    // What the list leaves out may have faults.
    fs::remove_file(dir.path().join("depth/b.png")).unwrap();
    let list = dir.path().join("train.txt");
    let listed = |text: &str| {
        fs::write(&list, text).unwrap();
        RgbdFolder::open(dir.path(), DepthFormat::NearBright, Some(&list))
    };
    let names = |set: RgbdFolder| set.names().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(names(listed("# chosen\n\nc\r\n  a.jpg  \nd.png.jpg\n").unwrap()), ["c", "a", "d.png"]);
    // One file for several sets: only the lines of this one count.
    let own = dir.path().file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!(names(listed(&format!("OTHER/b\n{own}/a\nOTHER/a\n")).unwrap()), ["a"]);

    let told = listed("a\nzebra\nc\na.png\nb\n").unwrap_err().to_string();
    for expected in [
        "zebra: named in line 2 of ",
        "train.txt, but there is no such picture",
        "a: named twice, in lines 1 and 4 of ",
        "b: no depth picture",
    ] {
        assert!(told.contains(expected), "`{expected}` is missing from:\n{told}");
    }
    assert!(listed("# nothing\nOTHER/a\n").unwrap_err().to_string().contains("names none of its samples"));
    let absent = RgbdFolder::open(dir.path(), DepthFormat::NearBright, Some(Path::new("absent.txt")));
    assert!(absent.unwrap_err().to_string().contains("cannot read the list absent.txt"));
}

#[test]
fn depth_and_mask_of_another_resolution_are_brought_to_the_picture() {
    let dir = data_set(COMMON, &["a"]);
    let save = |folder: &str, image: &GrayImage| image.save(dir.path().join(folder).join("a.png")).unwrap();
    RgbImage::from_pixel(8, 6, Rgb([9, 9, 9])).save(dir.path().join("RGB/a.jpg")).unwrap();
    save("depth", &GrayImage::from_raw(4, 3, [0, 80, 80, 200].repeat(3)).unwrap());
    save("GT", &GrayImage::from_fn(16, 12, |x, _| Luma([if x < 4 { 255 } else { 0 }])));
    let set = open(dir.path()).unwrap();
    let sample = set.load(0).unwrap();
    assert_eq!((sample.rgb.dim(), sample.depth.dim(), sample.mask.dim()), ((3, 6, 8), (6, 8), (6, 8)));
    // The hole stays a hole of a quarter of the width, and its neighbours do not fade.
    assert_eq!(sample.depth.row(2).to_vec()[..4], [0.0, 0.0, 8.0 / 255.0, 8.0 / 255.0]);
    assert_eq!(sample.mask.row(5).to_vec(), [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    // A score wants the mask as it is.
    let scored = set.load_to_score(0).unwrap();
    assert_eq!((scored.mask.dim(), scored.mask.sum()), ((12, 16), 48.0));
    assert_eq!((scored.rgb, scored.depth), (sample.rgb, sample.depth));
}

#[test]
fn sixteen_bit_distances_of_a_sensor() {
    let dir = data_set(COMMON, &["a"]);
    let millimetres: Vec<u16> = [0, 1000, 2000, 4000].repeat(3);
    let depth = image::ImageBuffer::<Luma<u16>, _>::from_raw(4, 3, millimetres).unwrap();
    depth.save(dir.path().join("depth/a.png")).unwrap();
    let set = RgbdFolder::open(dir.path(), DepthFormat::Mm, None).unwrap();
    let row = set.load(0).unwrap().depth.row(1).to_vec();
    // 1/z is 1, 1/2 and 1/4: the middle one lies at a third of the range.
    let floor = 8.0 / 255.0;
    let expected = [0.0, 1.0, floor + (1.0 - floor) / 3.0, floor];
    assert!(row.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{row:?}");
}

#[test]
fn a_set_with_faults_still_shows_its_sound_samples_and_what_it_holds() {
    let dir = data_set(COMMON, &["a", "b", "c"]);
    fs::remove_file(dir.path().join("depth/b.png")).unwrap();
    let (set, problems) = RgbdFolder::open_sound(dir.path(), DepthFormat::NearBright, None);
    assert_eq!((set.names().collect::<Vec<_>>(), problems.len()), (vec!["a", "c"], 1));
    let (none, problems) = RgbdFolder::open_sound(&dir.path().join("nowhere"), DepthFormat::NearBright, None);
    assert!(none.is_empty() && problems.len() == 1);

    // Another file of another length is noticed.
    let before = set.inventory();
    assert!(before.starts_with("a ") && before.lines().count() == 2, "{before}");
    let (again, _) = RgbdFolder::open_sound(dir.path(), DepthFormat::NearBright, None);
    assert_eq!(again.inventory(), before);
    RgbImage::from_fn(4, 3, |x, y| Rgb([(x * 60) as u8, (y * 99) as u8, 7]))
        .save(dir.path().join("RGB/a.jpg"))
        .unwrap();
    let (changed, _) = RgbdFolder::open_sound(dir.path(), DepthFormat::NearBright, None);
    assert_ne!(changed.inventory(), before);
}
