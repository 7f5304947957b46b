//! What may go where.

use super::{Callers, Retries, Shadow};
use crate::decode::{choice, record, shapes};
use crate::value::{ByteCount, Period, Rate};
use std::collections::BTreeMap;

record! {
    /// Which requests go where, and who may send them.
    pub struct Route {
        /// What logs and metrics call it, for example `fraud`.
        pub name: String,
        /// Which requests it takes. Default: all.
        pub r#match: Option<Match>,
        /// Who may send them: one entry must hold entirely. Default: nobody.
        pub allow: Vec<Allow>,
        /// Where they go, for example `{ upstream: fraud-v1 }`.
        pub backend: Backend,
        /// How long an answer may take to begin, all tries together. Default: `30s`.
        pub timeout: Option<Period>,
        /// How long a stream may be silent once it has begun. Default: the same.
        pub idle: Option<Period>,
        /// How long the whole exchange may take. Default: as long as it moves.
        pub total: Option<Period>,
        /// Tries again when a try fails. Default: never.
        pub retries: Option<Retries>,
        /// Where requests go when the backend fails, in order, for example `[{ upstream: fraud-v0 }]`.
        pub fallback: Vec<Backend>,
        /// What callers may take.
        pub limits: Option<RouteLimits>,
        /// Copies of requests that go elsewhere, to compare the answers.
        pub shadow: Vec<Shadow>,
        /// Headers that tell an upstream what was proved about the caller, for example
        /// `{ x-user: { claim: sub } }`. A client's own headers of these names are removed.
        pub set_headers: BTreeMap<String, HeaderSource>,
        /// Whether the caller's token goes on to the upstream. Default: `strip`, if the document
        /// believes any tokens.
        pub token: Option<TokenFate>,
        /// Protocols that a connection may change to, for example `[websocket]`. Default: none.
        pub upgrades: Vec<String>,
        /// What the upstream is asked instead, for example `{ prefix: /v1 }`.
        pub rewrite: Option<Rewrite>,
    }
}

record! {
    /// What an upstream is asked instead of what the client asked. Absent parts stay.
    pub struct Rewrite {
        /// Another host, for example `models.internal`.
        pub host: Option<String>,
        /// Another path, for example `/v1/chat/completions`.
        pub path: Option<String>,
        /// What stands instead of the prefix that the route matches, for example `/v1`.
        pub prefix: Option<String>,
        /// Another name for the model, in the path or the JSON body, for example `fraud-2024`.
        pub model: Option<String>,
    }
}

record! {
    /// Which requests a route takes; all conditions must hold, and an absent one always does.
    pub struct Match {
        /// The listeners they came in by, for example `[edge]`.
        pub listeners: Vec<String>,
        /// The hosts they name, for example `[models.example, "*.models.example"]`.
        pub hosts: Vec<String>,
        /// Their path, for example `{ prefix: /v2/models/fraud }`.
        pub path: Option<PathMatch>,
        /// Their methods, for example `[POST]`.
        pub methods: Vec<String>,
        /// Their headers, for example `{ x-tenant: { exact: bank } }`.
        pub headers: BTreeMap<String, ValueMatch>,
        /// The `model` named in their body, for example `fraud`.
        pub model: Option<String>,
    }
}

choice! {
    /// A condition on a path.
    pub enum PathMatch {
        /// This path and no other, for example `{ exact: /v2 }`.
        Exact(String) = "exact",
        /// This path and all below it, for example `{ prefix: /v2/models/fraud }`.
        Prefix(String) = "prefix",
        /// The whole path matches, for example `{ regex: "/v[12]/models/.*" }`.
        Regex(String) = "regex",
    }
}

choice! {
    /// A condition on a header's or claim's value.
    pub enum ValueMatch {
        /// This value, for example `{ exact: bank }`.
        Exact(String) = "exact",
        /// Begins so, for example `{ prefix: bank- }`.
        Prefix(String) = "prefix",
        /// Has this word, or this member if it is a list, for example `{ contains: infer }`.
        Contains(String) = "contains",
        /// One of these values, for example `{ any_of: [bank, broker] }`.
        AnyOf(Vec<String>) = "any_of",
    }
}

