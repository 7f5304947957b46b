//! The conditional 2×2 test against its own definition, and at sizes that the definition cannot reach.

use proptest::prelude::*;
use statrs::function::factorial::ln_binomial;

use super::*;
use crate::special::ln_sum_exp;

/// ℓ(w₁) − ℓ(w₀) by the definition in STATISTICS: every term, each by its binomials.
fn slow_ratio(table: &Table, w: f64, null: f64) -> f64 {
    let events = table.s_a + table.s_b;
    let splits = events.saturating_sub(table.n_a)..=table.n_b.min(events);
    let likelihood = |w: f64| {
        let term =
            |j: u64| ln_binomial(table.n_b, j) + ln_binomial(table.n_a, events - j) + j as f64 * w;
        table.s_b as f64 * w - ln_sum_exp(splits.clone().map(term))
    };
    likelihood(w) - likelihood(null)
}

fn slow_log_e(tables: &[Table], null: f64, tail: Tail) -> f64 {
    let ratio = |w: f64| tables.iter().map(|table| slow_ratio(table, w, null)).sum();
    let alternatives = tail
        .signs()
        .iter()
        .flat_map(|sign| distances().map(move |d| sign * d));
    let ratios: Vec<f64> = alternatives.map(|step| ratio(null + step)).collect();
    ln_mean_exp(&ratios)
}

fn log_e(tables: &[Table], null: f64, tail: Tail) -> f64 {
    let mut test = Conditional::new(null, tail);
    for table in tables {
        test.add(table);
    }
    test.log_e()
}

fn table(most: u64) -> impl Strategy<Value = Table> {
    (0..=most, 0..=most).prop_flat_map(|(n_a, n_b)| {
        (0..=n_a, 0..=n_b).prop_map(move |(s_a, s_b)| Table { n_a, n_b, s_a, s_b })
    })
}

proptest! {
    #[test]
    fn e_values_are_those_of_the_definition(
        tables in prop::collection::vec(table(300), 1..5),
        null in -1.0..1.0_f64,
    ) {
        for tail in [Tail::Greater, Tail::Less, Tail::TwoSided] {
            let (fast, slow) = (log_e(&tables, null, tail), slow_log_e(&tables, null, tail));
            prop_assert!((fast - slow).abs() < 1e-8 * slow.abs().max(1.0), "{} is not {}", fast, slow);
        }
    }

    #[test]
    fn e_values_stay_numbers_at_any_size(table in table(1_000_000_000), null in -1.0..1.0_f64) {
        for tail in [Tail::Greater, Tail::Less, Tail::TwoSided] {
            prop_assert!(log_e(&[table], null, tail).is_finite());
        }
    }

    #[test]
    fn naming_failures_or_successes_does_not_matter(table in table(500)) {
        let other = Table { s_a: table.n_a - table.s_a, s_b: table.n_b - table.s_b, ..table };
        let (events, rest) = (log_e(&[table], 0.3, Tail::Less), log_e(&[other], -0.3, Tail::Greater));
        prop_assert!((events - rest).abs() < 1e-8 * events.abs().max(1.0));
    }
}

#[test]
fn the_average_over_what_chance_may_do_is_one() {
    // E of an e-value under its null, exactly: Σ_j P(j) E(j) = 1 at equal odds.
    let (n_a, n_b, events) = (30, 20, 12);
    let all = ln_binomial(n_a + n_b, events);
    let mean: f64 = (0..=events)
        .map(|s_b| {
            let chance = ln_binomial(n_b, s_b) + ln_binomial(n_a, events - s_b) - all;
            let table = Table {
                n_a,
                n_b,
                s_a: events - s_b,
                s_b,
            };
            (chance + log_e(&[table], 0.0, Tail::Greater)).exp()
        })
        .sum();
    assert!((mean - 1.0).abs() < 1e-10, "{mean}");
}

#[test]
fn a_candidate_with_more_events_is_greater_and_not_less() {
    let more = [Table {
        n_a: 1000,
        n_b: 1000,
        s_a: 50,
        s_b: 100,
    }];
    assert!(log_e(&more, 0.0, Tail::Greater) > 5.0);
    assert!(log_e(&more, 0.0, Tail::Less) < -2.0);
    let fewer = [Table {
        n_a: 1000,
        n_b: 1000,
        s_a: 100,
        s_b: 50,
    }];
    assert!(log_e(&fewer, 0.0, Tail::Less) > 5.0);
    assert!(log_e(&fewer, 0.0, Tail::Greater) < -2.0);
}

#[test]
fn e_values_reach_beyond_what_a_float_holds() {
    let clear = Table {
        n_a: 1_000_000,
        n_b: 1_000_000,
        s_a: 100_000,
        s_b: 200_000,
    };
    assert!(log_e(&[clear], 0.0, Tail::Greater) > 1e4);
    assert!(log_e(&[clear], 0.0, Tail::Less) < -1e3);
}

#[test]
fn the_interval_ends_where_the_test_turns() {
    let ticks = [
        Table {
            n_a: 4000,
            n_b: 1000,
            s_a: 400,
            s_b: 130,
        },
        Table {
            n_a: 3000,
            n_b: 3000,
            s_a: 280,
            s_b: 350,
        },
    ];
    let mut curve = Curve::new();
    for tick in &ticks {
        curve.add(tick);
    }
    let interval = curve.interval(0.05).unwrap();
    assert!(interval.low > 1.0 && interval.high < 1.8, "{interval:?}");
    let threshold = 40.0_f64.ln();
    assert!((slow_log_e(&ticks, interval.low.ln(), Tail::Greater) - threshold).abs() < 1e-3);
    assert!((slow_log_e(&ticks, interval.high.ln(), Tail::Less) - threshold).abs() < 1e-3);
}

#[test]
fn a_flawless_candidate_has_an_interval_from_zero() {
    let mut curve = Curve::new();
    curve.add(&Table {
        n_a: 2000,
        n_b: 2000,
        s_a: 20,
        s_b: 0,
    });
    let interval = curve.interval(0.05).unwrap();
    assert!(interval.low == 0.0 && interval.high < 1.0, "{interval:?}");
}

#[test]
fn the_curve_is_precise_at_a_million_events() {
    let ticks = vec![
        Table {
            n_a: 100_000,
            n_b: 100_000,
            s_a: 50_000,
            s_b: 50_400
        };
        10
    ];
    let mut curve = Curve::new();
    for tick in &ticks {
        curve.add(tick);
    }
    let interval = curve.interval(0.05).unwrap();
    let at_low = log_e(&ticks, interval.low.ln(), Tail::Greater);
    assert!((at_low - 40.0_f64.ln()).abs() < 0.01, "{at_low}");
}
