//! How many false alarms are too many.

/// Runs a setting.
pub(crate) const RUNS: u64 = 300;

const ALPHA: f64 = 0.05;

/// Whether this many of [`RUNS`] may come from an error rate of 5%: up to three standard errors more.
pub(crate) fn keeps_alpha(alarms: usize) -> bool {
    let runs = RUNS as f64;
    alarms as f64 / runs <= ALPHA + 3.0 * (ALPHA * (1.0 - ALPHA) / runs).sqrt()
}

/// Runs every seed, counts the alarms and refuses too many.
#[track_caller]
pub(crate) fn check(setting: &str, alarms: impl Fn(u64) -> bool) {
    let alarms = count(alarms);
    assert!(
        keeps_alpha(alarms),
        "{setting}: {alarms} false alarms in {RUNS} runs"
    );
}

pub(crate) fn count(alarms: impl Fn(u64) -> bool) -> usize {
    (0..RUNS).filter(|&seed| alarms(seed)).count()
}
