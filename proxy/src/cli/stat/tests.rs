//! Every method through its arguments, against values computed apart from Wald: by the formulas of
//! `docs/reference/stat.md` in mpmath with 30 digits.

use super::*;

fn computed(method: Method, input: Value) -> Value {
    method.compute(input).unwrap()
}

#[track_caller]
fn near(found: &Value, expected: f64) {
    let found = found.as_f64().unwrap();
    assert!(
        (found - expected).abs() <= 1e-9 * expected.abs().max(1.0),
        "{found} is not {expected}"
    );
}

#[track_caller]
fn check(method: Method, input: Value, expected: f64) {
    near(&computed(method, input)["log_e"], expected);
}

#[track_caller]
fn check_list(method: Method, input: Value, expected: &[f64]) {
    let found = computed(method, input);
    let found = found["log_e"].as_array().unwrap();
    assert_eq!(found.len(), expected.len());
    found
        .iter()
        .zip(expected)
        .for_each(|(found, &expected)| near(found, expected));
}

#[test]
fn two_rates() {
    let check = |side: &str, w0: f64, expected: &[f64]| {
        let ticks = [[500, 500, 5, 15], [900, 100, 9, 3], [300, 310, 0, 4]];
        let input = json!({ "ticks": ticks, "side": side, "w0": w0 });
        check_list(Method::Conditional, input, expected);
    };
    check(
        "greater",
        0.0,
        &[1.747_626_656_057_4, 2.618_991_767_374, 3.889_317_736_155_2],
    );
    check(
        "less",
        0.0,
        &[
            -1.432_267_587_529_7,
            -1.726_619_178_494_7,
            -2.016_721_838_077_7,
        ],
    );
    check(
        "two_sided",
        0.0,
        &[
            1.095_227_918_484_2,
            1.938_724_864_523_1,
            3.198_889_804_694_6,
        ],
    );
    let margin = 0.405_465_108_108_16;
    check(
        "less",
        margin,
        &[
            -1.088_015_680_599_4,
            -1.344_960_045_507_1,
            -1.609_962_301_262_6,
        ],
    );
}

#[test]
fn events_by_share() {
    let check = |a: u64, b: u64, share: f64, side: &str, expected: f64| {
        let input = json!({ "s_a": a, "s_b": b, "rho_b": share, "k": 20, "side": side });
        check(Method::EventSplit, input, expected);
    };
    check(40, 80, 0.5, "greater", 5.546_641_048_108_6);
    check(40, 80, 0.5, "less", -2.502_896_364_916);
    check(40, 80, 0.5, "two_sided", 4.853_813_066_168_4);
    check(9000, 200, 0.05, "less", 94.699_174_856_216);
    check(9000, 200, 0.05, "two_sided", 94.225_398_354_574);
    check(9000, 200, 0.05, "greater", -5.618_373_011_786_8);
}

#[test]
fn scores_by_arm() {
    let ticks = json!([
        { "u": [0, 1, 2], "count_a": [10, 20, 10], "count_b": [10, 20, 10] },
        { "u": [0, 1, 2, 9], "count_a": [30, 20, 10, 0], "count_b": [10, 20, 30, 2] },
        { "u": [-1, 0.5], "count_a": [5, 6], "count_b": [2, 8] },
    ]);
    let check = |side: &str, share: f64, expected: [f64; 2]| {
        let input = json!({ "ticks": ticks, "p": share, "side": side });
        let [second, third] = expected;
        check_list(Method::Label, input, &[0.0, second, third]);
    };
    check("greater", 0.5, [9.146_495_413_129_7, 9.347_458_720_786_7]);
    check("greater", 0.2, [9.594_648_368_166_7, 6.631_732_383_267_6]);
    check("less", 0.5, [-2.600_388_756_662_4, -2.708_827_825_871_1]);
    check("two_sided", 0.2, [8.901_505_504_388_8, 5.938_683_124_627_1]);
}

