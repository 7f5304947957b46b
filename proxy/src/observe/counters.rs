//! Counts and durations of one worker, by the labels that Prometheus shows.
//!
//! Data only: a worker fills a copy when it is asked, the copies of all workers are merged, and
//! `observe/exposition.rs` renders the sum.

use std::collections::BTreeMap;
use std::time::Duration;

use config::Code;

/// Upper bounds of the buckets in seconds: from what Wald itself takes to what a large model takes.
pub(crate) const BOUNDS: [f64; 20] = [
    10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1,
    0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// How many durations fell into each bucket of [`BOUNDS`], and what they add up to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Histogram {
    counts: [u64; BOUNDS.len()],
    above: u64,
    seconds: f64,
}

impl Histogram {
    /// Counts one duration.
    pub(crate) fn record(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        match self
            .counts
            .get_mut(BOUNDS.partition_point(|bound| *bound < seconds))
        {
            Some(count) => *count += 1,
            None => self.above += 1,
        }
        self.seconds += seconds;
    }

    /// Adds what another worker saw.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine += theirs;
        }
        self.above += other.above;
        self.seconds += other.seconds;
    }

    /// How many durations were counted.
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.above
    }

    /// What they add up to, in seconds.
    pub(crate) fn sum(&self) -> f64 {
        self.seconds
    }

    /// How many fell into each bucket, and above all of them.
    pub(crate) fn counts(&self) -> impl Iterator<Item = u64> {
        self.counts.into_iter().chain([self.above])
    }

    /// Each bound with how many durations did not exceed it.
    pub(crate) fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let mut sum = 0;
        BOUNDS.iter().zip(self.counts).map(move |(bound, count)| {
            sum += count;
            (*bound, sum)
        })
    }
}

/// The labels of `wald_requests_total`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RequestLabels {
    /// The listener that accepted the request.
    pub(crate) listener: String,
    /// The route it took; empty if none.
    pub(crate) route: String,
    /// The upstream or model that it was meant for; empty if none.
    pub(crate) backend: String,
    /// The arm of the experiment; empty if none.
    pub(crate) arm: String,
    /// The status of the response.
    pub(crate) code: u16,
}

/// The labels of the duration histograms.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PathLabels {
    /// The route.
    pub(crate) route: String,
    /// The upstream or model.
    pub(crate) backend: String,
    /// The arm of the experiment; empty if none.
    pub(crate) arm: String,
}

/// A server of an upstream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EndpointLabels {
    /// The upstream's name.
    pub(crate) upstream: String,
    /// The server's address.
    pub(crate) endpoint: String,
}

/// How a server is doing, as workers see it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct EndpointSeen {
    /// Answers since it came.
    pub(crate) answered: u64,
    /// Failures since it came.
    pub(crate) failed: u64,
    /// How often it was set aside since it came.
    pub(crate) evictions: u64,
    /// How many workers have set it aside.
    pub(crate) evicted: u64,
    /// Requests without a whole answer.
    pub(crate) in_flight: u64,
    /// The longest of the workers' average latencies, in seconds.
    pub(crate) latency: Option<f64>,
}

impl EndpointSeen {
    /// Adds what another worker sees.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.answered += other.answered;
        self.failed += other.failed;
        self.evictions += other.evictions;
        self.evicted += other.evicted;
        self.in_flight += other.in_flight;
        let latencies = self.latency.into_iter().chain(other.latency);
        self.latency = latencies.reduce(f64::max);
    }
}

/// The labels of `wald_inference_duration_seconds`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ModelLabels {
    /// The model's name.
    pub(crate) model: String,
    /// Its version.
    pub(crate) version: String,
}

