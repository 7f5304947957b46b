//! What people say about an experiment: started, paused, stopped, approved, promoted and rolled back by hand.

use std::path::Path;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{
    Answer, Client, Folder, Load, Reply, Said, SigningKey, Upstream, Wald, claims, key_set, kinds,
    records, trial, until, wald,
};

#[tokio::test]
async fn one_that_is_drafted_waits_for_a_person_and_counts_nothing_before() {
    let journey = Journey::start(Reply::Name, "start: manual").await;
    let wald = journey.run().await;
    let load = Load::start(wald.address("edge").await, "/", 2, 200);
    until("requests are served", async || {
        (load.answered() > 50).then_some(())
    })
    .await;
    let before = load.stop().await;
    assert_eq!(before.lost.len(), 0, "{before:?}");
    let trial = journey.show(&wald).await;
    assert_eq!(
        (&trial["state"], exposures(&trial)),
        (&json!("draft"), 0),
        "{trial}"
    );
    assert_eq!(journey.candidate.asked(), 0, "everyone is with the control");
    let started = journey
        .say(&wald, &["start", "trial", "--reason", "the day has come"])
        .await;
    assert_eq!(started.code, Some(0), "{started:?}");
    assert_eq!(started.json()["state"], "running");
    let load = Load::start(wald.address("edge").await, "/", 2, 200);
    until("both arms serve", async || {
        (journey.candidate.asked() > 0).then_some(())
    })
    .await;
    load.stop().await;
    let again = journey
        .say(&wald, &["start", "trial", "--reason", "twice"])
        .await;
    assert_eq!(again.code, Some(1));
    assert!(again.stderr.contains("is running"), "{again:?}");
    assert_eq!(journey.trail().await, ["drafted", "started"]);
}

#[tokio::test]
async fn a_pause_sends_everyone_to_the_control_and_survives_a_restart() {
    let journey = Journey::start(Reply::Name, "").await;
    let wald = journey.run().await;
    let paused = journey
        .say(&wald, &["pause", "trial", "--reason", "maintenance"])
        .await;
    assert_eq!(paused.json()["state"], "paused", "{paused:?}");
    assert_eq!(wald.stop().await.code(), Some(0));
    let wald = journey.run().await;
    assert_eq!(journey.show(&wald).await["state"], "paused");
    let mut client = wald.connect("edge").await;
    for user in 0..20 {
        let user = format!("user-{user}");
        let headers = [("x-user", user.as_str())];
        let answer = client.send(Method::GET, "/", &headers, Bytes::new()).await;
        assert_eq!(answer.text(), "control");
    }
    let resumed = journey
        .say(&wald, &["resume", "trial", "--reason", "over"])
        .await;
    let resumed = resumed.json();
    assert_eq!(
        (&resumed["state"], &resumed["epoch"]),
        (&json!("running"), &json!(1))
    );
    assert_eq!(journey.trail().await, ["started", "paused", "resumed"]);
}

