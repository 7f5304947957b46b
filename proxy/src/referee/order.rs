//! What people say about a run: to begin, interrupt or end it, or to decide in place of the evidence.
//!
//! Nothing that a person does is silent: each order has an actor and a reason, which the run's history and the
//! audit trail keep, and so do orders that were refused because an alarm stood against them.

use policy::{ArmId, Outcome, Stage, State};
use serde::Deserialize;
use serde_json::{Value, json};
use stats::Decision;

use super::book;
use super::ruling::{Ruling, event, verdict_json};
use super::run::Run;
use crate::audit::{Event, time};
use crate::store::{Approval, Proposal, StoreError};

/// What is to be done with a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verb {
    /// Begin what waits for it
    Start,
    /// Send everyone to the control until it is resumed
    Pause,
    /// Go on after a pause
    Resume,
    /// End it without a verdict; everyone stays with the control
    Stop,
    /// Agree to a promotion that has been proven
    Approve,
    /// Give all traffic to a candidate, whatever the evidence says
    Promote,
    /// Give all traffic back to the control, also after a promotion
    Rollback,
}

/// What a person wants, and who it is.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) experiment: String,
    pub(crate) verb: Verb,
    /// Which candidate, where there are several.
    pub(crate) arm: Option<String>,
    pub(crate) reason: String,
    /// Whether it is meant in spite of an alarm.
    pub(crate) force: bool,
    pub(crate) actor: Actor,
}

/// Who gives an order.
#[derive(Clone, Debug)]
pub(crate) struct Actor {
    /// As people read it.
    pub(crate) name: String,
    /// Whether that was proved: only those can be told apart.
    pub(crate) is_proved: bool,
}

/// Why an order is not followed. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OrderError {
    /// No such experiment is in force.
    #[error("there is no experiment `{0}`")]
    Unknown(String),
    /// It cannot follow what is.
    #[error("the experiment is {state}: it cannot be {done}")]
    NotNow {
        /// Where it stands.
        state: &'static str,
        /// What was wanted.
        done: &'static str,
    },
    /// There is no such candidate.
    #[error("the experiment has no candidate `{0}`")]
    NoArm(String),
    /// It could be one of several.
    #[error("there are several candidates: name one as `arm`")]
    WhichArm,
    /// Something speaks against it.
    #[error("{0}: it takes `force`, which is recorded")]
    Alarm(String),
    /// Nothing waits for an approval.
    #[error("no promotion waits for an approval")]
    NothingProposed,
    /// The person has approved before.
    #[error("{0} has approved already: it takes another person")]
    Again(String),
    /// Whoever it is has proved nothing.
    #[error("whoever approves has to prove who it is, by a certificate or a token")]
    Nobody,
    /// It could not be written down.
    #[error("the store cannot be written")]
    Store(#[from] StoreError),
    /// The referee has too much to do, or ends.
    #[error("the referee cannot answer at the moment")]
    Busy,
}

impl Verb {
    /// What an experiment is afterwards.
    fn done(self) -> &'static str {
        match self {
            Self::Start => "started",
            Self::Pause => "paused",
            Self::Resume => "resumed",
            Self::Stop => "stopped",
            Self::Approve => "approved",
            Self::Promote => "promoted",
            Self::Rollback => "rolled_back",
        }
    }
}

impl Order {
    /// What follows from it for this run.
    pub(super) fn ruling(&self, run: &Run, now_ms: u64) -> Result<Ruling, OrderError> {
        if self.verb == Verb::Approve {
            return self.approval(run, now_ms);
        }
        let outcome = match self.verb {
            Verb::Start | Verb::Approve => Outcome::Start,
            Verb::Pause => Outcome::Pause,
            Verb::Resume => Outcome::Resume,
            Verb::Stop => Outcome::Stop,
            Verb::Promote => Outcome::Promote(self.candidate(run)?),
            Verb::Rollback if matches!(run.stage().state(), State::Promoted(_)) => Outcome::Revert,
            Verb::Rollback => Outcome::RollBack,
        };
        let after = run.stage().after(&run.experiment, outcome);
        let stage = after.ok_or_else(|| self.not_now(run))?;
        let against = match self.verb {
            Verb::Promote => speaks_against(run),
            _ => None,
        };
        match against {
            Some(alarm) if !self.force => Err(OrderError::Alarm(alarm)),
            against => Ok(self.change(run, stage, against, now_ms)),
        }
    }

    /// What the audit trail keeps of an order that was refused because of an alarm.
    pub(super) fn refused(&self, run: &Run, alarm: &str, now_ms: u64) -> Event {
        let detail = json!({ "wanted": self.verb.done(), "reason": self.reason, "because": alarm });
        self.signed(event(run, "refused", detail, now_ms))
    }

