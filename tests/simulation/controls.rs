//! Analyses in wide use that may not be looked at again and again, or not on such data. The check that
//! the judge passes must catch each of them.

use stats::robbins_siegmund::boundary;
use stats::{Cell, Tally, Unit};

use crate::{
    assignment,
    chance::Chance,
    means::RARE,
    returning,
    setting::{Setting, breaks},
    several,
    traffic::{Flow, RAMP, SMALL, error_of, ones, revenue},
};

/// A look every 100 requests an arm, to 50 000.
pub(crate) const OFTEN: Flow = Flow {
    name: "50/50",
    shares: &[0.5],
    ticks_each: 500,
    requests: 200,
};

/// Two-sided at 5%.
pub(crate) const LOOK_ONCE: f64 = 1.959_964;

pub(crate) fn settings() -> Vec<Setting> {
    let rates: [fn(&mut Chance) -> bool; 2] = [
        |chance| relative(chance, OFTEN, 0.01),
        |chance| relative(chance, SMALL, 0.01),
    ];
    vec![
        breaks(
            "z-test at every look",
            "20%, 50/50, 500 looks",
            "46%",
            |chance| peeked(chance, OFTEN, 0.2).is_some(),
        ),
        breaks(
            "relative effect, normal, no gate",
            "1%, 50/50, 500 looks",
            "14%",
            rates[0],
        ),
        breaks(
            "relative effect, normal, no gate",
            "1%, 5/95",
            "10%",
            rates[1],
        ),
        breaks(
            "variance not pooled",
            "revenue, 3% buy, lognormal σ 1.5, 5/95",
            "22–48%",
            unpooled,
        ),
        breaks(
            "sums over the whole ramp",
            "drift from 2% to 5% on a ramp 5→25→50%",
            "63%",
            lifetime,
        ),
        breaks(
            "users taken for requests",
            "ICC 0.17, 40 requests each, on a ramp 5→25→50%",
            "21–68%",
            |chance| error_of(returning::decide(chance, Unit::Request)).is_some(),
        ),
        breaks(
            "users taken for requests, ceiling",
            "5% failures at a ceiling of 5%, ICC 0.5, 40 requests each",
            "",
            |chance| error_of(returning::decide_ceiling(chance, Unit::Request)).is_some(),
        ),
        breaks(
            "users taken for requests, p90",
            "ICC 0.2, 40 requests each, on a ramp 5→25→50%",
            "",
            |chance| error_of(returning::decide_latency(chance, Unit::Request, None)).is_some(),
        ),
        several::control(),
        assignment::control(),
    ]
}

/// Both arms' sums since the beginning.
type Arms = [Cell; 2];

/// Whether a statistic of the sums so far ever passes its bound.
fn ever(
    chance: &mut Chance,
    flow: Flow,
    draw: impl Fn(&mut Chance, f64, u64) -> Cell,
    alarm: impl FnMut(&Arms) -> bool,
) -> bool {
    first(chance, flow, draw, alarm).is_some()
}

/// After how many looks it does, counting from 0.
fn first(
    chance: &mut Chance,
    flow: Flow,
    draw: impl Fn(&mut Chance, f64, u64) -> Cell,
    mut alarm: impl FnMut(&Arms) -> bool,
) -> Option<usize> {
    let mut arms = Arms::default();
    flow.ticks().position(|tick| {
        for (arm, n) in tick.split(chance).into_iter().enumerate() {
            arms[arm].merge(&draw(chance, tick.progress, n));
        }
        alarm(&arms)
    })
}

/// After how many looks the z-test of two rates alarms, at its level at every look.
pub(crate) fn peeked(chance: &mut Chance, flow: Flow, rate: f64) -> Option<usize> {
    first(
        chance,
        flow,
        |chance, _, n| ones(chance, n, rate),
        |[a, b]| z_of_rates(&a.tally, &b.tally).abs() >= LOOK_ONCE,
    )
}

/// Of the difference of two rates, b − a, with the variance of both together.
pub(crate) fn z_of_rates(a: &Tally, b: &Tally) -> f64 {
    let rate = (a.sum + b.sum) / (a.count() + b.count());
    difference(a, b) / (rate * (1.0 - rate) * (1.0 / a.count() + 1.0 / b.count())).sqrt()
}

/// The lift over the control with the delta method's variance, from the first look on.
fn relative(chance: &mut Chance, flow: Flow, rate: f64) -> bool {
    let mut bound = Bound::at(0.05);
    ever(
        chance,
        flow,
        |chance, _, n| ones(chance, n, rate),
        |arms| {
            let [a, b] = arms.each_ref().map(|arm| &arm.tally);
            let lift = difference(a, b) * a.count() / a.sum;
            let ratio = 1.0 + lift;
            let relative = |arm: &Tally| variance(arm) / arm.count() * (a.count() / a.sum).powi(2);
            bound.passed(lift, relative(b) + ratio.powi(2) * relative(a))
        },
    )
}

/// Each arm's own variance, behind the judge's gate of sizes, but not of effective sizes.
fn unpooled(chance: &mut Chance) -> bool {
    let mut bound = Bound::at(0.05);
    ever(
        chance,
        RARE,
        |chance, _, n| revenue(chance, n, 0.03, 1.5),
        |arms| {
            let [a, b] = arms.each_ref().map(|arm| &arm.tally);
            a.n.min(b.n) >= 500
                && bound.passed(
                    difference(a, b),
                    variance(a) / a.count() + variance(b) / b.count(),
                )
        },
    )
}

/// Means over the whole life of the run, while share and rate change.
fn lifetime(chance: &mut Chance) -> bool {
    let mut bound = Bound::at(0.05);
    ever(
        chance,
        RAMP,
        |chance, progress, n| ones(chance, n, 0.02 + 0.03 * progress),
        |arms| {
            let [a, b] = arms.each_ref().map(|arm| &arm.tally);
            let pooled = (a.scatter() + b.scatter()) / (a.count() + b.count() - 2.0);
            a.n.min(b.n) >= 500
                && a.sum.min(b.sum) >= 50.0
                && bound.passed(
                    difference(a, b),
                    pooled * (1.0 / a.count() + 1.0 / b.count()),
                )
        },
    )
}

fn difference(a: &Tally, b: &Tally) -> f64 {
    b.sum / b.count() - a.sum / a.count()
}

fn variance(arm: &Tally) -> f64 {
    arm.scatter() / (arm.count() - 1.0)
}

/// The two-sided Robbins–Siegmund boundary of an estimate with this variance: what these analyses do
/// wrong is not their boundary.
struct Bound {
    a: f64,
    /// The variance at the first look.
    start: Option<f64>,
}

impl Bound {
    fn at(alpha: f64) -> Self {
        Self {
            a: boundary(alpha),
            start: None,
        }
    }

    fn passed(&mut self, estimate: f64, variance: f64) -> bool {
        if !(variance > 0.0 && variance.is_finite()) {
            return false;
        }
        let start = *self.start.get_or_insert(variance);
        let growth = (start / variance).ln().max(0.0);
        estimate * estimate / variance >= self.a * self.a + growth
    }
}
