//! What is being decided.
pub struct Experiment {
    pub name: String,
    pub unit: Unit,                         // { claim } | { header } | { cookie } | caller | request (words or maps)
    pub arms: Vec<Arm>,                     // { name, backend }; the first is the control
    pub ramp: Vec<Share>,                   // default [50%]
    pub metrics: Vec<Metric>,
    pub alpha: Option<Share>,               // default 5%
    pub start: Option<Start>,               // automatic (default) | manual
    pub decide: Option<Decide>,             // automatic (default) | advise
    pub step_minimum: Option<StepMinimum>,  // { observations: u64, time: Duration }
    pub end: Option<End>,                   // { observations: u64, time: Duration, then: keep_control }
    pub goals: Option<Goals>,               // all | any
    pub tick: Option<Duration>,             // ours: length of a tick, 1s to 1m, default 1s
    pub segments: Option<Anything>, pub layer: Option<Anything>, pub holdout: Option<Anything>, pub approve: Option<Anything>, pub shadow_first: Option<Anything>,
}
pub struct Metric {
    pub name: String,
    pub kind: MetricKind,     // proportion | mean | distribution | quantile | ratio | count
    pub source: Source,       // failed | duration | first_byte | tokens | response_bytes | feedback | { response: /json/pointer }
    pub better: Better,       // higher | lower
    pub role: Role,           // goal | guardrail
    pub quantile: Option<f64>,
    pub margin: Option<Margin>, // { odds: f64 } | { relative: Share-like } | { absolute: f64 } | { at_most: Share }
    pub scale: Option<Scale>,   // log | linear
    pub critical: Option<bool>,
    pub slo: Option<Duration>,
    pub window: Option<Duration>,      // default 60s
    pub maturation: Option<Duration>,
    pub winsorize: Option<f64>,
    pub worth: Option<f64>,
}
