//! The plots of `docs/statistics.md`.

use stats::{Better, Delta, Interval, Ledger, Tail, Unit};

use crate::{
    chance::Chance,
    chart::{Axis, Chart, Curve, Ink, Shape},
    controls::{LOOK_ONCE, OFTEN, peeked},
    finding::{LONG, SEED, each},
    rates::first_alarm,
    traffic::{Flow, LOG, design, metric, normals},
};

/// By file name.
pub(crate) fn all() -> [(&'static str, Chart); 2] {
    [
        ("closing-in.svg", closing_in()),
        ("false-alarms.svg", false_alarms()),
    ]
}

/// How often an alarm was raised by each look, without a difference: the peeked z-test and Wald's test
/// on the same traffic.
fn false_alarms() -> Chart {
    let naive = each(LONG, |chance| peeked(chance, OFTEN, 0.2));
    let wald = each(LONG, |chance| {
        first_alarm(chance, OFTEN, 0.0, Tail::TwoSided, |_| [0.2; 2])
    });
    let looks = OFTEN.ticks_each;
    let curve = |name, ink, shape| Curve { name, ink, shape };
    let promised = vec![[1.0, 5.0], [looks as f64, 5.0]];
    Chart {
        title: "No difference, and who claims one: two-sided tests at 5%".to_owned(),
        x: Axis {
            label: "looks, one every 100 requests an arm (logarithmic)",
            logarithmic: true,
            from: 1.0,
            to: looks as f64,
            marks: [1, 2, 5, 10, 20, 50, 100, 200, 500]
                .map(|look| (f64::from(look), look.to_string()))
                .into(),
        },
        y: Axis {
            label: "runs with a false alarm so far",
            logarithmic: false,
            from: 0.0,
            to: 50.0,
            marks: [0, 5, 10, 20, 30, 40, 50]
                .map(|part| (f64::from(part), format!("{part}%")))
                .into(),
        },
        curves: vec![
            curve("promised: 5%", Ink::Truth, Shape::Line(promised)),
            curve(
                "z-test at every look",
                Ink::Naive,
                Shape::Line(cumulative(&naive, looks)),
            ),
            curve("Wald", Ink::Wald, Shape::Line(cumulative(&wald, looks))),
        ],
    }
}

/// The percentage of runs with an alarm up to each look.
fn cumulative(firsts: &[Option<usize>], looks: u64) -> Vec<[f64; 2]> {
    let by = |look: u64| {
        let alarmed = |first: &&Option<usize>| first.is_some_and(|first| (first as u64) < look);
        firsts.iter().filter(alarmed).count() as f64
    };
    (1..=looks)
        .map(|look| [look as f64, 100.0 * by(look) / firsts.len() as f64])
        .collect()
}

/// A candidate that is 5% slower.
const TRUTH: f64 = 1.05;

/// The plot begins with so many requests.
const FROM: f64 = 1000.0;

const FLOW: Flow = Flow {
    name: "50/50",
    shares: &[0.5],
    ticks_each: 500,
    requests: 200,
};

/// One run: the interval that holds at every moment, and the one that holds at one.
fn closing_in() -> Chart {
    let moments = moments(&mut Chance::seeded(telling_seed()));
    let band = |of: fn(&Moment) -> Option<Interval>| {
        let band = moments.iter().filter_map(|moment| {
            let interval = of(moment).filter(|_| moment.requests >= FROM)?;
            Some([
                moment.requests,
                percent(interval.low),
                percent(interval.high),
            ])
        });
        Shape::Band(band.collect())
    };
    let (from, to) = (FROM, 100_000.0);
    let truth = vec![[from, percent(TRUTH)], [to, percent(TRUTH)]];
    let curve = |name, ink, shape| Curve { name, ink, shape };
    Chart {
        title: "One run of a candidate that is 5% slower".to_owned(),
        x: Axis {
            label: "requests of both arms (logarithmic)",
            logarithmic: true,
            from,
            to,
            marks: [1, 2, 5, 10, 20, 50, 100]
                .map(|thousand| (1000.0 * f64::from(thousand), format!("{thousand} 000")))
                .into(),
        },
        y: Axis {
            label: "latency of B against A",
            logarithmic: false,
            from: -5.0,
            to: 12.0,
            marks: [(-5.0, "−5%"), (0.0, "0%"), (5.0, "+5%"), (10.0, "+10%")]
                .map(|(part, name)| (part, name.to_owned()))
                .into(),
        },
        curves: vec![
            curve(
                "Wald, valid at every moment",
                Ink::Wald,
                band(|moment| moment.always),
            ),
            curve(
                "naive 95%, valid at one",
                Ink::Naive,
                band(|moment| Some(moment.once)),
            ),
            curve("truth", Ink::Truth, Shape::Line(truth)),
        ],
    }
}

fn percent(ratio: f64) -> f64 {
    100.0 * (ratio - 1.0)
}

/// What both intervals say after a tick.
struct Moment {
    requests: f64,
    always: Option<Interval>,
    once: Interval,
}

/// The first seed in which the naive interval loses the truth after 5 000 requests; the page says so.
fn telling_seed() -> u64 {
    let loses = |seed: &u64| {
        let late = moments(&mut Chance::seeded(*seed));
        late.iter()
            .filter(|moment| moment.requests > 5000.0)
            .any(|moment| !(moment.once.low..=moment.once.high).contains(&TRUTH))
    };
    (SEED..).find(loses).unwrap_or(SEED)
}

fn moments(chance: &mut Chance) -> Vec<Moment> {
    let design = design(
        Unit::Request,
        vec![metric("latency", LOG, Better::Lower, None)],
    );
    let mut ledger = Ledger::new(design, &[0.5, 0.5]);
    let mut arms = [stats::Cell::default(), stats::Cell::default()];
    let moment = |tick: crate::traffic::Tick| {
        let mut delta = Delta::new(ledger.design());
        for (arm, n) in tick.split(chance).into_iter().enumerate() {
            let sums = normals(chance, n, [0.0, TRUTH.ln()][arm], 0.5);
            delta.expose_many(0, arm, n);
            delta.observe_many(0, tick.number, 0, arm, &sums);
            arms[arm].merge(&sums);
        }
        ledger.absorb(delta);
        ledger.close_before(tick.number + 1);
        let report = ledger.report();
        Moment {
            requests: ledger.observations() as f64,
            always: report.metrics.first().and_then(|metric| metric.interval),
            once: naive(&arms),
        }
    };
    FLOW.ticks().map(moment).collect()
}

/// The ratio of geometric means, give or take 1.96 standard errors of its logarithm.
fn naive(arms: &[stats::Cell; 2]) -> Interval {
    let [a, b] = arms.each_ref().map(|arm| &arm.tally);
    let difference = b.sum / b.count() - a.sum / a.count();
    let variance = |arm: &stats::Tally| arm.scatter() / (arm.count() - 1.0) / arm.count();
    let reach = LOOK_ONCE * (variance(a) + variance(b)).sqrt();
    Interval {
        low: (difference - reach).exp(),
        high: (difference + reach).exp(),
    }
}
