//! `explain`: the page computes what the engine computes, shows it, and can be used.

pub mod browser;
pub mod engine;

use crate::desk::Desk;
use autograd::checkpoint::TensorFile;
use browser::{browser, drive};
use cda::{CdaConfig, Preset, Steps};
use engine::{Choice, compare};
use serde_json::{Value, json};
use std::path::Path;
use train::detector::Detector;
use train::explain::{Explained, of_detector};
use train::task::Task;

/// A run in `run` whose configuration is the tiny one with these changes, and a scene in `set`.
fn desk_with_run(changes: &str) -> Desk {
    let desk = Desk::new();
    desk.ok(&format!("train tiny.toml --steps 2 --out run {changes}"));
    desk.ok("synth sod --out set --count 1 --size 64 --seed 4");
    desk
}

const SCENE: &str = "--rgb set/RGB/plain_000000.jpg --depth set/depth/plain_000000.png";

/// What the tool explains of the scene.
fn explained(desk: &Desk, detector: &Detector) -> Explained {
    let set = data::RgbdFolder::open(&desk.path("set"), data::DepthFormat::NearBright, None).unwrap();
    of_detector(detector, &set.load(0).unwrap()).unwrap()
}

/// Compares a state of the page with the engine in both types.
pub fn equals(seen: &Value, explained: &Explained, choice: Choice) {
    compare::<f64>(seen, explained, choice, 1e-8);
    compare::<f32>(seen, explained, choice, 1e-5);
}

fn pixels(step: &Value, which: &str) -> u64 {
    step["pixels"][which].as_u64().unwrap()
}

#[test]
fn the_bundled_network_is_explained_and_every_control_changes_what_is_drawn() {
    let Some(browser) = browser() else { return };
    let desk = Desk::new();
    desk.ok("synth sod --out set --count 1 --size 64 --seed 4");
    let said = desk.ok(&format!("explain {SCENE} --out page.html --token 1,2"));
    assert!(said.starts_with("6 MutualFormer blocks in page.html ("), "{said}");
    assert!(desk.read("page.html").len() < 4_000_000);
    let report = drive(
        &desk,
        browser,
        "page.html",
        &[
            json!(["click", 3, 4]),
            json!(["key", "ArrowUp"]),
            json!(["key", "ArrowRight"]), // at the edge already
            json!(["slide", "alpha", 0.85]),
            json!(["slide", "steps", 3]),
            json!(["press", "input[value=paper]"]),
            json!(["press", "input[value=dr]"]),
            json!(["select", "head", 5]),
            json!(["select", "block", 3]),
            json!(["slide", "steps", 1]),
            json!(["slide", "steps", 11]),
            json!(["hover", 0, 0]),
            json!(["key", "ArrowDown", true]),
            json!(["press", "#trained"]),
        ],
    );
    let explained = explained(&desk, &Detector::bundled().unwrap());
    let mut choice = Choice { block: 0, head: None, token: 7, rd: true, cda: CdaConfig::default() };
    let steps = report["steps"].as_array().unwrap();
    let changes: [fn(&mut Choice); 15] = [
        |_| (),
        |choice| choice.token = 19,
        |choice| choice.token = 14,
        |_| (),
        |choice| choice.cda.alpha = 0.85,
        |choice| choice.cda.steps = Steps::Finite(3),
        |choice| choice.cda.preset = Preset::Paper,
        |choice| choice.rd = false,
        |choice| choice.head = Some(5),
        |choice| choice.block = 3,
        |choice| choice.cda.steps = Steps::Finite(1),
        |choice| choice.cda.steps = Steps::Infinite,
        |_| (),
        |_| (),
        |choice| choice.cda = CdaConfig::default(),
    ];
    assert_eq!(steps.len(), changes.len());
    for (step, change) in steps.iter().zip(changes) {
        change(&mut choice);
        equals(step, &explained, choice);
    }
    // What is drawn changes with what is chosen, and with nothing else.
    let idle = [3, 12, 13];
    for at in 1..steps.len() {
        let same = pixels(&steps[at], "maps") == pixels(&steps[at - 1], "maps");
        assert_eq!(same, idle.contains(&at), "maps after action {at}");
    }
    assert_ne!(
        pixels(&steps[0], "pictures"),
        pixels(&steps[1], "pictures"),
        "the frame moves with the token"
    );
    assert_ne!(pixels(&steps[11], "pictures"), pixels(&steps[12], "pictures"), "the pointer is seen");
    assert_ne!(pixels(&steps[4], "strip"), pixels(&steps[5], "strip"));
    // And is told in words.
    assert_eq!(steps[1]["where"], "Token 19: row 3, column 4 of 5 × 5 tokens, mean of 8 heads.");
    assert_eq!(steps[8]["where"], "Token 14: row 2, column 4 of 5 × 5 tokens, head 5.");
    assert_eq!((&steps[12]["pointed"], &steps[13]["pointed"]), (&json!("at 0, 0"), &json!("at 1, 0")));
    let listed: f64 = steps[13]["values"][0][1].as_str().unwrap().parse().unwrap();
    let computed = steps[13]["maps"]["p_r"][5].as_f64().unwrap();
    assert!((listed - computed).abs() < 0.006 * computed, "{listed} is listed, {computed} computed");
    assert!(steps[0]["prediction"].as_str().unwrap().starts_with("Mean saliency of the token's cell: 0."));
    // Nothing without a name or out of the keyboard's reach, nothing that sticks out.
    assert_eq!((&report["unnamed"], &report["unreachable"]), (&json!(0), &json!(0)));
    assert!(report["controls"].as_u64().unwrap() >= 12);
    assert!(report["wider"].as_i64().unwrap() <= 0, "the page is {} pixels too wide", report["wider"]);
}

