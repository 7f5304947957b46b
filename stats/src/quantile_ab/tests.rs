//! The quantile test against its own definition, and its interval against a known ratio.

use proptest::prelude::*;
use statrs::function::gamma::ln_gamma;

use super::*;

/// E by the definition in STATISTICS, for samples without ties: every x that changes a count.
fn slow_log_e(p: f64, alpha: f64, optimum: f64, a: &[f64], b: &[f64]) -> f64 {
    let spread = p * (1.0 - p);
    let l = (1.0 / alpha).ln();
    let rho = optimum * spread / (2.0 * l + (1.0 + 2.0 * l).ln());
    let r = (rho - spread).max(1e-3 * spread);
    let (alpha, beta) = (r / (1.0 - p), r / p);
    let ln_b = |x: f64, y: f64| ln_gamma(x) + ln_gamma(y) - ln_gamma(x + y);
    let ln_m = |sample: &[f64], x: f64| {
        let n = sample.len() as f64;
        let k = sample.iter().filter(|&&y| y <= x).count() as f64;
        ln_b(alpha + k, beta + n - k) - ln_b(alpha, beta) - k * p.ln() - (n - k) * (1.0 - p).ln()
    };
    let xs = a.iter().chain(b).copied().chain([f64::NEG_INFINITY]);
    xs.map(|x| ln_m(a, x) + ln_m(b, x))
        .fold(f64::INFINITY, f64::min)
}

fn log_e(p: f64, a: &[f64], b: &[f64]) -> f64 {
    QuantileAb::new(p, 0.05, OPTIMUM).log_e(&places(a, b))
}

/// n numbers spread over (0, 1) times a factor, all different from those of another offset.
fn spread(n: u32, offset: f64, factor: f64) -> Vec<f64> {
    (0..n)
        .map(|i| factor * (f64::from(i) + offset) / f64::from(n))
        .collect()
}

/// The same in bins of ln γ = 0.01.
fn binned(a: &[f64], b: &[f64]) -> Vec<Place> {
    #[expect(clippy::cast_possible_truncation, reason = "a few hundred bins")]
    let bin = |x: &f64| (x.ln() / 0.01).floor() as i32;
    let mut counts = std::collections::BTreeMap::new();
    a.iter()
        .for_each(|x| counts.entry(bin(x)).or_insert([0, 0])[0] += 1);
    b.iter()
        .for_each(|x| counts.entry(bin(x)).or_insert([0, 0])[1] += 1);
    let place = |(at, [a, b]): (i32, [u64; 2])| Place { at, a, b };
    counts.into_iter().map(place).collect()
}

proptest! {
    #[test]
    fn e_values_are_those_of_the_definition(
        a in prop::collection::vec(0.0..1.0_f64, 0..60),
        b in prop::collection::vec(0.0..1.5_f64, 0..60),
        p in 0.05..0.95_f64,
    ) {
        let sorted = |mut sample: Vec<f64>| { sample.sort_by(f64::total_cmp); sample };
        let (a, b) = (sorted(a), sorted(b));
        let (fast, slow) = (log_e(p, &a, &b), slow_log_e(p, 0.05, OPTIMUM, &a, &b));
        prop_assert!((fast - slow).abs() < 1e-8, "{} is not {}", fast, slow);
    }

    #[test]
    fn e_values_stay_numbers_at_any_size(
        counts in prop::collection::vec((0..=300_000_000_u64, 0..=300_000_000_u64), 0..4),
        p in 0.001..0.999_f64,
    ) {
        let place = |(at, (a, b))| Place { at, a, b };
        let places: Vec<Place> = (0..).zip(counts).map(place).collect();
        prop_assert!(QuantileAb::new(p, 0.05, OPTIMUM).log_e(&places).is_finite());
    }

    #[test]
    fn bins_only_take_evidence_away(n in 50..400_u32, factor in 0.8..1.6_f64) {
        let (a, b) = (spread(n, 0.3, 1.0), spread(n, 0.7, factor));
        let exact = log_e(0.9, &a, &b);
        let coarse = QuantileAb::new(0.9, 0.05, OPTIMUM).log_e(&binned(&a, &b));
        prop_assert!(coarse <= exact + 1e-9, "{} {}", coarse, exact);
    }
}

