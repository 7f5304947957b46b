//! The counters as Prometheus reads them: names and labels of the interface, values of all workers together.

mod copies;
mod endpoints;
pub(crate) mod keys;
mod models;
mod secrecy;
mod webhooks;

use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram as Shown, LabelPair, Metric, MetricFamily, MetricType,
};
use prometheus::{Encoder, TextEncoder};

use super::counters::{Counters, Histogram, PathLabels, RequestLabels};
use crate::admin::Refused;
use crate::identify::key_servers::Standing;
use crate::live::Snapshot;
use crate::referee::{Book, Entry};
use crate::reload::Outcomes;
use crate::shadow;
use crate::webhooks as hooks;

type Labels<'a> = &'a [(&'a str, &'a str)];

/// The text of one scrape.
pub(crate) fn render(
    workers: Vec<Counters>,
    book: &Book,
    reloads: &Outcomes,
    standings: &[Standing],
    refused: &Refused,
    webhooks: &[hooks::Shown],
    (snapshot, shadows): (&Snapshot, &[shadow::Shown]),
) -> Vec<u8> {
    let mut counters = Counters::default();
    counters.refusals.extend(refused.counts());
    workers
        .into_iter()
        .for_each(|worker| counters.merge(worker));
    let mut families = traffic(&counters, book);
    families.extend(experiments(book));
    families.push(outside(&counters));
    families.extend(control(book, reloads, snapshot.policy.hash()));
    families.extend(tokens(&counters));
    families.extend(copies::families(&counters, shadows));
    families.extend(keys::families(standings, snapshot));
    families.extend(webhooks::families(webhooks));
    families.extend(secrecy::families(&counters, snapshot));
    families.extend(endpoints::families(&counters, snapshot));
    families.extend(models::families(snapshot));
    families.retain(|family| !family.get_metric().is_empty());
    let mut text = Vec::new();
    if let Err(error) = TextEncoder::new().encode(&families, &mut text) {
        tracing::error!(%error, "metrics cannot be written");
    }
    text
}

fn traffic(counters: &Counters, book: &Book) -> Vec<MetricFamily> {
    let in_flight = counters.in_flight.iter();
    let refusals = counters.refusals.iter();
    let recording = (book.tally.record_shed > 0).then_some((&"record", &book.tally.record_shed));
    let limits = counters.limits.iter().chain(recording);
    let retries = counters.retries.iter();
    let mut families = durations(counters);
    families.extend([
        family(
            "wald_retries_total",
            "Tries after the first.",
            MetricType::COUNTER,
            retries.map(|(route, count)| counter(&[("route", route)], *count)),
        ),
        family(
            "wald_requests_total",
            "Requests answered.",
            MetricType::COUNTER,
            counters.requests.iter().map(request),
        ),
        family(
            "wald_in_flight_requests",
            "Requests being served.",
            MetricType::GAUGE,
            in_flight.map(|(route, count)| gauge(&[("route", route)], float(*count))),
        ),
        family(
            "wald_refusals_total",
            "Requests that Wald itself refused.",
            MetricType::COUNTER,
            refusals.map(|(reason, count)| counter(&[("reason", &reason.to_string())], *count)),
        ),
        family(
            "wald_limit_reached_total",
            "How often a limit was reached.",
            MetricType::COUNTER,
            limits.map(|(limit, count)| counter(&[("limit", limit)], *count)),
        ),
    ]);
    families
}

fn tokens(counters: &Counters) -> Vec<MetricFamily> {
    let (hits, misses) = (counters.token_hits, counters.token_misses);
    if hits + misses == 0 {
        return Vec::new();
    }
    let lookups = [("hit", hits), ("miss", misses)];
    vec![family(
        "wald_token_cache_lookups_total",
        "Tokens that had been verified before (hit), and others.",
        MetricType::COUNTER,
        lookups.map(|(outcome, count)| counter(&[("outcome", outcome)], count)),
    )]
}

fn request((labels, count): (&RequestLabels, &u64)) -> Metric {
    let code = labels.code.to_string();
    let labels: [(&str, &str); 5] = [
        ("listener", &labels.listener),
        ("route", &labels.route),
        ("backend", &labels.backend),
        ("arm", &labels.arm),
        ("code", &code),
    ];
    counter(&labels, *count)
}

