//! What a document means once it compiles.

use std::time::Duration;

use super::*;
use crate::{Decide, End, Experiment, Observe, Target, UpstreamLimits};

#[track_caller]
fn experiment(edits: &[(&str, &str)], name: &str) -> Experiment {
    sample::policy(edits)
        .experiment(name)
        .expect("an experiment")
        .clone()
}

#[test]
fn absent_sections_get_their_defaults() {
    let policy = sample::policy(&[]);
    assert_eq!(policy.admin().address.to_string(), "127.0.0.1:9901");
    assert_eq!((policy.store(), policy.workers()), (None, None));
    assert!(
        policy
            .listeners()
            .iter()
            .all(|listener| listener.http1 && listener.http2)
    );
    assert_eq!(
        policy.upstreams()[0].limits,
        UpstreamLimits {
            connections: 256,
            in_flight: 1024,
            queued: 128
        }
    );
    assert_eq!(policy.routes()[0].timeout, Duration::from_secs(30));
    assert_eq!(policy.routes()[0].body_bytes, None);
}

#[test]
fn what_is_written_counts() {
    let policy = sample::policy(&[
        (
            "version: wald/v1",
            "version: wald/v1\nworkers: 3\nstore: { path: wald.redb }",
        ),
        (
            LISTENER,
            "{ name: edge, address: \"127.0.0.1:8080\", protocols: [http2], limits: { body_bytes: 1KiB } }",
        ),
        (
            ROUTE,
            &format!("{ROUTE}\n    timeout: 5s\n    limits: {{ body_bytes: 1MiB }}"),
        ),
    ]);
    assert_eq!(policy.workers().map(NonZeroUsize::get), Some(3));
    assert_eq!(
        policy.store(),
        Some(std::path::Path::new("/bank/wald.redb"))
    );
    let listener = &policy.listeners()[0];
    assert_eq!(
        (listener.http1, listener.http2, listener.limits.body_bytes),
        (false, true, 1024)
    );
    assert_eq!(policy.routes()[0].timeout, Duration::from_secs(5));
    assert_eq!(policy.routes()[0].body_bytes, Some(1 << 20));
}

#[test]
fn without_a_version_the_newest_model_serves() {
    let digits = experiment(&[], "digits");
    let policy = sample::policy(&[]);
    let served: Vec<_> = digits
        .arms
        .iter()
        .map(|arm| policy.backend(&arm.target))
        .collect();
    assert_eq!(served, ["digits/9", "digits/10"]);
    assert!(
        matches!(digits.arms[1].target, Target::Model(id) if policy.models()[id.index()].sha256[31] == 10)
    );
}

#[test]
fn an_experiment_is_judged_as_written() {
    let fraud = experiment(
        &[(
            RAMP,
            "alpha: 1%\n    tick: 5s\n    decide: advise\n    end: { observations: 9000, time: 1d }",
        )],
        "fraud-v2",
    );
    assert_eq!(
        (fraud.design.alpha, fraud.design.end, fraud.design.arms),
        (0.01, Some(9000), 2)
    );
    assert_eq!(fraud.design.unit, stats::Unit::Sticky);
    assert_eq!(fraud.observations, [Observe::Feedback, Observe::Failed]);
    assert_eq!(
        fraud.design.metrics[1].margin,
        Some(stats::Margin::Odds(1.5))
    );
    assert_eq!(fraud.tick, Duration::from_secs(5));
    assert_eq!(fraud.decide, Decide::Advise);
    assert_eq!(
        fraud.end,
        End {
            observations: Some(9000),
            time: Some(Duration::from_secs(86_400))
        }
    );
    assert_eq!(
        fraud
            .ramp
            .iter()
            .map(|share| share.value())
            .collect::<Vec<_>>(),
        [0.5],
        "equal arms by default"
    );
}

#[test]
fn times_are_compared_by_ratio_and_feedback_by_difference() {
    let digits = experiment(&[], "digits");
    let kinds: Vec<_> = digits
        .design
        .metrics
        .iter()
        .map(|metric| metric.kind)
        .collect();
    let mean = |scale| stats::Kind::Mean { scale };
    assert_eq!(kinds, [mean(stats::Scale::Log), mean(stats::Scale::Linear)]);
    assert_eq!(digits.design.unit, stats::Unit::Request);
    assert_eq!(
        digits.window,
        Duration::from_secs(90),
        "the longest of all metrics"
    );
}

