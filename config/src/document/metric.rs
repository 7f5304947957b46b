//! What an experiment measures.

use crate::decode::{choice, record};
use crate::value::{Period, Ratio, Share};

record! {
    /// Something measured on every arm.
    pub struct Metric {
        /// What reports call it, for example `errors`.
        pub name: String,
        /// What of the observations is compared, for example `proportion`.
        pub kind: MetricKind,
        /// What is observed, for example `failed`.
        pub source: Source,
        /// Which way is good: `higher` or `lower`.
        pub better: Better,
        /// Whether it is to improve (`goal`) or only not to get worse (`guardrail`).
        pub role: Role,
        /// Which quantile, for the kind of that name, for example `0.99`.
        pub quantile: Option<f64>,
        /// What a ratio divides by, for example `request_bytes`. Default: `requests`.
        pub per: Option<Per>,
        /// What is known of a request beforehand and explains part of a mean: `request_bytes`.
        pub covariate: Option<Covariate>,
        /// How much worse a guardrail may be, for example `{ relative: 10% }`.
        pub margin: Option<Margin>,
        /// Compares ratios (`log`) or differences (`linear`) of means. Default: `log` for durations.
        pub scale: Option<Scale>,
        /// Rolls back on any harm rather than on harm beyond the margin. Default: `false`.
        pub critical: Option<bool>,
        /// Counts how often this time is exceeded, for example `250ms`.
        pub slo: Option<Period>,
        /// How long a request is waited for before its observation is closed. Default: `60s`.
        pub window: Option<Period>,
        /// How long feedback may take, the same for all arms, for example `1d`.
        pub maturation: Option<Period>,
        /// Larger values count as this, for example `10`. It changes what is estimated.
        pub winsorize: Option<f64>,
        /// The smallest effect worth having, for example `0.02`; without hope of it, the experiment ends.
        pub worth: Option<f64>,
    }
}

choice! {
    /// What of the observations is compared.
    pub enum MetricKind {
        /// How often it happens.
        Proportion = "proportion",
        /// The mean.
        Mean = "mean",
        /// The whole distribution: raises alarms, never promotes.
        Distribution = "distribution",
        /// A quantile.
        Quantile = "quantile",
        /// A sum by another.
        Ratio = "ratio",
        /// How many in a time.
        Count = "count",
    }
}

choice! {
    /// What is observed.
    pub enum Source {
        /// Whether the backend failed: no answer, or a status of 500 or more.
        Failed = "failed",
        /// Seconds from the request's first byte to the answer's last.
        Duration = "duration",
        /// Seconds from the request's first byte to the answer's first.
        FirstByte = "first_byte",
        /// Tokens in the answer.
        Tokens = "tokens",
        /// What those tokens and the request's cost, by the experiment's `prices`.
        Cost = "cost",
        /// Bytes of the answer's body.
        ResponseBytes = "response_bytes",
        /// Whether a cascade went on from its first model to the next, or beyond: 1 if so; of an arm that is no
        /// cascade always 0.
        Escalated = "escalated",
        /// What clients post to the feedback endpoint under this metric's name.
        Feedback = "feedback",
        /// Whether feedback never came: 1 until it does, of the feedback metric that is named, for example
        /// `{ missing: accuracy }`.
        Missing(String) = "missing",
        /// A number in the answer, by JSON pointer, for example `{ response: /score }`.
        Response(String) = "response",
    }
}

choice! {
    /// What a ratio divides by.
    pub enum Per {
        /// Requests, each one.
        Requests = "requests",
        /// Bytes of the request's body, by its `content-length`; requests without are not counted.
        RequestBytes = "request_bytes",
        /// Seconds from the request's first byte to the answer's last.
        Duration = "duration",
        /// Seconds from the request's first byte to the answer's first.
        FirstByte = "first_byte",
    }
}

choice! {
    /// What is known of a request before it is routed.
    pub enum Covariate {
        /// Bytes of the request's body, by its `content-length`; nought without.
        RequestBytes = "request_bytes",
    }
}

choice! {
    /// Which way is good.
    pub enum Better {
        /// More is better.
        Higher = "higher",
        /// Less is better.
        Lower = "lower",
    }
}

choice! {
    /// What a metric is for.
    pub enum Role {
        /// The candidate must be better.
        Goal = "goal",
        /// The candidate must not be worse by more than the margin.
        Guardrail = "guardrail",
    }
}

choice! {
    /// How much worse the candidate may be.
    pub enum Margin {
        /// By this factor in the odds, for example `{ odds: 1.5 }`; for proportions.
        Odds(f64) = "odds",
        /// By this part of the control's value, for example `{ relative: 10% }`; for means and quantiles.
        Relative(Ratio) = "relative",
        /// By this much, for example `{ absolute: 0.01 }`.
        Absolute(f64) = "absolute",
        /// However good the control is: the candidate stays below this, for example `{ at_most: 0.5% }`.
        AtMost(Share) = "at_most",
    }
}

choice! {
    /// The scale on which means are compared.
    pub enum Scale {
        /// Ratios of geometric means.
        Log = "log",
        /// Differences of means.
        Linear = "linear",
    }
}
