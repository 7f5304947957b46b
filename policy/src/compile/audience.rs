//! Who takes part in an experiment.

use config::document::{self, Allow};
use config::{Path, code};

use super::{Report, Scope, allow, pattern};
use crate::assignment::{SLOTS, slots};
use crate::audience::{Audience, Layer, Segment};
use crate::{Experiment, Share};

/// Compiles who takes part.
pub(super) fn compile(
    scope: &mut Scope<'_>,
    path: &Path,
    written: &document::Experiment,
) -> Option<Audience> {
    let document::Experiment {
        unit,
        segments,
        opt_out,
        layer,
        holdout,
        testers,
        ..
    } = written;
    let proves = allow::workloads_are_proved(scope.document);
    let segments = self::segments(scope, &path.field("segments"), segments);
    let opt_out = self::segments(scope, &path.field("opt_out"), opt_out);
    let testers = allow::entries(scope, &path.field("testers"), testers, proves);
    if matches!(unit, document::Unit::Request) {
        let report = &mut scope.report;
        returns(report, &path.field("layer"), layer.is_some());
        returns(report, &path.field("holdout"), holdout.is_some());
    }
    let layer = match layer {
        Some(written) => Some(self::layer(
            &mut scope.report,
            &path.field("layer"),
            written,
        )?),
        None => None,
    };
    let holdout = part(&mut scope.report, &path.field("holdout"), *holdout, 0);
    Some(Audience {
        segments: segments?,
        opt_out: opt_out?,
        // Who is left must be somebody.
        holdout: holdout.min(SLOTS - 1),
        layer,
        testers,
    })
}

/// What is drawn for each request is neither held out nor kept apart from anything.
fn returns(report: &mut Report<'_>, path: &Path, is_used: bool) {
    if is_used {
        let message = "with `unit: request` nobody comes back, so nobody can be kept out";
        let remedy = "use another unit, for example `{ claim: sub }`, or remove it";
        report.error(code::BAD_AUDIENCE, path, message, remedy);
    }
}

fn segments(
    scope: &mut Scope<'_>,
    path: &Path,
    written: &[document::Segment],
) -> Option<Vec<Segment>> {
    let segment = |(position, written)| segment(scope, &path.index(position), written);
    let segments: Vec<_> = written.iter().enumerate().map(segment).collect();
    segments.into_iter().collect()
}

fn segment(scope: &mut Scope<'_>, path: &Path, written: &document::Segment) -> Option<Segment> {
    let document::Segment {
        callers,
        issuer,
        claims,
        headers,
        models,
        zones,
        share,
    } = written.clone();
    let rule = Allow {
        callers,
        issuer,
        claims,
        methods: Vec::new(),
        models,
    };
    let proves = allow::workloads_are_proved(scope.document);
    let rule = allow::conditions(scope, path, &rule, proves);
    let is_here = is_here(scope, &path.field("zones"), &zones);
    let report = &mut scope.report;
    let asks = rule.asks_for_model() || !headers.is_empty() || !zones.is_empty();
    let is_everyone = rule.is_open() && !asks;
    if is_everyone && share.is_none() {
        let message = "a segment without any condition is everyone";
        let remedy = "say who belongs to it, for example `{ claims: { tier: { exact: gold } } }`";
        report.error(code::EMPTY_ALLOW, path, message, remedy);
    }
    let headers = pattern::headers(report, &path.field("headers"), &headers);
    let slots = part(report, &path.field("share"), share, SLOTS);
    Some(Segment {
        rule,
        headers: headers?,
        is_here,
        slots,
    })
}

/// Whether this Wald runs in one of these zones; in none that is written down, it runs anywhere.
fn is_here(scope: &mut Scope<'_>, path: &Path, zones: &[String]) -> bool {
    let own = scope.document.zone.as_ref();
    if own.is_none() && !zones.is_empty() {
        let message = "this Wald does not say in which zone it runs, so no request would ever fit";
        let remedy = "add `zone: …` to the document, for example `zone: ${ZONE}`";
        scope
            .report
            .error(code::BAD_AUDIENCE, path, message, remedy);
    }
    zones.is_empty() || own.is_some_and(|own| zones.contains(own))
}

/// A part of the units, in slots: neither none nor less than one slot.
fn part(report: &mut Report<'_>, path: &Path, written: Option<Share>, default: u16) -> u16 {
    let Some(share) = written else { return default };
    let slots = slots(share);
    if slots == 0 {
        let message = format!(
            "{}% is less than the smallest part, 0.01%",
            share.value() * 100.0
        );
        report.error(
            code::OUT_OF_RANGE,
            path,
            message,
            "write more, or remove it",
        );
    }
    slots
}

fn layer(report: &mut Report<'_>, path: &Path, written: &document::Layer) -> Option<Layer> {
    let document::Layer { name, from, to } = written;
    let layer = Layer::new(name, from.unwrap_or(Share::NONE), to.unwrap_or(Share::ALL));
    if layer.from >= layer.to {
        let message = "the part of the layer ends before it begins";
        let remedy = "write `from` below `to`, for example `from: 0%, to: 50%`";
        report.error(code::BAD_AUDIENCE, path, message, remedy);
        return None;
    }
    Some(layer)
}

/// Experiments of one layer share out the same units, and no two the same part.
pub(super) fn layers(report: &mut Report<'_>, experiments: &[Experiment]) {
    fn layered(experiment: &Experiment) -> Option<&Layer> {
        experiment.audience.layer.as_ref()
    }
    for (position, later) in experiments.iter().enumerate() {
        let Some(layer) = layered(later) else {
            continue;
        };
        let path = Path::root().field("experiments").index(later.id.index());
        let path = path.field("layer");
        let earlier = experiments.iter().take(position);
        let earlier = earlier.filter_map(|it| Some((it, layered(it)?)));
        let same = earlier.filter(|(_, other)| other.name == layer.name);
        for (earlier, other) in same {
            if layer.overlaps(other) {
                let message = format!(
                    "its part of layer {} overlaps that of {}",
                    layer.name, earlier.name
                );
                let remedy = "share the units out, for example `from: 0%, to: 50%` and `from: 50%`";
                report.error(code::BAD_AUDIENCE, &path, message, remedy);
            } else if earlier.unit != later.unit {
                let message = format!(
                    "{} and {} have other units, so the same people may be in both",
                    earlier.name, later.name
                );
                let remedy = "give all experiments of a layer the same `unit`";
                report.error(code::BAD_AUDIENCE, &path, message, remedy);
            }
        }
    }
}
