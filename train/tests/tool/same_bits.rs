//! What decides a run, and what does not.

use crate::desk::{Desk, tensors};

#[test]
fn threads_do_not_change_a_bit() {
    let desk = Desk::new();
    for threads in [1, 2, 8] {
        desk.ok(&format!("train tiny.toml --threads {threads} --out {threads}"));
        for file in ["last.safetensors", "best.safetensors", "last.state.safetensors"] {
            let [one, this] = [1, threads].map(|run| desk.read(&format!("{run}/{file}")));
            assert!(one == this, "{file} of 1 and {threads} threads");
        }
    }
}

#[test]
fn seeds_change_the_run() {
    let desk = Desk::new();
    for seed in [1, 2] {
        desk.ok(&format!("train tiny.toml --steps 1 --seed {seed} --out {seed}"));
        assert!(desk.text(&format!("{seed}/config.toml")).contains(&format!("seed = {seed}\n")));
    }
    let [one, two] = ["1", "2"].map(|run| tensors(&desk.path(&format!("{run}/last.safetensors"))));
    assert!(one != two);
}
