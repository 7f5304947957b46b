//! The boundary against published values, and the walk against what it must not mistake for an effect.

use super::*;
use crate::evidence::{BUCKETS, Cell};

#[track_caller]
fn check(value: f64, expected: f64, tolerance: f64) {
    assert!(
        (value - expected).abs() <= tolerance,
        "{value} is not {expected}"
    );
}

fn cell(values: &[f64]) -> Cell {
    let mut cell = Cell::default();
    values.iter().for_each(|&y| cell.add(y));
    cell
}

fn sticky(values: &[f64]) -> Cell {
    let mut cell = Cell::default();
    for (&y, bucket) in values.iter().zip((0..BUCKETS).cycle()) {
        cell.add_in_bucket(bucket, y);
    }
    cell
}

/// A spread around a mean, without chance.
fn spread(n: u32, mean: f64) -> Vec<f64> {
    (0..n)
        .map(|i| mean + f64::from(i % 7) / 3.0 - 1.0)
        .collect()
}

fn walk(null: Null, epochs: &[(Cell, Cell)]) -> Walk {
    Walk::of(
        null,
        epochs
            .iter()
            .map(|(control, candidate)| (control, candidate)),
    )
}

#[test]
fn the_boundary_at_five_percent_is_the_published_one() {
    check(boundary(0.05), 2.7955, 5e-5);
}

#[test]
fn the_boundary_solves_its_equation_down_to_tiny_levels() {
    for alpha in [0.5, 0.1, 0.05, 1e-3, 1e-9, 1e-15] {
        let a = boundary(alpha);
        check(
            2.0 * (normal_tail(a) + a * normal_density(a)) / alpha,
            1.0,
            1e-6,
        );
    }
}

#[test]
fn one_epoch_is_the_pooled_t_statistic() {
    let (a, b) = ([1.0, 2.0, 3.0, 4.0], [3.0, 5.0, 4.0]);
    let walk = walk(Null::Equal, &[(cell(&a), cell(&b))]);
    // s² = (3·5/3 + 2·1)/5 = 1.4, z = 1.5/√(1.4(1/4 + 1/3)).
    check(
        walk.sum / walk.variance.sqrt(),
        1.5 / (1.4_f64 * (0.25 + 1.0 / 3.0)).sqrt(),
        1e-12,
    );
    check(walk.sum / walk.weight, 1.5, 1e-12);
}

#[test]
fn a_drift_between_epochs_is_no_effect() {
    // Both arms move together while the candidate's share grows.
    let early = (cell(&spread(900, 10.0)), cell(&spread(100, 10.0)));
    let late = (cell(&spread(500, 20.0)), cell(&spread(500, 20.0)));
    let walk = walk(Null::Equal, &[early, late]);
    assert!((walk.sum / walk.variance.sqrt()).abs() < 1.0, "{walk:?}");
}

#[test]
fn a_unit_that_is_seen_ten_times_counts_as_one() {
    let once = spread(512, 1.0);
    let ten_times: Vec<f64> = once.iter().cycle().take(5120).copied().collect();
    let other: Vec<f64> = once.iter().map(|y| y * 0.5).collect();
    let other_ten: Vec<f64> = other.iter().cycle().take(5120).copied().collect();
    let z = |a: &[f64], b: &[f64]| {
        let walk = walk(Null::Equal, &[(sticky(a), sticky(b))]);
        walk.sum / walk.variance.sqrt()
    };
    check(z(&once, &other), z(&ten_times, &other_ten), 1e-9);
}

#[test]
fn a_unit_on_both_arms_is_squared_once() {
    // Every unit gives the same on both arms, in two epochs: nothing is left to vary.
    let values = spread(512, 3.0);
    let pair = || (sticky(&values), sticky(&values));
    assert!(walk(Null::Equal, &[pair(), pair()]).variance < 1e-18);
}

#[track_caller]
fn check_side(null: Null, a: f64, b: f64, side: Side, crosses: bool) {
    let walk = walk(null, &[(cell(&spread(2000, a)), cell(&spread(2000, b)))]);
    let mut test = RobbinsSiegmund::new(null, side, 0.05);
    assert_eq!(test.position(), None);
    test.move_to(walk, true);
    let Position { z, bound } = test.position().unwrap();
    assert_eq!(
        z >= bound,
        crosses,
        "{null:?} {side:?}: {z} against {bound}"
    );
}

#[test]
fn only_the_side_of_the_effect_crosses() {
    check_side(Null::Equal, 5.0, 5.2, Side::Greater, true);
    check_side(Null::Equal, 5.0, 5.2, Side::Less, false);
    check_side(Null::Equal, 5.2, 5.0, Side::Less, true);
    check_side(Null::Equal, 5.2, 5.0, Side::Greater, false);
    check_side(Null::Equal, 5.0, 5.0, Side::Greater, false);
}

#[test]
fn a_margin_moves_the_null() {
    check_side(Null::Shift(0.5), 5.0, 5.2, Side::Less, true);
    check_side(Null::Shift(0.1), 5.0, 5.4, Side::Less, false);
    check_side(Null::Scale(1.1), 5.0, 5.2, Side::Less, true);
    check_side(Null::Scale(1.01), 5.0, 5.4, Side::Greater, true);
}

#[test]
fn a_null_of_odds_is_met_by_rates_of_those_odds() {
    // Odds 0.25 and 0.5: rates 0.2 and 1/3.
    let rate = |n: u32, every: u32| -> Vec<f64> {
        (0..n)
            .map(|i| f64::from(u8::from(i % every == 0)))
            .collect()
    };
    let pair = || (cell(&rate(3000, 5)), cell(&rate(3000, 3)));
    let null = walk(Null::Odds(2.0), &[pair()]);
    check(null.sum, 0.0, 1e-9);
    assert!(walk(Null::Odds(1.5), &[pair()]).sum > 0.0);
    assert!(walk(Null::Odds(3.0), &[pair()]).sum < 0.0);
}

#[test]
fn the_interval_holds_the_estimate_and_narrows() {
    let mut test = RobbinsSiegmund::new(Null::Equal, Side::Greater, 0.05);
    let mut widths = Vec::new();
    for n in [500, 5000, 50_000] {
        test.move_to(
            walk(
                Null::Equal,
                &[(cell(&spread(n, 5.0)), cell(&spread(n, 5.5)))],
            ),
            true,
        );
        let interval = test.interval(boundary(0.05)).unwrap();
        assert!(interval.low < 0.5 && 0.5 < interval.high, "{interval:?}");
        widths.push(interval.high - interval.low);
    }
    assert!(
        widths.windows(2).all(|pair| pair[1] < pair[0] / 2.0),
        "{widths:?}"
    );
}
