//! What is being decided.

use std::collections::BTreeMap;

use super::{Allow, Backend, Callers, Compare, Metric, ValueMatch};
use crate::decode::{choice, record};
use crate::value::{ByteCount, Period, Share};

record! {
    /// A comparison of backends on live traffic, and the rule that ends it.
    pub struct Experiment {
        /// What backends, logs and metrics call it, for example `fraud-v2`.
        pub name: String,
        /// Who stays on one arm, for example `{ claim: sub }`.
        pub unit: Unit,
        /// What is compared; the first is the control.
        pub arms: Vec<Arm> = required,
        /// The share of each candidate, step by step, for example `[1%, 5%, 25%, 50%]`. Default: `[50%]`.
        pub ramp: Vec<Share>,
        /// What is measured.
        pub metrics: Vec<Metric> = required,
        /// What tokens cost on each arm, for metrics with `source: cost`, for example
        /// `{ control: { input: 2.5, output: 10 }, candidate: { input: 0.15, output: 0.6 } }`.
        pub prices: BTreeMap<String, Price>,
        /// The chance of a false promotion, and of a false rollback, at most. Default: `5%`.
        pub alpha: Option<Share>,
        /// Whether it begins by itself. Default: `automatic`.
        pub start: Option<Start>,
        /// Whether a verdict takes effect by itself. Default: `automatic`.
        pub decide: Option<Decide>,
        /// What a step needs before the next.
        pub step_minimum: Option<StepMinimum>,
        /// When it ends without a verdict. Default: never.
        pub end: Option<End>,
        /// How long another definition waits before it begins after a rollback, for example `1h`. Default: not at all.
        pub cool_down: Option<Period>,
        /// Length of a tick, from `1s` to `1m`: evidence is judged tick by tick. Default: `1s`.
        pub tick: Option<Period>,
        /// Whether `all` goals must be reached or `any`, each then tested more strictly. Default: `all`.
        pub goals: Option<Goals>,
        /// Who takes part: whoever fits one of these. Default: everyone.
        pub segments: Vec<Segment>,
        /// Who takes no part, whatever else fits.
        pub opt_out: Vec<Segment>,
        /// Shares out units, so that none is in two experiments of one layer.
        pub layer: Option<Layer>,
        /// The part of the units that stays with the control, the same ones in all experiments that have the same
        /// unit, for example `5%`. Default: none.
        pub holdout: Option<Share>,
        /// Who may choose an arm with the header `x-wald-override: EXPERIMENT=ARM`. Default: nobody.
        pub testers: Vec<Allow>,
        /// How many different people must approve before a promotion takes effect, for example `2`. Default: none.
        pub approve: Option<u32>,
        /// Asks the candidates in the shadow before the first step: they get copies, everyone gets the control's
        /// answers, and the ramp begins once the answers agree. Default: it begins at once.
        pub shadow_first: Option<ShadowFirst>,
        /// Goes on watching what was promoted: whether it becomes worse than the evidence of its promotion says.
        /// May change at any time without a new run. Default: nothing is watched.
        pub watch: Option<Watch>,
    }
}

record! {
    /// Some of the requests; all conditions must hold, and an absent one always does.
    pub struct Segment {
        /// Workloads by SPIFFE id, or `anyone`.
        pub callers: Option<Callers>,
        /// The issuer of the caller's token, for example `https://issuer.example`.
        pub issuer: Option<String>,
        /// Claims of that token, for example `{ tier: { exact: gold } }`.
        pub claims: BTreeMap<String, ValueMatch>,
        /// Headers, for example `{ x-country: { any_of: [AE, SA] } }`.
        pub headers: BTreeMap<String, ValueMatch>,
        /// The model that is asked for, for example `[fraud]`.
        pub models: Vec<String>,
        /// The zones of which this Wald's own must be one, for example `[ae-1, ae-2]`: where requests are taken.
        pub zones: Vec<String>,
        /// The part of the units that fit, for example `20%`. Default: all.
        pub share: Option<Share>,
    }
}

