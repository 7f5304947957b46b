//! `${VARIABLES}` in values.

use crate::check;

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
