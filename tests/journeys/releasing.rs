//! Whole releases, from the first copy in the shadow to the signed-off record: one that is better, and three that
//! are worse in ways that show at different times.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tests::{Folder, Load, Reply, Upstream, Wald, asked, kinds, records, trial, until, within};

const CAT: &str = r#"{"label":"cat"}"#;
const DOG: &str = r#"{"label":"dog"}"#;

/// A verdict takes as many requests as it takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// Errors decide, and slowness is looked at, too.
const ERRORS: &str = "
      - { name: errors, kind: proportion, source: failed, better: lower, role: goal, window: 1s }
      - { name: slow, kind: proportion, source: duration, slo: 500ms, better: lower, role: guardrail, margin: { at_most: 5% }, window: 1s }
";

/// Nothing is expected to get better; errors and latency may not get worse.
const GUARDED: &str = "
      - { name: slow, kind: proportion, source: duration, slo: 500ms, better: lower, role: goal, window: 1s }
      - { name: errors, kind: proportion, source: failed, better: lower, role: guardrail, margin: { odds: 1.2 }, window: 1s }
      - { name: latency, kind: mean, source: duration, better: lower, role: guardrail, margin: { relative: 10% }, window: 1s }
";

#[tokio::test]
async fn a_better_model_goes_from_the_shadow_over_the_ramp_to_everyone() {
    let control = failing(10);
    let release = Release::begin(
        control,
        Reply::Name,
        CAT,
        ERRORS,
        "agreement: 80%, observations: 300",
    )
    .await;
    let end = release.ends("promoted", 16).await;
    assert_eq!(end.trail, ["shadowing", "opened", "stepped", "promoted"]);
    let opened = &end.records[1]["detail"];
    assert!(
        opened["evidence"]["shadow"][0]["compared"].as_u64() >= Some(300),
        "{opened}"
    );
    let promoted = &end.records[3]["detail"];
    assert_eq!(promoted["decision"], "promoted", "{promoted}");
    assert!(
        end.seen["reason"]
            .as_str()
            .is_some_and(|it| it.contains("errors")),
        "{}",
        end.seen
    );
    let asked = release.candidate.asked();
    let load = Load::start(release.wald.address("edge").await, "/", 2, 200);
    until("the winner serves", async || {
        (release.candidate.asked() > asked + 50).then_some(())
    })
    .await;
    let after = load.stop().await;
    assert_eq!(
        after.answers.keys().collect::<Vec<_>>(),
        [&StatusCode::OK],
        "{after:?}"
    );
}

