//! `predict`: a map for every picture, at the picture's own size.

use crate::desk::Desk;
use image::{GrayImage, ImageBuffer, Luma, Rgb, RgbImage};

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
    assert!(said.starts_with("2 saliency maps in maps (") && said.ends_with(" pictures/s)\n"), "{said}");
    assert_eq!((size(&desk, "maps/wide.png"), size(&desk, "maps/tall.png")), ((50, 33), (21, 64)));

    let weights = "--weights run/best.safetensors";
    let said = desk.ok(&format!("predict {weights} --rgb rgb/wide.jpg --depth depth/wide.png --out one.png"));
    assert!(said.starts_with("1 saliency map in one.png ("), "{said}");
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
fn a_coarser_sensor_in_millimetres_will_do() {
    let desk = desk_with_pictures();
    let picture = image::open(desk.path("rgb/wide.jpg")).unwrap();
    let (width, height) = (picture.width() / 2, picture.height() / 2);
    ImageBuffer::from_fn(width, height, |x, y| Luma([if x == y { 0u16 } else { 800 + 10 * x as u16 }]))
        .save(desk.path("mm.png"))
        .unwrap();
    desk.ok("predict --run run --rgb rgb/wide.jpg --depth mm.png --depth-format mm --out one.png");
    let map = image::open(desk.path("one.png")).unwrap();
    assert_eq!((map.width(), map.height()), (picture.width(), picture.height()));
}

#[test]
fn maps_of_a_set_have_the_size_of_its_masks() {
    let desk = Desk::new();
    desk.ok("train tiny.toml --steps 2 --out run");
    desk.ok("synth sod --out set --count 2 --size 40");
    for entry in std::fs::read_dir(desk.path("set/GT")).unwrap() {
        let path = entry.unwrap().path();
        let mask = image::open(&path).unwrap();
        mask.resize_exact(80, 80, image::imageops::FilterType::Nearest).save(&path).unwrap();
    }
    desk.ok("predict --run run --data set --out maps");
    assert!(desk.ok("score sod --pred maps --gt set").contains("set"));
    // The pictures themselves are no place for the maps.
    let before = desk.text("set/kinds.csv");
    let stem = before.lines().nth(1).unwrap().split(',').next().unwrap();
    let error = desk.refuses("predict --run run --rgb set/RGB --depth set/depth --out set/depth");
    assert!(error.contains("is one of the pictures to predict from"), "{error}");
    let files = format!("--rgb set/RGB/{stem}.jpg --depth set/depth/{stem}.png");
    let error = desk.refuses(&format!("predict --run run {files} --out ./set/depth/{stem}.png"));
    assert!(error.contains("is one of the pictures to predict from"), "{error}");
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
        ("--run run --rgb rgb --depth rgb/absent --out maps".to_owned(), "--depth rgb/absent: there is no"),
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
    assert!(error.contains("problems: 1") && error.contains("tall: no depth for rgb/tall.png"), "{error}");
    assert!(!desk.path("maps").exists());
}

#[test]
fn the_pictures_are_named_in_one_way() {
    let desk = Desk::new();
    let error = desk.refuses("predict --out maps");
    assert!(error.contains("--rgb and --depth, or --data"), "{error}");
    for arguments in ["--rgb a.jpg", "--depth a.png", "--data set --rgb a.jpg --depth a.png"] {
        desk.misused(&format!("predict {arguments} --out maps"));
    }
    let error = desk.refuses("predict --data . --out maps");
    assert!(error.contains("no colour folder") && error.contains("no depth folder"), "{error}");
}

