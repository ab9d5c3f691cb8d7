//! What shells and readers are given: every command is in it, and every option.

use crate::desk::Desk;
use crate::help::COMMANDS;
use std::process::{Command, Stdio};

#[test]
fn bash_completes_every_command_and_option() {
    let desk = Desk::new();
    desk.write("mutualformer.bash", desk.ok("completions bash"));
    for (command, options) in COMMANDS {
        // What a user has typed when the completion of the last, still empty word is asked for.
        for (typed, expected) in [(command.to_owned() + " --", options.to_vec()), next_words(command)] {
            let offered = completions_in_bash(&desk, &typed);
            for word in expected {
                assert!(offered.iter().any(|offer| offer == word), "{typed}: {word} is not in {offered:?}");
            }
        }
    }
}

/// The words that lead to a command but for its last, and that last word.
fn next_words(command: &str) -> (String, Vec<&str>) {
    let (before, last) = command.rsplit_once(' ').unwrap_or(("", command));
    (format!("{before} "), vec![last].into_iter().filter(|word| !word.is_empty()).collect())
}

/// What bash offers after `typed`.
fn completions_in_bash(desk: &Desk, typed: &str) -> Vec<String> {
    let script = r#"
        source mutualformer.bash
        COMP_WORDS=(mutualformer $1); case "$1" in *--) ;; *) COMP_WORDS+=("");; esac
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _mutualformer mutualformer "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}""#;
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", script, "bash", typed]).current_dir(desk.path("")).stdin(Stdio::null());
    let output = bash.output().expect("bash is needed to test what it completes");
    assert!(output.stderr.is_empty(), "{typed}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn every_shell_has_its_script() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = desk.ok(&format!("completions {shell}"));
        for (command, _) in COMMANDS {
            command.split(' ').for_each(|word| assert!(script.contains(word), "{shell}: {word}"));
        }
    }
    let error = desk.misused("completions tcsh");
    assert!(error.contains("tcsh") && error.contains("bash"), "{error}");
}

#[test]
fn every_command_has_its_page() {
    let desk = Desk::new();
    desk.ok("man --out pages");
    for (command, options) in COMMANDS {
        let name =
            ["mutualformer"].into_iter().chain(command.split_whitespace()).collect::<Vec<_>>().join("-");
        let page = desk.text(&format!("pages/{name}.1"));
        assert!(page.contains("\n.TH "), "{name}: not a manual page");
        for option in options.iter().chain(&["--threads"]) {
            let option = option.replace('-', r"\-");
            assert!(page.contains(&option), "{name}.1: {option} is missing");
        }
    }
}

#[test]
fn the_printed_page_names_every_command() {
    let desk = Desk::new();
    let page = desk.ok("man");
    for (command, _) in COMMANDS {
        let first = command.split(' ').next().unwrap();
        assert!(
            page.contains(&format!(r"mutualformer\-{}(1)", first.replace('-', r"\-"))) || first.is_empty(),
            "{first}"
        );
    }
    let folder = desk.refuses("man --out tiny.toml");
    assert!(folder.contains("cannot create tiny.toml"), "{folder}");
}
