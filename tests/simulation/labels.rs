//! Whole distributions, by the label e-process.

use std::collections::BTreeMap;

use stats::Tail;
use stats::label::{Bin, Label};

use crate::{
    chance::Chance,
    setting::{Group, Setting, keeps},
    traffic::{Flow, Tick},
};

const EVEN: Flow = Flow {
    name: "50/50",
    shares: &[0.5],
    ticks_each: 40,
    requests: 200,
};

const SMALL: Flow = Flow {
    name: "5/95",
    shares: &[0.05],
    ticks_each: 40,
    requests: 1000,
};

const RAMP: Flow = Flow {
    name: "5→25→50%",
    shares: &[0.05, 0.25, 0.5],
    ticks_each: 25,
    requests: 400,
};

/// The logarithm of a latency.
type Score = fn(&mut Chance, &Tick) -> f64;

pub(crate) fn settings() -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut add = |situation: String, flow: Flow, tail: Tail, score: Score| {
        let run = move |chance: &mut Chance| alarm(chance, flow, tail, score);
        settings.push(keeps(Group::Labels, "label e-process", situation, run));
    };
    for flow in [EVEN, SMALL] {
        add(
            format!("lognormal latency, σ 0.5, {}, greater", flow.name),
            flow,
            Tail::Greater,
            |chance, _| 0.5 * chance.normal(),
        );
        // A Pareto tail with index 0.8: the latency has no mean.
        add(
            format!("latency without a mean, {}, two-sided", flow.name),
            flow,
            Tail::TwoSided,
            |chance, _| -(1.0 - chance.uniform()).ln() / 0.8,
        );
    }
    add(
        format!("latency that triples on a ramp {}", RAMP.name),
        RAMP,
        Tail::Greater,
        |chance, tick| 0.5 * chance.normal() + 1.1 * tick.progress,
    );
    settings
}

fn alarm(chance: &mut Chance, flow: Flow, tail: Tail, score: Score) -> bool {
    let mut test = Label::new(tail);
    flow.ticks().any(|tick| {
        let bins = histogram(chance, &tick, score);
        test.add(bins.iter().copied(), tick.share);
        test.log_e() >= 20.0_f64.ln()
    })
}

/// Both arms in bins of 5%: the test is exact whatever their width.
fn histogram(chance: &mut Chance, tick: &Tick, score: Score) -> Vec<Bin> {
    let width = 1.05_f64.ln();
    let mut bins: BTreeMap<i64, [u64; 2]> = BTreeMap::new();
    for (arm, requests) in tick.split(chance).into_iter().enumerate() {
        for _ in 0..requests {
            bins.entry(bin_of(score(chance, tick) / width)).or_default()[arm] += 1;
        }
    }
    let bin = |(&bin, &[a, b]): (&i64, &[u64; 2])| Bin {
        u: (bin as f64 + 0.5) * width,
        a,
        b,
    };
    bins.iter().map(bin).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a few thousand bins at most"
)]
pub(crate) fn bin_of(place: f64) -> i64 {
    place.floor() as i64
}