#[test]
fn whole_sets_are_predicted_and_scored() {
    let desk = Desk::new();
    desk.ok("train tiny.toml --steps 2 --out run");
    for (set, count) in [("NLPR", 3), ("Own", 2)] {
        desk.ok(&format!("synth sod --out sets/{set} --count {count} --size 40 --seed {count}"));
    }
    let said = desk.ok("predict --run run --data sets --out maps");
    assert!(said.starts_with("5 saliency maps in maps ("), "{said}");
    desk.ok("predict --run run --rgb sets/Own/RGB --depth sets/Own/depth --out own");
    for entry in std::fs::read_dir(desk.path("own")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(desk.read(&format!("own/{name}")) == desk.read(&format!("maps/Own/{name}")), "{name}");
    }
    let report: serde_json::Value =
        serde_json::from_str(&desk.ok("score sod --pred maps --gt sets --json")).unwrap();
    assert_eq!((&report["NLPR"]["images"], &report["Own"]["images"]), (&3.into(), &2.into()));

    desk.ok("predict --run run --data sets/NLPR --out one");
    let table = desk.ok("score sod --pred one --gt sets/NLPR");
    // Sets without depth and sets without maps are said to be left out.
    let said = |arguments: &str| {
        let output = desk.tool(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(said("score sod --pred one --gt sets").contains("not in the table: Own has masks"));
    std::fs::rename(desk.path("sets/Own/depth"), desk.path("depth")).unwrap();
    assert!(said("predict --run run --data sets --out two").contains("left out: Own has no depth folder"));
    assert!(table.lines().nth(1).unwrap().starts_with("NLPR "), "{table}");
    assert!(table.contains("  in the paper  "), "{table}");
}

#[test]
fn a_picture_that_fails_does_not_stop_the_others() {
    let desk = Desk::new();
    desk.ok("synth sod --out set --count 9 --size 32");
    let list = desk.text("set/kinds.csv");
    let mut stems: Vec<&str> = list.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    stems.sort_unstable();
    let cut = |file: String| {
        let bytes = desk.read(&file);
        desk.write(&file, &bytes[..bytes.len() / 2]);
    };
    cut(format!("set/RGB/{}.jpg", stems[1]));
    cut(format!("set/depth/{}.png", stems[6]));
    let error = desk.refuses("predict --data set --out maps");
    assert!(error.starts_with("7 of 9 maps are written; problems: 2\n"), "{error}");
    for file in [format!("set/RGB/{}.jpg", stems[1]), format!("set/depth/{}.png", stems[6])] {
        assert!(error.contains(&file), "{file} is not in {error}");
    }
    for (i, stem) in stems.iter().enumerate() {
        assert_eq!(desk.path(&format!("maps/set/{stem}.png")).exists(), i != 1 && i != 6, "{stem}");
    }
}

/// A wall at 4 m, a box at 1.2 m before it, the sensor's shadow beside the box and noise of 3 mm.
fn millimetres(x: u32, y: u32) -> u16 {
    let noise = (x * 7 + y * 13) % 7;
    let (inside, shadow) = ((20..44).contains(&x) && (12..40).contains(&y), (16..20).contains(&x));
    let distance = if inside { 1200 } else { 4000 } + noise as u16;
    if shadow && (12..40).contains(&y) || (x * 31 + y * 17).is_multiple_of(97) { 0 } else { distance }
}

#[test]
fn sixteen_bit_sensor_depth_goes_straight_in() {
    let desk = Desk::new();
    ImageBuffer::from_fn(64, 48, |x, y| Luma([millimetres(x, y)])).save(desk.path("mm.png")).unwrap();
    let colour =
        |x, y| if millimetres(x, y).is_multiple_of(2) { Rgb([200, 90, 40]) } else { Rgb([190, 100, 60]) };
    RgbImage::from_fn(64, 48, colour).save(desk.path("rgb.png")).unwrap();
    desk.ok("predict --rgb rgb.png --depth mm.png --depth-format mm --out straight.png");
    // The detour over eight bits changes a map by little; taking millimetres for brightness, by much.
    desk.ok("import-depth mm.png --out imported.png");
    desk.ok("predict --rgb rgb.png --depth imported.png --out detour.png");
    desk.ok("predict --rgb rgb.png --depth mm.png --out wrong.png");
    let map = |name: &str| image::open(desk.path(name)).unwrap().into_luma8();
    let straight = map("straight.png");
    assert_eq!(straight.dimensions(), (64, 48));
    let difference = |other: GrayImage| -> f64 {
        straight.iter().zip(other.iter()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / (64.0 * 48.0)
    };
    let (detour, wrong) = (difference(map("detour.png")), difference(map("wrong.png")));
    assert!(detour < 2.0 && wrong > 10.0, "detour {detour}, wrong {wrong}");
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