#[tokio::test]
async fn three_errors_in_a_hundred_instead_of_one_are_rolled_back() {
    let release = Release::begin(
        failing(100),
        failing(33),
        CAT,
        GUARDED,
        "agreement: 90%, observations: 300",
    )
    .await;
    let end = release.ends("rolled_back", 16).await;
    assert_eq!(end.trail.first(), Some(&"shadowing".to_owned()));
    assert_eq!(
        end.trail.get(1),
        Some(&"opened".to_owned()),
        "the shadow does not see it"
    );
    let reason = end.seen["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("errors"), "{reason}");
    let record = end.records.last().expect("a verdict");
    assert_eq!(record["detail"]["reason"], end.seen["reason"]);
}

#[tokio::test]
async fn a_fifth_more_latency_is_rolled_back() {
    let (usual, more) = (Duration::from_millis(40), Duration::from_millis(48));
    let (usual, more) = (Reply::After(usual), Reply::After(more));
    let release = Release::begin(
        usual,
        more,
        CAT,
        GUARDED,
        "agreement: 90%, observations: 300",
    )
    .await;
    let end = release.ends("rolled_back", 48).await;
    assert_eq!(
        end.trail.get(1),
        Some(&"opened".to_owned()),
        "the answers are the same"
    );
    let reason = end.seen["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("latency"), "{reason}");
}

#[tokio::test]
async fn wrong_answers_never_leave_the_shadow() {
    let mut release = Release::begin(
        Reply::Name,
        Reply::Name,
        DOG,
        GUARDED,
        "agreement: 90%, observations: 300",
    )
    .await;
    let end = release.ends("rolled_back", 8).await;
    assert_eq!(end.trail, ["shadowing", "rolled_back"]);
    let reason = end.seen["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("fewer agree than 90%"), "{reason}");
    let told = &end.records[1]["detail"]["evidence"]["shadow"][0];
    assert_eq!(
        (&told["arm"], &told["agreed"]),
        (&json!("candidate"), &json!(0)),
        "{told}"
    );
    for _ in 0..release.candidate.asked() {
        let copy = release.candidate.arrived().await;
        assert_eq!(
            copy.head.headers["x-wald-shadow"], "true",
            "nobody was served by it"
        );
    }
}

#[tokio::test]
async fn without_the_proof_nobody_leaves_the_control() {
    // All agree, and more are asked for than there will be.
    let shown = "agreement: 80%, observations: 1000000";
    let mut release = Release::begin(Reply::Name, Reply::Name, CAT, GUARDED, shown).await;
    let load = Load::start(release.wald.address("edge").await, "/", 8, 800);
    until("many agree", async || {
        let shadows = release.wald.ask("/api/v1/shadows").await;
        (shadows["shadows"][0]["agreed"].as_u64() > Some(1000)).then_some(())
    })
    .await;
    load.stop().await;
    let seen = release.wald.ask("/api/v1/experiments/trial").await;
    assert_eq!(seen["state"], "shadow", "{seen}");
    for _ in 0..release.candidate.asked() {
        let copy = release.candidate.arrived().await;
        assert_eq!(copy.head.headers["x-wald-shadow"], "true");
    }
}

/// One request in so many gets an error of the server's own.
fn failing(one_in: usize) -> Reply {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    Reply::Sometimes { status, one_in }
}

/// A release that is under way.
struct Release {
    folder: Folder,
    wald: Wald,
    candidate: Upstream,
    _control: Upstream,
}

/// How it ended.
struct End {
    seen: Value,
    records: Vec<Value>,
    trail: Vec<String>,
}

impl Release {
    async fn begin(
        control: Reply,
        candidate: Reply,
        says: &'static str,
        metrics: &str,
        shown: &str,
    ) -> Self {
        let control = Upstream::start(CAT, control).await;
        let candidate = Upstream::start(says, candidate).await;
        let folder = Folder::new();
        let text = trial(&control, &candidate, &folder.path("wald.redb"));
        let (text, _) = text.split_once("    ramp:").expect("a ramp");
        let text = text.replace("unit: { header: x-user }", "unit: request");
        let text = format!(
            "{text}    ramp: [25%, 50%]\n    step_minimum: {{ observations: 200, time: 1s }}\n    \
             shadow_first: {{ {shown} }}\n    metrics:{metrics}"
        );
        let wald = Wald::run(&folder.write("wald.yaml", text)).await;
        Self {
            folder,
            wald,
            candidate,
            _control: control,
        }
    }

    /// Sends requests over so many connections until the release has ended so. None of them is lost, and each
    /// failure is a server's own.
    async fn ends(&self, state: &str, connections: u32) -> End {
        let address = self.wald.address("edge").await;
        let load = Load::start(address, "/", connections, connections * 100);
        let decided = asked(async || {
            let seen = self.wald.ask("/api/v1/experiments/trial").await;
            (seen["decision"] != "undecided").then_some(seen)
        });
        let seen = within(PATIENCE, state, decided).await;
        let sent = load.stop().await;
        assert_eq!(seen["state"], state, "{seen}");
        assert!(sent.lost.is_empty(), "{sent:?}");
        let own = [StatusCode::OK, StatusCode::INTERNAL_SERVER_ERROR];
        assert!(sent.answers.keys().all(|it| own.contains(it)), "{sent:?}");
        let records = records(&self.folder.path("wald.yaml")).await;
        End {
            seen,
            trail: kinds(&records),
            records,
        }
    }
}