#[tokio::test]
async fn after_a_rollback_another_definition_waits_as_long_as_it_is_told_to() {
    let journey = Journey::start(Reply::Name, "cool_down: 3s").await;
    let wald = journey.run().await;
    let back = ["rollback", "trial", "--reason", "complaints"];
    assert_eq!(journey.say(&wald, &back).await.code, Some(0));
    let document = journey.folder.path("wald.yaml");
    let text = std::fs::read_to_string(&document).expect("a document");
    let other = text.replace("cool_down: 3s", "cool_down: 3s\n    alpha: 4%");
    journey.folder.swap("wald.yaml", other);
    let waits = until("another run", async || {
        let trial = journey.show(&wald).await;
        (trial["run"] == 2).then_some(trial)
    })
    .await;
    assert_eq!(waits["state"], "draft", "{waits}");
    assert!(
        waits["reason"]
            .as_str()
            .is_some_and(|it| it.contains("waits until")),
        "{waits}"
    );
    // It is no matter of the process.
    assert_eq!(wald.stop().await.code(), Some(0));
    let wald = journey.run().await;
    until("the time is over", async || {
        (journey.show(&wald).await["state"] == "running").then_some(())
    })
    .await;
    let expected = ["started", "rolled_back", "document", "drafted", "started"];
    assert_eq!(journey.trail().await, expected);
    // Without it the next run begins at once.
    let back = ["rollback", "trial", "--reason", "again"];
    assert_eq!(journey.say(&wald, &back).await.code, Some(0));
    journey
        .folder
        .swap("wald.yaml", text.replace("cool_down: 3s", ""));
    until("the third run", async || {
        let trial = journey.show(&wald).await;
        (trial["run"] == 3 && trial["state"] == "running").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_promotion_by_hand_is_at_once_and_can_be_taken_back() {
    let journey = Journey::start(Reply::Name, "").await;
    let wald = journey.run().await;
    let promoted = journey
        .say(&wald, &["promote", "trial", "--reason", "we know better"])
        .await;
    assert_eq!(promoted.json()["decision"], "promoted", "{promoted:?}");
    let mut client = wald.connect("edge").await;
    assert_eq!(client.get("/").await.text(), "candidate");
    let back = journey
        .say(&wald, &["rollback", "trial", "--reason", "we did not"])
        .await;
    assert_eq!(back.json()["state"], "rolled_back", "{back:?}");
    assert_eq!(client.get("/").await.text(), "control");
    let late = journey
        .say(&wald, &["promote", "trial", "--reason", "again"])
        .await;
    assert_eq!(late.code, Some(1), "a run has one verdict: {late:?}");
    let records = journey.records().await;
    assert_eq!(
        records[1]["detail"]["reason"],
        "by somebody at 127.0.0.1: we know better"
    );
    assert_eq!(records[1]["actor"], "somebody at 127.0.0.1");
    assert_eq!(
        journey.trail().await,
        ["started", "promoted", "rolled_back"]
    );
}

#[tokio::test]
async fn a_promotion_against_an_alarm_takes_force_and_is_recorded_either_way() {
    let status = StatusCode::BAD_GATEWAY;
    // Advice only, so that harm that is proven leaves the choice to people.
    let journey = Journey::start(Reply::Sometimes { status, one_in: 3 }, "decide: advise").await;
    let wald = journey.run().await;
    let load = Load::start(wald.address("edge").await, "/", 4, 400);
    until("harm is proven", async || {
        let history = journey.show(&wald).await["history"].clone();
        history
            .as_array()?
            .iter()
            .any(|it| it["kind"] == "advised")
            .then_some(())
    })
    .await;
    load.stop().await;
    let refused = journey
        .say(&wald, &["promote", "trial", "--reason", "the boss says so"])
        .await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("force"), "{refused:?}");
    assert_eq!(journey.show(&wald).await["state"], "running");
    let order = [
        "promote",
        "trial",
        "--force",
        "--reason",
        "the boss insists",
    ];
    let forced = journey.say(&wald, &order).await;
    assert_eq!(forced.json()["state"], "promoted", "{forced:?}");
    let records = journey.records().await;
    let of = |kind: &str| {
        records
            .iter()
            .find(|it| it["kind"] == kind)
            .expect("a record")
            .clone()
    };
    assert_eq!(of("refused")["detail"]["reason"], "the boss says so");
    let because = of("refused")["detail"]["because"].clone();
    assert_eq!(
        of("promoted")["detail"]["forced"],
        because,
        "the alarm is named"
    );
    assert!(
        because.as_str().is_some_and(|why| why.contains("failures")),
        "{because}"
    );
}

#[tokio::test]
async fn an_order_without_a_reason_or_a_meaning_is_refused_and_changes_nothing() {
    let journey = Journey::start(Reply::Name, "").await;
    let wald = journey.run().await;
    let mut admin = wald.connect("admin").await;
    for (path, body, status) in [
        ("trial/promote", json!({}), 400),
        ("trial/promote", json!({ "reason": "  " }), 400),
        (
            "trial/promote",
            json!({ "reason": "x", "arm": "nobody" }),
            400,
        ),
        (
            "trial/promote",
            json!({ "reason": "x", "forse": true }),
            400,
        ),
        ("trial/resume", json!({ "reason": "x" }), 409),
        ("trial/approve", json!({ "reason": "x" }), 409),
        ("trial/erase", json!({ "reason": "x" }), 404),
        ("other/promote", json!({ "reason": "x" }), 404),
    ] {
        let answer = admin
            .post(&format!("/api/v1/experiments/{path}"), &body)
            .await;
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    assert_eq!(journey.show(&wald).await["state"], "running");
    assert_eq!(journey.trail().await, ["started"]);
}

#[tokio::test]
async fn a_proven_promotion_waits_until_two_people_have_approved_it() {
    let (journey, key) = Journey::to_be_approved().await;
    let token = |who: &str| bearer(&key, who);
    let wald = Wald::launch(&journey.folder.path("wald.yaml"));
    let load = Load::start(wald.address("edge").await, "/", 4, 400);
    let mut admin = wald.connect("admin").await;
    let proposed = proposed(&mut admin, &token("ann")).await;
    assert_eq!(
        (&proposed["state"], &proposed["approvals_needed"]),
        (&json!("running"), &json!(2))
    );
    for (who, state) in [("ann", "running"), ("ann", ""), ("bob", "promoted")] {
        let answer = asked(&mut admin, Method::POST, "trial/approve", &token(who)).await;
        if state.is_empty() {
            assert_eq!(answer["code"], "WALD-4710", "{answer}");
        } else {
            assert_eq!(answer["state"], state, "{answer}");
        }
    }
    load.stop().await;
    let records = journey.records().await;
    let last = records.last().expect("a record");
    assert_eq!(last["kind"], "promoted");
    let people = last["detail"]["approvals"]
        .as_array()
        .expect("a list")
        .len();
    assert_eq!(
        (people, last["detail"]["evidence"].is_object()),
        (2, true),
        "{last}"
    );
    assert!(
        last["actor"]
            .as_str()
            .is_some_and(|who| who.contains("bob")),
        "{last}"
    );
}

#[tokio::test]
async fn an_approval_counts_once_whenever_the_process_dies() {
    for when in ["before", "after"] {
        let (journey, key) = Journey::to_be_approved().await;
        let (document, ann) = (journey.folder.path("wald.yaml"), bearer(&key, "ann"));
        let wald = Wald::launch(&document);
        let load = Load::start(wald.address("edge").await, "/", 4, 400);
        proposed(&mut wald.connect("admin").await, &ann).await;
        load.stop().await;
        wald.stop().await;
        let crash = format!("{when}:approved");
        let mut wald = Wald::launch_in(&document, &[("WALD_CRASH", Path::new(&crash))]);
        let mut admin = wald.connect("admin").await;
        let approval = approval(&mut admin, &ann).await;
        assert!(approval.is_err(), "{crash}: no answer comes");
        wald.ended().await;
        let wald = Wald::launch(&document);
        let mut admin = wald.connect("admin").await;
        let again = asked(&mut admin, Method::POST, "trial/approve", &ann).await;
        let is_new = again["code"] != "WALD-4710";
        assert_eq!(is_new, when == "before", "{crash}: {again}");
        wald.stop().await;
        let trail = journey.trail().await;
        let times = trail.iter().filter(|kind| *kind == "approved").count();
        assert_eq!(times, 1, "{crash}: {trail:?}");
    }
}

/// Waits until a promotion is, and how the experiment stands then.
async fn proposed(admin: &mut Client, token: &str) -> Value {
    until("a promotion is proposed", async || {
        let trial = asked(admin, Method::GET, "trial", token).await;
        trial["proposal"].is_object().then_some(trial)
    })
    .await
}

fn bearer(key: &SigningKey, who: &str) -> String {
    format!("Bearer {}", key.token(&claims(&json!({ "sub": who }))))
}

const REASON: &[u8] = br#"{"reason":"looks good"}"#;

/// Approves where the process may die over it.
async fn approval(admin: &mut Client, token: &str) -> hyper::Result<Answer> {
    let path = "/api/v1/experiments/trial/approve";
    let headers = [("authorization", token)];
    let body = Bytes::from_static(REASON);
    admin.attempt(Method::POST, path, &headers, body).await
}

/// What the admin address answers to someone with a token.
async fn asked(admin: &mut Client, method: Method, path: &str, token: &str) -> Value {
    let path = format!("/api/v1/experiments/{path}");
    let body = match method {
        Method::POST => Bytes::from_static(REASON),
        _ => Bytes::new(),
    };
    let headers = [("authorization", token)];
    admin.send(method, &path, &headers, body).await.json()
}

fn exposures(trial: &Value) -> u64 {
    let arms = trial["arms"].as_array().expect("arms").iter();
    arms.map(|arm| arm["exposures"].as_u64().expect("a count"))
        .sum()
}

/// One experiment with more said about it.
struct Journey {
    _control: Upstream,
    candidate: Upstream,
    folder: Folder,
    text: String,
}

impl Journey {
    async fn start(candidate: Reply, more: &str) -> Self {
        let control = Upstream::start("control", Reply::Name).await;
        Self::between(control, candidate, more).await
    }

    async fn between(control: Upstream, candidate: Reply, more: &str) -> Self {
        let candidate = Upstream::start("candidate", candidate).await;
        let folder = Folder::new();
        let text = trial(&control, &candidate, &folder.path("wald.redb"));
        let text = text.replace("    ramp: [50%]", &format!("    ramp: [50%]\n    {more}"));
        // Only failures are looked at here.
        let text: String = text
            .lines()
            .filter(|line| !line.contains("liked"))
            .fold(String::new(), |text, line| text + line + "\n");
        folder.write("wald.yaml", &text);
        Self {
            _control: control,
            candidate,
            folder,
            text,
        }
    }

    /// An experiment that is won soon, and promotes once two people with tokens have approved.
    async fn to_be_approved() -> (Self, SigningKey) {
        // The control fails where the candidate does not.
        let failing = Reply::Sometimes {
            status: StatusCode::BAD_GATEWAY,
            one_in: 3,
        };
        let control = Upstream::start("control", failing).await;
        let journey = Self::between(control, Reply::Name, "approve: 2").await;
        let key = SigningKey::p256("k1");
        journey.folder.write("keys.json", key_set(&[&key]));
        let text = journey.text.replace(
            "admin: { address: 127.0.0.1:0 }",
            "admin: { address: 127.0.0.1:0, allow: [{ callers: anyone, issuer: \"https://issuer.test\" }] }
tokens: [{ issuer: \"https://issuer.test\", audiences: [models], keys: { file: keys.json }, algorithms: [ES256] }]",
        );
        journey.folder.write("wald.yaml", text);
        (journey, key)
    }

    async fn run(&self) -> Wald {
        Wald::run(&self.folder.path("wald.yaml")).await
    }

    async fn show(&self, wald: &Wald) -> Value {
        wald.ask("/api/v1/experiments/trial").await
    }

    /// What the command line says and does.
    async fn say(&self, at: &Wald, order: &[&str]) -> Said {
        let admin = at.admin().await.to_string();
        let more = ["-o", "json", "--admin", &admin];
        let words = ["experiment"].iter().chain(order).chain(&more).copied();
        wald(words.collect::<Vec<_>>()).await
    }

    /// The audit trail, whose chain must hold.
    async fn records(&self) -> Vec<Value> {
        records(&self.folder.path("wald.yaml")).await
    }

    async fn trail(&self) -> Vec<String> {
        kinds(&self.records().await)
    }
}
