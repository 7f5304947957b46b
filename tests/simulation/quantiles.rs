//! Quantiles of two arms, by the exact test.

use stats::quantile_ab::{OPTIMUM, Place, QuantileAb};

use crate::{
    chance::Chance,
    labels::bin_of,
    setting::{Group, Setting, keeps},
    traffic::{Flow, Tick},
};

const EVEN: Flow = Flow {
    name: "50/50",
    shares: &[0.5],
    ticks_each: 15,
    requests: 1000,
};

const SMALL: Flow = Flow {
    name: "5/95",
    shares: &[0.05],
    ticks_each: 15,
    requests: 2000,
};

pub(crate) fn settings() -> Vec<Setting> {
    let mut settings = Vec::new();
    for flow in [EVEN, SMALL] {
        for p in [0.5, 0.99] {
            let situation = format!(
                "p{:.0} of lognormal latency, σ 0.5, {}",
                100.0 * p,
                flow.name
            );
            let run = move |chance: &mut Chance| alarm(chance, flow, p);
            settings.push(keeps(
                Group::Quantiles,
                "exact quantile A/B",
                situation,
                run,
            ));
        }
    }
    settings
}

/// Bins of 4%, so that ties within a bin are part of what is tested.
const BINS: usize = 200;

fn alarm(chance: &mut Chance, flow: Flow, p: f64) -> bool {
    let test = QuantileAb::new(p, 0.05, OPTIMUM);
    let mut places: Vec<Place> = (0..)
        .take(BINS)
        .map(|at| Place { at, a: 0, b: 0 })
        .collect();
    flow.ticks().any(|tick| {
        fill(&mut places, chance, &tick);
        test.log_e(&places) >= 20.0_f64.ln()
    })
}

fn fill(places: &mut [Place], chance: &mut Chance, tick: &Tick) {
    let [a, b] = tick.split(chance);
    for request in 0..a + b {
        let bin = bin_of(12.5 * chance.normal()) + BINS as i64 / 2;
        let Some(place) = usize::try_from(bin)
            .ok()
            .and_then(|bin| places.get_mut(bin))
        else {
            continue;
        };
        if request < a {
            place.a += 1;
        } else {
            place.b += 1;
        }
    }
}
