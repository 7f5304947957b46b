//! The statistics of numbers, and the listing of e-values.

use serde::Deserialize;
use serde_json::{Value, json};
use stats::label::{Bin, Label};
use stats::quantile_ab::{self, QuantileAb};
use stats::robbins_siegmund::{Null, RobbinsSiegmund, Walk, boundary};
use stats::{Cell, Side, Tail, Tally, e_bh};

use super::argument::{Count, Wrong, between_0_and_1, moderate, positive, prior};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LabelArguments {
    ticks: Vec<Tick>,
    /// B's share of the traffic.
    p: f64,
    #[serde(default = "both")]
    side: Tail,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tick {
    u: Vec<f64>,
    count_a: Vec<Count>,
    count_b: Vec<Count>,
}

pub(super) fn label(given: &LabelArguments) -> Result<Value, Wrong> {
    let share = between_0_and_1("p", given.p)?;
    let mut test = Label::new(given.side);
    let mut log_e = Vec::with_capacity(given.ticks.len());
    for (place, tick) in given.ticks.iter().enumerate() {
        if [tick.count_a.len(), tick.count_b.len()] != [tick.u.len(); 2] {
            let found = format!("{} scores", tick.u.len());
            let wanted = "one of count_a and of count_b for each score";
            return Err(Wrong::value(format!("ticks[{place}]"), found, wanted));
        }
        for (score, &u) in tick.u.iter().enumerate() {
            moderate(format!("ticks[{place}].u[{score}]"), u)?;
        }
        let counts = tick.count_a.iter().zip(&tick.count_b);
        let bins = tick.u.iter().zip(counts);
        test.add(bins.map(|(&u, (a, b))| Bin { u, a: a.0, b: b.0 }), share);
        log_e.push(test.log_e());
    }
    Ok(json!({ "log_e": log_e }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RobbinsSiegmundArguments {
    /// By tick: count, sum and sum of squares of A and of B.
    ticks: Vec<Sums>,
    /// How many ticks each epoch has; all of them, if absent.
    epochs: Option<Vec<Count>>,
    /// V when the gate first holds; V of the first tick that has one, if absent.
    v0: Option<f64>,
    #[serde(default = "alpha")]
    alpha: f64,
    #[serde(default = "both")]
    side: Tail,
}

pub(super) fn robbins_siegmund(given: &RobbinsSiegmundArguments) -> Result<Value, Wrong> {
    let alpha = between_0_and_1("alpha", given.alpha)?;
    let v0 = given.v0.map(|v0| positive("v0", v0)).transpose()?;
    let mut walking = Walking::new(alpha, given.side);
    for (place, epoch) in epochs(given)?.into_iter().enumerate() {
        walking.add(epoch, arms(place, given.ticks[place])?, v0);
    }
    Ok(walking.result())
}

type Sums = (Count, f64, f64, Count, f64, f64);

fn arms(tick: usize, sums: Sums) -> Result<[Tally; 2], Wrong> {
    let (n_a, sum_a, square_a, n_b, sum_b, square_b) = sums;
    let a = tally(tick, n_a.0, sum_a, square_a)?;
    Ok([a, tally(tick, n_b.0, sum_b, square_b)?])
}

fn tally(tick: usize, n: u64, sum: f64, square: f64) -> Result<Tally, Wrong> {
    let place = || format!("ticks[{tick}]");
    let tally = Tally {
        n,
        sum: moderate(place(), sum)?,
        square: moderate(place(), square)?,
    };
    // By Cauchy and Schwarz, but for rounding.
    if sum * sum <= tally.count() * square * (1.0 + 1e-9) {
        Ok(tally)
    } else {
        let found = format!("{n} numbers with sum {sum} and sum of squares {square}");
        let wanted = "sums that some numbers have: sum² ≤ n · sum of squares";
        Err(Wrong::value(place(), found, wanted))
    }
}

/// The epoch of each tick.
fn epochs(given: &RobbinsSiegmundArguments) -> Result<Vec<usize>, Wrong> {
    let all = Count(given.ticks.len() as u64);
    let lengths = given.epochs.clone().unwrap_or_else(|| vec![all]);
    let epochs: Vec<usize> = lengths
        .iter()
        .enumerate()
        .flat_map(|(epoch, &Count(ticks))| (0..ticks.min(all.0 + 1)).map(move |_| epoch))
        .collect();
    if epochs.len() == given.ticks.len() {
        Ok(epochs)
    } else {
        let found = format!(
            "a sum of {}",
            lengths.iter().map(|ticks| ticks.0).sum::<u64>()
        );
        Err(Wrong::value("epochs", found, "as many as there are ticks"))
    }
}

/// A walk of which every tick is looked at.
struct Walking {
    cells: Vec<[Cell; 2]>,
    walk: Walk,
    /// One test upwards, one downwards; a two-sided test is both at half the level.
    tests: Vec<RobbinsSiegmund>,
    a: f64,
    crossed: bool,
}

impl Walking {
    fn new(alpha: f64, side: Tail) -> Self {
        let (sides, level) = match side {
            Tail::Greater => (vec![Side::Greater], alpha),
            Tail::Less => (vec![Side::Less], alpha),
            Tail::TwoSided => (vec![Side::Greater, Side::Less], alpha / 2.0),
        };
        let test = |side| RobbinsSiegmund::new(Null::Equal, side, level);
        Self {
            cells: Vec::new(),
            walk: Walk::default(),
            tests: sides.into_iter().map(test).collect(),
            a: boundary(2.0 * level),
            crossed: false,
        }
    }

    fn add(&mut self, epoch: usize, arms: [Tally; 2], v0: Option<f64>) {
        self.cells.resize_with(epoch + 1, Default::default);
        if let Some(cells) = self.cells.get_mut(epoch) {
            cells
                .iter_mut()
                .zip(&arms)
                .for_each(|(cell, tally)| cell.tally.merge(tally));
        }
        self.walk = Walk::of(Null::Equal, self.cells.iter().map(|[a, b]| (a, b)));
        for test in &mut self.tests {
            if let Some(v0) = v0.filter(|&v0| self.walk.variance >= v0) {
                test.start_at(v0);
            }
            test.move_to(self.walk, v0.is_none());
            self.crossed |= test
                .position()
                .is_some_and(|position| position.z >= position.bound);
        }
    }

    /// z is T/√V, positive where B's mean is greater, whatever the side.
    fn result(&self) -> Value {
        let test = self.tests.first();
        let bound = test
            .and_then(RobbinsSiegmund::position)
            .map(|position| position.bound);
        let interval = test.and_then(|test| test.interval(self.a));
        let z = (self.walk.variance > 0.0).then(|| self.walk.sum / self.walk.variance.sqrt());
        json!({ "z": z, "bound": bound, "crossed": self.crossed, "interval": interval })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QuantileAbArguments {
    a: Vec<f64>,
    b: Vec<f64>,
    p: f64,
    #[serde(default = "alpha")]
    alpha: f64,
    #[serde(default = "optimum")]
    t_opt: f64,
}

pub(super) fn quantile_ab(given: &QuantileAbArguments) -> Result<Value, Wrong> {
    let p = between_0_and_1("p", given.p)?;
    let alpha = between_0_and_1("alpha", given.alpha)?;
    let optimum = prior("t_opt", given.t_opt)?;
    for (name, sample) in [("a", &given.a), ("b", &given.b)] {
        if let Some(place) = sample.windows(2).position(|pair| pair[0] > pair[1]) {
            let found = format!("falls after position {place}");
            return Err(Wrong::value(name, found, "numbers in ascending order"));
        }
    }
    let places = quantile_ab::places(&given.a, &given.b);
    Ok(json!({ "log_e": QuantileAb::new(p, alpha, optimum).log_e(&places) }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EBhArguments {
    e_values: Option<Vec<f64>>,
    /// For those that no float can hold.
    log_e_values: Option<Vec<f64>>,
    #[serde(default = "alpha")]
    alpha: f64,
}

pub(super) fn e_bh(given: EBhArguments) -> Result<Value, Wrong> {
    let alpha = between_0_and_1("alpha", given.alpha)?;
    let logs = match (given.e_values, given.log_e_values) {
        (Some(e_values), None) => {
            if let Some(&negative) = e_values.iter().find(|&&e| e < 0.0) {
                return Err(Wrong::value("e_values", negative, "no negative number"));
            }
            e_values.iter().map(|e| e.ln()).collect()
        }
        (None, Some(logs)) => logs,
        _ => {
            let wanted = "either `e_values` or `log_e_values`";
            return Err(Wrong::value("arguments", "neither or both", wanted));
        }
    };
    Ok(json!({ "rejected": e_bh::rejected(&logs, alpha) }))
}

fn both() -> Tail {
    Tail::TwoSided
}

fn alpha() -> f64 {
    0.05
}

fn optimum() -> f64 {
    quantile_ab::OPTIMUM
}
