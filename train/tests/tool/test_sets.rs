//! `train` on several test sets: a row for each in the table of papers.

use crate::desk::{Desk, tiny};
use train::config::RunConfig;

/// Scenes as files under the names of public sets.
fn desk_with_sets() -> Desk {
    let desk = Desk::new();
    for (folder, count) in [("data/NLPR/test", 3), ("data/LFSD", 2), ("mine", 4)] {
        desk.ok(&format!("synth sod --out {folder} --count {count} --size 40 --seed {count}"));
    }
    let folder = |path: &str| format!("{{folder={{path=\"{path}\",depth=\"near-bright\"}}}}");
    let named = "{folder={path=\"mine\",depth=\"near-bright\",name=\"SIP\"}}";
    let sources =
        [&folder("data/NLPR/test"), &folder("data/LFSD"), named, "{scenes={seed=3,first=0,count=3}}"];
    desk.write("sets.toml", tiny(&[&format!("data.test=[{}]", sources.join(","))]).to_toml());
    desk
}

#[test]
fn every_test_set_has_a_row_and_the_paper_s_numbers_beside_it() {
    let desk = desk_with_sets();
    let said = desk.ok("train sets.toml --steps 2 --out run");
    let table: Vec<&str> = said.lines().skip_while(|line| !line.starts_with("set  ")).collect();
    let row = |i: usize| table[i].split_whitespace().collect::<Vec<_>>();
    assert_eq!(row(0), ["set", "pictures", "Sm", "Fmax", "Emax", "MAE"]);
    assert_eq!(row(2).join(" "), "in the paper 0.932 0.925 0.965 0.021");
    assert_eq!(row(4).join(" "), "in the paper 0.872 0.879 0.911 0.062");
    assert_eq!(row(6).join(" "), "in the paper 0.894 0.902 0.932 0.043");

    let summary = desk.text("run/summary.json");
    let place =
        |name: &str| summary.find(&format!("\"{name}\": {{")).unwrap_or_else(|| panic!("{name}: {summary}"));
    let names = ["NLPR", "LFSD", "SIP", "scenes"];
    assert!(names.map(place).is_sorted(), "the configuration's order: {summary}");
    let summary = desk.json("run/summary.json");
    for ((name, images), line) in names.into_iter().zip([3, 2, 4, 3]).zip([1, 3, 5, 7]) {
        let set = &summary["sets"][name];
        assert_eq!(set["images"], images, "{name}");
        let numbers = ["S", "maxF", "maxE", "MAE"].map(|key| format!("{:.3}", set[key].as_f64().unwrap()));
        assert_eq!(row(line)[..2], [name, &images.to_string()]);
        assert_eq!(row(line)[2..], numbers.each_ref().map(String::as_str), "{name}");
    }
    // All pictures together, as before.
    let mean: f64 = names
        .iter()
        .map(|name| {
            let set = &summary["sets"][name];
            set["MAE"].as_f64().unwrap() * set["images"].as_f64().unwrap() / 12.0
        })
        .sum();
    assert!((summary["MAE"].as_f64().unwrap() - mean).abs() < 1e-12);
    assert!(said.lines().last().unwrap().starts_with("unseen scenes: S-measure "), "{said}");
}

#[test]
fn predicting_and_scoring_give_the_same_row() {
    let desk = desk_with_sets();
    desk.ok("train sets.toml --steps 2 --out run");
    desk.ok("predict --run run --data data --out maps");
    let report: serde_json::Value =
        serde_json::from_str(&desk.ok("score sod --pred maps --gt data --json")).unwrap();
    let summary = desk.json("run/summary.json");
    for name in ["NLPR", "LFSD"] {
        for key in ["S", "maxF", "maxE", "MAE"] {
            assert_eq!(report[name][key], summary["sets"][name][key], "{name} {key}");
        }
    }
}

#[test]
fn sources_of_one_name_are_one_set() {
    let desk = desk_with_sets();
    let sources = "[{scenes={seed=3,first=0,count=2}},{scenes={seed=4,first=0,count=3}}]";
    desk.write("two.toml", tiny(&[&format!("data.test={sources}")]).to_toml());
    desk.ok("train two.toml --steps 1 --out run");
    let summary = desk.json("run/summary.json");
    assert_eq!(summary["sets"].as_object().unwrap().len(), 1);
    assert_eq!(summary["sets"]["scenes"]["images"], 5);
    assert_eq!(summary["sets"]["scenes"]["S"], summary["S"]);
}