record! {
    /// Who may send requests; all conditions must hold, and an absent one always does.
    pub struct Allow {
        /// Workloads by SPIFFE id, where `*` is one segment and `**` the rest, for example
        /// `["spiffe://bank.example/ns/payments/**"]`; or `anyone`.
        pub callers: Option<Callers>,
        /// The issuer of the caller's token, for example `https://issuer.example`.
        pub issuer: Option<String>,
        /// What the token must say, for example `{ scope: { contains: infer } }`. A name that begins
        /// with a slash is a JSON pointer, for example `{ /realm_access/roles: { contains: admin } }`.
        pub claims: BTreeMap<String, ValueMatch>,
        /// Methods, for example `[GET]`.
        pub methods: Vec<String>,
        /// Models, for example `[fraud]`.
        pub models: Vec<String>,
    }
}

choice! {
    /// What a header tells about the caller.
    pub enum HeaderSource {
        /// A claim of the caller's token, for example `{ claim: sub }`.
        Claim(String) = "claim",
        /// The SPIFFE id of the caller's workload.
        Caller = "caller",
    }
}

choice! {
    /// What becomes of the caller's token.
    pub enum TokenFate {
        /// It ends here: no upstream can use it elsewhere.
        Strip = "strip",
        /// It goes on, for an upstream that checks it again.
        Keep = "keep",
    }
}

shapes! {
    /// Where requests go.
    pub enum Backend {
        /// To an upstream.
        Upstream {
            /// Its name, for example `fraud-v1`.
            upstream: String,
        },
        /// To a model that Wald runs itself.
        Model {
            /// Its name, for example `digits`.
            model: String,
            /// Its version, for example `"2"`. Default: the newest.
            version: Option<String>,
        },
        /// To models that are asked in turn until one is sure.
        Cascade {
            /// The models, the smallest first, and last who answers whatever the others are not sure of, for
            /// example `[{ model: small, accept: { output: score, at_least: 0.9 } }, { upstream: big }]`.
            cascade: Vec<CascadeStep>,
        },
        /// To the arm that an experiment assigns.
        Experiment {
            /// Its name, for example `fraud-v2`.
            experiment: String,
        },
        /// To another address, where the client is sent.
        Redirect {
            /// What is other there, for example `{ host: models.example }`.
            redirect: Redirect,
        },
        /// Nowhere: Wald answers.
        Respond {
            /// The answer, for example `{ status: 403 }`.
            respond: Respond,
        },
    }
}

shapes! {
    /// Who is asked next.
    pub enum CascadeStep {
        /// A model that Wald runs itself.
        Model {
            /// Its name, for example `small`.
            model: String,
            /// Its version, for example `"2"`. Default: the newest.
            version: Option<String>,
            /// When its answer is taken. The last step has none.
            accept: Option<Accept>,
        },
        /// An upstream, as the last step.
        Upstream {
            /// Its name, for example `big`.
            upstream: String,
        },
    }
}

record! {
    /// When a model is sure enough of its answer.
    pub struct Accept {
        /// Its output that says how sure it is, for example `score`. Of several numbers a row the largest counts,
        /// and every row must reach the bound.
        pub output: String,
        /// The bound, for example `0.9`.
        pub at_least: f64,
    }
}

record! {
    /// Where a client is sent. Absent parts stay, and so does the query.
    pub struct Redirect {
        /// `https` or `http`.
        pub scheme: Option<String>,
        /// Another host, and a port if it is not the usual one, for example `models.example`.
        pub host: Option<String>,
        /// Another path, for example `/v2`.
        pub path: Option<String>,
        /// `301`, `302`, `303`, `307` or `308`. Default: `308`, which keeps the method.
        pub status: Option<u16>,
    }
}

record! {
    /// An answer that Wald gives itself.
    pub struct Respond {
        /// The status, for example `403`.
        pub status: u16,
        /// The body, as text. Default: empty.
        pub body: Option<String>,
    }
}

record! {
    /// What callers may take.
    pub struct RouteLimits {
        /// Requests in a time.
        pub rate: Option<RateLimit>,
        /// Bytes of a request's body. Default: the listener's.
        pub body_bytes: Option<ByteCount>,
    }
}

record! {
    /// How many requests in a time.
    pub struct RateLimit {
        /// For example `100/s`.
        pub requests: Rate,
        /// Counts apart for each value of this. Default: all callers together.
        pub key: Option<RateKey>,
        /// How many may come at once. Default: a second's worth, and at least one.
        pub burst: Option<u32>,
    }
}

choice! {
    /// What callers are told apart by.
    pub enum RateKey {
        /// A claim of the caller's token, for example `{ claim: sub }`.
        Claim(String) = "claim",
        /// A header's value, for example `{ header: x-tenant }`.
        Header(String) = "header",
        /// The caller's identity.
        Caller = "caller",
        /// The client's address.
        Address = "address",
    }
}
