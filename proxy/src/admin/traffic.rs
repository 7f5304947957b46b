//! How traffic is doing: requests, latency, Wald's own part of it, refusals; since the start, for whoever
//! takes differences.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::Desk;
use crate::observe::{BOUNDS, Counters, Histogram};

/// What all workers have counted.
#[derive(Debug, Serialize)]
pub(super) struct Traffic {
    at_ms: u64,
    /// Upper bounds of `counts` in seconds; the last of those counts what lies above.
    bounds: [f64; BOUNDS.len()],
    paths: Vec<Path>,
    overheads: Vec<Overhead>,
    in_flight: BTreeMap<String, u64>,
    refusals: BTreeMap<String, u64>,
    limits: BTreeMap<&'static str, u64>,
}

/// What one backend has answered on one route.
#[derive(Debug, Serialize)]
struct Path {
    route: String,
    backend: String,
    arm: String,
    /// How many answers had each status.
    codes: BTreeMap<u16, u64>,
    latency: Seen,
}

/// The time that requests of a route have spent in Wald itself.
#[derive(Debug, Serialize)]
struct Overhead {
    route: String,
    latency: Seen,
}

#[derive(Debug, Default, Serialize)]
struct Seen {
    count: u64,
    seconds: f64,
    counts: Vec<u64>,
}

/// Everything that is counted of requests.
pub(super) async fn show(State(desk): State<Arc<Desk>>) -> Json<Traffic> {
    let mut counters = Counters::default();
    counters.refusals.extend(desk.refused.counts());
    for worker in desk.workers.counters().await {
        counters.merge(worker);
    }
    Json(Traffic::of(counters))
}

impl Traffic {
    fn of(counters: Counters) -> Self {
        let mut paths: BTreeMap<(String, String, String), Path> = BTreeMap::new();
        for (labels, count) in counters.requests {
            let path = entry(&mut paths, labels.route, labels.backend, labels.arm);
            *path.codes.entry(labels.code).or_default() += count;
        }
        for (labels, seen) in counters.durations {
            entry(&mut paths, labels.route, labels.backend, labels.arm).latency = Seen::of(&seen);
        }
        let overheads = counters.overheads.iter().map(|(route, seen)| Overhead {
            route: route.clone(),
            latency: Seen::of(seen),
        });
        let refusals = counters.refusals.iter();
        Self {
            at_ms: crate::referee::unix_ms(),
            bounds: BOUNDS,
            paths: paths.into_values().collect(),
            overheads: overheads.collect(),
            in_flight: counters.in_flight,
            refusals: refusals
                .map(|(code, count)| (code.to_string(), *count))
                .collect(),
            limits: counters.limits,
        }
    }
}

fn entry(
    paths: &mut BTreeMap<(String, String, String), Path>,
    route: String,
    backend: String,
    arm: String,
) -> &mut Path {
    let key = (route.clone(), backend.clone(), arm.clone());
    paths.entry(key).or_insert_with(|| Path {
        route,
        backend,
        arm,
        codes: BTreeMap::new(),
        latency: Seen::default(),
    })
}

impl Seen {
    fn of(histogram: &Histogram) -> Self {
        Self {
            count: histogram.count(),
            seconds: histogram.sum(),
            counts: histogram.counts().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::observe::{PathLabels, RequestLabels};

    #[test]
    fn answers_on_all_listeners_are_one_row_a_backend() {
        let mut counters = Counters::default();
        for (listener, code, count) in [("a", 200, 3), ("b", 200, 4), ("b", 502, 1)] {
            let labels = RequestLabels {
                listener: listener.to_owned(),
                route: "r".to_owned(),
                backend: "m".to_owned(),
                arm: String::new(),
                code,
            };
            counters.requests.insert(labels, count);
        }
        let mut seen = Histogram::default();
        seen.record(Duration::from_secs(60));
        let labels = PathLabels {
            route: "r".to_owned(),
            backend: "m".to_owned(),
            arm: String::new(),
        };
        counters.durations.insert(labels, seen);
        let traffic = Traffic::of(counters);
        let [path] = &*traffic.paths else {
            panic!("{traffic:?}");
        };
        assert_eq!(path.codes, BTreeMap::from([(200, 7), (502, 1)]));
        assert_eq!(path.latency.counts.last(), Some(&1), "above every bound");
        assert_eq!(path.latency.counts.len(), BOUNDS.len() + 1);
    }
}
