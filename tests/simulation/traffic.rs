//! Independent requests, tick by tick.

use stats::conditional::Table;
use stats::{Better, Decision, Delta, Design, Kind, Ledger, Margin, Metric, Role, Scale, Unit};

use crate::chance::Chance;

/// A metric as plain as can be.
pub(crate) fn metric(name: &str, kind: Kind, better: Better, margin: Option<Margin>) -> Metric {
    let role = if margin.is_some() {
        Role::Guardrail
    } else {
        Role::Goal
    };
    Metric {
        name: name.to_owned(),
        kind,
        better,
        role,
        margin,
        critical: false,
        worth: None,
    }
}

/// Two arms at 5%.
pub(crate) fn design(unit: Unit, metrics: Vec<Metric>) -> Design {
    Design {
        arms: 2,
        unit,
        metrics,
        alpha: 0.05,
        end: None,
    }
}

pub(crate) const LOG: Kind = Kind::Mean { scale: Scale::Log };
pub(crate) const LINEAR: Kind = Kind::Mean {
    scale: Scale::Linear,
};

/// A tick of a rate: both arms have the same, each request goes to B with the chance `share`.
pub(crate) fn tick_of_a_rate(chance: &mut Chance, requests: u64, share: f64, rate: f64) -> Table {
    let n_b = chance.binomial(requests, share);
    let n_a = requests - n_b;
    Table {
        n_a,
        n_b,
        s_a: chance.binomial(n_a, rate),
        s_b: chance.binomial(n_b, rate),
    }
}

/// A ramp: so many ticks at each share.
pub(crate) struct Ramp {
    pub(crate) shares: &'static [f64],
    pub(crate) ticks_each: u64,
    pub(crate) requests: u64,
}

/// What a request brings: the values of all metrics, given its arm and its moment.
pub(crate) type Outcome<'a> = dyn FnMut(&mut Chance, u64, usize) -> Vec<f64> + 'a;

/// Judges a whole run after every tick, and gives the first decision with the observations it took.
pub(crate) fn judge(
    design: &Design,
    ramp: &Ramp,
    chance: &mut Chance,
    outcome: &mut Outcome<'_>,
) -> (Decision, u64) {
    let shares = |b: f64| [1.0 - b, b];
    let mut ledger = Ledger::new(design.clone(), &shares(ramp.shares[0]));
    let mut tick = 0;
    for (epoch, &share) in (0..).zip(ramp.shares) {
        if epoch > 0 {
            ledger.open_epoch(&shares(share));
        }
        for _ in 0..ramp.ticks_each {
            let mut delta = Delta::new(design);
            for request in 0..ramp.requests {
                let arm = usize::from(chance.uniform() < share);
                delta.expose(epoch, tick, arm, request);
                for (metric, y) in outcome(chance, tick, arm).into_iter().enumerate() {
                    delta.observe(epoch, tick, metric, arm, 0, y);
                }
            }
            ledger.absorb(delta);
            tick += 1;
            ledger.close_before(tick);
            let decision = ledger.verdict().decision;
            if decision != Decision::Wait {
                return (decision, ledger.observations());
            }
        }
    }
    (Decision::Wait, ledger.observations())
}