/// The ends by asking every shift there is.
fn slow_interval(test: &QuantileAb, places: &[Place], ln_gamma: f64) -> Option<Interval> {
    let [a, b] = test.arms(places);
    let reach = i32::try_from(a.places.len() + b.places.len()).unwrap();
    let held = |shift: &i32| smallest_product(&a, &b, *shift) < 20.0_f64.ln();
    let held: Vec<i32> = (-reach..=reach).filter(held).collect();
    let (low, high) = (*held.first()?, *held.last()?);
    let gapless = held.windows(2).all(|pair| pair[1] == pair[0] + 1);
    assert!(gapless, "{held:?}");
    let ratio = |bins: i32| (f64::from(bins) * ln_gamma).exp();
    (-reach < low && high < reach).then(|| Interval {
        low: ratio(low - 1),
        high: ratio(high + 1),
    })
}

proptest! {
    #[test]
    fn the_interval_is_that_of_asking_every_shift(
        counts in prop::collection::vec((0..40_u64, 0..40_u64, 1..4_i32), 0..40),
        p in 0.1..0.9_f64,
    ) {
        let test = QuantileAb::new(p, 0.05, 100.0);
        let mut at = 0;
        let place = |(a, b, gap)| {
            at += gap;
            Place { at, a, b }
        };
        let places: Vec<Place> = counts.into_iter().map(place).collect();
        prop_assert_eq!(test.interval(&places, 0.05, 0.01), slow_interval(&test, &places, 0.01));
    }
}

#[test]
fn quantiles_that_differ_are_found_and_equal_ones_are_not() {
    let a = spread(3000, 0.3, 1.0);
    assert!(log_e(0.5, &a, &spread(3000, 0.7, 1.2)) > 20.0_f64.ln());
    assert!(log_e(0.5, &a, &spread(3000, 0.7, 1.0)) < 0.0);
    assert!(log_e(0.99, &a, &spread(3000, 0.7, 1.2)) > 20.0_f64.ln());
}

/// If both arms have one distribution, every interleaving of their observations is equally likely, and
/// E depends on nothing else.
#[test]
fn the_average_over_what_chance_may_do_is_at_most_one() {
    let (all, of_b) = (14_u32, 7);
    for p in [0.5, 0.55] {
        let test = QuantileAb::new(p, 0.05, 10.0);
        let e = |labels: u32| {
            let is_b = |i: u32| u64::from(labels >> i & 1);
            let ranks = (0..all).zip(0_i32..);
            let place = |(i, at)| Place {
                at,
                a: 1 - is_b(i),
                b: is_b(i),
            };
            test.log_e(&ranks.map(place).collect::<Vec<_>>()).exp()
        };
        let every: Vec<f64> = (0..1 << all)
            .filter(|labels: &u32| labels.count_ones() == of_b)
            .map(e)
            .collect();
        let mean = every.iter().sum::<f64>() / every.len() as f64;
        let largest = every.iter().copied().fold(0.0, f64::max);
        assert!(mean <= 1.0 && largest > 3.0, "{p}: {mean}, up to {largest}");
    }
}

#[test]
fn nothing_seen_says_nothing() {
    assert!(log_e(0.5, &[], &[]).abs() < 1e-12);
    assert!(log_e(0.5, &spread(5000, 0.5, 1.0), &[]) <= 1e-12);
}

#[test]
fn numbers_that_tie_across_arms_are_no_difference() {
    let all_equal = vec![1.0; 5000];
    assert!(log_e(0.5, &all_equal, &all_equal) < 0.0);
}

#[test]
fn the_interval_holds_the_ratio_and_closes_in() {
    let test = QuantileAb::new(0.9, 0.05, OPTIMUM);
    let width = |n: u32| {
        let places = binned(&spread(n, 0.3, 1.0), &spread(n, 0.7, 1.2));
        let interval = test.interval(&places, 0.05, 0.01).unwrap();
        assert!(interval.low < 1.2 && 1.2 < interval.high, "{interval:?}");
        interval.high / interval.low
    };
    assert!(width(20_000) < width(1000));
    let few = binned(&spread(5, 0.3, 1.0), &spread(5, 0.7, 1.2));
    assert_eq!(test.interval(&few, 0.05, 0.01), None);
}
