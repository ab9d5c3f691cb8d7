//! `explain reid`: the page of a picture in several spectra.

use super::{desk_with_set, tiny};
use crate::desk::Desk;
use crate::explain::browser::{browser, drive};
use crate::explain::{engine::Choice, equals};
use data::reid::{ReidFolder, ReidSample};
use serde_json::json;
use train::config::RunConfig;
use train::explain::of_embedder;
use train::reid::Embedder;
use train::task::Task;

const QUERY: &str = "set/rgbir/query/0005_c001_001.jpg";

fn trained(changes: &[&str]) -> Desk {
    let desk = desk_with_set();
    desk.write("reid.toml", tiny(changes).to_toml());
    desk.ok("train reid.toml --steps 2 --out run");
    desk
}

#[test]
fn both_blocks_of_a_pair_are_explained() {
    let Some(browser) = browser() else { return };
    let desk = trained(&["model.blocks=2"]);
    let said = desk.ok(&format!("explain reid --run run --query {QUERY} --out page.html --png maps"));
    assert!(said.starts_with("2 MutualFormer blocks in page.html ("), "{said}");
    assert!(said.ends_with("18 pictures of token 1,2 in maps\n"), "{said}");
    assert!(
        desk.path("maps/pairs.rgb_nir.blocks.1-ca_dr.png").exists() && desk.path("maps/nir.png").exists()
    );
    let actions = [json!(["select", "block", 1]), json!(["click", 0, 3]), json!(["select", "head", 1])];
    let report = drive(&desk, browser, "page.html", &actions);

    let embedder = Embedder::load(&desk.path("run/best.safetensors")).unwrap();
    let folder = ReidFolder::open_plain(&desk.path("set/rgbir/query"), 2).unwrap();
    let sample: ReidSample = folder.load(0).unwrap();
    assert_eq!(sample.name, "0005_c001_001");
    let explained = of_embedder(&embedder, &sample).unwrap();
    let mut choice = Choice { block: 0, head: None, token: 6, rd: true, cda: explained.cda };
    equals(&report["steps"][0], &explained, choice);
    choice.block = 1;
    equals(&report["steps"][1], &explained, choice);
    choice.token = 3;
    equals(&report["steps"][2], &explained, choice);
    choice.head = Some(1);
    equals(&report["steps"][3], &explained, choice);
    assert!(report["steps"][0]["prediction"].as_str().unwrap().starts_with("The picture's feature has "));
    assert_eq!(report["steps"][3]["where"], "Token 3: row 0, column 3 of 2 × 4 tokens, head 1.");
}

#[test]
fn networks_without_a_pair_are_refused() {
    for (change, words) in
        [("model.fusion=cam", "without MutualFormer"), ("model.streams=[\"rgb\"]", "one spectrum only")]
    {
        let desk = trained(&[change]);
        let error = desk.refuses(&format!("explain reid --run run --query {QUERY} --out page.html"));
        assert!(error.contains(words), "{change}: {error}");
        desk.misused(&format!("explain reid --query {QUERY} --out page.html"));
        assert!(
            desk.refuses("explain reid --run run --query set --out page.html").contains("set is a folder")
        );
    }
}
