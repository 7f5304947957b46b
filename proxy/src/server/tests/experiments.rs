//! What an experiment adds to a request: an arm, a token and evidence.

use std::sync::Arc;

use super::inference::{digest, infer};
use super::{Answer, Wald, snapshot};

fn document(tick: &str) -> String {
    let (control, candidate) = (digest("baseline.onnx"), digest("better.onnx"));
    format!(
        "version: wald/v1\n\
         listeners: [{{ name: edge, address: '127.0.0.1:0' }}]\n\
         models:\n\
         - {{ name: digits, version: '1', file: digits/baseline.onnx, sha256: {control} }}\n\
         - {{ name: digits, version: '2', file: digits/better.onnx, sha256: {candidate} }}\n\
         routes: [{{ name: models, allow: [{{ callers: anyone }}], backend: {{ experiment: better }} {tick} }}]\n\
         experiments:\n\
         - name: better\n\
         \x20 unit: {{ header: x-user }}\n\
         \x20 arms:\n\
         \x20 - {{ name: control, backend: {{ model: digits, version: '1' }} }}\n\
         \x20 - {{ name: candidate, backend: {{ model: digits, version: '2' }} }}\n\
         \x20 ramp: [50%]\n\
         \x20 metrics:\n\
         \x20 - {{ name: errors, kind: proportion, source: failed, better: lower, role: guardrail, margin: {{ odds: 1.5 }} }}\n\
         \x20 - {{ name: latency, kind: mean, source: duration, better: lower, role: goal }}\n"
    )
}

async fn ask(wald: &Wald, user: &str) -> Answer {
    wald.ask(&format!(
        "GET /v2/models/digits HTTP/1.1\r\nHost: h\r\nX-User: {user}\r\n\r\n"
    ))
    .await
}

#[tokio::test]
async fn a_user_stays_on_one_arm_and_gets_a_token() {
    let wald = Wald::serve(&document(""));
    let mut arms = std::collections::BTreeSet::new();
    for user in 0..32 {
        let (first, second) = (
            ask(&wald, &user.to_string()).await,
            ask(&wald, &user.to_string()).await,
        );
        assert_eq!(first.header("x-wald-experiment"), Some("better"));
        assert_eq!(first.header("x-wald-arm"), second.header("x-wald-arm"));
        assert_ne!(
            first.header("x-wald-assignment").unwrap(),
            second.header("x-wald-assignment").unwrap()
        );
        let version = if first.header("x-wald-arm") == Some("control") {
            "1"
        } else {
            "2"
        };
        assert_eq!(first.json()["versions"][0], version);
        arms.insert(first.header("x-wald-arm").unwrap().to_owned());
    }
    assert_eq!(arms.len(), 2, "{arms:?}");
}

#[tokio::test]
async fn a_request_without_its_unit_goes_to_the_control_and_does_not_count() {
    let wald = Wald::serve(&document(""));
    let answer = wald
        .ask("GET /v2/models/digits HTTP/1.1\r\nHost: h\r\n\r\n")
        .await;
    assert_eq!(
        (
            answer.header("x-wald-arm"),
            answer.header("x-wald-assignment")
        ),
        (Some("control"), None)
    );
    assert!(wald.workers.evidence(Arc::default()).await.is_empty());
}

#[tokio::test]
async fn evidence_is_handed_over_once_and_counters_stay() {
    let wald = Wald::serve(&document(""));
    ask(&wald, "a").await;
    let evidence = wald.workers.evidence(Arc::default()).await;
    assert_eq!(
        evidence
            .iter()
            .map(|seen| (seen.experiment.as_str(), seen.run))
            .collect::<Vec<_>>(),
        [("better", 1)]
    );
    assert!(wald.workers.evidence(Arc::default()).await.is_empty());
    let requests = wald.workers.counters().await.pop().unwrap().requests;
    assert_eq!(
        requests
            .iter()
            .map(|(labels, count)| (labels.route.as_str(), labels.code, *count))
            .collect::<Vec<_>>(),
        [("models", 200, 1)]
    );
}

#[tokio::test]
async fn evidence_and_counts_outlive_the_snapshot_that_they_were_seen_under() {
    let wald = Wald::serve(&document(""));
    ask(&wald, "a").await;
    wald.live.publish(snapshot(&document(", timeout: 9s")));
    ask(&wald, "a").await;
    assert_eq!(wald.workers.evidence(Arc::default()).await.len(), 2);
    ask(&wald, "a").await;
    let counters = wald.workers.counters().await.pop().unwrap();
    assert_eq!(counters.requests.values().sum::<u64>(), 3);
}

#[tokio::test]
async fn a_refused_inference_of_an_arm_carries_its_token() {
    let wald = Wald::serve(&document(""));
    let request = infer("/v2/models/digits/infer", "{}").replacen("\r\n", "\r\nX-User: a\r\n", 1);
    let answer = wald.ask(&request).await;
    assert_eq!(answer.status(), 400);
    assert!(answer.header("x-wald-assignment").is_some());
}

#[tokio::test]
async fn numbers_of_users_are_held_against_the_limit_that_earlier_ticks_gave() {
    let p90 = "name: latency, kind: quantile, quantile: 0.9";
    let document = document("").replace("name: latency, kind: mean", p90);
    let experiment = snapshot(&document).policy.experiments()[0].clone();
    let wald = Wald::serve(&document);
    let mut ledger = stats::Ledger::new(experiment.design, &[0.5, 0.5]);
    // By metric: the control's and the candidate's observations that were scored.
    let scored = |ledger: &stats::Ledger| [0, 1].map(|metric| ledger.report().metrics[metric].n);
    let mut before = None;
    while scored(&ledger)[1] == [0, 0] {
        before = Some(scored(&ledger));
        ask(&wald, "a").await;
        let limits = ledger
            .limits()
            .map(|limits| (("better".to_owned(), 1), limits));
        for seen in wald
            .workers
            .evidence(Arc::new(limits.into_iter().collect()))
            .await
        {
            ledger.absorb(seen.delta);
        }
        let tick =
            std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() / experiment.tick.as_millis();
        ledger.close_before(u64::try_from(tick).unwrap());
    }
    let [failures, latency] = before.unwrap();
    assert_ne!(
        failures,
        [0, 0],
        "whether they failed was counted from the first tick on"
    );
    assert_eq!(latency, [0, 0], "the first tick only sets the limit");
}
