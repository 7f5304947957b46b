//! Where permitted requests go at every stage of an experiment.

use http::Method;

use super::*;
use crate::{Caller, Denial, UpstreamId, sample};

/// Places a request of this user on the bank's experiment at this stage.
#[track_caller]
fn place(policy: &Policy, stage: Stage, user: Option<&str>) -> Placement {
    let tenant = ("x-tenant", "bank");
    let headers = sample::headers(
        &[
            &[tenant][..],
            &user
                .map(|user| ("x-user", user))
                .into_iter()
                .collect::<Vec<_>>(),
        ]
        .concat(),
    );
    let request = sample::request(&Method::POST, "/v2/models/fraud/infer", &headers);
    let route = policy.route(&request).expect("a route");
    let permit = policy
        .authorize(Caller::anonymous(), route, &request)
        .expect("a permit");
    policy.place(permit, &[stage], &request, 0)
}

fn stage(state: State) -> Stage {
    Stage::from_parts(4, 2, 2, state)
}

/// One user of each arm at the sample's third step, 50%.
const OF_CONTROL: &str = "ada";
const OF_CANDIDATE: &str = "bob";

#[test]
fn a_user_stays_on_one_arm() {
    let policy = sample::policy(&[]);
    for (user, arm, upstream) in [(OF_CONTROL, 0, 0), (OF_CANDIDATE, 1, 1)] {
        let placement = place(&policy, stage(State::Running), Some(user));
        assert_eq!(
            placement.target(),
            &Target::Upstream(UpstreamId(upstream)),
            "{user}"
        );
        assert_eq!(placement.arm(), Some((ExperimentId(0), ArmId(arm))));
        assert_eq!(placement, place(&policy, stage(State::Running), Some(user)));
    }
}

#[test]
fn an_assignment_carries_what_evidence_needs() {
    let placement = place(
        &sample::policy(&[]),
        stage(State::Running),
        Some(OF_CANDIDATE),
    );
    let assignment = placement.assignment().expect("an assignment");
    assert_eq!(
        (assignment.run, assignment.epoch, assignment.arm),
        (4, 2, ArmId(1))
    );
    assert!(assignment.counted);
}

#[test]
fn only_a_running_experiment_counts() {
    let policy = sample::policy(&[]);
    let ended = [
        State::Draft,
        State::Paused,
        State::Promoted(ArmId(1)),
        State::RolledBack,
        State::Futile,
        State::Stopped,
    ];
    for state in ended {
        let placement = place(&policy, stage(state), Some(OF_CANDIDATE));
        assert!(
            placement
                .assignment()
                .is_some_and(|assignment| !assignment.counted),
            "{state:?}"
        );
    }
}

#[test]
fn after_a_promotion_all_go_to_the_winner() {
    let policy = sample::policy(&[]);
    for user in [Some(OF_CONTROL), Some(OF_CANDIDATE), None] {
        let placement = place(&policy, stage(State::Promoted(ArmId(1))), user);
        assert_eq!(
            placement.arm(),
            Some((ExperimentId(0), ArmId(1))),
            "{user:?}"
        );
    }
}

#[test]
fn unless_it_runs_or_won_all_go_to_the_control() {
    let policy = sample::policy(&[]);
    for state in [
        State::Draft,
        State::Paused,
        State::RolledBack,
        State::Futile,
        State::Stopped,
    ] {
        for user in [Some(OF_CONTROL), Some(OF_CANDIDATE), None] {
            let placement = place(&policy, stage(state), user);
            assert_eq!(
                placement.arm(),
                Some((ExperimentId(0), ArmId::CONTROL)),
                "{state:?} {user:?}"
            );
        }
    }
}

#[test]
fn a_request_without_its_unit_goes_to_the_control_uncounted() {
    let placement = place(&sample::policy(&[]), stage(State::Running), None);
    assert_eq!(placement.arm(), Some((ExperimentId(0), ArmId::CONTROL)));
    assert_eq!(placement.assignment(), None);
}

#[test]
fn a_stage_that_names_no_arm_leads_to_the_control() {
    let placement = place(
        &sample::policy(&[]),
        stage(State::Promoted(ArmId(7))),
        Some(OF_CANDIDATE),
    );
    assert_eq!(placement.target(), &Target::Upstream(UpstreamId(0)));
}

#[test]
fn a_user_stays_on_one_arm_by_what_was_proved() {
    let edits = |unit| [sample::WITH_TOKENS, ("unit: { header: x-user }", unit)];
    let headers = sample::headers(&[("x-tenant", "bank"), ("x-user", "ignored")]);
    let request = sample::request(&Method::POST, "/v2/models/fraud/infer", &headers);
    for unit in ["unit: { claim: sub }", "unit: caller"] {
        let policy = sample::policy(&edits(unit));
        let assigned = |caller| {
            let route = policy.route(&request).expect("a route");
            let permit = policy.authorize(caller, route, &request).expect("a permit");
            let placement = policy.place(permit, &[stage(State::Running)], &request, 0);
            placement.assignment().map(|assignment| assignment.unit)
        };
        let user =
            |sub: &str, iat: u64| sample::caller(&serde_json::json!({ "sub": sub, "iat": iat }));
        assert_eq!(assigned(Caller::anonymous()), None, "{unit}");
        assert!(assigned(user("ada", 1)).is_some(), "{unit}");
        assert_eq!(assigned(user("ada", 1)), assigned(user("ada", 2)), "{unit}");
        assert_ne!(assigned(user("ada", 1)), assigned(user("bob", 1)), "{unit}");
        let other = policy_of_another_issuer(unit);
        let ada = other.issuers()[0]
            .suppose(
                serde_json::json!({ "sub": "ada" })
                    .as_object()
                    .expect("claims")
                    .clone(),
                0,
            )
            .expect("a user");
        let elsewhere = assigned(Caller::anonymous().with_user(ada.user));
        assert_ne!(
            assigned(user("ada", 1)),
            elsewhere,
            "{unit}: another issuer's ada"
        );
    }
}

