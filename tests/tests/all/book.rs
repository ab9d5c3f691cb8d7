//! The course in `book/`: what its chapters include, name and ask for exists. `book/run` runs the examples themselves.

use std::fs::read_to_string;
use std::path::Path;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Name and text of every chapter in the table of contents.
fn chapters() -> Vec<(String, String)> {
    let src = format!("{ROOT}/book/src");
    let summary = read_to_string(format!("{src}/SUMMARY.md")).expect("the course has a table of contents");
    let names = summary.lines().filter_map(|line| Some(line.split_once("](")?.1.trim_end_matches(')')));
    let chapters = names.filter(|name| name.starts_with("ch"));
    chapters.map(|name| (name.to_owned(), read_to_string(format!("{src}/{name}")).expect(name))).collect()
}

/// `[chapter, crate, example, right answer, wrong answer]`, a line of `book/examples.txt` each.
fn examples() -> Vec<Vec<String>> {
    let list = read_to_string(format!("{ROOT}/book/examples.txt")).expect("the list of examples");
    let lines = list.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines.map(|line| line.split('|').map(|word| word.trim().to_owned()).collect()).collect()
}

/// What `{{#include FILE:ANCHOR}}`, written in a chapter, includes; without an anchor, the file.
fn included(place: &str) -> Result<String, String> {
    let (file, anchor) = place.split_once(':').unwrap_or((place, ""));
    let text = read_to_string(format!("{ROOT}/book/src/{file}")).map_err(|e| format!("{place}: {e}"))?;
    if anchor.is_empty() {
        return Ok(text);
    }
    let lines: Vec<&str> = text.lines().collect();
    let line_of = |mark: &str| {
        let mark = format!(" {mark}: {anchor}");
        lines.iter().position(|line| line.ends_with(&mark)).ok_or(format!("{place}: no line ends in{mark}"))
    };
    let (first, end) = (line_of("ANCHOR")? + 1, line_of("ANCHOR_END")?);
    Ok(lines.get(first..end).unwrap_or_default().join("\n"))
}

/// What is wrong with a chapter whose line in the list of examples is `example`.
fn faults(text: &str, example: &[String]) -> Vec<String> {
    let [chapter, package, name, right, wrong] = example else {
        return vec![format!("book/examples.txt: {example:?} is not five words")];
    };
    let mut faults = Vec::new();
    let includes = text.split("{{#include ").skip(1);
    let places: Vec<&str> = includes.filter_map(|rest| Some(rest.split_once("}}")?.0)).collect();
    for place in &places {
        match included(place) {
            Ok(lines) if lines.trim().is_empty() => faults.push(format!("{place}: empty")),
            Ok(_) => {}
            Err(fault) => faults.push(fault),
        }
    }
    let output = format!("output/{}.txt", chapter.split('-').next().expect("split has a first part"));
    let program = Path::new(ROOT).join(package).join(format!("examples/{name}.rs"));
    let command = format!("cargo run -p {package} --example {name}");
    let text = &text.replace("cargo run --release ", "cargo run "); // the chapter on speed
    let (lesson, exercise) = text.split_once("## Exercise").unwrap_or((text, ""));
    for (there, what) in [
        (places.iter().any(|place| place.ends_with(".rs") || place.contains(".rs:")), "includes no code"),
        (places.contains(&output.as_str()), "does not show its output"),
        (lesson.contains(&format!("{command}\n")), "does not say how to run its example"),
        (exercise.contains(&format!("{command} -- ")), "has no exercise, or not the way to check it"),
        (program.exists(), "names an example that is not there"),
        (!right.is_empty() && !wrong.is_empty() && right != wrong, "needs a right and a wrong answer"),
    ] {
        if !there {
            faults.push(format!("{chapter} {what}"));
        }
    }
    faults
}

#[test]
fn every_chapter_shows_code_that_exists_and_has_a_command_and_an_exercise() {
    let (chapters, examples) = (chapters(), examples());
    let names: Vec<&String> = chapters.iter().map(|(name, _)| name).collect();
    let listed: Vec<&String> = examples.iter().map(|words| &words[0]).collect();
    assert_eq!(names, listed, "chapters of SUMMARY.md, and those of book/examples.txt, in order");
    let faults: Vec<String> =
        chapters.iter().zip(&examples).flat_map(|((_, text), example)| faults(text, example)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_chapter_that_breaks_a_promise_is_noticed() {
    let ((_, text), example) = (chapters().swap_remove(0), examples().swap_remove(0));
    assert_eq!(faults(&text, &example), [""; 0]);
    for (part, broken) in [
        ("tape.rs:sweep", "tape.rs:swept"),
        ("tape.rs:", "tapes.rs:"),
        ("## Exercise", "## Question"),
        ("output/ch01", "output/ch00"),
        ("cargo run", "cargo build"),
    ] {
        assert!(text.contains(part), "{part}");
        assert!(!faults(&text.replace(part, broken), &example).is_empty(), "{part} became {broken}");
    }
}
