//! Who is sent what happens to experiments.

use std::path::PathBuf;

use http::Uri;

use crate::Secret;

/// A server that is sent events. The secret that signs them is never part of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// What logs and metrics call it; no other has this name.
    pub name: Box<str>,
    /// `http` or `https`, with a host and without a user.
    pub url: Uri,
    /// Where the secret is that deliveries are signed with, if they are.
    pub secret: Option<Secret>,
    /// How an event is written.
    pub format: EventFormat,
    /// A file of the authorities that vouch for it; if absent, those of the machine.
    pub trust: Option<PathBuf>,
    /// Empty for everything.
    pub(crate) kinds: Vec<&'static str>,
}

/// How an event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventFormat {
    /// As CloudEvents 1.0, structured mode in JSON.
    CloudEvents,
    /// As a sentence for people.
    Slack,
    /// As an alert.
    Alertmanager,
}

impl Webhook {
    /// Its scheme, host and port: what may be shown. The path of some services is a secret.
    #[must_use]
    pub fn place(&self) -> String {
        let scheme = self.url.scheme_str().unwrap_or_default();
        let authority = self.url.authority().map(|it| it.as_str());
        format!("{scheme}://{}", authority.unwrap_or_default())
    }

    /// Whether it is sent what happens in this way.
    #[must_use]
    pub fn wants(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }
}
