//! `predict`: a map for every picture, at the picture's own size.

use crate::desk::Desk;
use image::{GrayImage, Luma, Rgb, RgbImage};

/// A run in `run`, pictures of several sizes in `rgb` and `depth`.
fn desk_with_pictures() -> Desk {
    let desk = Desk::new();
    desk.ok("train tiny.toml --steps 2 --out run");
    for folder in ["rgb", "depth"] {
        std::fs::create_dir(desk.path(folder)).unwrap();
    }
    for (name, width, height) in [("wide.jpg", 50, 33), ("tall.png", 21, 64)] {
        let stem = &name[..4];
        RgbImage::from_fn(width, height, |x, y| Rgb([x as u8 * 4, y as u8 * 3, 90]))
            .save(desk.path(&format!("rgb/{name}")))
            .unwrap();
        GrayImage::from_fn(width, height, |x, y| Luma([(x + y) as u8 * 2]))
            .save(desk.path(&format!("depth/{stem}.png")))
            .unwrap();
    }
    desk
}

fn size(desk: &Desk, name: &str) -> (u32, u32) {
    image::image_dimensions(desk.path(name)).unwrap()
}

#[test]
fn a_folder_and_its_single_files_give_the_same_maps() {
    let desk = desk_with_pictures();
    let said = desk.ok("predict --run run --rgb rgb --depth depth --out maps");
    assert_eq!(said, "2 saliency maps in maps\n");
    assert_eq!((size(&desk, "maps/wide.png"), size(&desk, "maps/tall.png")), ((50, 33), (21, 64)));

    let weights = "--weights run/best.safetensors";
    let said = desk.ok(&format!("predict {weights} --rgb rgb/wide.jpg --depth depth/wide.png --out one.png"));
    assert_eq!(said, "1 saliency map in one.png\n");
    assert!(desk.read("one.png") == desk.read("maps/wide.png"));
}

#[test]
fn the_depth_format_matters() {
    let desk = desk_with_pictures();
    let files = "predict --run run --rgb rgb/wide.jpg --depth depth/wide.png";
    desk.ok(&format!("{files} --out near.png"));
    desk.ok(&format!("{files} --depth-format far-bright --out far.png"));
    assert!(desk.read("near.png") != desk.read("far.png"));
}

#[test]
fn predictions_can_be_scored() {
    let desk = Desk::new();
    desk.ok("train tiny.toml --steps 2 --out run");
    desk.ok("synth sod --out set --count 3 --size 40");
    desk.ok("predict --run run --rgb set/RGB --depth set/depth --out maps");
    let report: serde_json::Value =
        serde_json::from_str(&desk.ok("score sod --pred maps --gt set/GT --json")).unwrap();
    assert_eq!(report["images"], 3);
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let desk = desk_with_pictures();
    desk.write("notes.txt", "no weights");
    desk.ok("inspect run/best.safetensors");
    let files = "--rgb rgb/wide.jpg --depth depth/wide.png --out one.png";
    for (arguments, words) in [
        (format!("--weights notes.txt {files}"), "notes.txt is cut short or not a safetensors file"),
        (format!("--weights run/last.state.safetensors {files}"), "last.state.safetensors does not fit"),
        (format!("--weights absent {files}"), "cannot read absent"),
        (format!("--run rgb {files}"), "not a run's folder"),
        ("--run run --rgb rgb --depth depth/wide.png --out maps".to_owned(), "two files or two folders"),
        ("--run run --rgb rgb --depth rgb/absent --out maps".to_owned(), "two files or two folders"),
        ("--run run --rgb rgb/wide.jpg --depth depth/tall.png --out one.png".to_owned(), "the same view"),
        ("--run run --rgb rgb/wide.jpg --depth depth/wide.png --out one.jpg".to_owned(), "a map is a PNG"),
    ] {
        let error = desk.refuses(&format!("predict {arguments}"));
        assert!(error.contains(words), "{arguments}: {error}");
        assert!(error.lines().count() < 20, "{arguments}: {error}");
    }
    assert!(!desk.path("one.png").exists() && !desk.path("maps").exists());

    std::fs::remove_file(desk.path("depth/tall.png")).unwrap();
    let error = desk.refuses("predict --run run --rgb rgb --depth depth --out maps");
    assert!(error.contains("no depth in depth: tall"), "{error}");
}

#[test]
fn weights_of_another_network_are_refused() {
    let desk = desk_with_pictures();
    // The weights of one network under the configuration of another.
    let mut file = autograd::checkpoint::TensorFile::read(desk.path("run/best.safetensors")).unwrap();
    let text = file.metadata["config"].replace("decoder = 8", "decoder = 12");
    assert_ne!(text, file.metadata["config"]);
    file.metadata.insert("config".to_owned(), text);
    file.write(desk.path("other.safetensors")).unwrap();
    let files = "--rgb rgb/wide.jpg --depth depth/wide.png --out one.png";
    let error = desk.refuses(&format!("predict --weights other.safetensors {files}"));
    assert!(error.contains("should have shape [12, 16, 1, 1], not [8, 16, 1, 1]"), "{error}");

    file.metadata.clear();
    file.write(desk.path("bare.safetensors")).unwrap();
    let error = desk.refuses(&format!("predict --weights bare.safetensors {files}"));
    assert!(error.contains("not written by mutualformer train"), "{error}");
}