record! {
    /// An experiment's part of a layer.
    pub struct Layer {
        /// What the experiments that share no units have in common, for example `checkout`.
        pub name: String,
        /// Where its part of the units begins. Default: `0%`.
        pub from: Option<Share>,
        /// Where it ends, for example `50%`. Default: `100%`.
        pub to: Option<Share>,
    }
}

choice! {
    /// Who stays on one arm.
    pub enum Unit {
        /// A claim of the caller's token, for example `{ claim: sub }`.
        Claim(String) = "claim",
        /// A header's value, for example `{ header: x-user }`.
        Header(String) = "header",
        /// A cookie's value, for example `{ cookie: session }`.
        Cookie(String) = "cookie",
        /// The caller's identity.
        Caller = "caller",
        /// Nobody: each request is drawn for itself.
        Request = "request",
    }
}

record! {
    /// One of the things compared.
    pub struct Arm {
        /// What logs and metrics call it, for example `control`.
        pub name: String,
        /// Where its requests go, for example `{ upstream: fraud-v1 }`.
        pub backend: Backend,
    }
}

record! {
    /// What candidates must show in the shadow before they serve anyone.
    pub struct ShadowFirst {
        /// The part of their answers that must agree with the control's, for example `99%`.
        pub agreement: Share,
        /// How many answers are compared at least. Default: `2000`.
        pub observations: Option<u64>,
        /// The part of requests that is copied, for example `10%`. Default: `100%`.
        pub share: Option<Share>,
        /// Methods that are copied, for example `[POST]`. Default: all that the route takes.
        pub methods: Vec<String>,
        /// How much of a request's body, and of each answer, may be held. Default: `1MiB`.
        pub body_max: Option<ByteCount>,
        /// How long the answer to a copy may take. Default: `30s`.
        pub timeout: Option<Period>,
        /// How answers are compared. Default: they must be equal.
        pub compare: Option<Compare>,
    }
}

record! {
    /// What a million tokens cost, in any currency.
    pub struct Price {
        /// Of those that are asked with, for example `2.5`.
        pub input: f64,
        /// Of those that are answered with, for example `10`.
        pub output: f64,
    }
}

choice! {
    /// Whether an experiment begins by itself.
    pub enum Start {
        /// As soon as the document is in force.
        Automatic = "automatic",
        /// On `wald experiment start`.
        Manual = "manual",
    }
}

choice! {
    /// Whether a verdict takes effect by itself.
    pub enum Decide {
        /// It does.
        Automatic = "automatic",
        /// It is only told.
        Advise = "advise",
    }
}

record! {
    /// What a step of the ramp needs before the next.
    pub struct StepMinimum {
        /// Observations of all arms together, for example `500`.
        pub observations: Option<u64>,
        /// Time, for example `1m`.
        pub time: Option<Period>,
    }
}

record! {
    /// When an experiment ends without a verdict; whichever comes first.
    pub struct End {
        /// Observations of all arms together, for example `200000`.
        pub observations: Option<u64>,
        /// Time, for example `14d`.
        pub time: Option<Period>,
        /// What then. Default: `keep_control`.
        pub then: Option<Then>,
    }
}

record! {
    /// How a promoted arm is watched.
    pub struct Watch {
        /// The chance of a false alarm within `every`, for example `1%`. Default: `5%`.
        pub false_alarm: Option<Share>,
        /// The time that this chance is about, for example `7d`. Default: `30d`.
        pub every: Option<Period>,
        /// What follows an alarm. Default: `alert`.
        pub then: Option<Alarmed>,
    }
}

choice! {
    /// What follows when a promoted arm has become worse.
    pub enum Alarmed {
        /// People are told, once a metric.
        Alert = "alert",
        /// The promotion is taken back: all requests go to the control.
        Revert = "revert",
    }
}

choice! {
    /// What follows an end without a verdict.
    pub enum Then {
        /// All requests go to the control.
        KeepControl = "keep_control",
    }
}

choice! {
    /// How many goals must be reached for a promotion.
    pub enum Goals {
        /// All of them.
        All = "all",
        /// One of them, each tested more strictly.
        Any = "any",
    }
}
