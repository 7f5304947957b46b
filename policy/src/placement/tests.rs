//! Where permitted requests go at every stage of an experiment.

use http::Method;

use super::*;
use crate::{Caller, Denial, sample};

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
    policy.place(permit, &[stage], &headers, 0)
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
            &Target::Upstream(crate::UpstreamId(upstream)),
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
    assert_eq!(placement.target(), &Target::Upstream(crate::UpstreamId(0)));
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
            .place(permit, &stages, &headers, chance)
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
    let request = crate::Request {
        listener: crate::ListenerId(1),
        ..sample::request(&Method::GET, "/closed", &headers)
    };
    let route = policy.route(&request).expect("a route");
    assert_eq!(
        policy.authorize(Caller::anonymous(), route, &request),
        Err(Denial::Nobody)
    );
}
