//! What metrics say about models that run inside: how many rows ran together.

use inference::{BATCH_BOUNDS, BatchSizes};
use prometheus::proto::{Bucket, Histogram, Metric, MetricFamily, MetricType};

use super::{Labels, counter, family, float, labelled};
use crate::live::Snapshot;

/// The families of models that run requests together. Their threads count for themselves, so that no worker does.
pub(super) fn families(snapshot: &Snapshot) -> Vec<MetricFamily> {
    let models = snapshot.policy.models().iter().zip(&snapshot.models);
    let batching = models.filter(|(model, _)| model.batch.is_some());
    let sizes = batching.map(|(model, pool)| {
        let labels: [(&str, &str); 2] = [("model", &model.name), ("version", &model.version)];
        sizes(&labels, &pool.batch_sizes())
    });
    let mut families = vec![family(
        "wald_inference_batch_size",
        "Rows that ran together.",
        MetricType::HISTOGRAM,
        sizes,
    )];
    families.extend(plans(snapshot));
    families
}

/// Of models that have plans for shapes of their own.
fn plans(snapshot: &Snapshot) -> [MetricFamily; 2] {
    let models = snapshot.policy.models().iter().zip(&snapshot.models);
    let (mut lookups, mut evictions) = (Vec::new(), Vec::new());
    for (model, pool) in models {
        let Some(counts) = pool.model().plan_counts() else {
            continue;
        };
        let labels: [(&str, &str); 2] = [("model", &model.name), ("version", &model.version)];
        for (outcome, count) in [("hit", counts.hits), ("miss", counts.misses)] {
            let [model, version] = labels;
            lookups.push(counter(&[model, version, ("outcome", outcome)], count));
        }
        evictions.push(counter(&labels, counts.evictions));
    }
    [
        family(
            "wald_inference_plan_lookups_total",
            "Runs of a plan made for their shape (hit), and of the one for all shapes.",
            MetricType::COUNTER,
            lookups,
        ),
        family(
            "wald_inference_plan_evictions_total",
            "Plans made for a shape that left for others.",
            MetricType::COUNTER,
            evictions,
        ),
    ]
}

fn sizes(labels: Labels<'_>, sizes: &BatchSizes) -> Metric {
    let mut runs = 0;
    let buckets = BATCH_BOUNDS.iter().zip(sizes.counts);
    let buckets = buckets.map(|(bound, count)| {
        runs += count;
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(f64::from(*bound));
        bucket.set_cumulative_count(runs);
        bucket
    });
    let mut shown = Histogram::default();
    shown.set_bucket(buckets.collect());
    shown.set_sample_count(runs);
    shown.set_sample_sum(float(sizes.rows));
    let mut metric = labelled(labels);
    metric.set_histogram(shown);
    metric
}
