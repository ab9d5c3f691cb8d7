//! Mistakes in a configuration: one clear sentence, before anything is touched.

use super::{FROM_SET, desk_with_set, tiny};
use train::config::RunConfig;

#[test]
fn configurations() {
    let desk = desk_with_set();
    let vehicles = |part: &str, values: &str| format!("data.{part}={{vehicles={{{values}}}}}");
    let drawn = |values: &str| vehicles("train", values);
    for (change, words) in [
        ("task=detection", &["task = \"detection\"", "\"sod\"", "\"reid\""][..]),
        ("task=sod", &["unknown field `erase`", "`data.augment`"]),
        ("model.streams=[\"rgb\",\"lidar\"]", &["`lidar`", "`rgb`, `nir`, `tir`"]),
        ("model.streams=[\"rgb\",\"rgb\"]", &["streams = [\"rgb\", \"rgb\"]", "different spectra"]),
        ("model.streams=[]", &["streams = []", "one, two or three"]),
        ("model.streams=[\"rgb\",\"tir\"]", &["data.train", "room for 2 of the 3 spectra"]),
        ("model.last_stride=3", &["last_stride = 3", "1 or 2"]),
        ("model.num_heads=3", &["3 heads do not divide dim = 16"]),
        ("model.dim=0", &["model: dim = 0"]),
        ("model.blocks=0", &["model: ", "blocks = 0"]),
        ("model.attn_drop=1.0", &["model: attn_drop = 1"]),
        ("model.fusion=concat", &["`concat`", "`cam`"]),
        ("model.feature=all", &["`all`", "`concat`"]),
        ("model.classes=7", &["model.classes = 7", "4 identities to train on"]),
        ("model.widths=[8,8]", &["unknown field `widths`", "`model`"]),
        ("data.size=[40,80]", &["data.size = [40, 80]", "divisible by 16"]),
        ("data.size=[0,64]", &["data.size = [0, 64]"]),
        ("data.size=[64]", &["length 2", "`data.size`"]),
        ("data.instances=1", &["data.instances = 1", "at least two pictures"]),
        ("data.augment.erase=2.0", &["data.augment: erase = 2", "from 0 to 1"]),
        ("data.train={scenes={seed=1,first=0,count=9}}", &["`scenes`", "`vehicles` or `folder`"]),
        ("data.train={folder={path=\"gone\"}}", &["data.train: gone", "rgbir/bounding_box_train"]),
        ("data.test={folder={path=\"gone\"}}", &["data.test: gone", "rgbir/query"]),
        (&drawn("seed=1,first=1,ids=0,cams=2,per_cam=2"), &["data.train: ids = 0"]),
        (&drawn("seed=1,first=0,ids=4,cams=2,per_cam=2"), &["data.train: first = 0"]),
        (&drawn("seed=1,first=1,ids=4,cams=1,per_cam=2"), &["data.train: cams = 1", "2 to 8"]),
        (
            &vehicles("validation", "seed=1,first=599,ids=4,cams=2,per_cam=2"),
            &["data.validation", "1 to 600"],
        ),
        ("train.batch=5", &["data.instances = 2 and train.batch = 5", "multiple of the instances"]),
        ("train.batch=2", &["train.batch = 2", "at least two identities"]),
        ("train.batch=10", &["data.train: a batch takes 5 identities", "there are 4"]),
        ("train.accumulate=9", &["train.accumulate = 9", "no epoch holds more than 4"]),
        ("train.trunk_weights=trunk.pth", &["train.trunk_weights", "\"tiny\""]),
        ("train.frozen=[\"nir.trunc.*\"]", &["train.frozen", "nir.trunc.*"]),
        ("train.schedule={multi-step={milestones=[2],warmup=1}}", &["train.warmup", "multi-step"]),
        ("train.loss.margin=hard", &["a distance such as 0.3, or \"soft\"", "`train.loss.margin`"]),
        ("train.loss.centre=-1.0", &["train.loss.centre = -1"]),
        ("train.loss.bce=1.0", &["unknown field `bce`", "`train.loss`"]),
    ] {
        let error = desk.refuses(&format!("train reid.toml --set {change} --out run"));
        for word in words {
            assert!(error.contains(word), "{change}: {word:?} is not in {error:?}");
        }
        assert!(error.lines().count() < 20, "{change}: {error}");
        assert!(!desk.path("run").exists(), "{change}: nothing was to be written");
    }
    // Weights for trunks that do not exist, or are none.
    desk.write("notes.pth", "no weights");
    for (file, words) in
        [("absent.pth", "cannot read absent.pth"), ("notes.pth", "notes.pth is cut short or not")]
    {
        let trunk = format!("--set model.trunk=mobilenetv2 --set train.trunk_weights={file}");
        let error = desk.refuses(&format!("train reid.toml {trunk} --out run"));
        assert!(error.starts_with("train.trunk_weights: ") && error.contains(words), "{file}: {error}");
    }
    // Drawn vehicles have a shape of their own.
    desk.write("drawn.toml", tiny(&[]).to_toml());
    let error = desk.refuses("train drawn.toml --set data.size=[32,32] --out run");
    assert!(error.contains("twice as wide as high, but data.size is [32, 32]"), "{error}");
    let error = desk.refuses("train drawn.toml --set model.streams=[\"rgb\",\"tir\"] --out run");
    assert!(error.contains("data.train: vehicles are drawn in rgb and nir"), "{error}");
    // A detector with what only re-identification has, and its sections under the other task.
    for (change, words) in [
        ("data.instances=4", "unknown field `instances`"),
        ("model.streams=[\"rgb\"]", "unknown field `streams`"),
        ("task=reid", "expected one of"),
    ] {
        let error = desk.refuses(&format!("train tiny.toml --set {change} --out run"));
        assert!(
            error.starts_with(&format!("in tiny.toml with {change}: ")) && error.contains(words),
            "{change}: {error}"
        );
    }
    assert!(!desk.path("run").exists());
}

/// What cannot be scored is known before the first update, not after the last.
#[test]
fn queries_that_can_find_nothing() {
    let desk = desk_with_set();
    desk.write("reid.toml", tiny(&FROM_SET[..1]).to_toml());
    std::fs::create_dir_all(desk.path("lost/query")).unwrap();
    std::fs::create_dir_all(desk.path("lost/bounding_box_test")).unwrap();
    let picture = desk.read("set/rgbir/query/0005_c001_001.jpg");
    for file in ["query/0005_c001_001", "bounding_box_test/0005_c001_002", "bounding_box_test/0006_c002_001"]
    {
        desk.write(&format!("lost/{file}.jpg"), &picture);
    }
    for part in ["validation", "test"] {
        let error = desk
            .refuses(&format!("train reid.toml --set data.{part}={{folder={{path=\"lost\"}}}} --out run"));
        assert!(
            error.starts_with(&format!("data.{part}: no query has a picture of the same identity")),
            "{error}"
        );
    }
    assert!(!desk.path("run").exists());
}
