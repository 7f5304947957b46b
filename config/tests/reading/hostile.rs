//! Texts that are meant to do harm, and texts that mean nothing.

use crate::{EVERYTHING, behind_the_required, read};
use config::{Code, code};
use proptest::prelude::*;
use proptest::sample::Index;

/// The text is refused with one problem of this kind, at once: each test would time out otherwise.
#[track_caller]
fn check(text: &str, expected: Code) {
    let problems = read(text).expect_err("a hostile text is refused");
    let found: Vec<_> = problems.iter().map(|problem| problem.code).collect();
    assert_eq!(found, [expected], "{problems}");
}

#[test]
fn brackets_without_end_are_refused() {
    check(&"[".repeat(200_000), code::TOO_COMPLEX);
    check(&"{a: ".repeat(200_000), code::TOO_COMPLEX);
    check(&"- ".repeat(200_000), code::TOO_COMPLEX);
    check(&"? ".repeat(200_000), code::TOO_COMPLEX);
}

#[test]
fn a_billion_laughs_are_refused() {
    let mut text = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..10 {
        let laughs = format!("*a{}, ", level - 1).repeat(9);
        text.push_str(&format!("a{level}: &a{level} [{laughs}]\n"));
    }
    check(&text, code::TOO_COMPLEX);
}

#[test]
fn a_long_text_repeated_by_aliases_is_refused() {
    let text = format!("a: &a {}\nb: [{}]", "x".repeat(500_000), "*a, ".repeat(900));
    check(&text, code::TOO_COMPLEX);
}

#[test]
fn an_alias_in_itself_is_refused() {
    check("&a [*a]", code::TOO_COMPLEX);
}

#[test]
fn a_text_larger_than_a_mebibyte_is_refused_unread() {
    let text = format!("{EVERYTHING}#{}", "x".repeat(1 << 20));
    check(&text, code::TOO_LARGE);
}

#[test]
fn a_long_variable_named_many_times_is_refused() {
    let environment = |_: &str| Some("x".repeat(1 << 16));
    let text = behind_the_required(&format!(
        "telemetry: {{ log: {{ level: \"{}\" }} }}",
        "${X}".repeat(100)
    ));
    let problems =
        config::read(&text, &environment, std::path::Path::new("/")).expect_err("it is refused");
    assert_eq!(
        problems
            .iter()
            .map(|problem| problem.code)
            .collect::<Vec<_>>(),
        [code::UNSET_VARIABLE]
    );
}

#[test]
fn not_more_than_a_thousand_problems_are_told() {
    let text: String = (0..50_000)
        .map(|number| format!("k{number}: 1\n"))
        .collect();
    assert_eq!(read(&text).expect_err("it is refused").len(), 1000);
}

/// Either a document or what is wrong with it.
fn answers(text: &str) -> Result<(), TestCaseError> {
    if let Err(problems) = read(text) {
        prop_assert!(problems.is_refused(), "refused without a problem");
        prop_assert!(problems.iter().is_sorted_by_key(|problem| problem.place));
    }
    Ok(())
}

/// The example with some lines gone, doubled, swapped, or with a piece of text put in.
fn mutate(edits: &[(Index, Index, u8)], piece: &str) -> String {
    let mut lines: Vec<String> = EVERYTHING.lines().map(str::to_owned).collect();
    for (at, to, kind) in edits {
        let (at, to) = (at.index(lines.len()), to.index(lines.len()));
        match kind % 4 {
            0 => drop(lines.remove(at)),
            1 => lines.insert(to, lines[at].clone()),
            2 => lines.swap(at, to),
            _ => {
                let middle = lines[at]
                    .char_indices()
                    .map(|(byte, _)| byte)
                    .nth(to % 20)
                    .unwrap_or(0);
                lines[at].insert_str(middle, piece);
            }
        }
    }
    lines.join("\n")
}

proptest! {
    #[test]
    fn any_text_is_a_document_or_has_problems(text in any::<String>()) {
        answers(&text)?;
    }

    #[test]
    fn any_text_that_looks_like_yaml_is_a_document_or_has_problems(
        text in "([a-z]{1,6}: |- |[\\[\\]{},:&*!|>'\"#%$?~]|\\$\\{[A-Z]*(:-x)?\\}|[0-9.]{1,4}|\n|  ){0,60}",
    ) {
        answers(&text)?;
        answers(&behind_the_required(&text))?;
    }

    #[test]
    fn the_example_broken_anywhere_is_a_document_or_has_problems(
        edits in prop::collection::vec(any::<(Index, Index, u8)>(), 1..6),
        piece in "[-:,{}\\[\\]\"'&*!a-z0-9 %$~.]{0,8}",
    ) {
        answers(&mutate(&edits, &piece))?;
    }
}
