//! `${VARIABLES}` in values.

use crate::{behind_the_required, check, read};

#[test]
fn an_unset_variable_is_told_once() {
    check(
        "workers: ${WORKERS}\nstore: { path: \"${HOME_OF_WALD}/x\" }",
        &[
            "4:10: WALD-1011 workers: variable `WORKERS` is not set (set `WORKERS`, or give a default: `${WORKERS:-…}`)",
            "5:16: WALD-1011 store.path: variable `HOME_OF_WALD` is not set (set `HOME_OF_WALD`, or give a default: `${HOME_OF_WALD:-…}`)",
        ],
    );
}

#[test]
fn a_variable_that_is_written_wrongly_is_told() {
    check(
        "store: { path: \"${\" }",
        &[
            "4:16: WALD-1011 store.path: `${` without its `}` (close it, or write `$${` for a literal `${`)",
        ],
    );
    check(
        "store: { path: \"${2X}\" }",
        &[
            "4:16: WALD-1011 store.path: `2X` is not the name of a variable (use letters, digits and `_`, or write `$${` for a literal `${`)",
        ],
    );
}

#[test]
fn what_a_variable_holds_is_not_repeated() {
    check(
        "workers: ${SECRET}",
        &[
            "4:10: WALD-1008 workers: found what a variable holds, want a whole number from 0 to 4294967295 (write it like `10`)",
        ],
    );
    check(
        "telemetry: { log: { format: \"${SECRET}\" } }",
        &[
            "4:29: WALD-1009 telemetry.log.format: unknown choice: what a variable holds (known here: `json`, `text`)",
        ],
    );
}

/// What the level of logs is, written so.
#[track_caller]
fn level(written: &str) -> String {
    let text = behind_the_required(&format!("telemetry: {{ log: {{ level: \"{written}\" }} }}"));
    let document = read(&text).unwrap_or_else(|problems| panic!("{problems}"));
    document.telemetry.unwrap().log.unwrap().level.unwrap()
}

#[test]
fn a_variable_is_replaced_wherever_it_stands_in_a_value() {
    assert_eq!(level("${PORT}"), "8443");
    assert_eq!(level("a${PORT}b${PORT}c"), "a8443b8443c");
    assert_eq!(level("${PORT:-80}"), "8443");
}

#[test]
fn a_default_stands_in_for_what_is_unset_or_empty() {
    assert_eq!(level("${UNSET:-x:-y}"), "x:-y");
    assert_eq!(level("${UNSET:-}"), "");
    assert_eq!(level("${EMPTY:-x}"), "x");
    assert_eq!(level("a${EMPTY}"), "a");
}

#[test]
fn a_dollar_alone_and_a_doubled_one_are_not_variables() {
    assert_eq!(level("^/v$"), "^/v$");
    assert_eq!(level("$PORT"), "$PORT");
    assert_eq!(level("$${PORT}"), "${PORT}");
}

#[test]
fn what_a_variable_holds_may_be_a_number_even_in_quotes() {
    let document = read(&behind_the_required("workers: \"${PORT}\"")).unwrap();
    assert_eq!(document.workers, Some(8443));
}

#[test]
fn what_a_variable_holds_adds_no_fields() {
    let hold = |_: &str| Some("x, other: y }\nworkers: 3".to_owned());
    let text = behind_the_required("telemetry: { traces: { otlp: \"${X}\" } }\nworkers: 2");
    let document = config::read(&text, &hold, std::path::Path::new("/")).unwrap();
    assert_eq!(
        document.telemetry.unwrap().traces.unwrap().otlp,
        "x, other: y }\nworkers: 3"
    );
    assert_eq!(document.workers, Some(2));
}

#[test]
fn what_a_variable_holds_is_not_searched_for_variables() {
    let hold = |_: &str| Some("${X}".to_owned());
    let text = behind_the_required("telemetry: { traces: { otlp: \"${X}\" } }");
    let document = config::read(&text, &hold, std::path::Path::new("/")).unwrap();
    assert_eq!(document.telemetry.unwrap().traces.unwrap().otlp, "${X}");
}
