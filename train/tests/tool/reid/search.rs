//! `embed` and `predict reid`: features, lists and sheets of what a search finds.

use super::{desk_with_set, stems};
use crate::desk::Desk;
use image::{Rgb, RgbImage};

/// A set in `set`, a run trained on it in `run`, and `front.png`, a query whose name tells nothing.
fn trained() -> Desk {
    let desk = desk_with_set();
    desk.ok("train reid.toml --steps 2 --out run");
    desk.write("front.jpg", desk.read("set/rgbir/query/0005_c001_001.jpg"));
    desk
}

const QUERY: &str = "set/rgbir/query/0005_c001_001.jpg";

/// Name and judgement of each line of a list of one query.
fn listed(said: &str) -> Vec<(String, String)> {
    let words = |line: &str| -> Vec<String> { line.split_whitespace().map(str::to_owned).collect() };
    let is_hit = |words: &Vec<String>| words.len() == 4 && words[0].parse::<usize>().is_ok();
    let hits = said.lines().map(words).filter(is_hit);
    hits.map(|words| (words[1].clone(), words[3].clone())).collect()
}

#[test]
fn embedded_features_score_what_the_summary_says() {
    let desk = trained();
    assert_eq!(
        desk.ok("embed --run run --data set --out new/f.safetensors"),
        "features of 16 pictures in new/f.safetensors\n"
    );
    let said = desk.ok("score reid --features new/f.safetensors --json");
    let scores: serde_json::Value = serde_json::from_str(&said).unwrap();
    let summary = desk.json("run/summary.json");
    for (key, value) in scores.as_object().unwrap() {
        assert_eq!(&summary[key], value, "{key}");
    }
    assert_eq!(scores["queries"], 4);
    // The weights by themselves, and rgbir named as the set, are the same.
    desk.ok("embed --weights run/best.safetensors --data set/rgbir --out g.safetensors");
    assert!(desk.read("new/f.safetensors") == desk.read("g.safetensors"));
    let file = autograd::TensorFile::read(desk.path("g.safetensors")).unwrap();
    assert_eq!(file.metadata["query.names"].lines().collect::<Vec<_>>(), stems(&desk, "set/rgbir/query"));
}

#[test]
fn a_plain_folder_is_a_gallery_and_cannot_be_scored_alone() {
    let desk = trained();
    let said = desk.ok("embed --run run --data set/rgbir/query --out f.safetensors");
    assert_eq!(said, "features of 4 pictures in f.safetensors\n");
    assert!(desk.ok("inspect f.safetensors").contains("gallery.feat"));
    let error = desk.refuses("score reid --features f.safetensors");
    assert_eq!(error, "in f.safetensors: no tensor query.feat, query.id, query.cam");
}

#[test]
fn a_sheet_frames_what_the_list_says() {
    let desk = trained();
    let said =
        desk.ok(&format!("predict reid --run run --query {QUERY} --gallery set --top 3 --out new/s.png"));
    assert!(
        said.starts_with("rank  query 0005_c001_001 ") && said.ends_with("\nsheet: new/s.png\n"),
        "{said}"
    );
    let hits = listed(&said);
    assert_eq!(hits.len(), 3, "{said}");
    let sheet = image::open(desk.path("new/s.png")).unwrap().into_rgb8();
    // Cells of 170 pixels and 8 between: the query, then the three.
    assert_eq!(sheet.width(), 8 + 4 * 178);
    for ((name, judgement), column) in hits.iter().zip(1..) {
        let shown = *sheet.get_pixel(8 + column * 178 + 1, 9);
        let (right, colour) = if name.starts_with("0005") {
            ("right", Rgb([0, 140, 100]))
        } else {
            ("wrong", Rgb([213, 94, 0]))
        };
        assert_eq!((judgement.as_str(), shown), (right, colour), "{name}");
    }
}

#[test]
fn the_whole_gallery_is_listed_but_for_the_querys_own_camera() {
    let desk = trained();
    let find = |query: &str, gallery: &str| {
        desk.ok(&format!("predict reid --run run --query {query} --gallery {gallery} --top 99"))
    };
    let said = find(QUERY, "set");
    let mut names: Vec<String> = listed(&said).into_iter().map(|(name, _)| name).collect();
    names.sort();
    let gallery = stems(&desk, "set/rgbir/bounding_box_test");
    let others: Vec<&String> = gallery.iter().filter(|name| !name.starts_with("0005_c001")).collect();
    assert!(others.len() < gallery.len() && names.iter().eq(others), "{said}");
    // The gallery's folder by itself is the same gallery; its default sheet is found.png.
    assert_eq!(find(QUERY, "set/rgbir/bounding_box_test"), said);
    assert!(image::open(desk.path("found.png")).unwrap().width() > 8 * 178);
    // Of a picture whose name tells nothing, nothing is left out, and nothing is right or wrong.
    let hits = listed(&find("front.jpg", "set"));
    assert_eq!(hits.len(), gallery.len());
    assert!(hits.iter().all(|(_, judgement)| judgement == "unknown"));
    // The same for a picture of the gallery; here it is the query itself, so it is found first.
    std::fs::create_dir(desk.path("plain")).unwrap();
    desk.write("plain/side.jpg", desk.read("front.jpg"));
    desk.write("plain/0007_c002_001.jpg", desk.read("set/rgbir/bounding_box_test/0007_c002_001.jpg"));
    let expected = [("side", "unknown"), ("0007_c002_001", "wrong")];
    assert_eq!(
        listed(&find(QUERY, "plain")),
        expected.map(|(name, judged)| (name.to_owned(), judged.to_owned()))
    );
}

