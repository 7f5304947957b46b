//! What is being decided, and by which rules.

use std::time::Duration;

use crate::audience::Audience;
use crate::{ArmId, ExperimentId, Shadow, Share, Target, Unit, assignment};

/// A comparison of a control with its candidates.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Experiment {
    /// Its position.
    pub id: ExperimentId,
    /// What people call it.
    pub name: Box<str>,
    /// At least two; the first is the control.
    pub arms: Vec<Arm>,
    /// Who stays on one arm.
    pub unit: Unit,
    /// Who takes part.
    pub(crate) audience: Audience,
    /// Each candidate's share, step by step, rising.
    pub ramp: Vec<Share>,
    /// How evidence is judged; its metrics stand in the order of `observations`.
    pub design: stats::Design,
    /// What each metric of the design observes.
    pub observations: Vec<Observe>,
    /// Where in answers metrics look, as JSON pointers (RFC 6901), each once; empty if none does.
    pub pointers: Vec<Box<str>>,
    /// What tokens cost, by `ArmId`; empty if nobody asks.
    pub prices: Vec<Price>,
    /// What stands beside each observation, in the same order.
    pub beside: Vec<Option<Beside>>,
    /// At which value larger observations of each metric are cut off: what is estimated is then the mean of
    /// what is left.
    pub caps: Vec<Option<f64>>,
    /// What a step of the ramp must have seen before the next.
    pub step_minimum: StepMinimum,
    /// When to give up.
    pub end: End,
    /// The length of a tick, in which evidence is gathered.
    pub tick: Duration,
    /// How long after its request an observation may come: the longest of all metrics.
    pub window: Duration,
    /// How long each metric waits; its ticks close after that, whatever others wait for.
    pub windows: Vec<Duration>,
    /// What candidates must show in the shadow before they serve anyone.
    pub shadow_first: Option<ShadowFirst>,
    /// Whether it waits for people before its first step.
    pub is_drafted: bool,
    /// How long it waits before it begins when its last run was rolled back.
    pub cool_down: Duration,
    /// Whether a verdict takes effect by itself.
    pub decide: Decide,
    /// How many people must agree before a promotion takes effect.
    pub approvals: usize,
    /// How what was promoted is watched, if it is.
    pub watch: Option<Watch>,
    /// Sets this experiment's assignment apart from others'.
    pub salt: u64,
    /// Tells whether two documents mean the same experiment: evidence is kept only while it is
    /// unchanged.
    pub definition: u128,
}

/// One of the things compared.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Arm {
    /// What people call it.
    pub name: Box<str>,
    /// What serves it; never an experiment.
    pub target: Target,
}

/// A phase in which candidates get copies and nobody gets their answers.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ShadowFirst {
    /// The part of answers that must agree, between 0 and 1.
    pub agreement: f64,
    /// How many answers are compared at least.
    pub observations: u64,
    /// The copies for each candidate, in their order.
    pub copies: Vec<Shadow>,
}

/// How a promoted arm is watched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Watch {
    /// How rare false alarms have to be.
    pub allowed: stats::FalseAlarms,
    /// Whether an alarm takes the promotion back.
    pub reverts: bool,
}

/// What tokens cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Price {
    /// A million tokens of requests.
    pub input: f64,
    /// A million tokens of answers.
    pub output: f64,
}

impl Price {
    /// What so many tokens cost.
    #[must_use]
    pub fn of(self, input: u64, output: u64) -> f64 {
        (self.input * input as f64 + self.output * output as f64) / 1e6
    }
}

