//! Experiments that could not be judged are refused.

use super::*;
use crate::Observe::Said;

#[test]
fn arms_and_ramps_fit() {
    refused(
        code::BAD_ARMS,
        "experiments[0].arms",
        "      - { name: candidate, backend: { upstream: fraud-v2 } }\n",
        "",
    );
    for (step, ramp) in [
        (1, "[5%, 5%]"),
        (1, "[25%, 5%]"),
        (0, "[0%]"),
        (0, "[0.001%]"),
    ] {
        refused(
            code::BAD_RAMP,
            &format!("experiments[0].ramp[{step}]"),
            RAMP,
            &format!("ramp: {ramp}"),
        );
    }
    let three = (
        "      - { name: candidate, backend: { upstream: fraud-v2 } }",
        "      - { name: b, backend: { upstream: fraud-v2 } }\n      - { name: c, backend: { upstream: fraud-v2 } }",
    );
    check(
        Severity::Error,
        code::BAD_RAMP,
        "experiments[0].ramp[0]",
        &[three, (RAMP, "ramp: [51%]")],
    );
    warned(
        code::BAD_RAMP,
        "experiments[0].ramp[0]",
        &[three, (RAMP, "ramp: [50%]")],
    );
    refused(
        code::BAD_UNIT,
        "experiments[0].unit",
        "unit: { header: x-user }",
        "unit: { header: \"x user\" }",
    );
}

#[test]
fn goals_and_guardrails_are_there() {
    refused(
        code::NO_GOAL,
        "experiments[0].metrics",
        "role: goal",
        &format!("role: guardrail, {MARGIN}"),
    );
    warned(
        code::NO_GUARDRAIL,
        "experiments[0].metrics",
        &[("role: guardrail, margin: { odds: 1.5 }", "role: goal")],
    );
}

#[test]
fn a_margin_fits_its_metric() {
    refused(
        code::BAD_MARGIN,
        "experiments[0].metrics[1].margin",
        &format!(", {MARGIN}"),
        "",
    );
    refused(
        code::BAD_MARGIN,
        "experiments[0].metrics[1].margin",
        MARGIN,
        "margin: { odds: 1 }",
    );
    refused(
        code::BAD_MARGIN,
        "experiments[1].metrics[1].margin",
        "{ absolute: 0.1 }",
        "{ odds: 1.5 }",
    );
}

#[test]
fn fields_of_a_metric_fit_together() {
    refused(
        code::BAD_METRIC,
        "experiments[0].metrics[0].margin",
        GOAL,
        &format!("{GOAL}, {MARGIN}"),
    );
    refused(
        code::BAD_METRIC,
        "experiments[0].metrics[0].critical",
        GOAL,
        &format!("{GOAL}, critical: true"),
    );
    refused(
        code::BAD_METRIC,
        "experiments[0].metrics[1].worth",
        MARGIN,
        &format!("{MARGIN}, worth: 0.1"),
    );
    refused(
        code::BAD_METRIC,
        "experiments[0].metrics[0].scale",
        GOAL,
        &format!("{GOAL}, scale: log"),
    );
    refused(
        code::BAD_METRIC,
        "experiments[0].metrics[1].kind",
        "kind: proportion, source: failed",
        "kind: mean, source: failed",
    );
    refused(
        code::BAD_METRIC,
        "experiments[1].metrics[0].kind",
        "kind: mean, source: duration",
        "kind: proportion, source: duration",
    );
}

const P: &str = "kind: proportion, source: failed";

#[test]
fn kinds_and_what_stands_beside_them_fit_together() {
    let metric = "experiments[0].metrics[1]";
    for (field, new) in [
        ("slo", "kind: proportion, source: failed, slo: 1s"),
        (
            "quantile",
            "kind: proportion, source: failed, quantile: 0.9",
        ),
        ("per", "kind: proportion, source: failed, per: duration"),
        (
            "covariate",
            "kind: proportion, source: failed, covariate: request_bytes",
        ),
        ("kind", "kind: quantile, source: failed, quantile: 0.9"),
        ("kind", "kind: distribution, source: failed"),
        ("kind", "kind: count, source: duration"),
        ("kind", "kind: count, source: tokens"),
        ("kind", "kind: proportion, source: response_bytes"),
        ("scale", "kind: mean, source: tokens, scale: log"),
        ("quantile", "kind: quantile, source: duration"),
        ("slo", "kind: quantile, source: feedback, slo: 1s"),
        ("per", "kind: ratio, source: feedback, per: duration"),
        ("scale", "kind: ratio, source: duration, scale: log"),
        (
            "covariate",
            "kind: mean, source: feedback, covariate: request_bytes",
        ),
        ("slo", "kind: mean, source: duration, slo: 1s"),
    ] {
        refused(code::BAD_METRIC, &format!("{metric}.{field}"), P, new);
    }
}

