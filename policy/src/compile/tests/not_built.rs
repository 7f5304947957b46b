//! What is planned but not built is refused, never ignored.

use super::*;

/// Each of `fields` is refused when it is written behind `entry`.
#[track_caller]
fn refused_behind(entry: &str, separator: &str, section: &str, fields: &[(&str, &str)]) {
    for (field, value) in fields {
        let new = format!("{entry}{separator}{field}: {value}");
        refused(code::NOT_BUILT, &format!("{section}{field}"), entry, &new);
    }
}

/// Each of `values` is refused in place of `old`.
#[track_caller]
fn refused_instead(path: &str, old: &str, values: &[&str]) {
    for value in values {
        refused(code::NOT_BUILT, path, old, value);
    }
}

#[test]
fn traces() {
    let traces = "version: wald/v1\ntelemetry: { traces: { otlp: \"http://127.0.0.1:1\" } }";
    refused_instead("telemetry.traces", "version: wald/v1", &[traces]);
}

#[test]
fn upstreams_that_stay_in_a_region() {
    refused_behind(UPSTREAM, ", ", "upstreams[0].", &[("region", "ae")]);
}