#[test]
fn all_options_of_the_diffusion_are_computed() {
    let Some(browser) = browser() else { return };
    for (changes, cda) in [
        ("fusion=ca+cda", "model.cda.steps=2"),
        ("fusion=cda", "model.cda.norm=degree"),
        ("fusion=cda-paper", "model.cda.renormalise_rows=true"),
        ("fusion=ca", "model.cda.init=affinity"),
    ] {
        let desk = desk_with_run(&format!("--set model.{changes} --set {cda}"));
        desk.ok(&format!("explain --weights run/best.safetensors {SCENE} --out page.html --token 2,1"));
        let actions =
            [json!(["slide", "alpha", 0.8]), json!(["slide", "steps", 4]), json!(["select", "block", 1])];
        let report = drive(&desk, browser, "page.html", &actions);
        let detector = Detector::load(&desk.path("run/best.safetensors")).unwrap();
        let explained = explained(&desk, &detector);
        let mut choice = Choice { block: 0, head: None, token: 9, rd: true, cda: explained.cda };
        equals(&report["steps"][0], &explained, choice);
        choice.cda.alpha = 0.8;
        equals(&report["steps"][1], &explained, choice);
        choice.cda.steps = Steps::Finite(4);
        equals(&report["steps"][2], &explained, choice);
        // 4 × 4 tokens before, 2 × 2 now.
        (choice.block, choice.token) = (1, 2);
        equals(&report["steps"][3], &explained, choice);
    }
}