/// Everything that one worker, or all of them together, counted since the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Counters {
    /// `wald_requests_total`
    pub(crate) requests: BTreeMap<RequestLabels, u64>,
    /// `wald_request_duration_seconds`: from the request's head to the response's last byte.
    pub(crate) durations: BTreeMap<PathLabels, Histogram>,
    /// `wald_time_to_first_byte_seconds`: from the request's head to the response's head.
    pub(crate) first_bytes: BTreeMap<PathLabels, Histogram>,
    /// `wald_stream_interval_seconds`: from one event of a stream to the next.
    pub(crate) events: BTreeMap<PathLabels, Histogram>,
    /// `wald_tokens_total`, also by kind.
    pub(crate) tokens: BTreeMap<(PathLabels, &'static str), u64>,
    /// `wald_calls_total`, also by the status of gRPC.
    pub(crate) calls: BTreeMap<(PathLabels, &'static str), u64>,
    /// `wald_overhead_duration_seconds`, by route: the time to the response's head that was not the backend's.
    pub(crate) overheads: BTreeMap<String, Histogram>,
    /// `wald_in_flight_requests`, by route.
    pub(crate) in_flight: BTreeMap<String, u64>,
    /// `wald_shadow_requests_total`, by route, backend and outcome.
    pub(crate) shadows: BTreeMap<(String, String, &'static str), u64>,
    /// `wald_experiment_outside_total`, by experiment and reason.
    pub(crate) outside: BTreeMap<(String, &'static str), u64>,
    /// `wald_retries_total`, by route.
    pub(crate) retries: BTreeMap<String, u64>,
    /// `wald_refusals_total`, by code.
    pub(crate) refusals: BTreeMap<Code, u64>,
    /// `wald_inference_duration_seconds`: waiting and running.
    pub(crate) inferences: BTreeMap<ModelLabels, Histogram>,
    /// `wald_token_cache_lookups_total`: tokens that had been verified before, and others.
    pub(crate) token_hits: u64,
    /// See `token_hits`.
    pub(crate) token_misses: u64,
    /// `wald_tls_handshakes_total`, by listener and outcome.
    pub(crate) handshakes: BTreeMap<(String, &'static str), u64>,
    /// `wald_proxy_headers_total`, by listener and outcome.
    pub(crate) proxy_headers: BTreeMap<(String, &'static str), u64>,
    /// `wald_limit_reached_total`, by limit.
    pub(crate) limits: BTreeMap<&'static str, u64>,
    /// How the servers of upstreams are doing.
    pub(crate) endpoints: BTreeMap<EndpointLabels, EndpointSeen>,
    /// How many workers use all servers of an upstream, because too few are well.
    pub(crate) panicking: BTreeMap<String, u64>,
}

impl Counters {
    /// Adds what another worker counted.
    pub(crate) fn merge(&mut self, other: Self) {
        add(&mut self.requests, other.requests);
        add(&mut self.in_flight, other.in_flight);
        add(&mut self.refusals, other.refusals);
        add(&mut self.shadows, other.shadows);
        add(&mut self.outside, other.outside);
        add(&mut self.retries, other.retries);
        add(&mut self.limits, other.limits);
        add(&mut self.panicking, other.panicking);
        for (labels, seen) in other.endpoints {
            self.endpoints.entry(labels).or_default().merge(&seen);
        }
        self.token_hits += other.token_hits;
        self.token_misses += other.token_misses;
        add(&mut self.handshakes, other.handshakes);
        add(&mut self.proxy_headers, other.proxy_headers);
        fold(&mut self.durations, other.durations);
        fold(&mut self.first_bytes, other.first_bytes);
        fold(&mut self.events, other.events);
        add(&mut self.tokens, other.tokens);
        add(&mut self.calls, other.calls);
        fold(&mut self.overheads, other.overheads);
        fold(&mut self.inferences, other.inferences);
    }
}

fn add<K: Ord>(into: &mut BTreeMap<K, u64>, from: BTreeMap<K, u64>) {
    for (labels, count) in from {
        *into.entry(labels).or_default() += count;
    }
}

fn fold<K: Ord>(into: &mut BTreeMap<K, Histogram>, from: BTreeMap<K, Histogram>) {
    for (labels, histogram) in from {
        into.entry(labels).or_default().merge(&histogram);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_bucket_whose_bound_it_does_not_exceed() {
        let mut histogram = Histogram::default();
        histogram.record(Duration::from_millis(1));
        histogram.record(Duration::from_secs(60));
        let at = |bound: f64| {
            histogram
                .cumulative()
                .find(|(b, _)| b.total_cmp(&bound).is_eq())
                .map(|(_, count)| count)
        };
        assert_eq!(
            (at(500e-6), at(1e-3), at(30.0)),
            (Some(0), Some(1), Some(1))
        );
        assert_eq!(histogram.count(), 2);
        assert!((histogram.sum() - 60.001).abs() < 1e-9);
    }

    #[test]
    fn merging_adds_counts_label_by_label() {
        let seen = |route: &str, count| Counters {
            in_flight: [(route.to_owned(), count)].into(),
            ..Counters::default()
        };
        let mut sum = seen("a", 1);
        sum.merge(seen("a", 2));
        sum.merge(seen("b", 5));
        assert_eq!(
            sum.in_flight,
            [("a".to_owned(), 3), ("b".to_owned(), 5)].into()
        );
    }
}