#[test]
fn what_is_missing_is_feedback_and_waits_as_long() {
    let metric = "experiments[0].metrics[1]";
    for (field, new) in [
        (
            "source.missing",
            "kind: proportion, source: { missing: clicks }",
        ),
        (
            "source.missing",
            "kind: proportion, source: { missing: errors }",
        ),
        ("kind", "kind: count, source: { missing: accuracy }"),
        (
            "window",
            "kind: proportion, source: { missing: accuracy }, window: 1h",
        ),
        (
            "maturation",
            "kind: proportion, source: { missing: accuracy }, maturation: 1h",
        ),
    ] {
        refused(code::BAD_METRIC, &format!("{metric}.{field}"), P, new);
    }
    let ceiling = [
        ("source: failed", "source: { missing: accuracy }"),
        (MARGIN, "margin: { at_most: 5% }"),
    ];
    let margin = format!("{metric}.margin");
    check(Severity::Error, code::BAD_MARGIN, &margin, &ceiling);
}

#[test]
fn values_are_cut_off_where_means_are_taken_of_them() {
    let path = "experiments[0].metrics[1].winsorize";
    let rate = format!("{P}, winsorize: 1");
    refused(code::BAD_METRIC, path, P, &rate);
    let path = "experiments[1].metrics[0].winsorize";
    let mean = "kind: mean, source: duration";
    let nought = format!("{mean}, winsorize: 0");
    refused(code::OUT_OF_RANGE, path, mean, &nought);
}

#[test]
fn exceeding_an_slo_is_never_better() {
    refused(
        code::BAD_METRIC,
        "experiments[0].metrics[1].better",
        "kind: proportion, source: failed, better: lower",
        "kind: quantile, source: duration, slo: 1s, better: higher",
    );
}

#[test]
fn a_quantile_lies_between_nought_and_one() {
    let whole = ("unit: { header: x-user }", "unit: request");
    for at in ["0", "1", "99"] {
        let p99 = format!("kind: quantile, source: duration, quantile: {at}");
        let margin = (MARGIN, "margin: { relative: 25% }");
        check(
            Severity::Error,
            code::OUT_OF_RANGE,
            "experiments[0].metrics[1].quantile",
            &[whole, (P, &p99), margin],
        );
    }
}

#[test]
fn a_distribution_is_no_goal_and_says_nothing_about_users() {
    let goal = "kind: proportion, source: feedback, better: higher, role: goal";
    let distribution = "kind: distribution, source: feedback, better: higher, role: goal";
    let role = "experiments[0].metrics[0].role";
    refused(code::BAD_METRIC, role, goal, distribution);
    let of_users = "kind: distribution, source: duration";
    let kind = "experiments[0].metrics[1].kind";
    let relative = (MARGIN, "margin: { relative: 10% }");
    check(
        Severity::Error,
        code::BAD_METRIC,
        kind,
        &[(P, of_users), relative],
    );
}

#[test]
fn what_is_said_on_a_scale_without_nought_is_warned_of() {
    let goal = "kind: proportion, source: feedback";
    let (scale, feedback) = (
        "experiments[0].metrics[0].scale",
        "kind: mean, scale: log, source: feedback",
    );
    warned(code::ZEROS_ON_LOG, scale, &[(goal, feedback)]);
    let said = "kind: mean, scale: log, source: { response: /score }";
    warned(code::ZEROS_ON_LOG, scale, &[(goal, said)]);
    let linear = problems(&[(goal, "kind: mean, scale: linear, source: feedback")]);
    assert!(
        linear
            .iter()
            .all(|problem| problem.code != code::ZEROS_ON_LOG)
    );
}