#[test]
fn two_means() {
    let ticks = [
        [600, 6000, 61_000, 600, 6100, 63_000],
        [700, 7000, 71_000, 700, 7300, 78_000],
        [800, 9000, 104_000, 200, 2400, 29_500],
    ];
    let check = |more: Value, expected: [f64; 4], crossed: bool| {
        let mut input = json!({ "ticks": ticks });
        input
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let found = computed(Method::RobbinsSiegmund, input);
        let interval = &found["interval"];
        let numbers = [&found["z"], &found["bound"], &interval[0], &interval[1]];
        numbers
            .into_iter()
            .zip(expected)
            .for_each(|(found, expected)| near(found, expected));
        assert_eq!(found["crossed"], crossed, "{found}");
    };
    let pooled = [
        1.034_964_795_831,
        3.059_759_987_867_8,
        -0.111_793_737_205_51,
        0.226_079_451_491_23,
    ];
    check(json!({ "side": "two_sided" }), pooled, true);
    let greater = [
        7.599_094_799_733_4,
        2.904_075_582_075_8,
        0.244_084_651_640_47,
        0.546_038_805_149_65,
    ];
    check(
        json!({ "epochs": [2, 1], "v0": 200, "side": "greater" }),
        greater,
        true,
    );
    let less = [
        7.599_094_799_733_4,
        3.466_940_389_800_7,
        0.214_822_436_909_27,
        0.575_301_019_880_87,
    ];
    check(
        json!({ "epochs": [2, 1], "v0": 200, "alpha": 0.01, "side": "less" }),
        less,
        false,
    );
}

#[test]
fn a_quantile_of_two_samples() {
    let a: Vec<f64> = (0..400).map(|i| f64::from(i) + 0.3).collect();
    let b: Vec<f64> = (0..400).map(|i| f64::from(i) * 1.3 + 0.75).collect();
    let median = json!({ "a": a, "b": b, "p": 0.5 });
    check(Method::QuantileAb, median, 3.090_028_194_594_6);
    let ninth = json!({ "a": a, "b": b, "p": 0.9, "alpha": 0.05, "t_opt": 500 });
    check(Method::QuantileAb, ninth, 28.350_490_101_576);
}

#[test]
fn pairs_agreement_and_assignment() {
    check(
        Method::PairedBinary,
        json!({ "n01": 30, "n10": 60 }),
        2.618_265_761_843_6,
    );
    let less = json!({ "successes": 9700, "n": 10_000, "p0": 0.99, "side": "less" });
    check(Method::Agreement, less, 128.896_687_460_58);
    let both = json!({ "successes": 9700, "n": 10_000, "p0": 0.99, "k": 50, "side": "two_sided" });
    check(Method::Agreement, both, 127.816_100_284_05);
    let even = json!({ "counts": [5000, 5300], "rho": [0.5, 0.5] });
    check(Method::SampleRatio, even, 2.770_492_147_901_2);
    let epochs = json!({ "k": 1000, "epochs": [
        { "counts": [900, 60, 50], "rho": [0.9, 0.05, 0.05] },
        { "counts": [500, 250, 260], "rho": [0.5, 0.25, 0.25] },
    ] });
    check(Method::SampleRatio, epochs, -0.907_445_265_355_97);
}

#[test]
fn listed_hypotheses() {
    let rejected = |input| computed(Method::EBh, input)["rejected"].clone();
    assert_eq!(
        rejected(json!({ "e_values": [1, 41, 42, 1], "alpha": 0.05 })),
        json!([1, 2])
    );
    assert_eq!(
        rejected(json!({ "log_e_values": [9000.0, 0.0] })),
        json!([0])
    );
}

#[test]
fn whole_numbers_may_have_a_point() {
    let with = computed(Method::PairedBinary, json!({ "n01": 30.0, "n10": 60.0 }));
    assert_eq!(
        with,
        computed(Method::PairedBinary, json!({ "n01": 30, "n10": 60 }))
    );
}

#[track_caller]
fn refused(method: Method, input: Value, named: &str) {
    let wrong = method.compute(input).unwrap_err().to_string();
    assert!(wrong.contains(named), "{wrong}");
}

