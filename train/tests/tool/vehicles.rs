//! Drawn vehicles as files.

use crate::desk::Desk;

#[test]
fn vehicles_are_written_in_the_public_layout_and_never_over_others() {
    let desk = Desk::new();
    let command = "synth reid --out set --ids 4 --cams 2 --per-cam 2 --size 16";
    assert_eq!(desk.ok(command), "16 pictures of 4 vehicles in set/rgbir\n");
    for file in ["bounding_box_train/0002_c001_001", "query/0003_c001_001", "bounding_box_test/0003_c002_001"]
    {
        assert!(desk.path(&format!("set/rgbir/{file}.jpg")).exists(), "{file}");
    }
    assert_eq!(desk.text("set/identities.csv").lines().count(), 1 + 4);
    let error = desk.refuses(command);
    assert!(error.contains("exists already"), "{error}");
}
