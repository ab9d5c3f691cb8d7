//! `config`: what it prints can be trained from.

use crate::desk::Desk;
use train::config::{AnyConfig, BUILT_IN};

#[test]
fn names_are_listed_and_printed_text_is_a_configuration() {
    let desk = Desk::new();
    let list = desk.ok("config");
    for (name, purpose, text) in BUILT_IN {
        assert!(list.lines().any(|line| line.starts_with(name) && line.ends_with(purpose)), "{list}");
        let printed = desk.ok(&format!("config {name}"));
        assert_eq!(printed, text);
        AnyConfig::parse(&printed, &[]).unwrap();
    }
}

#[test]
fn an_unknown_name_is_answered_with_the_known_ones() {
    let error = Desk::new().refuses("config dmeo");
    assert!(error.contains("\"dmeo\"") && error.contains("demo"), "{error}");
}