#[test]
fn an_argument_of_another_shape_is_named_with_its_place() {
    use Method::{Agreement, Conditional, PairedBinary, SampleRatio};
    let unknown = "n11: unknown field `n11`, expected `n01` or `n10`; did you mean `n01`?";
    let nested = json!({ "epochs": [{ "counts": [1, 2], "rhos": [0.5, 0.5] }] });
    for (method, input, named) in [
        (PairedBinary, json!({ "n01": 1.5, "n10": 0 }), "n01: 1.5"),
        (PairedBinary, json!({ "n01": 0, "n10": -1 }), "n10: -1"),
        (PairedBinary, json!({ "n01": 1 }), "n10"),
        (
            PairedBinary,
            json!({ "n01": 1, "n10": 1, "n11": 1 }),
            unknown,
        ),
        (PairedBinary, json!([1, 2]), "object"),
        (
            Conditional,
            json!({ "ticks": [[5, 5, 1, 1], [5, 5, "2", 0]] }),
            "ticks[1][2]",
        ),
        (
            Conditional,
            json!({ "ticks": [], "side": "les" }),
            "did you mean `less`?",
        ),
        (SampleRatio, nested, "epochs[0].rhos: unknown field"),
        (
            Agreement,
            json!({ "succeses": 1 }),
            "did you mean `successes`?",
        ),
    ] {
        refused(method, input, named);
    }
}

#[test]
fn a_count_or_rate_that_makes_no_sense_is_named() {
    use Method::{Agreement, Conditional, EventSplit, SampleRatio};
    for (method, input, named) in [
        (Conditional, json!({ "ticks": [[5, 5, 6, 0]] }), "ticks[0]"),
        (Conditional, json!({ "ticks": [], "w0": -800 }), "w0: -800"),
        (
            EventSplit,
            json!({ "s_a": 1, "s_b": 1, "rho_b": 1 }),
            "rho_b: 1",
        ),
        (
            EventSplit,
            json!({ "s_a": 1, "s_b": 1, "rho_b": 0.5, "k": 1e300 }),
            "k: 1",
        ),
        (
            Agreement,
            json!({ "successes": 2, "n": 1, "p0": 0.5 }),
            "successes: 2",
        ),
        (
            Agreement,
            json!({ "successes": 1, "n": 1, "p0": 0.5, "k": 0 }),
            "k: 0",
        ),
        (
            SampleRatio,
            json!({ "counts": [1, 2], "rho": [0.5, 0.4] }),
            "rho: a sum",
        ),
        (SampleRatio, json!({ "counts": [1, 2] }), "epochs"),
    ] {
        refused(method, input, named);
    }
}

#[test]
fn a_score_sum_or_e_value_that_makes_no_sense_is_named() {
    use Method::{EBh, Label, QuantileAb, RobbinsSiegmund};
    let uneven = json!({ "ticks": [{ "u": [1], "count_a": [1, 2], "count_b": [1] }], "p": 0.5 });
    let far = json!({ "ticks": [{ "u": [1e200], "count_a": [1], "count_b": [1] }], "p": 0.5 });
    for (method, input, named) in [
        (Label, uneven, "ticks[0]: 1 scores"),
        (Label, far, "ticks[0].u[0]"),
        (
            QuantileAb,
            json!({ "a": [2, 1], "b": [], "p": 0.5 }),
            "a: falls",
        ),
        (
            RobbinsSiegmund,
            json!({ "ticks": [], "epochs": [1] }),
            "epochs: a sum",
        ),
        (
            RobbinsSiegmund,
            json!({ "ticks": [], "alpha": 0 }),
            "alpha: 0",
        ),
        (
            RobbinsSiegmund,
            json!({ "ticks": [[2, 10, 20, 1, 1, 1]] }),
            "ticks[0]",
        ),
        (EBh, json!({ "e_values": [-1] }), "e_values: -1"),
        (EBh, json!({}), "log_e_values"),
    ] {
        refused(method, input, named);
    }
}
