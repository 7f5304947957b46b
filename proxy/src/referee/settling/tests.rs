//! Which runs go on after a start, and how long each metric is waited for.

use super::*;
use crate::store::Store;

/// Failures show within a minute, feedback within a day.
const DOCUMENT: &str = r#"
version: wald/v1
listeners: [{ name: edge, address: "127.0.0.1:8080" }]
upstreams:
  - { name: old, endpoints: ["http://127.0.0.1:8001"] }
  - { name: new, endpoints: ["http://127.0.0.1:8002"] }
routes: [{ name: all, match: {}, allow: [{ callers: anyone }], backend: { experiment: trial } }]
experiments:
  - name: trial
    unit: request
    arms:
      - { name: control, backend: { upstream: old } }
      - { name: candidate, backend: { upstream: new } }
    metrics:
      - { name: liked, kind: proportion, source: feedback, better: higher, role: goal, maturation: 1d }
      - { name: failures, kind: proportion, source: failed, better: lower, role: guardrail, margin: { odds: 1.5 } }
"#;

const DAY_MS: u64 = 86_400_000;

fn policy() -> Policy {
    let document = config::read(DOCUMENT, &|_| None, std::path::Path::new("/")).unwrap();
    policy::compile(&document).unwrap()
}

fn settled(store: &Store, policy: &Policy) -> (Run, bool) {
    let settle = |tx: &mut Transaction<'_>| settle_one(tx, &policy.experiments()[0], 0);
    store.write(settle).unwrap()
}

#[test]
fn evidence_in_a_layout_of_before_begins_a_new_run_that_says_so() {
    let (store, policy) = (Store::in_memory().unwrap(), policy());
    assert_eq!(settled(&store, &policy).0.record.run, 1);
    let (kept, is_new) = settled(&store, &policy);
    assert_eq!(
        (kept.record.run, is_new),
        (1, false),
        "the same layout goes on"
    );
    let older = store.write(|tx| {
        let (_, ledger, _) = tx.run("trial")?.unwrap();
        let mut ledger = ledger.unwrap();
        ledger[0] -= 1;
        tx.put_ledger("trial", &ledger)
    });
    older.unwrap();
    let (begun, is_new) = settled(&store, &policy);
    assert_eq!((begun.record.run, is_new), (2, true));
    assert_eq!(begun.ledger.observations(), 0);
    let reason = &begun.record.history[0].reason;
    assert!(
        reason.contains("cannot be read by this release"),
        "{reason}"
    );
}

#[test]
fn another_cap_begins_a_new_run_that_says_so() {
    let store = Store::in_memory().unwrap();
    let capped = |cap: &str| {
        let mean = format!("kind: mean, winsorize: {cap}, source: feedback");
        let text = DOCUMENT.replace("kind: proportion, source: feedback", &mean);
        policy::compile(&config::read(&text, &|_| None, std::path::Path::new("/")).unwrap())
            .unwrap()
    };
    assert_eq!(settled(&store, &capped("10")).0.record.run, 1);
    let (begun, is_new) = settled(&store, &capped("20"));
    assert_eq!((begun.record.run, is_new), (2, true));
    let reason = &begun.record.history[0].reason;
    assert!(
        reason.contains("the cap of liked from 10 to 20 has changed"),
        "{reason}"
    );
    let (begun, _) = settled(&store, &policy());
    let reason = &begun.record.history[0].reason;
    assert!(
        reason.contains("the cap of liked from 20 to none has changed"),
        "{reason}"
    );
}

#[test]
fn failures_close_after_a_minute_and_feedback_after_a_day() {
    let policy = policy();
    let mut run = Run::begin(&policy.experiments()[0], 1, DAY_MS);
    let tick = run.tick(DAY_MS);
    let open = |run: &Run| [0, 1].map(|metric| run.is_open(metric, tick));
    run.close_ticks(DAY_MS + 59_000);
    assert_eq!(open(&run), [true, true]);
    run.close_ticks(DAY_MS + 120_000);
    assert_eq!(open(&run), [true, false]);
    run.close_ticks(2 * DAY_MS + 120_000);
    assert_eq!(open(&run), [false, false]);
}

#[test]
fn feedback_is_remembered_until_its_own_metric_closes() {
    let policy = policy();
    let mut run = Run::begin(&policy.experiments()[0], 1, DAY_MS);
    let tick = run.tick(DAY_MS);
    assert!(run.first_time(tick, &[7]));
    run.close_ticks(DAY_MS + 120_000);
    assert!(
        !run.first_time(tick, &[7]),
        "failures have closed, feedback has not"
    );
    run.close_ticks(2 * DAY_MS + 120_000);
    assert!(
        run.first_time(tick, &[7]),
        "nothing is kept of a closed tick"
    );
}