#[test]
fn missing_feedback_is_known_when_feedback_is_late() {
    let edits = [
        (GOAL, &*format!("{GOAL}, maturation: 1d")),
        ("source: failed", "source: { missing: accuracy }"),
    ];
    let fraud = experiment(&edits, "fraud-v2");
    assert_eq!(fraud.observations[1], Observe::Missing { of: 0 });
    assert_eq!(fraud.windows[1], fraud.windows[0]);
    assert_eq!(fraud.missing(Some(0)).collect::<Vec<_>>(), [1]);
    assert_eq!(fraud.missing(Some(1)).count(), 0);
}

#[test]
fn a_cap_is_part_of_what_is_estimated() {
    let mean = GOAL.replace("kind: proportion", "kind: mean, winsorize: 100");
    let fraud = experiment(&[(GOAL, &mean)], "fraud-v2");
    assert_eq!(fraud.caps, [Some(100.0), None]);
    let capped = [99.0, 1e6].map(|y| fraud.capped(0, y));
    assert_eq!(format!("{capped:?}"), "[99.0, 100.0]");
    let other = experiment(&[(GOAL, &mean.replace("100", "101"))], "fraud-v2");
    assert_ne!(fraud.definition, other.definition);
}

#[test]
fn each_metric_waits_for_itself() {
    let matures = format!("{GOAL}, maturation: 1d");
    let fraud = experiment(&[(GOAL, &matures)], "fraud-v2");
    let [day, minute] = [86_400, 60].map(Duration::from_secs);
    assert_eq!(fraud.windows, [day, minute]);
    assert_eq!(fraud.window, day);
    assert_eq!(
        fraud.waits(),
        [day, minute].map(|window| stats::Wait::new(window, fraud.tick))
    );
}

#[test]
fn whatever_compiles_can_be_judged() {
    for experiment in sample::policy(&[]).experiments() {
        assert_eq!(experiment.design.problems(), []);
    }
}

#[test]
fn a_definition_changes_with_the_experiment() {
    let before = experiment(&[], "fraud-v2").definition;
    for (old, new) in [
        (RAMP, "ramp: [5%, 25%]"),
        (RAMP, "alpha: 1%"),
        (MARGIN, "margin: { odds: 1.4 }"),
        ("name: errors", "name: failures"),
        ("role: goal", "role: goal, maturation: 1d"),
        (
            "{ name: candidate, backend: { upstream: fraud-v2 } }",
            "{ name: candidate, backend: { upstream: fraud-v1 } }",
        ),
        ("{ header: x-user }", "{ cookie: user }"),
    ] {
        assert_ne!(
            experiment(&[(old, new)], "fraud-v2").definition,
            before,
            "{new}"
        );
    }
}

#[test]
fn a_definition_changes_with_the_models_behind_it() {
    let before = experiment(&[], "digits").definition;
    assert_ne!(
        experiment(&[("000A", "000B")], "digits").definition,
        before,
        "another file"
    );
    let newer = "{ name: digits, version: \"11\", file: d.onnx, sha256: \"000000000000000000000000000000000000000000000000000000000000000B\" }";
    let newer = format!("models:\n  - {newer}");
    assert_ne!(
        experiment(&[("models:", &newer)], "digits").definition,
        before,
        "a newer version"
    );
}

#[test]
fn a_definition_does_not_change_with_anything_else() {
    let before = experiment(&[], "digits").definition;
    for (old, new) in [
        (
            "{ name: inside, address: \"127.0.0.1:8081\" }",
            "{ name: inside, address: \"127.0.0.1:9999\" }",
        ),
        ("file: digits-10.onnx", "file: elsewhere/digits.onnx"),
        (RAMP, "ramp: [1%]"),
        (
            "  - { name: fraud-v1, endpoints: [\"http://127.0.0.1:8001\"] }\n  - { name: fraud-v2, endpoints: [\"http://127.0.0.1:8002\"] }",
            "  - { name: fraud-v2, endpoints: [\"http://127.0.0.1:8002\"] }\n  - { name: fraud-v1, endpoints: [\"http://127.0.0.1:8001\"] }",
        ),
        (
            "{ name: latency, kind: mean, source: duration,",
            "{ source: duration, name: latency, kind: mean,",
        ),
    ] {
        assert_eq!(
            experiment(&[(old, new)], "digits").definition,
            before,
            "{new}"
        );
    }
}