fn durations(counters: &Counters) -> Vec<MetricFamily> {
    let overheads = counters.overheads.iter();
    let inferences = counters.inferences.iter().map(|(labels, seen)| {
        let labels: [(&str, &str); 2] = [("model", &labels.model), ("version", &labels.version)];
        histogram(&labels, seen)
    });
    vec![
        family(
            "wald_request_duration_seconds",
            "From the request's head to the response's last byte.",
            MetricType::HISTOGRAM,
            counters.durations.iter().map(by_path),
        ),
        family(
            "wald_time_to_first_byte_seconds",
            "From the request's head to the response's head.",
            MetricType::HISTOGRAM,
            counters.first_bytes.iter().map(by_path),
        ),
        family(
            "wald_stream_interval_seconds",
            "From one event of a stream to the next.",
            MetricType::HISTOGRAM,
            counters.events.iter().map(by_path),
        ),
        family(
            "wald_tokens_total",
            "Tokens that answers said they took.",
            MetricType::COUNTER,
            counters.tokens.iter().map(|it| by_path_and("kind", it)),
        ),
        family(
            "wald_calls_total",
            "Calls of gRPC, by how they ended.",
            MetricType::COUNTER,
            counters.calls.iter().map(|it| by_path_and("status", it)),
        ),
        family(
            "wald_overhead_duration_seconds",
            "Time in Wald itself.",
            MetricType::HISTOGRAM,
            overheads.map(|(route, seen)| histogram(&[("route", route)], seen)),
        ),
        family(
            "wald_inference_duration_seconds",
            "Waiting for a model and running it.",
            MetricType::HISTOGRAM,
            inferences,
        ),
    ]
}

fn by_path((labels, seen): (&PathLabels, &Histogram)) -> Metric {
    let labels: [(&str, &str); 3] = [
        ("route", &labels.route),
        ("backend", &labels.backend),
        ("arm", &labels.arm),
    ];
    histogram(&labels, seen)
}

