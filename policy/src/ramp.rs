//! Where an experiment stands, and what may follow.
//!
//! A [`Stage`] says how an experiment's traffic is divided now. It is plain data, so that the
//! store can keep it; the transitions are pure, so that the referee can write the next one down
//! before anyone acts on it.

use crate::{ArmId, Experiment, assignment};

/// Where one run of an experiment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    run: u32,
    epoch: u32,
    step: usize,
    state: State,
}

/// What is being done with an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not started: all traffic goes to the control.
    Draft,
    /// Candidates get copies of requests; everyone is served by the control.
    Shadow,
    /// Arms get their shares, and evidence counts.
    Running,
    /// All traffic goes to the control until it is resumed: nobody is exposed without evidence.
    Paused,
    /// This arm won and gets all traffic.
    Promoted(ArmId),
    /// A candidate was worse: all traffic goes to the control.
    RolledBack,
    /// Nothing worth having was found: all traffic goes to the control.
    Futile,
    /// An operator ended it: all traffic goes to the control.
    Stopped,
}

/// What the referee or an operator decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Begin what is still a draft.
    Start,
    /// Begin the ramp, as the candidates agree in the shadow.
    Open,
    /// Go up one step of the ramp.
    NextStep,
    /// Give all traffic to this arm.
    Promote(ArmId),
    /// Give all traffic back to the control, because a candidate is worse.
    RollBack,
    /// Take a promotion back.
    Revert,
    /// Give up: keep the control.
    Futile,
    /// End without a verdict.
    Stop,
    /// Interrupt.
    Pause,
    /// Go on after a pause.
    Resume,
}

impl State {
    /// The word for it, as people read it.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Draft => "not started",
            Self::Shadow => "asking the candidates in the shadow",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Promoted(_) => "decided: a candidate was promoted",
            Self::RolledBack => "decided: rolled back to the control",
            Self::Futile => "over without a winner",
            Self::Stopped => "stopped",
        }
    }
}

impl Stage {
    /// The beginning of a run: the lowest step of the ramp.
    #[must_use]
    pub fn first(run: u32) -> Self {
        Self {
            run,
            epoch: 0,
            step: 0,
            state: State::Running,
        }
    }

    /// The beginning of a run that waits for people.
    #[must_use]
    pub fn draft(run: u32) -> Self {
        Self {
            state: State::Draft,
            ..Self::first(run)
        }
    }

    /// The beginning of a run of this experiment, once it may begin.
    #[must_use]
    pub fn begin(run: u32, experiment: &Experiment) -> Self {
        let state = match experiment.shadow_first {
            Some(_) => State::Shadow,
            None => State::Running,
        };
        Self {
            state,
            ..Self::first(run)
        }
    }

    /// A stage that was written down earlier.
    #[must_use]
    pub fn from_parts(run: u32, epoch: u32, step: usize, state: State) -> Self {
        Self {
            run,
            epoch,
            step,
            state,
        }
    }

    /// The attempt, counted by whoever keeps the stages.
    #[must_use]
    pub fn run(&self) -> u32 {
        self.run
    }

    /// The stretch of the run with constant shares, from 0. It grows whenever traffic that is counted gets new
    /// shares, and with a promotion, after which it may be watched; other states have no epoch of their own.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The step of the ramp, from 0.
    #[must_use]
    pub fn step(&self) -> usize {
        self.step
    }

    /// Whether what is seen of the experiment counts: for its verdict, or because what was promoted is watched.
    #[must_use]
    pub fn is_counted(&self, experiment: &Experiment) -> bool {
        match self.state {
            State::Running => true,
            State::Promoted(_) => experiment.watch.is_some(),
            _ => false,
        }
    }

    /// What is being done.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// The part of the traffic that each arm gets, the control's first.
    #[must_use]
    pub fn shares(&self, experiment: &Experiment) -> Vec<f64> {
        match self.allotment() {
            Allotment::Everyone(winner) => {
                let all = |arm: usize| if arm == winner.index() { 1.0 } else { 0.0 };
                (0..experiment.arms.len()).map(all).collect()
            }
            Allotment::Ramp => {
                assignment::split(experiment.width(self.step), experiment.candidates())
            }
        }
    }

    /// The arm that serves a slot.
    #[must_use]
    pub fn arm_of(&self, experiment: &Experiment, slot: u16) -> ArmId {
        match self.allotment() {
            Allotment::Everyone(arm) => arm,
            Allotment::Ramp => {
                assignment::owner(slot, experiment.width(self.step), experiment.candidates())
            }
        }
    }

    /// The stage after an outcome; none if the outcome cannot happen here.
    ///
    /// A run has at most one verdict, so nothing follows a stage that ended, but that a promotion may be taken
    /// back.
    #[must_use]
    pub fn after(&self, experiment: &Experiment, outcome: Outcome) -> Option<Self> {
        use State::{Draft, Futile, Paused, Promoted, RolledBack, Running, Shadow, Stopped};
        let state = match (self.state, outcome) {
            (Draft, Outcome::Start) => Self::begin(self.run, experiment).state,
            (Shadow, Outcome::Open) => Running,
            (Running, Outcome::NextStep) => return self.stepped_up(experiment),
            (Paused, Outcome::Resume) => {
                return Some(Self {
                    state: Running,
                    epoch: self.epoch + 1,
                    ..*self
                });
            }
            (Running, Outcome::Pause) => Paused,
            (Shadow | Running, Outcome::Futile) => Futile,
            (Running | Paused, Outcome::Promote(arm)) if experiment.has_candidate(arm) => {
                return Some(Self {
                    state: Promoted(arm),
                    epoch: self.epoch + 1,
                    ..*self
                });
            }
            (Shadow | Running | Paused, Outcome::RollBack) | (Promoted(_), Outcome::Revert) => {
                RolledBack
            }
            (Draft | Shadow | Running | Paused, Outcome::Stop) => Stopped,
            _ => return None,
        };
        Some(Self { state, ..*self })
    }

    fn stepped_up(self, experiment: &Experiment) -> Option<Self> {
        let step = self.step + 1;
        (step < experiment.ramp.len()).then_some(Self {
            step,
            epoch: self.epoch + 1,
            ..self
        })
    }

    /// The arm of a request that does not say whose it is.
    pub(crate) fn default_arm(self) -> ArmId {
        match self.allotment() {
            Allotment::Everyone(arm) => arm,
            Allotment::Ramp => ArmId::CONTROL,
        }
    }

    fn allotment(self) -> Allotment {
        match self.state {
            State::Running => Allotment::Ramp,
            State::Promoted(arm) => Allotment::Everyone(arm),
            State::Draft
            | State::Shadow
            | State::Paused
            | State::RolledBack
            | State::Futile
            | State::Stopped => Allotment::Everyone(ArmId::CONTROL),
        }
    }
}

/// Who gets the traffic.
enum Allotment {
    Everyone(ArmId),
    Ramp,
}

#[cfg(test)]
mod tests;