fn policy_of_another_issuer(unit: &str) -> Policy {
    sample::policy(&[
        sample::WITH_TOKENS,
        ("https://issuer.test", "https://other.test"),
        ("unit: { header: x-user }", unit),
    ])
}

#[test]
fn workloads_are_callers_too() {
    let workload = |id: &str| Caller::anonymous().with_workload(id.parse().expect("an id"));
    let unit = |caller: &Caller| {
        let headers = http::HeaderMap::new();
        crate::Unit::Caller
            .of(&headers, caller, 0)
            .map(std::borrow::Cow::into_owned)
    };
    let (one, two) = (workload("spiffe://b.test/a"), workload("spiffe://b.test/b"));
    assert_ne!(unit(&one), unit(&two));
    assert_eq!(unit(&one), unit(&one.clone()));
    let ada = sample::caller(&serde_json::json!({ "sub": "ada" }));
    let through = ada
        .clone()
        .with_workload("spiffe://b.test/a".parse().expect("an id"));
    assert_eq!(
        unit(&through),
        unit(&ada),
        "the user counts, whatever it calls through"
    );
}

#[test]
fn chance_decides_where_nobody_is_remembered() {
    let policy = sample::policy(&[]);
    let headers = sample::headers(&[]);
    let request = sample::request(&Method::POST, "/v2/models/digits/infer", &headers);
    let stages = [Stage::first(1), Stage::first(1)];
    let arm = |chance| {
        let route = policy.route(&request).expect("a route");
        let permit = policy
            .authorize(Caller::anonymous(), route, &request)
            .expect("a permit");
        policy
            .place(permit, &stages, &request, chance)
            .arm()
            .expect("an arm")
            .1
    };
    let candidates = (0..1_000).filter(|&chance| arm(chance) == ArmId(1)).count();
    assert!(
        (420..580).contains(&candidates),
        "five standard errors around one half: {candidates}"
    );
}

#[test]
fn a_route_without_an_allow_list_lets_nobody_through() {
    let policy = sample::policy(&[]);
    let headers = sample::headers(&[]);
    let request = Request {
        listener: crate::ListenerId(1),
        ..sample::request(&Method::GET, "/closed", &headers)
    };
    let route = policy.route(&request).expect("a route");
    assert_eq!(
        policy.authorize(Caller::anonymous(), route, &request),
        Err(Denial::Nobody)
    );
}

#[test]
fn a_placement_falls_back_as_the_route_says_and_keeps_what_was_meant() {
    let route = "backend: { experiment: fraud-v2 }";
    let two = format!(
        "{route}\n    fallback: [{{ upstream: fraud-v1 }}, {{ respond: {{ status: 503 }} }}]"
    );
    let policy = sample::policy(&[(route, &two)]);
    let mut placement = place(&policy, stage(State::Running), Some(OF_CANDIDATE));
    let (arm, assignment) = (placement.arm(), placement.assignment().copied());
    let mut seen = Vec::new();
    while placement.fall_back(&policy) {
        seen.push((policy.backend(placement.target()), placement.fallen()));
    }
    assert_eq!(
        seen,
        [("fraud-v1".to_owned(), 1), ("respond 503".to_owned(), 2)]
    );
    assert!(!placement.may_fall_back(&policy));
    assert_eq!(
        (placement.arm(), placement.assignment().copied()),
        (arm, assignment)
    );
}

#[test]
fn a_request_goes_down_its_cascade_and_keeps_its_arm() {
    let cascade = "backend: { cascade: [{ model: digits, accept: { output: score, at_least: 0.9 } }, { upstream: fraud-v2 }] }";
    let policy = sample::policy(&[("backend: { upstream: fraud-v2 }", cascade)]);
    let mut placement = place(&policy, stage(State::Running), Some(OF_CANDIDATE));
    assert_eq!(placement.target(), &Target::Model(crate::ModelId(1)));
    assert_eq!(placement.step(), 0);
    assert!(placement.accept().is_some());
    assert!(placement.go_on());
    assert_eq!(placement.target(), &Target::Upstream(UpstreamId(1)));
    assert_eq!((placement.step(), placement.accept()), (1, None));
    assert_eq!(placement.arm(), Some((ExperimentId(0), ArmId(1))));
    assert!(!placement.go_on(), "nobody is left");
    let mut control = place(&policy, stage(State::Running), Some(OF_CONTROL));
    assert!(!control.go_on() && control.accept().is_none());
}
