//! Requests as they come in, tick by tick, and what the judge makes of them after every tick.

use std::sync::Arc;

use stats::{
    Better, Cell, Decision, Delta, Design, Kind, Ledger, Margin, Metric, MovingLimit, Role, Scale,
    Unit,
};

use crate::chance::Chance;

/// Traffic on a ramp: so many ticks at each share of the candidate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    pub(crate) name: &'static str,
    pub(crate) shares: &'static [f64],
    pub(crate) ticks_each: u64,
    /// Of both arms, in each tick.
    pub(crate) requests: u64,
}

/// 250 looks, to 50 000 requests an arm.
pub(crate) const EVEN: Flow = Flow {
    name: "50/50",
    shares: &[0.5],
    ticks_each: 250,
    requests: 400,
};

/// 250 looks, with about 100 requests of the smaller arm between them.
pub(crate) const SMALL: Flow = Flow {
    name: "5/95",
    shares: &[0.05],
    ticks_each: 250,
    requests: 2000,
};

pub(crate) const SPLITS: [Flow; 2] = [EVEN, SMALL];

/// 150 looks while the candidate's share rises.
pub(crate) const RAMP: Flow = Flow {
    name: "5→25→50%",
    shares: &[0.05, 0.25, 0.5],
    ticks_each: 50,
    requests: 1000,
};

/// A moment of a flow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tick {
    pub(crate) number: u64,
    pub(crate) epoch: u32,
    pub(crate) share: f64,
    /// The part of the run that has passed, from 0 to 1.
    pub(crate) progress: f64,
    pub(crate) requests: u64,
}

impl Flow {
    pub(crate) fn ticks(self) -> impl Iterator<Item = Tick> {
        let total = self.ticks_each * self.shares.len() as u64;
        let epochs = (0..).zip(self.shares);
        let all = epochs
            .flat_map(move |(epoch, &share)| (0..self.ticks_each).map(move |_| (epoch, share)));
        (0..).zip(all).map(move |(number, (epoch, share))| Tick {
            number,
            epoch,
            share,
            progress: number as f64 / total as f64,
            requests: self.requests,
        })
    }
}

impl Tick {
    /// The requests of either arm: each is assigned on its own.
    pub(crate) fn split(&self, chance: &mut Chance) -> [u64; 2] {
        let candidate = chance.binomial(self.requests, self.share);
        [self.requests - candidate, candidate]
    }
}

/// Judges a run after every tick, and gives the first decision with the observations that it took.
pub(crate) fn run(
    design: &Design,
    flow: Flow,
    seen: &mut dyn FnMut(&Tick) -> Delta,
) -> (Decision, u64) {
    follow(design, flow, &mut |tick, _| seen(tick))
}

/// What numbers of a tick are held against, where the ledger moves it.
pub(crate) type Limits = Option<Arc<[MovingLimit]>>;

/// The same where what is seen of a tick depends on limits that earlier ticks gave.
pub(crate) fn follow(
    design: &Design,
    flow: Flow,
    seen: &mut dyn FnMut(&Tick, Limits) -> Delta,
) -> (Decision, u64) {
    let shares = |b: f64| [1.0 - b, b];
    let mut ledger = Ledger::new(design.clone(), &shares(flow.shares[0]));
    let mut epoch = 0;
    for tick in flow.ticks() {
        if tick.epoch > epoch {
            epoch = ledger.open_epoch(&shares(tick.share));
        }
        ledger.absorb(seen(&tick, ledger.limits()));
        ledger.close_before(tick.number + 1);
        let decision = ledger.verdict().decision;
        // An alarm of the shares is no decision: it only holds promotions back.
        if !matches!(decision, Decision::Wait | Decision::Unsound) {
            return (decision, ledger.observations());
        }
    }
    (Decision::Wait, ledger.observations())
}

/// The sums of all metrics for so many requests of an arm.
pub(crate) type Draw<'a> = dyn Fn(&mut Chance, &Tick, usize, u64) -> Vec<Cell> + 'a;

/// Judges a run of single requests.
pub(crate) fn judge(
    design: &Design,
    flow: Flow,
    chance: &mut Chance,
    draw: &Draw<'_>,
) -> (Decision, u64) {
    run(design, flow, &mut |tick| {
        let mut delta = Delta::new(design);
        for (arm, requests) in tick.split(chance).into_iter().enumerate() {
            delta.expose_many(tick.epoch, arm, requests);
            for (metric, sums) in draw(chance, tick, arm, requests).iter().enumerate() {
                delta.observe_many(tick.epoch, tick.number, metric, arm, sums);
            }
        }
        delta
    })
}

/// Both errors of the whole rule.
pub(crate) const ERRORS: &[&str] = &["promotion", "roll-back"];

/// The place of a decision among [`ERRORS`].
pub(crate) fn error_of(decision: Decision) -> Option<usize> {
    match decision {
        Decision::Promote { .. } => Some(0),
        Decision::RollBack => Some(1),
        Decision::Wait | Decision::Futile | Decision::Unsound => None,
    }
}

/// A metric as plain as can be: a guardrail if it has a margin, else a goal.
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
        goals: stats::Goals::All,
    }
}

pub(crate) const LOG: Kind = Kind::Mean { scale: Scale::Log };
pub(crate) const LINEAR: Kind = Kind::Mean {
    scale: Scale::Linear,
};

/// The sums of `n` outcomes of 0 or 1.
pub(crate) fn ones(chance: &mut Chance, n: u64, rate: f64) -> Cell {
    let ones = chance.binomial(n, rate) as f64;
    sums(n, ones, ones)
}

/// The sums of `n` normal numbers: their mean is normal, their scatter a chi-square of n − 1 degrees of
/// freedom on its own (Cochran's theorem), so that three draws are as exact as n.
pub(crate) fn normals(chance: &mut Chance, n: u64, mean: f64, deviation: f64) -> Cell {
    if n == 0 {
        return Cell::default();
    }
    let count = n as f64;
    let found = mean + deviation * chance.normal() / count.sqrt();
    let freedom = (count - 1.0) / 2.0;
    let scatter = if n > 1 {
        2.0 * chance.gamma(freedom)
    } else {
        0.0
    };
    sums(
        n,
        count * found,
        deviation.powi(2) * scatter + count * found * found,
    )
}

fn sums(n: u64, sum: f64, square: f64) -> Cell {
    let mut cell = Cell::default();
    (cell.tally.n, cell.tally.sum, cell.tally.square) = (n, sum, square);
    cell
}

/// What `n` visitors spend: this part of them buys, for sums that differ by orders of magnitude.
pub(crate) fn revenue(chance: &mut Chance, n: u64, buyers: f64, deviation: f64) -> Cell {
    capped_revenue(chance, n, buyers, deviation, f64::INFINITY)
}

/// The same, where more than this counts as this.
pub(crate) fn capped_revenue(
    chance: &mut Chance,
    n: u64,
    buyers: f64,
    deviation: f64,
    cap: f64,
) -> Cell {
    let bought = chance.binomial(n, buyers);
    let mut cell = Cell::default();
    (0..bought).for_each(|_| cell.tally.add((deviation * chance.normal()).exp().min(cap)));
    cell.tally.n = n;
    cell
}