#[test]
fn the_hash_of_a_policy_is_that_of_what_it_says() {
    let hash = |edits: &[(&str, &str)]| sample::policy(edits).hash().to_owned();
    assert_eq!(hash(&[]).len(), 32);
    assert_eq!(
        hash(&[]),
        hash(&[("version: wald/v1\n", "# a comment\nversion: wald/v1\n")])
    );
    assert_ne!(hash(&[]), hash(&[(RAMP, "ramp: [1%]")]));
}

#[track_caller]
fn judged(metric: &str, expected: stats::Kind, beside: Option<crate::Beside>) {
    let is_rate = matches!(expected, stats::Kind::Exceedance { .. });
    let margin = if is_rate {
        MARGIN
    } else {
        "margin: { relative: 20% }"
    };
    let edits = [
        ("unit: { header: x-user }", "unit: request"),
        ("kind: proportion, source: failed", metric),
        (MARGIN, margin),
    ];
    let fraud = experiment(&edits, "fraud-v2");
    let found = (fraud.design.metrics[1].kind, fraud.beside[1]);
    assert_eq!(found, (expected, beside), "{metric}");
}

#[test]
fn a_quantile_of_users_who_return_needs_no_slo() {
    let p99 = "kind: quantile, quantile: 0.99, source: duration";
    let edits = [
        ("kind: proportion, source: failed", p99),
        (MARGIN, "margin: { relative: 25% }"),
    ];
    let fraud = experiment(&edits, "fraud-v2");
    let (design, p99) = (&fraud.design, &fraud.design.metrics[1]);
    assert_eq!(design.unit, stats::Unit::Sticky);
    assert_eq!(design.problems(), []);
    let method = p99.method(design.unit, stats::Question::NotWorse);
    assert_eq!(method, Some(stats::Method::RobbinsSiegmund));
}

#[test]
fn each_kind_is_judged_as_what_it_is() {
    use stats::Kind;
    let slo = Kind::Exceedance { limit: 0.25 };
    judged("kind: quantile, source: duration, slo: 250ms", slo, None);
    judged(
        "kind: proportion, source: first_byte, slo: 250ms",
        slo,
        None,
    );
    let p99 = Kind::Quantile { at: 0.99 };
    judged(
        "kind: quantile, quantile: 0.99, source: duration",
        p99,
        None,
    );
    judged(
        "kind: distribution, source: duration",
        Kind::Distribution,
        None,
    );
    judged("kind: count, source: failed", Kind::Count, None);
    judged("kind: ratio, source: duration", Kind::Ratio, None);
}

#[test]
fn ratios_and_covariates_name_what_stands_beside_an_observation() {
    use crate::Beside;
    use stats::{Kind, Scale};
    let ratio = |source: &str, beside| {
        judged(
            &format!("kind: ratio, source: {source}"),
            Kind::Ratio,
            Some(beside),
        );
    };
    ratio("duration, per: request_bytes", Beside::RequestBytes);
    ratio("first_byte, per: duration", Beside::Duration);
    ratio("duration, per: first_byte", Beside::FirstByte);
    for (words, scale) in [("", Scale::Log), ("scale: linear, ", Scale::Linear)] {
        let written = format!("kind: mean, {words}source: duration, covariate: request_bytes");
        judged(&written, Kind::Adjusted { scale }, Some(Beside::KnownBytes));
    }
}

#[test]
fn any_goal_may_be_asked_for() {
    let any = format!("{RAMP}\n    goals: any");
    let goals = |ramp: &str| experiment(&[(RAMP, ramp)], "fraud-v2").design.goals;
    assert_eq!(
        [goals(RAMP), goals(&any)],
        [stats::Goals::All, stats::Goals::Any]
    );
}
