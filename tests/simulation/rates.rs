//! Rates of requests, by the conditional test.

use stats::conditional::{Conditional, Table};
use stats::{Side, Tail};

use crate::{
    chance::Chance,
    setting::{Group, Setting, keeps},
    traffic::{Flow, RAMP, SMALL, SPLITS, Tick},
};

const METHOD: &str = "conditional 2×2";

/// The rates of both arms at a moment.
type Rates = fn(&Tick) -> [f64; 2];

pub(crate) fn settings() -> Vec<Setting> {
    let mut settings: Vec<Setting> = SPLITS.into_iter().flat_map(steady).collect();
    settings.extend(unsteady());
    settings
}

/// The same rate all the time.
fn steady(flow: Flow) -> [Setting; 5] {
    let rates: [(&str, Tail, Rates); 5] = [
        ("0.1%, greater", Tail::Greater, |_| [0.001; 2]),
        ("1%, greater", Tail::Greater, |_| [0.01; 2]),
        ("20%, greater", Tail::Greater, |_| [0.2; 2]),
        ("1%, less", Tail::Less, |_| [0.01; 2]),
        ("1%, two-sided", Tail::TwoSided, |_| [0.01; 2]),
    ];
    rates.map(|(name, tail, rates)| {
        let situation = format!("{name}, {}", flow.name);
        setting(&situation, flow, 0.0, tail, rates)
    })
}

fn unsteady() -> [Setting; 4] {
    [
        setting(
            "drift from 2% to 30%, greater, 5/95",
            SMALL,
            0.0,
            Tail::Greater,
            |tick| [0.02 + 0.28 * tick.progress; 2],
        ),
        setting(
            "drift from 10% to 1%, two-sided, on a ramp 5→25→50%",
            RAMP,
            0.0,
            Tail::TwoSided,
            |tick| [0.1 - 0.09 * tick.progress; 2],
        ),
        setting(
            "an outage of both in one tick of ten, greater, 5/95",
            SMALL,
            0.0,
            Tail::Greater,
            |tick| [if tick.number % 10 == 9 { 0.8 } else { 0.01 }; 2],
        ),
        setting(
            "B at the margin of odds 1.5, drifting, 5/95",
            SMALL,
            MARGIN.ln(),
            Tail::Less,
            |tick| {
                let control = 0.02 + 0.1 * tick.progress;
                let odds = MARGIN * control / (1.0 - control);
                [control, odds / (1.0 + odds)]
            },
        ),
    ]
}

fn setting(situation: &str, flow: Flow, null: f64, tail: Tail, rates: Rates) -> Setting {
    let run = move |chance: &mut Chance| alarm(chance, flow, null, tail, rates);
    keeps(Group::Rates, METHOD, situation, run)
}

const MARGIN: f64 = 1.5;

fn alarm(chance: &mut Chance, flow: Flow, null: f64, tail: Tail, rates: Rates) -> bool {
    first_alarm(chance, flow, null, tail, rates).is_some()
}

/// After how many looks the test rejects, counting from 0.
pub(crate) fn first_alarm(
    chance: &mut Chance,
    flow: Flow,
    null: f64,
    tail: Tail,
    rates: Rates,
) -> Option<usize> {
    let mut test = Conditional::new(null, tail);
    flow.ticks().position(|tick| {
        test.add(&table(chance, &tick, rates(&tick)));
        test.log_e() >= 20.0_f64.ln()
    })
}

pub(crate) fn table(chance: &mut Chance, tick: &Tick, rates: [f64; 2]) -> Table {
    let [n_a, n_b] = tick.split(chance);
    Table {
        n_a,
        n_b,
        s_a: chance.binomial(n_a, rates[0]),
        s_b: chance.binomial(n_b, rates[1]),
    }
}

/// The side that finds a candidate that fails more often.
pub(crate) const WORSE: Side = Side::Greater;
