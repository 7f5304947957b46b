//! Experiments that could not be judged are refused.

use super::*;

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
