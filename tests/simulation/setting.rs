//! A claim about an error rate or a sample size, and how one run of it goes.

use crate::chance::Chance;

/// One row of the proof: a situation, a method, and what is claimed of it.
pub(crate) struct Setting {
    pub(crate) group: Group,
    pub(crate) situation: String,
    pub(crate) method: &'static str,
    pub(crate) claim: Claim,
    /// The figure that the specification of the statistics gives for this, or for a peer.
    pub(crate) stated: &'static str,
}

/// What stands together, and is tested together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Rates,
    Events,
    Labels,
    Means,
    Returning,
    Quantiles,
    OneArm,
    Pairs,
    Assignment,
    Rule,
    Several,
    Controls,
    Samples,
}

/// What is claimed. A run draws all it needs from its own stream of chance.
pub(crate) enum Claim {
    /// None of these alarms is raised in more than `alpha` of the runs.
    Keeps { alpha: f64, alarms: Alarms },
    /// A negative control: it must be caught raising more.
    Breaks { alpha: f64, alarms: Alarms },
    /// The mean sample is at most `bar` times the oracle's.
    Within { bar: f64, samples: Box<Samples> },
}

/// The kinds of alarm that a run can end with, and the run: the place of the first one raised.
pub(crate) struct Alarms {
    pub(crate) names: &'static [&'static str],
    pub(crate) run: Box<Alarm>,
}

pub(crate) type Alarm = dyn Fn(&mut Chance) -> Option<usize> + Send + Sync;

/// How many observations the method took, and the oracle on the same data.
pub(crate) type Samples = dyn Fn(&mut Chance) -> [u64; 2] + Send + Sync;

impl Group {
    pub(crate) const ALL: [Self; 13] = [
        Self::Rates,
        Self::Events,
        Self::Labels,
        Self::Means,
        Self::Returning,
        Self::Quantiles,
        Self::OneArm,
        Self::Pairs,
        Self::Assignment,
        Self::Rule,
        Self::Several,
        Self::Controls,
        Self::Samples,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Rates => "Rates of requests",
            Self::Events => "Counts of rare events",
            Self::Labels => "Distributions",
            Self::Means => "Means",
            Self::Returning => "Users who return",
            Self::Quantiles => "Quantiles",
            Self::OneArm => "One arm against a ceiling",
            Self::Pairs => "Shadow pairs",
            Self::Assignment => "Assignment",
            Self::Rule => "The whole rule",
            Self::Several => "Several candidates, any of several goals",
            Self::Controls => "Negative controls: these must fail",
            Self::Samples => "How many observations a verdict takes",
        }
    }
}

/// Claims that a single kind of alarm is raised in at most 5% of the runs.
pub(crate) fn keeps(
    group: Group,
    method: &'static str,
    situation: impl Into<String>,
    run: impl Fn(&mut Chance) -> bool + Send + Sync + 'static,
) -> Setting {
    let alarms = single(run);
    Setting {
        group,
        situation: situation.into(),
        method,
        claim: Claim::Keeps {
            alpha: 0.05,
            alarms,
        },
        stated: "",
    }
}

/// Claims that this raises an alarm in more than 5% of the runs.
pub(crate) fn breaks(
    method: &'static str,
    situation: impl Into<String>,
    stated: &'static str,
    run: impl Fn(&mut Chance) -> bool + Send + Sync + 'static,
) -> Setting {
    let alarms = single(run);
    Setting {
        group: Group::Controls,
        situation: situation.into(),
        method,
        claim: Claim::Breaks {
            alpha: 0.05,
            alarms,
        },
        stated,
    }
}

pub(crate) fn single(run: impl Fn(&mut Chance) -> bool + Send + Sync + 'static) -> Alarms {
    Alarms {
        names: &["alarm"],
        run: Box::new(move |chance| run(chance).then_some(0)),
    }
}