#[test]
fn a_page_needs_nothing_but_itself_and_takes_names_as_they_are() {
    let desk = desk_with_run("");
    desk.write("<script><b>&.jpg", desk.read("set/RGB/plain_000000.jpg"));
    let depth = desk.path("set/depth/plain_000000.png");
    let output = desk
        .tool("explain --run run --out deep/page.html --rgb")
        .args([Path::new("<script><b>&.jpg"), Path::new("--depth"), &depth])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let page = desk.text("deep/page.html");
    for word in ["http:", "https:", "src=\"/", "<link", "@import", "fetch(", "{{"] {
        assert!(!page.contains(word), "{word}");
    }
    assert_eq!(page.matches("</script>").count(), 2, "the data's and the script's own end");
    assert!(page.contains("\\u003cscript>") && page.contains("&lt;script>"));
    // Q, K and V of both modalities, not maps: 16 tokens of 16 channels, and 4 of 16.
    let data = page.split_once("id=\"data\">").unwrap().1.split_once("</script>").unwrap().0;
    let data: Value = serde_json::from_str(data).unwrap();
    let letters = |block: usize, name: &str| data["blocks"][block][name].as_str().unwrap().len();
    assert_eq!(letters(0, "q_r"), (16_usize * 16 * 4).div_ceil(3) * 4);
    assert_eq!(letters(1, "v_d"), (4_usize * 16 * 4).div_ceil(3) * 4);
}

#[test]
fn the_maps_of_a_token_are_pictures_too() {
    let desk = desk_with_run("");
    let said = desk.ok(&format!("explain --run run {SCENE} --out page.html --png first --token 0,3"));
    assert!(said.ends_with("19 pictures of token 0,3 in first\n"), "{said}");
    desk.ok(&format!("explain --run run {SCENE} --out page.html --png second --token 3,0"));
    let files: Vec<String> = std::fs::read_dir(desk.path("first"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files.len(), 3 + 2 * 8);
    for file in files {
        let picture = |folder: &str| image::open(desk.path(&format!("{folder}/{file}"))).unwrap().into_rgb8();
        let (first, second) = (picture("first"), picture("second"));
        assert_eq!(first.dimensions(), second.dimensions());
        assert_eq!(
            first == second,
            !file.contains(".block-"),
            "{file}: maps, and only they, follow the token"
        );
    }
    let x = desk.read("first/mutual8.block-x_rd.png");
    assert!(x != desk.read("first/mutual8.block-ca_rd.png") && x != desk.read("first/mutual8.block-p_d.png"));
}

#[test]
fn what_cannot_be_explained_is_said() {
    let desk = desk_with_run("");
    for fusion in ["sum", "concat"] {
        desk.ok(&format!("train tiny.toml --steps 1 --set model.fusion={fusion} --out {fusion}"));
        let error = desk.refuses(&format!("explain --run {fusion} {SCENE} --out page.html"));
        assert!(error.contains(&format!("(fusion = \"{fusion}\")")) && error.contains("keep"), "{error}");
    }
    for (arguments, words) in [
        ("--rgb absent.jpg --depth set/depth/plain_000000.png", "absent.jpg"),
        ("--rgb set/RGB/plain_000000.jpg --depth absent.png", "absent.png"),
        ("--rgb set/RGB --depth set/depth", "set/RGB is a folder"),
        (&format!("{SCENE} --run absent"), "absent"),
        (&format!("{SCENE} --weights absent.safetensors"), "absent.safetensors"),
        (&format!("{SCENE} --run run --token 4,0"), "mutual8.block has 4 rows and 4 columns of tokens"),
    ] {
        let error = desk.refuses(&format!("explain {arguments} --out page.html"));
        assert!(error.contains(words), "{arguments}: {error}");
    }
    for arguments in
        ["--out page.png", "--out page.html --token 3", "--out page.html --run a --weights b", ""]
    {
        desk.misused(&format!("explain {SCENE} {arguments}"));
    }
    desk.misused("explain --out page.html");
    assert!(!desk.path("page.html").exists());
    // Weights of the other task are told from these.
    let mut file = TensorFile::read(desk.path("run/best.safetensors")).unwrap();
    file.metadata.insert("config".to_owned(), "task = \"reid\"".to_owned());
    file.write(desk.path("reid.safetensors")).unwrap();
    let error = desk.refuses(&format!("explain {SCENE} --weights reid.safetensors --out page.html"));
    assert!(error.contains("its task is \"reid\""), "{error}");
}
