//! The statistics of counts: rates, events, pairs, agreement, assignment.

use serde::Deserialize;
use serde_json::{Value, json};
use stats::conditional::{Conditional, Table};
use stats::e_detector::{EDetector, Look};
use stats::paired_binary::PairedBinary;
use stats::{Tail, agreement, event_split, sample_ratio};

use super::argument::{Count, Wrong, between_0_and_1, positive, prior};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConditionalArguments {
    /// By tick: requests of A and B, events of A and B.
    ticks: Vec<[Count; 4]>,
    #[serde(default = "both")]
    side: Tail,
    /// The log odds ratio of the null.
    #[serde(default)]
    w0: f64,
}

/// Odds of one to some five hundred million: beyond all that counts can tell.
const LOG_ODDS_MAX: f64 = 20.0;

pub(super) fn conditional(given: &ConditionalArguments) -> Result<Value, Wrong> {
    if given.w0.abs() > LOG_ODDS_MAX {
        return Err(Wrong::value(
            "w0",
            given.w0,
            "a log odds ratio from −20 to 20",
        ));
    }
    let mut test = Conditional::new(given.w0, given.side);
    let ticks = given.ticks.iter().enumerate();
    let log_e = ticks.map(
        |(tick, &[Count(n_a), Count(n_b), Count(s_a), Count(s_b)])| {
            if s_a > n_a || s_b > n_b {
                let found = format!("[{n_a}, {n_b}, {s_a}, {s_b}]");
                let wanted = "no more events than requests: [n_a, n_b, s_a, s_b]";
                return Err(Wrong::value(format!("ticks[{tick}]"), found, wanted));
            }
            test.add(&Table { n_a, n_b, s_a, s_b });
            Ok(test.log_e())
        },
    );
    let log_e = log_e.collect::<Result<Vec<f64>, Wrong>>()?;
    Ok(json!({ "log_e": log_e }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventSplitArguments {
    s_a: Count,
    s_b: Count,
    /// B's share of the traffic.
    rho_b: f64,
    #[serde(default = "event_prior")]
    k: f64,
    #[serde(default = "both")]
    side: Tail,
}

pub(super) fn event_split(given: &EventSplitArguments) -> Result<Value, Wrong> {
    let share = between_0_and_1("rho_b", given.rho_b)?;
    let k = prior("k", given.k)?;
    let events = [given.s_a.0, given.s_b.0];
    Ok(json!({ "log_e": event_split::log_e(share, k, given.side, events) }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PairedBinaryArguments {
    n01: Count,
    n10: Count,
}

pub(super) fn paired_binary(given: &PairedBinaryArguments) -> Value {
    let mut test = PairedBinary::default();
    test.add(given.n01.0, given.n10.0);
    json!({ "log_e": test.log_e() })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AgreementArguments {
    successes: Count,
    n: Count,
    p0: f64,
    #[serde(default = "agreement_prior")]
    k: f64,
    #[serde(default = "greater")]
    side: Tail,
}

pub(super) fn agreement(given: &AgreementArguments) -> Result<Value, Wrong> {
    let null = between_0_and_1("p0", given.p0)?;
    let k = prior("k", given.k)?;
    let (successes, n) = (given.successes.0, given.n.0);
    if successes > n {
        return Err(Wrong::value("successes", successes, "at most n"));
    }
    Ok(json!({ "log_e": agreement::log_e(null, given.side, k, successes, n) }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SampleRatioArguments {
    counts: Option<Vec<Count>>,
    rho: Option<Vec<f64>>,
    epochs: Option<Vec<Assigned>>,
    #[serde(default = "assignment_prior")]
    k: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Assigned {
    counts: Vec<Count>,
    rho: Vec<f64>,
}

pub(super) fn sample_ratio(given: SampleRatioArguments) -> Result<Value, Wrong> {
    let epochs = match (given.counts, given.rho, given.epochs) {
        (Some(counts), Some(rho), None) => vec![Assigned { counts, rho }],
        (None, None, Some(epochs)) => epochs,
        _ => {
            let wanted = "either `counts` and `rho`, or `epochs` of both";
            return Err(Wrong::value("arguments", "neither or both forms", wanted));
        }
    };
    let k = prior("k", given.k)?;
    let of = |epoch: &Assigned| epoch.log_e(k);
    let log_e = epochs.iter().map(of).sum::<Result<f64, Wrong>>()?;
    Ok(json!({ "log_e": log_e }))
}

impl Assigned {
    fn log_e(&self, k: f64) -> Result<f64, Wrong> {
        let total: f64 = self.rho.iter().sum();
        if self.rho.len() != self.counts.len() || self.rho.is_empty() {
            return Err(Wrong::value(
                "rho",
                format!("{} shares", self.rho.len()),
                "one for each count",
            ));
        }
        if (total - 1.0).abs() > 1e-6 {
            return Err(Wrong::value(
                "rho",
                format!("a sum of {total}"),
                "shares that add up to 1",
            ));
        }
        for &share in &self.rho {
            positive("rho", share)?;
        }
        let counts: Vec<u64> = self.counts.iter().map(|count| count.0).collect();
        Ok(sample_ratio::log_e(&counts, &self.rho, k))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EDetectorArguments {
    /// By look: outcomes, and how many of them were bad.
    looks: Vec<[Count; 2]>,
    /// The rate that is allowed.
    p0: f64,
    /// Whether the mean of a look is one outcome.
    #[serde(default)]
    dependent: bool,
    /// ln(1 + M) of each bet before the first look.
    from: Option<Vec<f64>>,
}

pub(super) fn e_detector(given: &EDetectorArguments) -> Result<Value, Wrong> {
    let null = between_0_and_1("p0", given.p0)?;
    let mut detector = EDetector::new(null);
    if let Some(from) = &given.from {
        let wanted = "one number for each of the 12 bets, none below 0";
        let resumed = from.iter().all(|bet| *bet >= 0.0);
        detector = resumed
            .then(|| EDetector::resume(null, from))
            .flatten()
            .ok_or_else(|| Wrong::value("from", format!("{} numbers", from.len()), wanted))?;
    }
    let looks = given.looks.iter().enumerate();
    let log_e = looks.map(|(look, &[Count(n), Count(events)])| {
        if events > n {
            let found = format!("[{n}, {events}]");
            let wanted = "no more bad outcomes than outcomes: [n, events]";
            return Err(Wrong::value(format!("looks[{look}]"), found, wanted));
        }
        detector.add(Look::of([n, events], given.dependent));
        Ok(detector.log_e())
    });
    let log_e = log_e.collect::<Result<Vec<f64>, Wrong>>()?;
    Ok(json!({ "log_e": log_e }))
}

fn both() -> Tail {
    Tail::TwoSided
}

fn greater() -> Tail {
    Tail::Greater
}

fn event_prior() -> f64 {
    event_split::PRIOR
}

fn agreement_prior() -> f64 {
    agreement::PRIOR
}

fn assignment_prior() -> f64 {
    sample_ratio::PRIOR
}
