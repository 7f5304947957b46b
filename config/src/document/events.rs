//! Who is told what happens to experiments.

use crate::decode::{choice, record, shapes};
use std::path::PathBuf;

record! {
    /// Who is told what happens to experiments, beside those who listen at the admin address.
    pub struct Events {
        /// Who is sent each event.
        pub webhooks: Vec<Webhook>,
    }
}

record! {
    /// A server that is sent events, one after the other.
    pub struct Webhook {
        /// What logs and metrics call it. Default: the host and port of its `url`.
        pub name: Option<String>,
        /// Where events are sent, for example `https://hooks.example/wald`.
        pub url: String,
        /// What deliveries are signed with, for example `{ file: hook.key }`. Default: they are not.
        pub secret: Option<WebhookSecret>,
        /// What is sent, for example `[promoted, rolled_back, alarm]`. Default: everything.
        pub types: Vec<EventType>,
        /// How an event is written. Default: `cloudevents`.
        pub format: Option<EventFormat>,
        /// A file of the authorities that vouch for the server, for example `hooks-ca.pem`. Default: this machine's.
        pub trust: Option<PathBuf>,
    }
}

shapes! {
    /// Where the secret is that deliveries are signed with: base64 of 24 to 64 bytes, with or without `whsec_`
    /// before it.
    pub enum WebhookSecret {
        /// In a file, read again when it changes.
        File {
            /// The file, for example `hook.key`.
            file: PathBuf,
        },
        /// In the environment.
        Env {
            /// The variable, for example `HOOK_SECRET`.
            env: String,
        },
    }
}

choice! {
    /// How an event is written.
    pub enum EventFormat {
        /// As CloudEvents 1.0 in JSON.
        CloudEvents = "cloudevents",
        /// As a sentence, for Slack and others that take its incoming webhooks.
        Slack = "slack",
        /// As an alert, for `/api/v2/alerts` of an Alertmanager.
        Alertmanager = "alertmanager",
    }
}

choice! {
    /// What may happen to an experiment, and to what is in force.
    pub enum EventType {
        /// It waits for somebody to start it.
        Drafted = "drafted",
        /// Its candidates are asked in the shadow.
        Shadowing = "shadowing",
        /// Its candidates agree in the shadow, and its ramp began.
        Opened = "opened",
        /// It began.
        Started = "started",
        /// Its ramp went on.
        Stepped = "stepped",
        /// Its evidence looks wrong, or a margin is broken somewhere.
        Alarm = "alarm",
        /// A promotion waits for people.
        Proposed = "proposed",
        /// Somebody approved.
        Approved = "approved",
        /// A candidate won.
        Promoted = "promoted",
        /// The control has all the traffic again.
        RolledBack = "rolled_back",
        /// It ended without a winner.
        Futile = "futile",
        /// There is a verdict, which is only told.
        Advised = "advised",
        /// Somebody paused it.
        Paused = "paused",
        /// Somebody let it go on.
        Resumed = "resumed",
        /// Somebody ended it.
        Stopped = "stopped",
        /// An order was refused.
        Refused = "refused",
        /// Another document is in force.
        Document = "document",
        /// Certificates were replaced.
        Certificates = "certificates",
        /// Keys that tokens are believed by were replaced.
        Keys = "keys",
        /// Somebody had the document read again.
        Reloaded = "reloaded",
        /// Somebody told Wald to end.
        Drained = "drained",
    }
}
