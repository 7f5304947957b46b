//! Rounds become medians, medians become a table for people and a record for programs.

use std::fmt;

use serde::Serialize;

use crate::{Scenario, drive::Load, machine::Machine, peer::Measured};

/// One run of the instrument.
#[derive(Serialize)]
pub(crate) struct Report {
    date: String,
    scenario: &'static str,
    machine: Machine,
    load: Load,
    peers: Vec<Standing>,
    /// CPU per request, of the first peer ÷ of the second.
    ratio: Option<f64>,
    /// How long requests wait, of each peer ÷ of the first.
    waits: Vec<Waits>,
    /// How many requests are answered, by the first peer ÷ by each other.
    rates: Vec<Rates>,
    #[serde(skip)]
    suffix: &'static str,
}

impl Report {
    /// Puts the medians beside each other.
    pub(crate) fn new(
        scenario: Scenario,
        machine: Machine,
        load: Load,
        peers: Vec<Standing>,
    ) -> Self {
        let ratio = match peers.as_slice() {
            [first, second] => Some(first.cpu_us / second.cpu_us),
            _ => None,
        };
        let waits = match (scenario, peers.split_first()) {
            (Scenario::Shadow, Some((first, others))) => {
                others.iter().map(|peer| Waits::of(peer, first)).collect()
            }
            _ => Vec::new(),
        };
        let rates = match (scenario, peers.split_first()) {
            (Scenario::Mlp | Scenario::Forest, Some((first, others))) => {
                others.iter().map(|peer| Rates::of(first, peer)).collect()
            }
            _ => Vec::new(),
        };
        let date = jiff::ZonedDateTime::now().date().to_string();
        let (scenario, suffix) = match scenario {
            Scenario::Plain => ("1: HTTP/1.1 keep-alive, 80-byte JSON POST, plain", ""),
            Scenario::Secure => (
                "2: the same with TLS 1.3, a client certificate, an RS256 token and authorization, beside the same build without",
                "-secure",
            ),
            Scenario::Mlp => (
                "4: a perceptron for 64 pixels (64, 32, 10), one row a request, JSON of the Open Inference Protocol, wald with its defaults, FastAPI with ONNX Runtime in a process for each core, MLServer with scikit-learn",
                "-mlp",
            ),
            Scenario::Forest => ("5: the same with a forest of 100 trees", "-forest"),
            Scenario::Shadow => (
                "3: the same at 25 requests a second and connection at random times (exponential gaps), every request copied to a shadow that answers after 200 ms, never, or is not there, beside the same build without",
                "-shadow",
            ),
        };
        Self {
            date,
            scenario,
            machine,
            load,
            peers,
            ratio,
            waits,
            rates,
            suffix,
        }
    }

    /// What its files are called: the day of the run, and the scenario if it is not the first.
    pub(crate) fn name(&self) -> String {
        format!("{}{}", self.date, self.suffix)
    }
}

/// How long requests of one peer wait beside another's.
#[derive(Serialize)]
struct Waits {
    peer: &'static str,
    beside: &'static str,
    p50: f64,
    p99: f64,
}

impl Waits {
    fn of(peer: &Standing, beside: &Standing) -> Self {
        Self {
            peer: peer.name,
            beside: beside.name,
            p50: peer.p50_us / beside.p50_us,
            p99: peer.p99_us / beside.p99_us,
        }
    }
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            peer,
            beside,
            p50,
            p99,
        } = self;
        write!(f, "Waiting, {peer} ÷ {beside}: p50 {p50:.2}, p99 {p99:.2}")
    }
}

/// How much one peer answers beside another, and how long it takes.
#[derive(Serialize)]
struct Rates {
    peer: &'static str,
    beside: &'static str,
    requests: f64,
    p99: f64,
}

impl Rates {
    fn of(peer: &Standing, beside: &Standing) -> Self {
        Self {
            peer: peer.name,
            beside: beside.name,
            requests: peer.requests_per_second / beside.requests_per_second,
            p99: peer.p99_us / beside.p99_us,
        }
    }
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            peer,
            beside,
            requests,
            p99,
        } = self;
        write!(
            f,
            "{peer} ÷ {beside}: requests a second {requests:.1}, p99 {p99:.2}"
        )
    }
}

/// What one peer showed: the median of its rounds.
#[derive(Serialize)]
pub(crate) struct Standing {
    name: &'static str,
    cpu_us: f64,
    user_us: f64,
    system_us: f64,
    requests_per_second: f64,
    p50_us: f64,
    p99_us: f64,
    /// Smallest and largest CPU per request of a round.
    cpu_us_range: [f64; 2],
}

impl Standing {
    /// The medians of `rounds`, each figure by itself.
    pub(crate) fn of(name: &'static str, rounds: &[Measured]) -> Self {
        let sorted = |figure: fn(&Measured) -> f64| {
            let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            figures
        };
        let cpu = sorted(|round| round.user_us + round.system_us);
        Self {
            name,
            cpu_us: median(&cpu),
            user_us: median(&sorted(|round| round.user_us)),
            system_us: median(&sorted(|round| round.system_us)),
            requests_per_second: median(&sorted(|round| round.requests_per_second)),
            p50_us: median(&sorted(|round| round.p50_us)),
            p99_us: median(&sorted(|round| round.p99_us)),
            cpu_us_range: [cpu.first(), cpu.last()].map(|end| end.copied().unwrap_or(f64::NAN)),
        }
    }
}

/// The middle of sorted figures; NaN of none, which no reader takes for a result.
fn median(sorted: &[f64]) -> f64 {
    let upper = sorted.get(sorted.len() / 2);
    let lower = sorted.get((sorted.len().saturating_sub(1)) / 2);
    lower
        .zip(upper)
        .map_or(f64::NAN, |(lower, upper)| f64::midpoint(*lower, *upper))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Speed on {}\n\nScenario {}.", self.date, self.scenario)?;
        let Load {
            connections,
            seconds,
            rounds,
        } = self.load;
        writeln!(
            f,
            "Median of {rounds} interleaved rounds of {seconds} s, {connections} connections."
        )?;
        writeln!(f, "{}.\n", self.machine.sentence())?;
        writeln!(
            f,
            "| peer | CPU µs/request | user | system | least–most | requests/s | p50 µs | p99 µs |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|")?;
        for peer in &self.peers {
            let [least, most] = peer.cpu_us_range;
            writeln!(
                f,
                "| {} | {:.1} | {:.1} | {:.1} | {least:.1}–{most:.1} | {:.0} | {:.0} | {:.0} |",
                peer.name,
                peer.cpu_us,
                peer.user_us,
                peer.system_us,
                peer.requests_per_second,
                peer.p50_us,
                peer.p99_us
            )?;
        }
        for waits in &self.waits {
            writeln!(f, "\n{waits}")?;
        }
        for rates in &self.rates {
            writeln!(f, "\n{rates}")?;
        }
        match (self.ratio, self.peers.as_slice()) {
            (Some(ratio), [first, second]) => writeln!(
                f,
                "\nCPU per request, {} ÷ {}: {ratio:.2}",
                first.name, second.name
            ),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_count_lies_between_the_middle_two() {
        assert!((median(&[1.0, 2.0, 4.0, 9.0]) - 3.0).abs() < 1e-12);
        assert!((median(&[1.0, 2.0, 9.0]) - 2.0).abs() < 1e-12);
    }
}
