//! Which stage may follow which.

use super::*;
use crate::sample;

fn experiment() -> Experiment {
    sample::policy(&[])
        .experiments()
        .first()
        .expect("an experiment")
        .clone()
}

#[track_caller]
fn check(from: Stage, outcome: Outcome, expected: Option<Stage>) {
    assert_eq!(
        from.after(&experiment(), outcome),
        expected,
        "{outcome:?} after {from:?}"
    );
}

const CANDIDATE: ArmId = ArmId(1);
const OUTCOMES: [Outcome; 10] = [
    Outcome::Start,
    Outcome::Open,
    Outcome::NextStep,
    Outcome::Promote(CANDIDATE),
    Outcome::RollBack,
    Outcome::Revert,
    Outcome::Futile,
    Outcome::Stop,
    Outcome::Pause,
    Outcome::Resume,
];

#[test]
fn a_run_begins_at_the_lowest_step() {
    let stage = Stage::first(3);
    assert_eq!(stage, Stage::from_parts(3, 0, 0, State::Running));
    assert_eq!(stage.shares(&experiment()), [0.95, 0.05]);
}

#[test]
fn a_step_up_opens_an_epoch_with_larger_shares() {
    let second = Stage::first(1)
        .after(&experiment(), Outcome::NextStep)
        .expect("a step");
    assert_eq!(second, Stage::from_parts(1, 1, 1, State::Running));
    assert_eq!(second.shares(&experiment()), [0.75, 0.25]);
}

#[test]
fn above_the_last_step_there_is_none() {
    check(
        Stage::from_parts(1, 2, 2, State::Running),
        Outcome::NextStep,
        None,
    );
}

#[test]
fn a_pause_exposes_nobody_and_ends_in_a_new_epoch() {
    let running = Stage::from_parts(1, 1, 1, State::Running);
    let paused = running
        .after(&experiment(), Outcome::Pause)
        .expect("a pause");
    assert_eq!(paused.shares(&experiment()), [1.0, 0.0]);
    check(
        paused,
        Outcome::Resume,
        Some(Stage::from_parts(1, 2, 1, State::Running)),
    );
}

#[test]
fn a_verdict_moves_everyone() {
    let running = Stage::from_parts(1, 1, 1, State::Running);
    for (outcome, shares) in [
        (Outcome::Promote(CANDIDATE), [0.0, 1.0]),
        (Outcome::RollBack, [1.0, 0.0]),
        (Outcome::Futile, [1.0, 0.0]),
        (Outcome::Stop, [1.0, 0.0]),
    ] {
        let ended = running.after(&experiment(), outcome).expect("a verdict");
        assert_eq!(ended.shares(&experiment()), shares, "{outcome:?}");
    }
}

#[test]
fn nothing_follows_an_end_but_that_a_promotion_is_taken_back() {
    for state in [
        State::Promoted(CANDIDATE),
        State::RolledBack,
        State::Futile,
        State::Stopped,
    ] {
        for outcome in OUTCOMES {
            let reverts = state == State::Promoted(CANDIDATE) && outcome == Outcome::Revert;
            let after = reverts.then(|| Stage::from_parts(1, 1, 1, State::RolledBack));
            check(Stage::from_parts(1, 1, 1, state), outcome, after);
        }
    }
}

#[test]
fn only_a_candidate_can_be_promoted() {
    check(Stage::first(1), Outcome::Promote(ArmId::CONTROL), None);
    check(Stage::first(1), Outcome::Promote(ArmId(2)), None);
}

#[test]
fn a_paused_experiment_waits_for_people() {
    let paused = Stage::from_parts(1, 1, 1, State::Paused);
    for outcome in [
        Outcome::Start,
        Outcome::NextStep,
        Outcome::Futile,
        Outcome::Pause,
    ] {
        check(paused, outcome, None);
    }
    check(
        paused,
        Outcome::RollBack,
        Some(Stage::from_parts(1, 1, 1, State::RolledBack)),
    );
    check(
        paused,
        Outcome::Promote(CANDIDATE),
        Some(Stage::from_parts(1, 2, 1, State::Promoted(CANDIDATE))),
    );
}

#[test]
fn a_draft_can_only_be_started_or_stopped() {
    let draft = Stage::from_parts(1, 0, 0, State::Draft);
    assert_eq!(draft.shares(&experiment()), [1.0, 0.0]);
    for outcome in OUTCOMES {
        let state = match outcome {
            Outcome::Start => Some(State::Running),
            Outcome::Stop => Some(State::Stopped),
            _ => None,
        };
        check(
            draft,
            outcome,
            state.map(|state| Stage::from_parts(1, 0, 0, state)),
        );
    }
}

#[test]
fn one_that_is_tried_in_the_shadow_serves_nobody_before_it_is_opened() {
    let unit = "unit: { header: x-user }";
    let first = format!("{unit}\n    shadow_first: {{ agreement: 99% }}");
    let policy = sample::policy(&[(unit, &first)]);
    let experiment = policy.experiments().first().expect("an experiment");
    let begun = Stage::begin(1, experiment);
    assert_eq!(begun, Stage::from_parts(1, 0, 0, State::Shadow));
    assert_eq!(begun.shares(experiment), [1.0, 0.0]);
    let draft = Stage::draft(1);
    assert_eq!(draft.after(experiment, Outcome::Start), Some(begun));
    for outcome in OUTCOMES {
        let state = match outcome {
            Outcome::Open => Some(State::Running),
            Outcome::RollBack => Some(State::RolledBack),
            Outcome::Futile => Some(State::Futile),
            Outcome::Stop => Some(State::Stopped),
            _ => None,
        };
        let expected = state.map(|state| Stage::from_parts(1, 0, 0, state));
        assert_eq!(begun.after(experiment, outcome), expected, "{outcome:?}");
    }
}

#[test]
fn a_step_beyond_the_ramp_stays_at_the_last() {
    assert_eq!(
        Stage::from_parts(1, 9, 9, State::Running).shares(&experiment()),
        [0.5, 0.5]
    );
}

#[test]
fn what_was_promoted_counts_only_if_it_is_watched() {
    let unit = "unit: { header: x-user }";
    let counted = |experiment: &Experiment| {
        let running = Stage::from_parts(1, 1, 1, State::Running);
        let outcomes = [
            Outcome::Promote(CANDIDATE),
            Outcome::RollBack,
            Outcome::Pause,
        ];
        outcomes.map(|outcome| {
            let after = running.after(experiment, outcome).expect("an outcome");
            after.is_counted(experiment)
        })
    };
    assert_eq!(counted(&experiment()), [false; 3]);
    let policy = sample::policy(&[(unit, &format!("{unit}\n    watch: {{ every: 1d }}"))]);
    let watched = policy.experiments().first().expect("an experiment");
    assert_eq!(counted(watched), [true, false, false]);
}
