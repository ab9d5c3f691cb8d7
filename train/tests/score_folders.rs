//! Scoring folders: pairing, formats, reports.

use std::fs;
use std::path::PathBuf;

use image::{DynamicImage, GrayImage, ImageBuffer, Luma, Rgb, RgbImage};
use tempfile::TempDir;
use train::score::{SodReport, score, score_folders};

/// Two folders, `preds` and `masks`, that vanish with the value.
struct Folders(TempDir);

impl Folders {
    fn new() -> Folders {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("preds")).unwrap();
        fs::create_dir(root.path().join("masks")).unwrap();
        Folders(root)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, picture: impl Into<DynamicImage>) {
        picture.into().save(self.path(name)).unwrap();
    }

    fn score(&self) -> anyhow::Result<SodReport> {
        score_folders(&self.path("preds"), &self.path("masks"))
    }

    fn error(&self) -> String {
        format!("{:#}", self.score().unwrap_err())
    }
}

fn grey(width: u32, height: u32, value: fn(u32, u32) -> u8) -> GrayImage {
    GrayImage::from_fn(width, height, |x, y| Luma([value(x, y)]))
}

fn ramp(x: u32, y: u32) -> u8 {
    (17 * x + 13 * y) as u8
}

fn corner(x: u32, y: u32) -> u8 {
    if x < 5 && y < 4 { 255 } else { 0 }
}

/// Two good pairs.
fn good() -> Folders {
    let folders = Folders::new();
    folders.put("preds/a.png", grey(12, 9, ramp));
    folders.put("masks/a.png", grey(12, 9, corner));
    folders.put("preds/b.png", grey(7, 5, corner));
    folders.put("masks/b.png", grey(7, 5, corner));
    folders
}

#[test]
fn json_is_one_object_with_the_usual_keys() {
    let report = good().score().unwrap();
    let json = serde_json::to_value(&report).unwrap();
    let keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = vec!["images", "S", "MAE", "adpF", "meanF", "maxF", "adpE", "meanE", "maxE", "wF"];
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!(json["images"], 2);
    assert_eq!(json["S"].as_f64().unwrap(), report.set.scores.structure);
    assert_eq!(json["wF"].as_f64().unwrap(), report.set.scores.weighted_f);
}

#[test]
fn the_table_names_every_measure() {
    let report = good().score().unwrap();
    let table = report.table();
    assert_eq!(table.lines().count(), 10);
    assert!(table.contains(&format!("{:.6}", report.set.scores.mean_e)), "{table}");
    let width = table.lines().next().unwrap().len();
    assert!(table.lines().all(|line| line.len() == width), "the columns do not line up:\n{table}");
}

#[test]
fn csv_holds_every_picture_and_every_digit() {
    let folders = good();
    folders.put("preds/c, \"d\".png", grey(7, 5, ramp));
    folders.put("masks/c, \"d\".png", grey(7, 5, corner));
    let report = folders.score().unwrap();
    let as_a_whole = score(&folders.path("preds"), &folders.path("masks")).unwrap();
    as_a_whole.write_csv(&folders.path("scores.csv")).unwrap();
    let csv = fs::read_to_string(folders.path("scores.csv")).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "name,S,MAE,adpF,meanF,maxF,adpE,meanE,maxE,wF");
    assert_eq!(lines.len(), 4);
    assert!(lines[3].starts_with("\"c, \"\"d\"\"\",0."), "{}", lines[3]);
    let first: Vec<&str> = lines[1].split(',').collect();
    assert_eq!((first[0], first.len()), ("a", 10));
    assert_eq!(first[9].parse::<f64>().unwrap(), report.images[0].1.scores.weighted_f);
}

#[test]
fn curves_become_three_plots() {
    let folders = good();
    folders.score().unwrap().write_curves(&folders.path("plots/set")).unwrap();
    for file in ["pr.svg", "f.svg", "e.svg"] {
        let svg = fs::read_to_string(folders.path("plots/set").join(file)).unwrap();
        assert!(svg.contains("<polyline"), "{file} shows no line");
    }
}

#[test]
fn every_problem_is_reported_by_name() {
    let folders = good();
    folders.put("masks/lonely.png", grey(7, 5, corner));
    folders.put("preds/stray.png", grey(7, 5, corner));
    folders.put("masks/large.png", grey(14, 10, corner));
    folders.put("preds/large.png", grey(7, 5, corner));
    folders.put("masks/torn.png", grey(7, 5, corner));
    fs::write(folders.path("preds/torn.png"), b"not a picture").unwrap();
    folders.put("preds/b.jpg", grey(7, 5, corner));
    let error = folders.error();
    for part in [
        "problems: 5",
        "lonely: no prediction for",
        "stray: no mask for",
        "large: the prediction is 7 x 5, the mask 14 x 10",
        "torn: cannot decode",
        "b: both",
    ] {
        assert!(error.contains(part), "{part:?} is not in:\n{error}");
    }
    assert!(!error.contains("\n  a:"), "a is a good pair:\n{error}");
}

