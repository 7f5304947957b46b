//! What keeps a text from being a document at all.

use crate::{check, check_whole};

#[test]
fn what_is_not_yaml_is_told_with_its_place() {
    check(
        "store: path: x",
        &[
            "4:12: WALD-1002 mapping values are not allowed in this context (check indentation, quotes and brackets here and in the line before)",
        ],
    );
    check(
        "store: { path: x",
        &[
            "4:8: WALD-1002 unclosed bracket '{' (check indentation, quotes and brackets here and in the line before)",
        ],
    );
    check(
        "admin:\n\taddress: x",
        &[
            "5:2: WALD-1002 tabs disallowed within this context (block indentation) (check indentation, quotes and brackets here and in the line before)",
        ],
    );
    check(
        "store: \"x",
        &[
            "4:8: WALD-1002 unclosed quote (check indentation, quotes and brackets here and in the line before)",
        ],
    );
}

#[test]
fn parts_of_yaml_that_hide_what_is_meant_are_refused() {
    check(
        "store: &s { path: x }\nadmin: { <<: *s }",
        &["5:10: WALD-1004 merge keys (`<<`) are not read (write their fields out)"],
    );
    check(
        "store: !file { path: x }",
        &["4:14: WALD-1004 unsupported tag `!file` (write the value without its tag)"],
    );
    check(
        "? [a]\n: b",
        &["4:3: WALD-1004 a key must be text (write the key as a word)"],
    );
    check(
        "---\nversion: wald/v2",
        &["4:1: WALD-1004 a second document begins (keep one, without a `---` behind it)"],
    );
}

#[test]
fn an_empty_text_lacks_what_every_document_has() {
    check_whole(
        "# nothing yet",
        &[
            "1:1: WALD-1007 version: missing, want the version of the format (add `version: wald/v1`)",
            "1:1: WALD-1007 listeners: missing, want a list (add `listeners: [{ name: …, address: … }]`)",
            "1:1: WALD-1007 routes: missing, want a list (add `routes: [{ name: …, backend: { upstream: … } }]`)",
        ],
    );
}

#[test]
fn a_list_is_no_document() {
    check_whole(
        "- version: wald/v1",
        &[
            "1:1: WALD-1008 found a list, want a map (its fields are `version`, `admin`, `store`, `workers`, `listeners`, `tokens`, `upstreams`, `models`, `signers`, `require_signature`, `routes`, `experiments`, `zone`, `dns`, `drain`, `upgrade`, `audit`, `events`, `telemetry`)",
        ],
    );
}

#[test]
fn another_version_is_told_beside_all_other_problems() {
    check_whole(
        "version: wald/v2\nlisteners: []\nroutes: {}",
        &[
            r#"1:10: WALD-1012 version: found the text "wald/v2", this Wald reads `wald/v1` (write `version: wald/v1`)"#,
            "3:1: WALD-1008 routes: found a map, want a list (write it like `[{ name: …, backend: { upstream: … } }]`)",
        ],
    );
}
