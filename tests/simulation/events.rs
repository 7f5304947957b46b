//! Counts of rare events, by the event split.

use stats::Tail;
use stats::event_split::{EventSplit, PRIOR};

use crate::{
    chance::Chance,
    setting::{Group, Setting, keeps},
    traffic::{Flow, RAMP, SPLITS, Tick},
};

pub(crate) fn settings() -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut add = |situation: String, flow: Flow, tail: Tail, rate: fn(&Tick) -> f64| {
        let run = move |chance: &mut Chance| alarm(chance, flow, tail, rate);
        settings.push(keeps(Group::Events, "event split", situation, run));
    };
    for flow in SPLITS {
        add(
            format!("0.1% of requests, {}, greater", flow.name),
            flow,
            Tail::Greater,
            |_| 0.001,
        );
        add(
            format!("1% of requests, {}, less", flow.name),
            flow,
            Tail::Less,
            |_| 0.01,
        );
        add(
            format!("20% of requests, {}, two-sided", flow.name),
            flow,
            Tail::TwoSided,
            |_| 0.2,
        );
    }
    add(
        format!("drift from 5% to 0.2% on a ramp {}", RAMP.name),
        RAMP,
        Tail::Greater,
        |tick| 0.05 - 0.048 * tick.progress,
    );
    settings
}

/// Events come at the same rate a unit of traffic, of which B has its share.
fn alarm(chance: &mut Chance, flow: Flow, tail: Tail, rate: fn(&Tick) -> f64) -> bool {
    let mut test = EventSplit::new(PRIOR, tail);
    flow.ticks().any(|tick| {
        let mean = rate(&tick) * flow.requests as f64;
        let shares = [1.0 - tick.share, tick.share];
        test.add(
            tick.epoch,
            tick.share,
            shares.map(|share| chance.poisson(mean * share)),
        );
        test.log_e() >= 20.0_f64.ln()
    })
}