fn by_path_and(
    name: &str,
    ((labels, value), count): (&(PathLabels, &'static str), &u64),
) -> Metric {
    let labels: [(&str, &str); 4] = [
        ("route", &labels.route),
        ("backend", &labels.backend),
        ("arm", &labels.arm),
        (name, value),
    ];
    counter(&labels, *count)
}

fn experiments(book: &Book) -> Vec<MetricFamily> {
    let mut families = arms(book);
    let decisions = book.tally.decisions.iter();
    let alarms = book.experiments.iter().map(|entry| {
        let alarm = f64::from(u8::from(entry.sample_ratio.alarm));
        gauge(&[("experiment", &entry.name)], alarm)
    });
    families.extend([
        family(
            "wald_experiment_log_e_value",
            "Natural logarithm of the e-value.",
            MetricType::GAUGE,
            book.experiments.iter().flat_map(log_e_values),
        ),
        family(
            "wald_experiment_decisions_total",
            "Verdicts since the start.",
            MetricType::COUNTER,
            decisions.map(|((experiment, decision), count)| {
                counter(
                    &[("experiment", experiment), ("decision", decision)],
                    *count,
                )
            }),
        ),
        family(
            "wald_experiment_sample_ratio_alarm",
            "1 once the assignment looks wrong.",
            MetricType::GAUGE,
            alarms,
        ),
    ]);
    families.extend(watches(book));
    families
}

/// How far watched promotions are from an alarm.
fn watches(book: &Book) -> [MetricFamily; 2] {
    let watched = || {
        let entries = book.experiments.iter();
        entries.flat_map(|entry| {
            let watched = entry.watch.iter().flat_map(|watch| &watch.metrics);
            let watched = watched.filter(|metric| metric.frozen.is_some());
            watched.map(move |metric| {
                (
                    [("experiment", &*entry.name), ("metric", &*metric.metric)],
                    metric,
                )
            })
        })
    };
    [
        family(
            "wald_experiment_watch_log_e",
            "Natural logarithm of what a promoted arm's metric has against it.",
            MetricType::GAUGE,
            watched().map(|(labels, metric)| gauge(&labels, metric.log_e)),
        ),
        family(
            "wald_experiment_watch_threshold",
            "What it raises an alarm at.",
            MetricType::GAUGE,
            watched().map(|(labels, metric)| gauge(&labels, metric.threshold)),
        ),
    ]
}

fn arms(book: &Book) -> Vec<MetricFamily> {
    let entries = book.experiments.iter();
    let arms: Vec<_> = entries
        .flat_map(|entry| entry.arms.iter().map(move |arm| (entry, arm)))
        .collect();
    let exposures = arms.iter().map(|(entry, arm)| {
        counter(
            &[("experiment", &entry.name), ("arm", &arm.name)],
            arm.exposures,
        )
    });
    let shares = arms.iter().map(|(entry, arm)| {
        gauge(
            &[("experiment", &entry.name), ("arm", &arm.name)],
            arm.share,
        )
    });
    vec![
        family(
            "wald_experiment_exposures_total",
            "Requests that met an arm.",
            MetricType::COUNTER,
            exposures,
        ),
        family(
            "wald_experiment_share",
            "The arm's share of the traffic.",
            MetricType::GAUGE,
            shares,
        ),
    ]
}

fn outside(counters: &Counters) -> MetricFamily {
    let seen = counters.outside.iter().filter(|(_, count)| **count > 0);
    family(
        "wald_experiment_outside_total",
        "Requests that take no part in the experiment of their route, by reason.",
        MetricType::COUNTER,
        seen.map(|((experiment, reason), count)| {
            counter(&[("experiment", experiment), ("reason", reason)], *count)
        }),
    )
}

fn log_e_values(entry: &Entry) -> Vec<Metric> {
    let tests = entry.metrics.iter().flat_map(|metric| {
        let log_e = metric.log_e;
        [
            ("superior", log_e.superior),
            ("not_worse", log_e.not_worse),
            ("worse", log_e.worse),
        ]
        .map(|(test, value)| (metric, test, value))
    });
    let shown = tests.filter_map(|(metric, test, value)| {
        let labels: [(&str, &str); 4] = [
            ("experiment", &entry.name),
            ("arm", &metric.arm),
            ("metric", &metric.name),
            ("test", test),
        ];
        value.map(|value| gauge(&labels, value))
    });
    shown.collect()
}

fn control(book: &Book, reloads: &Outcomes, policy: &str) -> Vec<MetricFamily> {
    let tally = &book.tally;
    let feedback = [
        ("accepted", tally.feedback_accepted),
        ("duplicate", tally.feedback_duplicate),
        ("refused", tally.feedback_refused),
    ];
    let agents = reloads.agents();
    let reloads = [
        ("success", reloads.succeeded()),
        ("failure", reloads.failed()),
    ];
    vec![
        family(
            "wald_feedback_total",
            "Reports by clients.",
            MetricType::COUNTER,
            feedback.map(|(outcome, count)| counter(&[("outcome", outcome)], count)),
        ),
        family(
            "wald_policy_reloads_total",
            "Documents read again.",
            MetricType::COUNTER,
            reloads.map(|(outcome, count)| counter(&[("outcome", outcome)], count)),
        ),
        family(
            "wald_workload_api_failures_total",
            "How often an agent that issues certificates could not be heard.",
            MetricType::COUNTER,
            [counter(&[], agents)],
        ),
        family(
            "wald_policy_info",
            "The policy in force.",
            MetricType::GAUGE,
            [gauge(&[("hash", policy)], 1.0)],
        ),
        family(
            "wald_store_failures_total",
            "Writes to the store that failed; while they do, nothing is decided.",
            MetricType::COUNTER,
            [counter(&[], tally.store_failures)],
        ),
    ]
}

fn family(
    name: &str,
    help: &str,
    kind: MetricType,
    metrics: impl IntoIterator<Item = Metric>,
) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics.into_iter().collect());
    family
}

fn counter(labels: Labels<'_>, count: u64) -> Metric {
    let mut value = Counter::default();
    value.set_value(float(count));
    let mut metric = labelled(labels);
    metric.set_counter(value);
    metric
}

fn gauge(labels: Labels<'_>, value: f64) -> Metric {
    let mut shown = Gauge::default();
    shown.set_value(value);
    let mut metric = labelled(labels);
    metric.set_gauge(shown);
    metric
}

fn histogram(labels: Labels<'_>, seen: &Histogram) -> Metric {
    let mut shown = Shown::default();
    shown.set_sample_count(seen.count());
    shown.set_sample_sum(seen.sum());
    let buckets = seen.cumulative().map(|(bound, count)| {
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(bound);
        bucket.set_cumulative_count(count);
        bucket
    });
    shown.set_bucket(buckets.collect());
    let mut metric = labelled(labels);
    metric.set_histogram(shown);
    metric
}

fn labelled(labels: Labels<'_>) -> Metric {
    let pairs = labels.iter().map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    });
    let mut metric = Metric::default();
    metric.set_label(pairs.collect());
    metric
}

/// Prometheus counts in floating point; beyond 2⁵³ it rounds.
#[expect(
    clippy::cast_precision_loss,
    reason = "Prometheus counts in floating point"
)]
fn float(count: u64) -> f64 {
    count as f64
}
