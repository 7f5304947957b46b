//! An event as its receiver reads it.

use http::HeaderValue;
use policy::EventFormat;
use serde_json::{Value, json};

use crate::audit::Record;

/// An event, ready to be sent.
#[derive(Debug)]
pub(super) struct Body {
    /// What happened.
    pub(super) kind: String,
    /// What is sent.
    pub(super) text: String,
    /// What it is.
    pub(super) content_type: HeaderValue,
}

impl Body {
    /// Writes a record of the audit trail.
    pub(super) fn of(record: &Record, format: EventFormat) -> serde_json::Result<Self> {
        let (kind, event) = record.cloud_event()?;
        let (shown, content_type) = match format {
            EventFormat::CloudEvents => (event, "application/cloudevents+json; charset=utf-8"),
            EventFormat::Slack => {
                let text = escaped(&sentence(&kind, &event));
                (json!({ "text": text }), "application/json")
            }
            EventFormat::Alertmanager => (alert(&kind, &event), "application/json"),
        };
        Ok(Self {
            kind,
            text: serde_json::to_string(&shown)?,
            content_type: HeaderValue::from_static(content_type),
        })
    }
}

/// What happened, for people.
fn sentence(kind: &str, event: &Value) -> String {
    let data = &event["data"];
    let (experiment, run) = (text(&data["experiment"]), &data["run"]);
    let (actor, reason) = (text(&data["actor"]), reason(event));
    let happened = match kind {
        "drafted" => "waits to be started",
        "shadowing" => "asks its candidates in the shadow",
        "opened" => "begins its ramp",
        "started" => "has started",
        "stepped" => "goes on to its next step",
        "alarm" => "raises an alarm",
        "proposed" => "is proven and waits for approval",
        "approved" => "was approved",
        "promoted" => "was promoted",
        "rolled_back" => "was rolled back",
        "futile" => "ended without a winner",
        "advised" => "has a verdict, which is only advice",
        "paused" => "was paused",
        "resumed" => "goes on",
        "stopped" => "was stopped",
        "refused" => "refused an order",
        "document" => "another document is in force",
        "certificates" => "certificates were replaced",
        "keys" => "keys were replaced",
        "reloaded" => "the document was read again",
        "drained" => "wald was told to end",
        other => other,
    };
    let by = match actor {
        "wald" => String::new(),
        actor => format!(" ({actor})"),
    };
    let why = match reason {
        "" => String::new(),
        reason => format!(": {reason}"),
    };
    if experiment.is_empty() {
        return format!("{happened}{by}{why}");
    }
    format!("{experiment}, run {run}, {happened}{by}{why}")
}

/// One alert (Alertmanager, API v2). It says no end, so Alertmanager calls it resolved after its own
/// `resolve_timeout`.
fn alert(kind: &str, event: &Value) -> Value {
    let severity = match kind {
        "alarm" | "rolled_back" | "refused" => "warning",
        _ => "info",
    };
    let sentence = sentence(kind, event);
    let summary = match reason(event) {
        "" => &sentence,
        reason => reason,
    };
    let mut labels = json!({ "alertname": "WaldPolicy", "type": kind, "severity": severity });
    if let Some(experiment) = event["data"]["experiment"].as_str() {
        labels["alertname"] = json!("WaldExperiment");
        labels["experiment"] = json!(experiment);
        labels["run"] = json!(event["data"]["run"].to_string());
    }
    json!([{
        "labels": labels,
        "annotations": { "summary": summary, "description": sentence },
        "startsAt": event["time"],
    }])
}

fn reason(event: &Value) -> &str {
    text(&event["data"]["detail"]["reason"])
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What Slack would take for a link or a mention, as text.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Event;

    fn written(kind: &'static str, reason: &str, format: EventFormat) -> Value {
        let event = Event {
            at_ms: 1_790_000_000_000,
            kind,
            experiment: "fraud".to_owned(),
            run: 3,
            actor: None,
            detail: json!({ "reason": reason }),
        };
        let (_, record) = Record::after(None, event).unwrap();
        let body = Body::of(&record, format).unwrap();
        serde_json::from_str(&body.text).unwrap()
    }

    #[test]
    fn a_sentence_names_no_one_in_slack_whom_a_reason_would_mention() {
        let body = written("promoted", "1 < 2 & <!channel>", EventFormat::Slack);
        assert_eq!(
            body,
            json!({ "text": "fraud, run 3, was promoted: 1 &lt; 2 &amp; &lt;!channel&gt;" })
        );
    }

    #[test]
    fn what_is_about_no_experiment_names_none() {
        let event = Event {
            at_ms: 0,
            kind: "drained",
            experiment: String::new(),
            run: 0,
            actor: Some("ann".to_owned()),
            detail: json!({}),
        };
        let (_, record) = Record::after(None, event).unwrap();
        let written = |format| -> Value {
            let body = Body::of(&record, format).unwrap();
            serde_json::from_str(&body.text).unwrap()
        };
        assert_eq!(
            written(EventFormat::Slack),
            json!({ "text": "wald was told to end (ann)" })
        );
        let labels = json!({ "alertname": "WaldPolicy", "type": "drained", "severity": "info" });
        assert_eq!(written(EventFormat::Alertmanager)[0]["labels"], labels);
        let event = written(EventFormat::CloudEvents);
        assert_eq!(event["type"], "wald.policy.drained");
        assert_eq!(event["data"].get("experiment"), None, "{event}");
    }

    #[test]
    fn an_alert_has_labels_that_are_text_and_says_when_it_began() {
        let body = written("rolled_back", "harm", EventFormat::Alertmanager);
        let labels = json!({
            "alertname": "WaldExperiment", "experiment": "fraud", "run": "3",
            "type": "rolled_back", "severity": "warning",
        });
        assert_eq!(body[0]["labels"], labels);
        assert_eq!(body[0]["annotations"]["summary"], "harm");
        assert_eq!(body[0]["startsAt"], "2026-09-21T14:13:20Z");
        let body = written("promoted", "", EventFormat::Alertmanager);
        assert_eq!(body[0]["labels"]["severity"], "info");
        assert_eq!(
            body[0]["annotations"]["summary"],
            "fraud, run 3, was promoted"
        );
    }
}
