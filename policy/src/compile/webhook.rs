//! `events.webhooks`: who is sent what happens to experiments.

use std::collections::BTreeSet;

use config::document::{self, EventType, WebhookSecret};
use config::{Path, code};
use http::Uri;

use super::Report;
use super::names;
use crate::{EventFormat, Secret, Webhook};

/// Compiles the section; webhooks without a name are called what their host is called.
pub(super) fn compile(report: &mut Report<'_>, written: Option<&document::Events>) -> Vec<Webhook> {
    let Some(document::Events { webhooks }) = written else {
        return Vec::new();
    };
    let section = Path::root().field("events").field("webhooks");
    let mut taken = BTreeSet::new();
    let mut compiled = Vec::new();
    for (position, written) in webhooks.iter().enumerate() {
        let path = section.index(position);
        let Some(webhook) = one(report, &path, written) else {
            continue;
        };
        if !taken.insert(webhook.name.clone()) {
            let message = format!("webhook `{}` is there already", webhook.name);
            let remedy = "give one of them another `name`: logs, metrics and the store tell them apart by it";
            report.error(code::DUPLICATE_NAME, &path, message, remedy);
        }
        compiled.push(webhook);
    }
    compiled
}

fn one(report: &mut Report<'_>, path: &Path, written: &document::Webhook) -> Option<Webhook> {
    let document::Webhook {
        name,
        url,
        secret,
        types,
        format,
        trust,
    } = written;
    if let Some(name) = name {
        names::check("webhook", name, &path.field("name"), report);
    }
    let url = self::url(report, &path.field("url"), url)?;
    if trust.is_some() && url.scheme_str() == Some("http") {
        let message = "`trust` is for https, and this address has no certificate";
        let remedy = "remove it, or use https";
        report.error(code::BAD_ADDRESS, &path.field("trust"), message, remedy);
    }
    let host = url.authority().map(|it| it.as_str()).unwrap_or_default();
    Some(Webhook {
        name: name.as_deref().unwrap_or(host).into(),
        secret: secret.as_ref().map(|secret| match secret {
            WebhookSecret::File { file } => Secret::File(file.clone()),
            WebhookSecret::Env { env } => Secret::Env(env.as_str().into()),
        }),
        kinds: types.iter().map(EventType::word).collect(),
        format: format
            .as_ref()
            .map_or(EventFormat::CloudEvents, self::format),
        trust: trust.clone(),
        url,
    })
}

/// The path is not told again: those of some services are secrets.
fn url(report: &mut Report<'_>, path: &Path, written: &str) -> Option<Uri> {
    let uri: Option<Uri> = written.parse().ok();
    let is_web = |uri: &Uri| {
        let authority = uri.authority().map(|it| it.as_str()).unwrap_or_default();
        let has_host = uri.host().is_some_and(|host| !host.is_empty());
        matches!(uri.scheme_str(), Some("http" | "https")) && has_host && !authority.contains('@')
    };
    let uri = uri.filter(is_web);
    if uri.is_none() {
        let message = "events are sent to an http or https address, without a user in it";
        let remedy = "write it like https://hooks.example/wald";
        report.error(code::BAD_ADDRESS, path, message, remedy);
    }
    uri
}

fn format(written: &document::EventFormat) -> EventFormat {
    match written {
        document::EventFormat::CloudEvents => EventFormat::CloudEvents,
        document::EventFormat::Slack => EventFormat::Slack,
        document::EventFormat::Alertmanager => EventFormat::Alertmanager,
    }
}