#[test]
fn metrics_look_at_each_place_of_an_answer_once() {
    let goal = "source: feedback, better: higher, role: goal }";
    let said = |name, source| {
        format!("- {{ name: {name}, kind: mean, source: {source}, better: higher, role: goal }}")
    };
    let score = "{ response: /outputs/0/data/0 }";
    let more = [said("second", "{ response: /a~1b }"), said("third", score)].join("\n      ");
    let with = format!("source: {score}, better: higher, role: goal }}\n      {more}");
    let document = sample::document(&[
        (goal, &with),
        ("kind: proportion, source", "kind: mean, source"),
    ]);
    let policy = compile(&document).unwrap();
    let experiment = &policy.experiments()[0];
    let pointers: Vec<_> = experiment.pointers.iter().map(|it| &**it).collect();
    assert_eq!(pointers, ["/outputs/0/data/0", "/a~1b"]);
    assert_eq!(experiment.observations[..3], [Said(0), Said(1), Said(0)]);
    refused(
        code::BAD_METRIC,
        "experiments[0].metrics[0].source.response",
        "source: feedback",
        "source: { response: score }",
    );
}

#[test]
fn a_margin_that_no_run_can_prove_before_its_end_is_warned_of() {
    let unit = ("unit: { header: x-user }", "unit: request");
    let ending = |observations| format!("{RAMP}\n    end: {{ observations: {observations} }}");
    let (early, late) = (ending(15_000), ending(50_000));
    let place = "experiments[0].metrics[1].margin";
    warned(code::UNPROVABLE, place, &[unit, (RAMP, &early)]);
    let found = problems(&[unit, (RAMP, &early)]);
    let told = found
        .iter()
        .find(|problem| problem.code == code::UNPROVABLE);
    let told = &told.expect("a warning").message;
    assert_eq!(
        told,
        "proving this margin for equal arms takes about 20000 observations at a rate of 1% and 200000 at 0.1%, the end comes after 15000"
    );
    let found = problems(&[unit, (RAMP, &late)]);
    assert!(found.iter().all(|problem| problem.code != code::UNPROVABLE));
}

#[test]
fn only_feedback_matures_and_it_waits_once() {
    let path = "experiments[0].metrics[1].maturation";
    let errors = "name: errors, kind: proportion, source: failed";
    refused(
        code::BAD_METRIC,
        path,
        errors,
        &format!("{errors}, maturation: 1d"),
    );
    let path = "experiments[0].metrics[0].maturation";
    let both = format!("{GOAL}, maturation: 1d, window: 60s");
    refused(code::BAD_METRIC, path, GOAL, &both);
    let none = format!("{GOAL}, maturation: 0s");
    refused(code::OUT_OF_RANGE, path, GOAL, &none);
}

#[test]
fn approvals_are_asked_only_of_people_whom_the_admin_address_knows() {
    let with = |approve: &str| format!("{RAMP}\n    approve: {approve}");
    refused(
        code::NO_APPROVERS,
        "experiments[0].approve",
        RAMP,
        &with("2"),
    );
    let admin =
        "version: wald/v1\nadmin: { address: \"127.0.0.1:9901\", allow: [{ callers: anyone }] }\n";
    let policy = sample::policy(&[(RAMP, &with("2")), ("version: wald/v1\n", admin)]);
    assert_eq!(policy.experiments()[0].approvals, 2);
    assert_eq!(sample::policy(&[]).experiments()[0].approvals, 0);
}

#[test]
fn who_takes_part_makes_sense() {
    let first = |text: &str| format!("unit: {{ header: x-user }}\n    {text}");
    let (unit, second) = ("unit: { header: x-user }", "unit: request");
    for (code, path, text) in [
        (code::EMPTY_ALLOW, "segments[0]", "segments: [{}]"),
        (
            code::EMPTY_ALLOW,
            "opt_out[0]",
            "opt_out: [{ callers: anyone }]",
        ),
        (
            code::OUT_OF_RANGE,
            "segments[0].share",
            "segments: [{ share: 0% }]",
        ),
        (
            code::BAD_CLAIM,
            "segments[0].claims.tier",
            "segments: [{ claims: { tier: { exact: gold } } }]",
        ),
        (
            code::BAD_MATCH,
            "segments[0].headers[\"x y\"]",
            "segments: [{ headers: { \"x y\": { exact: a } } }]",
        ),
        (
            code::BAD_AUDIENCE,
            "segments[0].zones",
            "segments: [{ zones: [ae-1] }]",
        ),
        (code::OUT_OF_RANGE, "holdout", "holdout: 0%"),
        (
            code::BAD_AUDIENCE,
            "layer",
            "layer: { name: all, from: 50%, to: 50% }",
        ),
        (code::EMPTY_ALLOW, "testers[0]", "testers: [{}]"),
    ] {
        refused(code, &format!("experiments[0].{path}"), unit, &first(text));
    }
    for text in ["layer: { name: all }", "holdout: 5%"] {
        let path = format!(
            "experiments[1].{}",
            text.split(':').next().unwrap_or_default()
        );
        let text = format!("{second}\n    {text}");
        refused(code::BAD_AUDIENCE, &path, second, &text);
    }
}

