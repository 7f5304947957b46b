//! Who takes part, and that it says nothing about the arm.

use std::collections::BTreeSet;

use http::Method;
use serde_json::json;

use super::*;
use crate::{Placement, Policy, Stage, State, sample};

const UNIT: &str = "    unit: { header: x-user }\n";

/// The bank's policy whose first experiment says this, too.
fn with(audience: &str) -> Policy {
    let text = format!("{UNIT}    {audience}\n");
    sample::policy(&[sample::WITH_TOKENS, (UNIT, &text)])
}

/// Places a request with these headers on the first experiment.
fn place(policy: &Policy, state: State, caller: Caller, headers: &[(&str, &str)]) -> Placement {
    let headers = [&[("x-tenant", "bank")][..], headers].concat();
    let headers = sample::headers(&headers);
    let request = sample::request(&Method::POST, "/v2/models/fraud/infer", &headers);
    let route = policy.route(&request).expect("a route");
    let permit = policy.authorize(caller, route, &request).expect("a permit");
    let stage = Stage::from_parts(1, 0, 2, state);
    policy.place(permit, &[stage], &request, 0)
}

fn user(policy: &Policy, user: usize) -> Placement {
    let user = format!("user-{user}");
    let headers = [("x-user", &*user)];
    place(policy, State::Running, Caller::anonymous(), &headers)
}

/// Why a request of this user with this header takes no part while the experiment runs, and its arm.
fn told(policy: &Policy, caller: Caller, header: (&str, &str)) -> (Option<Outside>, u8) {
    let headers = [("x-user", "bob"), header];
    let placement = place(policy, State::Running, caller, &headers);
    let (_, arm) = placement.arm().expect("an experiment");
    (placement.outside(), arm.0)
}

#[test]
fn everyone_takes_part_unless_the_document_says_otherwise() {
    let policy = sample::policy(&[]);
    let placement = user(&policy, 1);
    assert!(placement.assignment().is_some() && placement.outside().is_none());
    let nobody = place(&policy, State::Running, Caller::anonymous(), &[]);
    assert_eq!(nobody.outside(), Some(Outside::NoUnit));
}

#[test]
fn who_fits_no_segment_stays_with_the_control_even_after_a_promotion() {
    let policy = with("segments: [{ headers: { x-country: { any_of: [AE, SA] } } }]");
    let anyone = Caller::anonymous;
    assert_eq!(told(&policy, anyone(), ("x-country", "SA")).0, None);
    let elsewhere = told(&policy, anyone(), ("x-country", "DE"));
    assert_eq!(elsewhere, (Some(Outside::OtherSegment), 0));
    let promoted = State::Promoted(ArmId(1));
    for (country, arm) in [("SA", ArmId(1)), ("DE", ArmId::CONTROL)] {
        let headers = [("x-user", "bob"), ("x-country", country)];
        let placement = place(&policy, promoted, anyone(), &headers);
        assert_eq!(placement.arm().map(|(_, arm)| arm), Some(arm), "{country}");
    }
}

#[test]
fn a_segment_of_other_zones_has_nobody_here() {
    let zone = ("version: wald/v1\n", "version: wald/v1\nzone: ae-1\n");
    let told_with = |zones: &str| {
        let text = format!("{UNIT}    segments: [{{ zones: {zones} }}]\n");
        let policy = sample::policy(&[sample::WITH_TOKENS, zone, (UNIT, &text)]);
        told(&policy, Caller::anonymous(), ("x-country", "AE")).0
    };
    assert_eq!(told_with("[ae-2, ae-1]"), None);
    assert_eq!(told_with("[eu-1]"), Some(Outside::OtherSegment));
}

