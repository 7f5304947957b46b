//! How many observations a one-sided finding takes, beside an oracle.
//!
//! The oracle is Wald's sequential probability ratio test of power one: it stops when the likelihood
//! ratio of the true distributions of both arms against the null reaches 1/α, α = 5%, and never gives
//! up. It knows both distributions; the null is that both arms have one, and of those it takes the one
//! that is hardest to tell from the truth, the mixture of both arms by their shares (Turner, Ly and
//! Grünwald, JSPI 230, 2024, Theorem 1). No test that is valid at every moment and knows less can be
//! expected to stop earlier. It looks at the same data at the same moments as the judge: after every
//! tick of 200 requests at even shares. More frequent looks help the oracle more: at one every 100
//! requests the ratios of rates are up to 0.04 higher.

use stats::conditional::Conditional;
use stats::{Better, Decision, Delta, Ledger, Unit};

use crate::{
    chance::Chance,
    rates::{WORSE, table},
    setting::{Claim, Group, Setting},
    traffic::{Flow, LOG, Tick, design, metric, normals},
};

/// Long enough for every run to stop; one that does not would count with all of its observations.
const FLOW: Flow = Flow {
    name: "50/50",
    shares: &[0.5],
    ticks_each: 20_000,
    requests: 200,
};

const BAR_RATE: f64 = 1.30;
const BAR_MEAN: f64 = 1.35;

pub(crate) fn settings() -> Vec<Setting> {
    let rate = |situation: &str, rates: [f64; 2]| {
        setting(situation, "conditional 2×2", BAR_RATE, move |chance| {
            of_rates(chance, rates)
        })
    };
    vec![
        rate("failures rise from 1% to 1.5%", [0.01, 0.015]),
        rate("failures rise from 1% to 3%", [0.01, 0.03]),
        rate(
            "latencies beyond the SLO rise from 1% to 2.5%",
            [0.01, 0.025],
        ),
        setting(
            "mean log latency rises by 5%, σ 0.5",
            "Robbins–Siegmund",
            BAR_MEAN,
            |chance| of_means(chance, [0.0, 1.05_f64.ln()], 0.5),
        ),
    ]
}

fn setting(
    situation: &str,
    method: &'static str,
    bar: f64,
    samples: impl Fn(&mut Chance) -> [u64; 2] + Send + Sync + 'static,
) -> Setting {
    Setting {
        group: Group::Samples,
        situation: situation.to_owned(),
        method,
        claim: Claim::Within {
            bar,
            samples: Box::new(samples),
        },
        stated: "",
    }
}

/// Both start with the first tick; each counts the observations to its own stop.
fn race(chance: &mut Chance, mut step: impl FnMut(&mut Chance, &Tick) -> [bool; 2]) -> [u64; 2] {
    let mut stopped = [None, None];
    let mut seen = 0;
    for tick in FLOW.ticks() {
        seen += FLOW.requests;
        for (stop, done) in stopped.iter_mut().zip(step(chance, &tick)) {
            if done {
                stop.get_or_insert(seen);
            }
        }
        if stopped.iter().all(Option::is_some) {
            break;
        }
    }
    stopped.map(|stop| stop.unwrap_or(seen))
}

fn of_rates(chance: &mut Chance, rates: [f64; 2]) -> [u64; 2] {
    let threshold = 20.0_f64.ln();
    let mut test = Conditional::new(0.0, WORSE);
    let mut oracle = 0.0;
    race(chance, |chance, tick| {
        let table = table(chance, tick, rates);
        test.add(&table);
        let null = (rates[0] + rates[1]) / 2.0;
        let arms = [
            (table.n_a, table.s_a, rates[0]),
            (table.n_b, table.s_b, rates[1]),
        ];
        for (n, s, rate) in arms {
            let (ones, zeros) = (s as f64, (n - s) as f64);
            oracle += ones * (rate / null).ln() + zeros * ((1.0 - rate) / (1.0 - null)).ln();
        }
        [test.log_e() >= threshold, oracle >= threshold]
    })
}

/// The judge itself with one metric, whose only way to roll back is the test of "worse" at α.
fn of_means(chance: &mut Chance, means: [f64; 2], deviation: f64) -> [u64; 2] {
    let design = design(
        Unit::Request,
        vec![metric("latency", LOG, Better::Lower, None)],
    );
    let mut ledger = Ledger::new(design, &[0.5, 0.5]);
    let mut oracle = 0.0;
    race(chance, |chance, tick| {
        let mut delta = Delta::new(ledger.design());
        for (arm, n) in tick.split(chance).into_iter().enumerate() {
            let sums = normals(chance, n, means[arm], deviation);
            delta.expose_many(0, arm, n);
            delta.observe_many(0, tick.number, 0, arm, &sums);
            // ln of the ratio of two normal densities, around the mean of the null.
            let (null, shift) = (
                (means[0] + means[1]) / 2.0,
                (means[arm] - means[1 - arm]) / 2.0,
            );
            let around = sums.tally.sum - null * sums.tally.count();
            oracle +=
                (shift * around - shift * shift * sums.tally.count() / 2.0) / deviation.powi(2);
        }
        ledger.absorb(delta);
        ledger.close_before(tick.number + 1);
        let found = ledger.verdict().decision == Decision::RollBack;
        [found, oracle >= 20.0_f64.ln()]
    })
}