#[test]
fn experiments_of_one_layer_share_out_the_same_units() {
    let unit = "unit: { header: x-user }";
    let layered = |unit: &str, part: &str| format!("{unit}\n    layer: {{ name: all, {part} }}");
    let both = |first: &str, other: &str, second: &str| {
        let (first, second) = (layered(unit, first), layered(other, second));
        check(
            Severity::Error,
            code::BAD_AUDIENCE,
            "experiments[1].layer",
            &[(unit, &first), ("unit: request", &second)],
        );
    };
    both("to: 50%", unit, "from: 40%");
    both("to: 50%", "unit: { header: x-session }", "from: 50%");
    let (first, second) = (layered(unit, "to: 50%"), layered(unit, "from: 50%"));
    sample::policy(&[(unit, &first), ("unit: request", &second)]);
}

#[test]
fn what_the_shadow_must_show_can_be_shown() {
    let unit = "unit: { header: x-user }";
    for (code, path, written) in [
        (code::OUT_OF_RANGE, "agreement", "agreement: 100%"),
        (code::OUT_OF_RANGE, "agreement", "agreement: 0%"),
        (
            code::OUT_OF_RANGE,
            "observations",
            "agreement: 99%, observations: 0",
        ),
        (
            code::BAD_MATCH,
            "compare.ignore[0]",
            "agreement: 99%, compare: { ignore: [id] }",
        ),
    ] {
        let new = format!("{unit}\n    shadow_first: {{ {written} }}");
        let path = format!("experiments[0].shadow_first.{path}");
        refused(code, &path, unit, &new);
    }
}

#[test]
fn what_is_tried_in_the_shadow_first_may_run_here() {
    let with = "unit: request\n    shadow_first: { agreement: 99% }";
    let policy = sample::policy(&[("unit: request", with)]);
    let first = policy.experiments()[1].shadow_first.as_ref();
    let targets: Vec<_> = first.unwrap().copies.iter().map(|it| it.target).collect();
    assert_eq!(targets, [crate::CopyTarget::Model(crate::ModelId(1))]);
}

#[test]
fn prices_are_known_for_every_arm_whose_cost_is_asked_for() {
    let (unit, source) = (
        "unit: { header: x-user }",
        "source: feedback, better: higher",
    );
    let cost = (source, "source: cost, better: lower");
    let kind = (
        "name: accuracy, kind: proportion",
        "name: accuracy, kind: mean",
    );
    let priced = |prices: &str| format!("{unit}\n    prices: {prices}");
    let both = "{ control: { input: 1, output: 2 }, candidate: { input: 3, output: 4 } }";
    for (code, path, prices) in [
        (
            code::BAD_METRIC,
            "prices",
            "{ control: { input: 1, output: 2 } }",
        ),
        (
            code::UNKNOWN_NAME,
            "prices.other",
            "{ other: { input: 1, output: 2 } }",
        ),
    ] {
        let path = format!("experiments[0].{path}");
        let edits = [cost, kind, (unit, &*priced(prices))];
        check(Severity::Error, code, &path, &edits);
    }
    check(
        Severity::Error,
        code::BAD_METRIC,
        "experiments[0].prices",
        &[cost, kind],
    );
    let policy = sample::policy(&[cost, kind, (unit, &priced(both))]);
    let prices = &policy.experiments()[0].prices;
    let costs: Vec<f64> = prices
        .iter()
        .map(|price| price.of(1_000_000, 500_000))
        .collect();
    assert_eq!(costs, [2.0, 5.0]);
}
