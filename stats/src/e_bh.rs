//! Which of several hypotheses to list as rejected: e-BH, which bounds the false discovery rate
//! whatever depends on what.
//!
//! Wang and Ramdas, "False discovery rate control with e-values" (JRSS B 84, 2022), Definition 1:
//! reject the k* hypotheses with the largest e-values, k* = max {k : k e₍ₖ₎ / K ≥ 1/α}. It is for
//! e-values as they stand now: running maxima are no e-values.

/// The positions of the rejected hypotheses, in ascending order, given each one's ln E. What is no
/// number is never rejected.
#[must_use]
pub fn rejected(log_e_values: &[f64], alpha: f64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..log_e_values.len())
        .filter(|&i| log_e_values.get(i).is_some_and(|log_e| !log_e.is_nan()))
        .collect();
    let log_e = |i: &usize| log_e_values.get(*i).copied().unwrap_or(f64::NEG_INFINITY);
    order.sort_by(|i, j| log_e(j).total_cmp(&log_e(i)));
    let bar = crate::design::count(log_e_values.len()).ln() - alpha.ln();
    let reaches = |(place, i): (usize, &usize)| {
        log_e(i) + crate::design::count(place + 1).ln() >= bar - ROUNDING
    };
    let most = order.iter().enumerate().rposition(reaches);
    let mut rejected = order;
    rejected.truncate(most.map_or(0, |place| place + 1));
    rejected.sort_unstable();
    rejected
}

/// So that an e-value of exactly K/(αk) is rejected though its logarithm was rounded.
const ROUNDING: f64 = 1e-12;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(e_values: &[f64], expected: &[usize]) {
        let logs: Vec<f64> = e_values.iter().map(|e| e.ln()).collect();
        assert_eq!(rejected(&logs, 0.05), expected, "{e_values:?}");
    }

    #[test]
    fn the_bar_falls_as_more_reach_it() {
        // K = 4: one needs 80, two 40, three 80/3, four 20.
        check(&[80.0, 1.0, 1.0, 1.0], &[0]);
        check(&[79.0, 1.0, 1.0, 1.0], &[]);
        check(&[1.0, 41.0, 42.0, 1.0], &[1, 2]);
        check(&[20.0, 20.0, 20.0, 20.0], &[0, 1, 2, 3]);
        check(&[21.0, 21.0, 21.0, 19.0], &[]);
        check(&[100.0, 21.0, 30.0, 27.0], &[0, 1, 2, 3]);
    }

    /// All hypotheses true, so that any rejection is false: each e-value is `bar` with chance 1/bar and
    /// else 0, on its own. The chance that `lists` lists any, over all sixteen cases.
    fn false_alarms(bar: f64, lists: impl Fn(&[f64]) -> bool) -> f64 {
        (0..16_u32)
            .filter(|&hits| {
                let log_e = |i: u32| {
                    if hits >> i & 1 == 1 {
                        bar.ln()
                    } else {
                        f64::NEG_INFINITY
                    }
                };
                lists(&[0, 1, 2, 3].map(log_e))
            })
            .map(|hits| {
                let many = i32::try_from(hits.count_ones()).unwrap();
                bar.recip().powi(many) * (1.0 - bar.recip()).powi(4 - many)
            })
            .sum()
    }

    #[test]
    fn false_alarms_stay_below_alpha_where_a_bar_for_each_would_not() {
        for bar in [20.0, 80.0 / 3.0, 40.0, 80.0] {
            let listed = false_alarms(bar, |logs| !rejected(logs, 0.05).is_empty());
            assert!(listed <= 0.05, "{bar}: {listed}");
        }
        assert!(false_alarms(80.0, |logs| !rejected(logs, 0.05).is_empty()) > 0.04);
        let uncorrected = |logs: &[f64]| logs.iter().any(|&log_e| log_e >= 20.0_f64.ln() - 1e-9);
        assert!(false_alarms(20.0, uncorrected) > 0.18);
    }

    #[test]
    fn nothing_is_rejected_of_nothing() {
        check(&[], &[]);
    }

    #[test]
    fn evidence_beyond_any_float_is_ranked() {
        assert_eq!(rejected(&[20_000.0, -20_000.0, f64::NAN], 0.05), [0]);
    }

    proptest! {
        /// The definition, literally: try every k.
        #[test]
        fn the_rejected_are_those_of_the_definition(e_values in prop::collection::vec(0.01..500.0_f64, 0..12)) {
            let hypotheses = e_values.len() as f64;
            let mut sorted = e_values.clone();
            sorted.sort_by(|a, b| b.total_cmp(a));
            let most = (1..=sorted.len()).rev().find(|&k| k as f64 * sorted[k - 1] / hypotheses >= 20.0).unwrap_or(0);
            let least = most.checked_sub(1).map_or(f64::INFINITY, |last| sorted[last]);
            let expected: Vec<usize> = (0..e_values.len()).filter(|&i| e_values[i] >= least).collect();
            let logs: Vec<f64> = e_values.iter().map(|e| e.ln()).collect();
            prop_assert_eq!(rejected(&logs, 0.05), expected);
        }
    }
}
