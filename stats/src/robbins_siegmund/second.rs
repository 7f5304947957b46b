//! Ratios and covariates: walks with a second number beside each observation.

use super::*;
use crate::evidence::Cell;
use proptest::prelude::*;

fn cell(sticky: bool, pairs: impl Iterator<Item = (f64, f64)>) -> Cell {
    let mut cell = Cell::default();
    for (i, (y, x)) in pairs.enumerate() {
        let bucket = sticky.then(|| u16::try_from(i % 512).unwrap());
        match bucket {
            Some(bucket) => cell.add_in_bucket(bucket, y),
            None => cell.add(y),
        }
        cell.add_second(bucket, y, x);
    }
    cell
}

/// x goes through 1 to 100 in a scattered order, y = a·x + noise without chance.
fn linear(n: u32, slope: f64, shift: f64, step: u32) -> impl Iterator<Item = (f64, f64)> {
    (0..n).map(move |i| {
        let x = f64::from(1 + i * step % 100);
        (slope * x + shift + f64::from(i * 37 % 11) - 5.0, x)
    })
}

#[track_caller]
fn close_to(found: f64, expected: f64) {
    assert!(
        (found - expected).abs() <= 1e-9 * expected.abs().max(1.0),
        "{found} {expected}"
    );
}

/// The delta method by hand: U = y − R·x, with the control's share as it is written in [`Second`].
#[test]
fn a_ratio_walks_on_numerators_less_ratio_times_denominators() {
    let (a, b) = (
        cell(false, linear(700, 2.0, 3.0, 61)),
        cell(false, linear(900, 2.1, 3.0, 67)),
    );
    let walk = Walk::with(Second::Denominator, Null::Equal, [(&a, &b)].into_iter());
    let (pairs_a, pairs_b): (Vec<_>, Vec<_>) = (
        linear(700, 2.0, 3.0, 61).collect(),
        linear(900, 2.1, 3.0, 67).collect(),
    );
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let column =
        |pairs: &[(f64, f64)], of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).collect::<Vec<_>>();
    let (y_a, x_a) = (
        mean(&column(&pairs_a, |p| p.0)),
        mean(&column(&pairs_a, |p| p.1)),
    );
    let (y_b, x_b) = (
        mean(&column(&pairs_b, |p| p.0)),
        mean(&column(&pairs_b, |p| p.1)),
    );
    let (ratio, h) = (y_a / x_a, 700.0 * 900.0 / 1600.0);
    close_to(walk.sum, h * (y_b - ratio * x_b));
    close_to(walk.sum / walk.weight, y_b / x_b - ratio);
    let scatter = |pairs: &[(f64, f64)], factor: f64| {
        let u: Vec<f64> = pairs
            .iter()
            .map(|(y, x)| factor * (y - ratio * x))
            .collect();
        let middle = mean(&u);
        u.iter().map(|u| (u - middle).powi(2)).sum::<f64>()
    };
    let pooled = (scatter(&pairs_a, x_b / x_a) + scatter(&pairs_b, 1.0)) / 1598.0;
    assert!(
        (walk.variance / (h * pooled) - 1.0).abs() < 1e-6,
        "{walk:?} {}",
        h * pooled
    );
}

/// Twice the tokens in twice the time is the same speed; means of tokens would cry wolf.
#[test]
fn a_ratio_does_not_mind_more_of_both() {
    let (a, b) = (
        cell(false, linear(2000, 2.0, 0.0, 61)),
        cell(
            false,
            linear(2000, 2.0, 0.0, 61).map(|(y, x)| (2.0 * y, 2.0 * x)),
        ),
    );
    let z = |second| {
        let walk = Walk::with(second, Null::Equal, [(&a, &b)].into_iter());
        walk.sum / walk.variance.sqrt()
    };
    assert!(
        z(Second::Denominator).abs() < 0.1,
        "{}",
        z(Second::Denominator)
    );
    assert!(z(Second::Nothing) > 10.0, "{}", z(Second::Nothing));
}

#[test]
fn a_covariate_takes_out_what_it_explains() {
    let (a, b) = (
        cell(false, linear(1000, 2.0, 0.0, 61)),
        cell(false, linear(1000, 2.0, 1.0, 67)),
    );
    let theta = explained([&a, &b].into_iter());
    assert!((theta - 2.0).abs() < 0.01, "{theta}");
    let z = |second| {
        let walk = Walk::with(second, Null::Equal, [(&a, &b)].into_iter());
        (walk.sum / walk.variance.sqrt(), walk.sum / walk.weight)
    };
    let ((plain, _), (adjusted, effect)) = (z(Second::Nothing), z(Second::Covariate(theta)));
    assert!(adjusted > 6.0 && plain < 1.0, "{plain} {adjusted}");
    assert!((effect - 1.0).abs() < 0.3, "{effect}");
}

#[test]
fn a_covariate_that_never_varies_explains_nothing() {
    let same = cell(false, (0..100).map(|i| (f64::from(i), 7.0)));
    close_to(explained([&same].into_iter()), 0.0);
}

/// Each unit comes once, so buckets and requests must agree on the variance.
#[test]
fn buckets_of_independent_units_give_the_variance_of_requests() {
    let ticks = |sticky| {
        let (a, b) = (
            cell(sticky, linear(20_000, 2.0, 3.0, 61)),
            cell(sticky, linear(20_000, 2.0, 3.0, 67)),
        );
        [Second::Denominator, Second::Covariate(1.0)]
            .map(|second| Walk::with(second, Null::Equal, [(&a, &b)].into_iter()).variance)
    };
    // Scattered by a linear congruence, units of one bucket are not quite independent; one part in two
    // tells the right scale from a wrong one.
    for (by_bucket, by_request) in ticks(true).into_iter().zip(ticks(false)) {
        let ratio = by_bucket / by_request;
        assert!(ratio < 2.0, "{by_bucket} {by_request}");
    }
}

proptest! {
    /// Without a second number, with θ = 0, and with denominators that are all one: the same walk.
    #[test]
    fn a_second_number_that_does_nothing_changes_nothing(
        a in prop::collection::vec(-5.0..5.0_f64, 3..40),
        b in prop::collection::vec(-5.0..5.0_f64, 3..40),
        sticky: bool,
        ratio in 0.5..1.5_f64,
    ) {
        let [a, b] = [a, b].map(|values| cell(sticky, values.into_iter().map(|y| (y, 1.0))));
        let of = |second| Walk::with(second, Null::Scale(ratio), [(&a, &b)].into_iter());
        let plain = of(Second::Nothing);
        for second in [Second::Covariate(0.0), Second::Denominator] {
            let walk = of(second);
            prop_assert!((walk.sum - plain.sum).abs() < 1e-9);
            prop_assert!((walk.variance - plain.variance).abs() < 1e-9 * plain.variance.max(1.0));
            prop_assert!((walk.weight - plain.weight).abs() < 1e-9);
        }
    }
}