/// What a metric is fed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observe {
    /// 1 if the request failed, 0 if not.
    Failed,
    /// 1 if a cascade went on from its first model, 0 if not.
    Escalated,
    /// Seconds from the request's head to the last byte of its answer.
    Duration,
    /// Seconds from the request's head to the first byte of its answer.
    FirstByte,
    /// What these tokens and those of the request cost on the arm; nothing where the answer does not say.
    Cost,
    /// Bytes of the answer's body, once it has gone out entirely.
    ResponseBytes,
    /// Tokens that the answer says it consists of; nothing where it does not say.
    Tokens,
    /// What the answer says at this one of the experiment's `pointers`: a number, or 1 for true and 0 for false;
    /// nothing where it does not say, or says what the metric cannot count.
    Said(usize),
    /// What clients report afterwards.
    Feedback,
    /// 1 unless clients have reported the metric at this position.
    Missing {
        /// The feedback that is waited for.
        of: usize,
    },
}

/// A second number beside an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// The bytes of the request's body, as the request says; none if it does not.
    RequestBytes,
    /// The same, and nought if it does not say.
    KnownBytes,
    /// Seconds to the last byte of the answer.
    Duration,
    /// Seconds to its first byte.
    FirstByte,
}

/// What a step of the ramp must have seen before the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepMinimum {
    /// Requests of all arms.
    pub observations: u64,
    /// Time since the step began.
    pub time: Duration,
}

/// When an experiment without a verdict ends, keeping the control.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// After so many observations of all arms.
    pub observations: Option<u64>,
    /// After so long.
    pub time: Option<Duration>,
}

/// Whether a verdict takes effect by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decide {
    /// It does.
    Automatic,
    /// It is only reported.
    Advise,
}

impl Experiment {
    /// How long each metric waits, as evidence is told.
    #[must_use]
    pub fn waits(&self) -> Vec<stats::Wait> {
        let windows = self.windows.iter();
        windows
            .map(|&window| stats::Wait::new(window, self.tick))
            .collect()
    }

    /// An observation as its metric counts it.
    #[must_use]
    pub fn capped(&self, metric: usize, y: f64) -> f64 {
        match self.caps.get(metric).copied().flatten() {
            Some(cap) => y.min(cap),
            None => y,
        }
    }

    /// The metrics that count a request as missing until its feedback comes: on any metric, or on this one.
    pub fn missing(&self, feedback: Option<usize>) -> impl Iterator<Item = usize> + '_ {
        let observations = self.observations.iter().enumerate();
        observations.filter_map(move |(metric, observe)| match observe {
            Observe::Missing { of } => feedback.is_none_or(|asked| asked == *of).then_some(metric),
            _ => None,
        })
    }

    /// How many arms are not the control.
    #[must_use]
    pub fn candidates(&self) -> u8 {
        u8::try_from(self.arms.len().saturating_sub(1)).unwrap_or(u8::MAX)
    }

    /// The arm of this name.
    #[must_use]
    pub fn arm(&self, name: &str) -> Option<ArmId> {
        let position = self.arms.iter().position(|arm| *arm.name == *name)?;
        u8::try_from(position).ok().map(ArmId)
    }

    /// The hash and the cluster of a unit in this experiment, as the data plane finds them.
    #[must_use]
    pub fn standing(&self, unit: &[u8]) -> (u64, u16) {
        let standing = assignment::Standing::of(unit, self.salt);
        (standing.unit, standing.bucket)
    }

    /// How many slots each candidate owns at a step; past the end of the ramp it stays at the last.
    pub(crate) fn width(&self, step: usize) -> u16 {
        let share = self.ramp.get(step).or(self.ramp.last());
        share.map_or(0, |&share| assignment::width(share, self.candidates()))
    }

    /// Whether this arm exists and is not the control.
    pub(crate) fn has_candidate(&self, arm: ArmId) -> bool {
        arm != ArmId::CONTROL && arm.index() < self.arms.len()
    }

    /// The arm, or the control should it not exist (a stage of another definition may name it).
    pub(crate) fn served_by(&self, arm: ArmId) -> ArmId {
        if arm.index() < self.arms.len() {
            arm
        } else {
            ArmId::CONTROL
        }
    }
}
