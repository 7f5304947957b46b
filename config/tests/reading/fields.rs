//! Fields that are unknown, missing, or there twice.

use crate::{check, check_whole};

#[test]
fn an_unknown_field_gets_the_nearest_known_one() {
    check(
        "upstrems: []",
        &[
            "4:1: WALD-1005 unknown field `upstrems` (did you mean `upstreams`? known here: `version`, `admin`, `store`, `workers`, `listeners`, `tokens`, `upstreams`, `models`, `signers`, `require_signature`, `routes`, `experiments`, `zone`, `dns`, `drain`, `upgrade`, `audit`, `events`, `telemetry`)",
        ],
    );
    check(
        "store: { path: x, sync: always }",
        &["4:19: WALD-1005 store: unknown field `sync` (known here: `path`)"],
    );
}

#[test]
fn a_field_that_is_there_twice_is_told_with_the_first_line() {
    check(
        "workers: 2\nstore: { path: x }\nworkers: 3",
        &["6:1: WALD-1006 field `workers` is there already, in line 4 (keep one `workers`)"],
    );
}

#[test]
fn a_missing_field_stands_in_its_parents_line() {
    check(
        "store:\n  # nothing here\n  {}",
        &["4:1: WALD-1007 store.path: missing, want a file (add `path: folder/file`)"],
    );
    check_whole(
        "version: wald/v1\nroutes: []\nlisteners:\n  - address: 0.0.0.0:80\n  - name: edge",
        &[
            "4:5: WALD-1007 listeners[0].name: missing, want text (add `name: …`)",
            "5:5: WALD-1007 listeners[1].address: missing, want text (add `address: …`)",
        ],
    );
}

#[test]
fn a_field_without_a_value_counts_as_absent() {
    check("store:\nworkers:\ntokens: ~", &[]);
    check(
        "store: { path: }",
        &["4:1: WALD-1007 store.path: missing, want a file (add `path: folder/file`)"],
    );
}

#[test]
fn one_bad_field_hides_none_of_its_siblings() {
    check(
        "upstreams:\n  - name: [a]\n    endpoints: http://a\n    timeouts: { connect: 5, idle: soon }\n    lmits: {}\nworkers: many",
        &[
            "5:5: WALD-1008 upstreams[0].name: found a list, want text (write it like `…`)",
            r#"6:16: WALD-1008 upstreams[0].endpoints: found the text "http://a", want a list (put it in one: `[http://a]`)"#,
            "7:26: WALD-1008 upstreams[0].timeouts.connect: found `5`, want a time with its unit (us, ms, s, m, h, d) (write it like `10s`)",
            r#"7:35: WALD-1008 upstreams[0].timeouts.idle: found the text "soon", want a time with its unit (us, ms, s, m, h, d) (write it like `10s`)"#,
            "8:5: WALD-1005 upstreams[0]: unknown field `lmits` (did you mean `limits`? known here: `name`, `endpoints`, `protocol`, `region`, `balance`, `tls`, `timeouts`, `health`, `eviction`, `panic_threshold`, `slow_start`, `limits`, `insecure`, `authorization`)",
            r#"9:10: WALD-1008 workers: found the text "many", want a whole number from 0 to 4294967295 (write it like `10`)"#,
        ],
    );
}