#[test]
fn folders_that_are_missing_or_empty_are_named() {
    let folders = Folders::new();
    assert!(folders.error().contains("no PNG or JPG masks"), "{}", folders.error());
    let error = score_folders(&folders.path("preds"), &folders.path("nowhere")).unwrap_err();
    assert!(format!("{error:#}").contains("nowhere"), "{error:#}");
}

#[test]
fn other_files_are_passed_over() {
    let folders = good();
    fs::write(folders.path("masks/readme.txt"), "masks").unwrap();
    fs::write(folders.path("masks/._a.png"), "left by another system").unwrap();
    fs::create_dir(folders.path("masks/old.png")).unwrap();
    assert_eq!(folders.score().unwrap().set.images, 2);
}

/// The same truth in other files must give the same score.
#[test]
fn formats_of_masks_do_not_matter() {
    let expected = good().score().unwrap().images[0].1.scores;
    let rgb = RgbImage::from_fn(12, 9, |x, y| Rgb([corner(x, y); 3]));
    let deep = ImageBuffer::from_fn(12, 9, |x, y| Luma([u16::from(corner(x, y)) << 8 | 0x7f]));
    let with_alpha = DynamicImage::ImageLuma8(grey(12, 9, corner)).into_luma_alpha8();
    let pictures: [(&str, DynamicImage); 3] =
        [("rgb", rgb.into()), ("16 bit", deep.into()), ("alpha", with_alpha.into())];
    for (name, picture) in pictures {
        let folders = good();
        folders.put("masks/a.png", picture);
        assert_eq!(folders.score().unwrap().images[0].1.scores, expected, "{name}");
    }
    let folders = good();
    fs::remove_file(folders.path("masks/a.png")).unwrap();
    folders.put("masks/a.JPEG", grey(12, 9, corner));
    assert_eq!(folders.score().unwrap().images[0].1.scores, expected, "jpeg");
}

#[test]
fn colours_become_grey_as_in_pil() {
    let folders = Folders::new();
    // Pure green is 150 of 255 in PIL's grey (Rec. 601) and so foreground; pure red is 76 and is not.
    let colours = [[0, 0, 0], [255, 0, 0], [0, 255, 0], [255, 255, 255]];
    folders.put("masks/a.png", RgbImage::from_fn(4, 2, |x, _| Rgb(colours[x as usize])));
    folders.put("preds/a.png", grey(4, 2, |x, _| if x >= 2 { 255 } else { 0 }));
    assert_eq!(folders.score().unwrap().set.scores.mae, 0.0);
    // 76, 150 and 29 are PIL's greys of red, green and blue; stretched by 1 / 150.
    folders.put("masks/a.png", grey(4, 2, |_, _| 0));
    let colours = [[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]];
    folders.put("preds/a.png", RgbImage::from_fn(4, 2, |x, _| Rgb(colours[x as usize])));
    let expected = (76.0 + 150.0 + 29.0) / 4.0 / 150.0;
    assert!((folders.score().unwrap().set.scores.mae - expected).abs() < 1e-12);
}

/// The same four colours again, in a file with a palette.
#[test]
fn palettes_are_resolved() {
    const PALETTE_PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x04\0\0\0\x01\x02\x03\0\0\0\x84R\xe7^\
        \0\0\0\x0cPLTE\0\0\0\xff\0\0\0\xff\0\0\0\xff\x9b\xc0\x13\xdc\0\0\0\nIDATx\xdac\x90\x06\0\0\x1d\0\x1c#|\x8f\xac\
        \0\0\0\0IEND\xaeB`\x82";
    let folders = Folders::new();
    folders.put("masks/a.png", grey(4, 1, |_, _| 0));
    fs::write(folders.path("preds/a.png"), PALETTE_PNG).unwrap();
    let expected = (76.0 + 150.0 + 29.0) / 4.0 / 150.0;
    assert!((folders.score().unwrap().set.scores.mae - expected).abs() < 1e-12);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let folders = Folders::new();
    for i in 0..20_u32 {
        let pred = GrayImage::from_fn(9 + i, 11, |x, y| Luma([(x * x * 7 + y * 31 + i * x * y) as u8]));
        folders.put(&format!("preds/{i}.png"), pred);
        folders.put(&format!("masks/{i}.png"), grey(9 + i, 11, corner));
    }
    let with_threads = |n: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        let report = pool.install(|| folders.score()).unwrap();
        (report.set, report.images)
    };
    assert_eq!(with_threads(1), with_threads(5));
}
