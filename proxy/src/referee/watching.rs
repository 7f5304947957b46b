//! After a promotion: what follows once the promoted arm has become worse than the evidence of its promotion
//! says. People are told once a metric; where the document says so the promotion is taken back.

use policy::Outcome;
use serde_json::json;
use stats::Risen;

use super::ruling::Ruling;
use super::run::Run;

/// What follows now, if anything does.
pub(super) fn ruling(run: &Run, now_ms: u64) -> Option<Ruling> {
    let watch = run.experiment.watch?;
    let is_told = |risen: &Risen| run.record.alarms.contains(&alarm(risen));
    let (outcome, risen) = if watch.reverts {
        (Some(Outcome::Revert), run.ledger.risen().next()?)
    } else {
        (None, run.ledger.risen().find(|risen| !is_told(risen))?)
    };
    let stage = match outcome {
        Some(outcome) => run.stage().after(&run.experiment, outcome)?,
        None => run.stage(),
    };
    let kind = outcome.map_or("alarm", |_| "rolled_back");
    let reason = sentence(run, risen);
    let detail = json!({
        "alarm": alarm(risen),
        "decision": outcome.map(|_| kind),
        "reason": reason,
        "at_observations": run.ledger.observations(),
        "evidence": { "risen": risen },
    });
    // No verdict: the promotion was the run's one.
    let mut ruling = Ruling::new(run, stage, kind, &reason, detail, now_ms);
    ruling.record.alarms.push(alarm(risen));
    if outcome.is_some() {
        ruling.record.reason = Some(reason);
    }
    Some(ruling)
}

/// What an alarm is called.
fn alarm(risen: &Risen) -> String {
    format!("watch/{}", risen.metric)
}

fn sentence(run: &Run, risen: &Risen) -> String {
    let arm = match run.stage().state() {
        policy::State::Promoted(arm) => run.experiment.arms.get(arm.index()),
        _ => None,
    };
    let arm = arm.map_or("", |arm| &*arm.name);
    let percent = |part: f64| format!("{:.2}%", 100.0 * part);
    let seen = risen.events as f64 / risen.n.max(1) as f64;
    let bad = match risen.frozen.bad {
        stats::Bad::One | stats::Bad::Zero => "were bad",
        stats::Bad::Above(_) | stats::Bad::Below(_) => {
            "lie beyond what was usual before the promotion"
        }
    };
    format!(
        "{} of {arm} has become worse since the promotion: {} of {} {bad}, where {} are allowed (log e {:.1}, {:.1} needed)",
        risen.metric,
        percent(seen),
        risen.n,
        percent(risen.frozen.allowed),
        risen.log_e,
        risen.threshold,
    )
}
