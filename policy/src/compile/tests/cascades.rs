//! Models that are asked in turn.

use super::*;
use crate::{ModelId, Observe, Target, UpstreamId};

const CANDIDATE: &str = "backend: { upstream: fraud-v2 }";
const SURE: &str = "accept: { output: score, at_least: 0.9 }";

fn of(steps: &str) -> String {
    format!("backend: {{ cascade: [{steps}] }}")
}

#[test]
fn a_cascade_asks_in_the_order_that_is_written_and_the_newest_version() {
    let steps = format!("{{ model: digits, {SURE} }}, {{ upstream: fraud-v2 }}");
    let policy = sample::policy(&[(CANDIDATE, &of(&steps))]);
    let Target::Cascade(cascade) = &policy.experiments()[0].arms[1].target else {
        panic!("the candidate is a cascade");
    };
    let [small, big] = cascade.steps.as_slice() else {
        panic!("two steps");
    };
    assert_eq!(small.target, Target::Model(ModelId(1)));
    let accept = small.accept.as_deref().unwrap();
    assert_eq!((&*accept.output, accept.at_least), ("score", 0.9));
    assert_eq!(big.target, Target::Upstream(UpstreamId(1)));
    assert_eq!(big.accept, None);
    let target = Target::Cascade(cascade.clone());
    assert_eq!(policy.backend(&target), "cascade digits/10 fraud-v2");
}

#[test]
fn a_cascade_that_never_ends_or_ends_too_early_is_refused() {
    let sure = format!("{{ model: digits, {SURE} }}");
    for (steps, place) in [
        (sure.clone(), "cascade"),
        (
            "{ model: digits }, { upstream: fraud-v2 }".to_owned(),
            "cascade[0]",
        ),
        (
            "{ upstream: fraud-v1 }, { upstream: fraud-v2 }".to_owned(),
            "cascade[0]",
        ),
        (format!("{sure}, {sure}"), "cascade[1].accept"),
    ] {
        let place = format!("experiments[0].arms[1].backend.{place}");
        refused(code::BAD_BACKEND, &place, CANDIDATE, &of(&steps));
    }
    let steps = format!("{sure}, {{ upstream: nobody }}");
    let place = "experiments[0].arms[1].backend.cascade[1].upstream";
    refused(code::UNKNOWN_NAME, place, CANDIDATE, &of(&steps));
}

#[test]
fn nothing_falls_back_to_a_cascade() {
    let steps = format!("{{ model: digits, {SURE} }}, {{ upstream: fraud-v2 }}");
    let fallback = format!("{ROUTE}\n    fallback: [{{ cascade: [{steps}] }}]");
    refused(code::BAD_BACKEND, "routes[0].fallback[0]", ROUTE, &fallback);
}

#[test]
fn whether_a_cascade_went_on_is_a_proportion() {
    let metric = "name: errors, kind: proportion, source: failed";
    let escalated = "name: escalated, kind: proportion, source: escalated";
    let policy = sample::policy(&[(metric, escalated)]);
    assert_eq!(policy.experiments()[0].observations[1], Observe::Escalated);
    let mean = "name: escalated, kind: mean, source: escalated";
    refused(
        code::BAD_METRIC,
        "experiments[0].metrics[1].kind",
        metric,
        mean,
    );
}

#[test]
fn another_file_behind_a_cascade_begins_another_run() {
    let steps = format!("{{ model: digits, {SURE} }}, {{ upstream: fraud-v2 }}");
    let cascade = of(&steps);
    let hash = |digest: &str| {
        let edits = [(CANDIDATE, cascade.as_str()), ("00000000000A", digest)];
        sample::policy(&edits).experiments()[0].definition
    };
    assert_eq!(hash("00000000000A"), hash("00000000000A"));
    assert_ne!(hash("00000000000A"), hash("00000000000B"));
}
