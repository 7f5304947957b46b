//! Who takes part in an experiment, before anybody is assigned to an arm.
//!
//! Whoever does not take part is served as if there were no experiment, and nothing of it is evidence. The
//! hashes that choose by unit have seeds of their own, so that who takes part says nothing about the arm.

use http::HeaderMap;
use http::header::HeaderName;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::assignment::{SLOTS, remainder, slots};
use crate::permit::Rule;
use crate::route::HeaderPattern;
use crate::{ArmId, Caller, Experiment, Request, Share};

/// With which header a tester chooses an arm: `experiment=arm`, several with commas between them.
pub const OVERRIDE: HeaderName = HeaderName::from_static("x-wald-override");

/// One seed for all experiments: who is held out of one is held out of all that have the same unit.
const HOLDOUT_SEED: u64 = 0x5851_F42D_4C95_7F2D;
/// Sets the parts of segments apart from arms.
const SEGMENT_SEED: u64 = 0x1405_7B7E_F767_814F;

/// Why a request takes no part in the experiment that its route leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// It fits what opts out.
    OptedOut,
    /// It fits none of the segments.
    OtherSegment,
    /// It does not say which unit it belongs to.
    NoUnit,
    /// Its unit is held out of all experiments.
    HeldOut,
    /// Its unit belongs to another experiment of the layer.
    OtherLayer,
    /// A tester chose the arm.
    Chosen,
}

impl Outside {
    /// All of them, in the order of their positions.
    pub const ALL: [Self; 6] = [
        Self::OptedOut,
        Self::OtherSegment,
        Self::NoUnit,
        Self::HeldOut,
        Self::OtherLayer,
        Self::Chosen,
    ];

    /// The word for it in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OptedOut => "opted_out",
            Self::OtherSegment => "segment",
            Self::NoUnit => "no_unit",
            Self::HeldOut => "holdout",
            Self::OtherLayer => "layer",
            Self::Chosen => "override",
        }
    }

    /// Whether the control serves it even after a candidate was promoted: nothing was proved for it, or it is
    /// kept back to compare with.
    pub(crate) fn keeps_control(self) -> bool {
        matches!(self, Self::OptedOut | Self::OtherSegment | Self::HeldOut)
    }
}

/// Who takes part. The default: everyone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Audience {
    /// One must fit; if there is none, all do.
    pub(crate) segments: Vec<Segment>,
    /// None may fit.
    pub(crate) opt_out: Vec<Segment>,
    /// How many slots no experiment takes.
    pub(crate) holdout: u16,
    /// The experiment's part of a layer.
    pub(crate) layer: Option<Layer>,
    /// Who may choose an arm.
    pub(crate) testers: Vec<Rule>,
}

/// Some of the requests.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    /// What must be known of the caller and of the model.
    pub(crate) rule: Rule,
    /// Each must hold.
    pub(crate) headers: Vec<HeaderPattern>,
    /// Whether requests are taken in one of its zones.
    pub(crate) is_here: bool,
    /// How many slots of the units that fit.
    pub(crate) slots: u16,
}

impl Segment {
    fn fits(&self, request: &Request<'_>, caller: &Caller) -> bool {
        let rule = &self.rule;
        self.is_here
            && rule.miss(caller, request.method, request.model).is_none()
            && self
                .headers
                .iter()
                .all(|header| header.matches(request.headers))
    }

    fn holds(&self, slot: impl Fn() -> Option<u16>) -> bool {
        self.slots >= SLOTS || slot().is_some_and(|slot| slot < self.slots)
    }
}

/// A stretch of the units that experiments share out among themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) name: Box<str>,
    /// The first slot.
    pub(crate) from: u16,
    /// The slot behind the last.
    pub(crate) to: u16,
}

impl Layer {
    pub(crate) fn new(name: &str, from: Share, to: Share) -> Self {
        let (name, from, to) = (name.into(), slots(from), slots(to));
        Self { name, from, to }
    }

    /// Whether a unit may be in both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.name == other.name && self.from < other.to && other.from < self.to
    }

    fn holds(&self, unit: &[u8]) -> bool {
        (self.from..self.to).contains(&slot(unit, xxh3_64(self.name.as_bytes())))
    }
}

impl Audience {
    /// Whether it depends on the model that a request asks for.
    pub(crate) fn asks_for_model(&self) -> bool {
        let mut segments = self.segments.iter().chain(&self.opt_out);
        segments.any(|segment| segment.rule.asks_for_model())
            || self.testers.iter().any(Rule::asks_for_model)
    }

    /// Why the request takes no part; none if it does. `unit` is its unit, if it says one.
    pub(crate) fn outside(
        &self,
        request: &Request<'_>,
        caller: &Caller,
        unit: Option<&[u8]>,
    ) -> Option<Outside> {
        let part = || unit.map(|unit| slot(unit, SEGMENT_SEED));
        let has = |segments: &[Segment]| {
            let mut fitting = segments.iter().filter(|it| it.fits(request, caller));
            fitting.any(|segment| segment.holds(part))
        };
        if has(&self.opt_out) {
            return Some(Outside::OptedOut);
        }
        if !self.segments.is_empty() && !has(&self.segments) {
            return Some(Outside::OtherSegment);
        }
        let Some(unit) = unit else {
            return Some(Outside::NoUnit);
        };
        if self.holdout > 0 && slot(unit, HOLDOUT_SEED) < self.holdout {
            return Some(Outside::HeldOut);
        }
        let layer = self.layer.as_ref();
        layer
            .is_some_and(|layer| !layer.holds(unit))
            .then_some(Outside::OtherLayer)
    }

    /// The arm that the request chooses, if its caller may.
    pub(crate) fn chosen(
        &self,
        experiment: &Experiment,
        request: &Request<'_>,
        caller: &Caller,
    ) -> Option<ArmId> {
        if self.testers.is_empty() {
            return None;
        }
        let arm = wanted(request.headers, experiment)?;
        let mut rules = self.testers.iter();
        rules
            .any(|rule| rule.miss(caller, request.method, request.model).is_none())
            .then_some(arm)
    }
}

/// The arm of this experiment that a request asks for.
fn wanted(headers: &HeaderMap, experiment: &Experiment) -> Option<ArmId> {
    let values = headers.get_all(OVERRIDE).iter();
    let mut choices = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|choice| choice.split_once('='));
    choices.find_map(|(name, arm)| {
        (*name.trim() == *experiment.name)
            .then(|| experiment.arm(arm.trim()))
            .flatten()
    })
}

fn slot(unit: &[u8], seed: u64) -> u16 {
    remainder(xxh3_64_with_seed(unit, seed), SLOTS)
}

#[cfg(test)]
mod tests;