#[test]
fn several_queries_give_several_rows() {
    let desk = trained();
    let said = desk.ok(&format!("predict reid --run run --query {QUERY} front.jpg --gallery set --top 2"));
    assert!(said.contains("query 0005_c001_001") && said.contains("query front"), "{said}");
    let both = image::image_dimensions(desk.path("found.png")).unwrap();
    desk.ok("predict reid --run run --query front.jpg --gallery set --top 2");
    let one = image::image_dimensions(desk.path("found.png")).unwrap();
    assert!(both.0 == one.0 && both.1 > one.1 * 3 / 2, "{both:?} and {one:?}");
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let desk = trained();
    desk.ok("train tiny.toml --steps 1 --out detector");
    std::fs::create_dir(desk.path("empty")).unwrap();
    std::fs::create_dir_all(desk.path("half/query")).unwrap();
    for (name, width) in [("one", 64), ("odd", 50)] {
        RgbImage::new(width, 32).save(desk.path(&format!("{name}.png"))).unwrap();
    }
    let bytes = desk.read(QUERY);
    desk.write("cut.jpg", &bytes[..bytes.len() / 2]);
    let query = format!("--query {QUERY}");
    let other = "its task is \"sod\", but \"reid\" is needed here";
    for (arguments, words) in [
        (
            "--run run --query one.png --gallery set",
            "one.png is 32 x 64 (height x width), room for 1 of the 2",
        ),
        ("--run run --query odd.png --gallery set", "odd.png is 32 x 50 (height x width), which is no row"),
        ("--run run --query cut.jpg --gallery set", "cut.jpg"),
        ("--run run --query absent.jpg --gallery set", "cannot read absent.jpg"),
        ("--run run --query set --gallery set", "cannot read set"),
        (&format!("--run run {query} --gallery empty"), "empty holds no PNG or JPEG picture"),
        (&format!("--run run {query} --gallery absent"), "cannot read absent"),
        (&format!("--run run {query} --gallery half"), "nor bounding_box_test"),
        (&format!("--run set {query} --gallery set"), "not a run's folder"),
        (&format!("--run detector {query} --gallery set"), other),
        (&format!("--weights absent {query} --gallery set"), "cannot read absent"),
        (
            &format!("--weights front.jpg {query} --gallery set"),
            "front.jpg is cut short or not a safetensors file",
        ),
        (
            &format!("--weights run/last.state.safetensors {query} --gallery set"),
            "run/last.state.safetensors does not fit",
        ),
    ] {
        let error = desk.refuses(&format!("predict reid {arguments} --out s.png"));
        assert!(error.contains(words) && error.lines().count() < 20, "{arguments}: {error}");
    }
    for (arguments, words) in [
        ("--run detector --data set", other),
        ("--run run --data empty", "empty holds no PNG or JPEG picture"),
        ("--run run --data absent", "cannot read absent"),
        ("--run run --data half", "half/query holds no PNG or JPEG picture"),
    ] {
        let error = desk.refuses(&format!("embed {arguments} --out f.safetensors"));
        assert!(error.contains(words), "{arguments}: {error}");
    }
    let error = desk.refuses("predict --run run --rgb front.jpg --depth front.jpg --out map.png");
    assert!(error.contains("its task is \"reid\", but \"sod\" is needed here"), "{error}");
    for file in ["s.png", "f.safetensors", "map.png"] {
        assert!(!desk.path(file).exists(), "{file}");
    }
}

#[test]
fn pictures_are_no_place_for_the_sheet() {
    let desk = trained();
    image::open(desk.path(QUERY)).unwrap().save(desk.path("query.png")).unwrap();
    std::fs::create_dir(desk.path("plain")).unwrap();
    desk.write("plain/a.png", desk.read("query.png"));
    for out in ["./query.png", "plain/a.png"] {
        let arguments = format!("predict reid --run run --query query.png --gallery plain --out {out}");
        let error = desk.refuses(&arguments);
        assert!(error.contains("is one of the pictures to predict from"), "{error}");
    }
    assert!(desk.read("plain/a.png") == desk.read("query.png"));
}

#[test]
fn what_is_missing_on_the_command_line_is_named() {
    let desk = Desk::new();
    for (arguments, words) in [
        ("predict reid --query a.jpg --gallery set", "--run <DIR>|--weights <FILE>"),
        ("predict reid --run run --gallery set", "--query <IMG>"),
        ("predict reid --run run --query a.jpg", "--gallery <DIR>"),
        ("predict reid --run run --weights w --query a.jpg --gallery set", "cannot be used with"),
        ("predict reid --run run --query a.jpg --gallery set --top 0", "at least 1"),
        ("predict reid --run run --query a.jpg --gallery set --out a.jpg", ".png"),
        ("embed --data set --out f.safetensors", "--run <DIR>|--weights <FILE>"),
        ("embed --run run --out f.safetensors", "--data <DIR>"),
    ] {
        let error = desk.misused(arguments);
        assert!(error.contains(words), "{arguments}: {error}");
    }
}
