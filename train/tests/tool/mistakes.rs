//! Mistakes in what was typed or configured: one clear sentence, before anything is touched.

use crate::desk::Desk;

#[test]
fn configurations() {
    let desk = Desk::new();
    desk.write("broken.toml", "seed = 1\n[model\n");
    desk.write("empty.toml", "");
    for (arguments, words) in [
        ("absent.toml", &["cannot read absent.toml", "`mutualformer config` lists"][..]),
        ("broken.toml", &["broken.toml", "line 2"]),
        ("empty.toml", &["empty.toml", "missing field `seed`"]),
        ("tiny.toml --set train.epochz=3", &["unknown field `epochz`", "`train`"]),
        ("tiny.toml --set train.lr=fast", &["\"fast\"", "`train.lr`"]),
        ("tiny.toml --set train.optimizer=lamb", &["`lamb`", "`adamw`"]),
        ("tiny.toml --set nothing", &["--set nothing", "NAME=VALUE"]),
        ("tiny.toml --set model.cda.alpha=1.5", &["alpha = 1.5", "[0, 1]"]),
        ("tiny.toml --set data.size=40", &["data.size = 40", "divisible by 16", "such as 48"]),
        ("tiny.toml --set data.size=16", &["16"]),
        ("tiny.toml --set model.num_heads=5", &["5 heads", "16"]),
        ("tiny.toml --set model.decoder=0", &["model.decoder = 0"]),
        ("tiny.toml --set train.lr=-1.0", &["train.lr = -1", "positive"]),
        ("tiny.toml --set data.train=[]", &["data.train", "empty"]),
        ("tiny.toml --set data.test=[{scenes={seed=3,first=0,count=0}}]", &["data.test", "empty"]),
        ("tiny.toml --set train.batch=21", &["20 training pictures", "21"]),
        ("tiny.toml --set train.accumulate=6", &["20 training pictures", "6 x 4", "lower train.accumulate"]),
        ("tiny.toml --set data.train=[{folder={path=\"absent\",depth=\"mm\"}}]", &["data.train", "absent"]),
        ("", &["name a configuration", "mutualformer config"]),
    ] {
        let error = desk.refuses(&format!("train {arguments} --out run"));
        for word in words {
            assert!(error.contains(word), "{arguments}: {word:?} is not in {error:?}");
        }
        assert!(!desk.path("run").exists(), "{arguments}: nothing was to be written");
    }
}

#[test]
fn numbers_on_the_command_line() {
    let desk = Desk::new();
    for arguments in [
        "train tiny.toml --steps 0",
        "train tiny.toml --threads 0",
        "train tiny.toml --seed -1",
        "demo --steps none",
        "synth sod --out set --count 0",
        "synth sod --out set",
        "synth reid --out set --ids 1",
        "synth reid --out set --ids 8 --cams 9",
        "demo shapes",
    ] {
        desk.misused(arguments);
    }
    assert!(!desk.path("set").exists() && !desk.path("runs").exists());
    let error = desk.refuses("synth sod --out set --count 1 --size 16");
    assert!(error.contains("32 to 512"), "{error}");
}

#[test]
fn folders_that_are_no_place_for_a_run() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("photos")).unwrap();
    desk.write("photos/a.txt", "mine");
    for (out, words) in [
        ("photos", "photos exists and is not a run's folder"),
        ("tiny.toml", "tiny.toml"),
        ("tiny.toml/run", "cannot create tiny.toml/run"),
    ] {
        let error = desk.refuses(&format!("train tiny.toml --steps 1 --out {out}"));
        assert!(error.contains(words), "{out}: {error}");
    }
    assert_eq!(std::fs::read_dir(desk.path("photos")).unwrap().count(), 1);
}

#[test]
fn resuming_what_cannot_be_resumed() {
    let desk = Desk::new();
    desk.ok("train tiny.toml --steps 1 --out run");
    let state = desk.read("run/last.state.safetensors");
    for (arguments, words) in [
        ("--resume", "--resume needs --out"),
        ("--resume --out absent", "not a run's folder; name one that"),
        ("tiny.toml --resume --out run", "leave out the file"),
        ("--resume --out run --seed 3", "leave out the file, --set and --seed"),
    ] {
        let error = desk.refuses(&format!("train {arguments}"));
        assert!(error.contains(words), "{arguments}: {error}");
    }
    desk.write("run/last.state.safetensors", &state[..state.len() - 100]);
    let error = desk.refuses("train --resume --out run");
    assert!(error.contains("cannot resume") && error.contains("is cut short"), "{error}");
    std::fs::remove_file(desk.path("run/last.state.safetensors")).unwrap();
    let error = desk.refuses("train --resume --out run");
    assert!(error.contains("cannot resume") && error.contains("cannot read run"), "{error}");
    // The weights of the run can still be used.
    desk.ok("inspect run/best.safetensors");
}