    fn change(&self, run: &Run, stage: Stage, against: Option<String>, now_ms: u64) -> Ruling {
        let kind = self.verb.done();
        let observations = run.ledger.observations();
        let reason = format!("by {}: {}", self.actor.name, self.reason);
        let ends = !matches!(
            stage.state(),
            State::Shadow | State::Running | State::Paused
        );
        let mut detail = if ends {
            verdict_json(&run.ledger.explain(), kind, &reason, observations)
        } else {
            json!({ "reason": self.reason })
        };
        if let (Some(against), Value::Object(detail)) = (against, &mut detail) {
            detail.insert("forced".to_owned(), json!(against));
        }
        // A promotion that is taken back was the run's one verdict.
        let is_verdict = ends && !matches!(run.stage().state(), State::Promoted(_));
        let verdict = is_verdict.then(|| detail.to_string());
        let mut ruling = self.told(run, stage, kind, &reason, detail, now_ms);
        ruling.verdict = verdict;
        let record = &mut ruling.record;
        match self.verb {
            Verb::Start => {
                (record.started_ms, record.step_started_ms) = (now_ms, now_ms);
            }
            Verb::Resume => {
                ruling.ledger.open_epoch(&stage.shares(&run.experiment));
                (record.step_started_ms, record.step_exposures) = (now_ms, run.exposures());
            }
            _ => {}
        }
        if ends {
            record.at_observations.get_or_insert(observations);
            record.reason = Some(reason);
            record.proposal = None;
        }
        ruling
    }

    fn approval(&self, run: &Run, now_ms: u64) -> Result<Ruling, OrderError> {
        let by = &self.actor.name;
        if !self.actor.is_proved {
            return Err(OrderError::Nobody);
        }
        let needed = run.experiment.approvals;
        let proposal = run.record.proposal.clone();
        let mut proposal = proposal.ok_or(OrderError::NothingProposed)?;
        if proposal.approvals.iter().any(|approval| approval.by == *by) {
            return Err(OrderError::Again(by.clone()));
        }
        proposal.approvals.push(Approval {
            by: by.clone(),
            time: time(now_ms),
            reason: self.reason.clone(),
        });
        let given = proposal.approvals.len();
        if given >= needed {
            return self.promotion(run, &proposal, now_ms);
        }
        let reason = format!("{given} of {needed}, by {by}: {}", self.reason);
        let detail = json!({ "reason": self.reason, "given": given, "needed": needed });
        let mut approved = self.told(run, run.stage(), "approved", &reason, detail, now_ms);
        approved.record.proposal = Some(proposal);
        Ok(approved)
    }

    /// The last approval: what was proven takes effect.
    fn promotion(&self, run: &Run, proposal: &Proposal, now_ms: u64) -> Result<Ruling, OrderError> {
        let outcome = Outcome::Promote(ArmId(proposal.arm));
        let after = run.stage().after(&run.experiment, outcome);
        let stage = after.ok_or_else(|| self.not_now(run))?;
        let people: Vec<&str> = proposal.approvals.iter().map(|it| &*it.by).collect();
        let reason = format!("{}; approved by {}", proposal.reason, people.join(" and "));
        let mut detail = proposal.evidence.clone();
        if let Value::Object(detail) = &mut detail {
            detail.insert("approvals".to_owned(), json!(proposal.approvals));
        }
        let verdict = detail.to_string();
        let mut promoted = self.told(run, stage, "promoted", &reason, detail, now_ms);
        promoted.verdict = Some(verdict);
        let record = &mut promoted.record;
        record.at_observations = Some(proposal.at_observations);
        record.reason = Some(reason);
        record.proposal = None;
        Ok(promoted)
    }

    /// What follows, with whose order it was.
    fn told(
        &self,
        run: &Run,
        stage: Stage,
        kind: &'static str,
        reason: &str,
        detail: Value,
        now_ms: u64,
    ) -> Ruling {
        let ruling = Ruling::new(run, stage, kind, reason, detail, now_ms);
        Ruling {
            event: self.signed(ruling.event),
            ..ruling
        }
    }

    /// The candidate that is meant.
    fn candidate(&self, run: &Run) -> Result<ArmId, OrderError> {
        let mut candidates = (0_u8..).zip(&run.experiment.arms).skip(1);
        let Some(wanted) = &self.arm else {
            return match (candidates.next(), candidates.next()) {
                (Some((only, _)), None) => Ok(ArmId(only)),
                _ => Err(OrderError::WhichArm),
            };
        };
        let found = candidates.find(|(_, arm)| *arm.name == **wanted);
        let (number, _) = found.ok_or_else(|| OrderError::NoArm(wanted.clone()))?;
        Ok(ArmId(number))
    }

    fn not_now(&self, run: &Run) -> OrderError {
        OrderError::NotNow {
            state: book::word(run.stage().state()),
            done: self.verb.done(),
        }
    }

    fn signed(&self, event: Event) -> Event {
        Event {
            actor: Some(self.actor.name.clone()),
            ..event
        }
    }
}

/// What stands against a promotion by hand; none if nothing does.
fn speaks_against(run: &Run) -> Option<String> {
    let verdict = run.ledger.verdict();
    if matches!(verdict.decision, Decision::RollBack | Decision::Unsound) {
        return Some(run.told(&verdict.reason));
    }
    let report = run.ledger.report();
    let alarmed = report.metrics.iter().find(|metric| metric.alarm);
    if let Some(metric) = alarmed {
        return Some(format!("an alarm has gone off behind {}", metric.name));
    }
    let needed = run.experiment.approvals;
    (needed > 0).then(|| format!("a promotion takes {needed} approvals here"))
}