#[test]
fn a_segment_asks_for_claims_and_for_models() {
    let policy = with(r#"segments: [{ claims: { tier: { exact: gold } }, models: [fraud] }]"#);
    let gold = sample::caller(&json!({ "sub": "ada", "tier": "gold" }));
    let plain = sample::caller(&json!({ "sub": "ada", "tier": "plain" }));
    let header = ("x-any", "1");
    assert_eq!(told(&policy, gold, header).0, None);
    for other in [plain, Caller::anonymous()] {
        assert_eq!(told(&policy, other, header).0, Some(Outside::OtherSegment));
    }
    let headers = sample::headers(&[("x-tenant", "bank")]);
    let request = sample::request(&Method::POST, "/v2/models/fraud/infer", &headers);
    let route = policy.route(&request).expect("a route");
    assert!(
        route.asks_for_model(),
        "the body is read where the path does not say"
    );
}

#[test]
fn who_opts_out_is_left_out_whatever_else_fits() {
    let policy = with("opt_out: [{ headers: { sec-gpc: { exact: \"1\" } } }]");
    let out = told(&policy, Caller::anonymous(), ("sec-gpc", "1"));
    assert_eq!(out, (Some(Outside::OptedOut), 0));
    assert_eq!(told(&policy, Caller::anonymous(), ("sec-gpc", "0")).0, None);
}

#[test]
fn a_share_of_a_segment_is_always_the_same_users() {
    let policy = with("segments: [{ share: 20% }]");
    let inside = |user: usize| self::user(&policy, user).outside().is_none();
    let count = (0..5000).filter(|user| inside(*user)).count();
    // Binomial: 1000 expected, standard deviation 28.
    assert!((860..1140).contains(&count), "{count}");
    assert!((0..100).all(|user| inside(user) == inside(user)));
}

#[test]
fn the_same_units_are_held_out_of_all_experiments_and_no_arm_loses_more_than_another() {
    let policy = with("holdout: 10%");
    let other = sample::policy(&[
        (UNIT, "    unit: { header: x-user }\n    holdout: 10%\n"),
        ("- name: fraud-v2\n    unit", "- name: fraud-v9\n    unit"),
        ("experiment: fraud-v2", "experiment: fraud-v9"),
    ]);
    let free = sample::policy(&[]);
    let held = |policy: &Policy, it: usize| user(policy, it).outside() == Some(Outside::HeldOut);
    let mut lost = [0_usize; 2];
    for it in 0..5000 {
        assert_eq!(held(&policy, it), held(&other, it), "user {it}");
        if held(&policy, it) {
            let (_, arm) = user(&free, it).arm().expect("an arm");
            lost[arm.index()] += 1;
        }
    }
    // 500 expected (standard deviation 21), half of them of each arm (11).
    assert!((395..605).contains(&(lost[0] + lost[1])), "{lost:?}");
    assert!(lost[0].abs_diff(lost[1]) < 110, "{lost:?}");
}

#[test]
fn two_experiments_of_one_layer_never_share_a_unit() {
    let first = with("layer: { name: all, to: 30% }");
    let second = with("layer: { name: all, from: 30% }");
    let takes = |policy: &Policy| -> BTreeSet<usize> {
        (0..5000)
            .filter(|it| user(policy, *it).assignment().is_some())
            .collect()
    };
    let (first, second) = (takes(&first), takes(&second));
    assert!(first.is_disjoint(&second));
    assert_eq!(first.len() + second.len(), 5000, "nobody is in neither");
    // 1500 expected, standard deviation 32.
    assert!((1340..1660).contains(&first.len()), "{}", first.len());
    let control = with("layer: { name: other, from: 30% }");
    assert!(
        !first.is_disjoint(&takes(&control)),
        "another layer is independent"
    );
}

#[test]
fn a_tester_chooses_an_arm_and_nobody_else_does() {
    let policy = with("testers: [{ claims: { role: { exact: tester } } }]");
    let tester = || sample::caller(&json!({ "sub": "eve", "role": "tester" }));
    let choice = |arm: &'static str| ("x-wald-override", arm);
    let chosen = (Some(Outside::Chosen), 1);
    assert_eq!(
        told(&policy, tester(), choice("fraud-v2=candidate")),
        chosen
    );
    let both = choice("other=control, fraud-v2 = candidate");
    assert_eq!(told(&policy, tester(), both), chosen);
    let control = (Some(Outside::Chosen), 0);
    assert_eq!(told(&policy, tester(), choice("fraud-v2=control")), control);
    for (caller, arm) in [
        (tester(), "fraud-v2=nobody"),
        (tester(), "other=candidate"),
        (tester(), "candidate"),
        (Caller::anonymous(), "fraud-v2=candidate"),
        (
            sample::caller(&json!({ "sub": "eve", "role": "user" })),
            "fraud-v2=candidate",
        ),
    ] {
        let (outside, _) = told(&policy, caller, choice(arm));
        assert_eq!(
            outside, None,
            "{arm} is no choice: the user is assigned as ever"
        );
    }
}
