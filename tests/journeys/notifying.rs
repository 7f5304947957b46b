//! Webhooks: a receiver is sent what happens to experiments, in order, signed, and again until it takes it.

use serde_json::{Value, json};
use tests::{Authority, Folder, Hook, Reply, Signal, Upstream, Wald, Wish, trial, until, wald};

const SECRET: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const OTHER: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDI=";

#[tokio::test]
async fn a_receiver_is_sent_each_event_once_and_in_order_signed_with_its_secret() {
    let hook = Hook::start().await;
    let journey = Journey::start(&[&entry(&hook, "secret: { file: hook.key }")]).await;
    journey.say(&["pause", "resume", "promote"]).await;
    let kinds = ["started", "paused", "resumed", "promoted"];
    for (number, kind) in (1..).zip(kinds) {
        let delivery = hook.next().await;
        let event = delivery.json();
        assert_eq!(
            (&event["specversion"], &event["id"], delivery.kind()),
            (&json!("1.0"), &json!(number.to_string()), kind.to_owned())
        );
        assert_eq!(
            delivery.header("content-type"),
            "application/cloudevents+json; charset=utf-8"
        );
        assert_eq!(delivery.path, "/events");
        assert!(delivery.is_signed_with(SECRET), "{delivery:?}");
        assert!(!delivery.is_signed_with(OTHER), "another secret");
        let mut changed = delivery.clone();
        changed.body = delivery.body.iter().rev().copied().collect();
        assert!(!changed.is_signed_with(SECRET), "another body");
    }
    let name = hook.name();
    journey.shows(&count(&name, "delivered", 4)).await;
    let lag = format!("wald_webhook_lag_records{{webhook=\"{name}\"}} 0");
    journey.shows(&lag).await;
    assert!(hook.rest().await.is_empty(), "nothing comes twice");
    assert!(!journey.wald.said().contains(SECRET), "it is never logged");
    let shown = journey.wald.ask("/api/v1/policy").await.to_string();
    assert!(shown.contains(&name) && !shown.contains(SECRET));
    assert!(!shown.contains("/events"), "paths may be secrets: {shown}");
}

#[tokio::test]
async fn a_receiver_that_is_not_well_is_sent_the_same_event_again() {
    let hook = Hook::start().await;
    hook.answer(503, &[]);
    hook.answer(429, &[("retry-after", "1")]);
    let journey = Journey::start(&[&entry(&hook, "secret: { file: hook.key }")]).await;
    journey.say(&["pause"]).await;
    let tries = [hook.next().await, hook.next().await, hook.next().await];
    let id = tries[0].header("webhook-id").to_owned();
    for delivery in &tries {
        assert_eq!(
            (delivery.header("webhook-id"), delivery.kind()),
            (&*id, "started".into())
        );
        assert!(delivery.is_signed_with(SECRET), "each try is signed anew");
    }
    let next = hook.next().await;
    assert_eq!(next.kind(), "paused", "order is kept");
    assert_ne!(next.header("webhook-id"), id);
    journey.shows(&count(&hook.name(), "failed", 2)).await;
    journey.shows(&count(&hook.name(), "delivered", 2)).await;
}

#[tokio::test]
async fn an_event_that_is_refused_does_not_hold_up_those_behind_it() {
    let hook = Hook::start().await;
    hook.answer(400, &[]);
    let journey = Journey::start(&[&entry(&hook, "")]).await;
    journey.say(&["pause"]).await;
    let (first, second) = (hook.next().await, hook.next().await);
    assert_eq!(
        (first.kind(), second.kind()),
        ("started".into(), "paused".into())
    );
    assert_eq!(first.header("webhook-signature"), "", "there is no secret");
    journey.shows(&count(&hook.name(), "refused", 1)).await;
    journey.shows(&count(&hook.name(), "delivered", 1)).await;
}

#[tokio::test]
async fn people_read_a_sentence_and_alertmanager_an_alert_of_the_types_they_asked_for() {
    let (slack, alerts) = (Hook::start().await, Hook::start().await);
    let types = "types: [paused, promoted], format:";
    let journey = Journey::start(&[
        &entry(&slack, &format!("{types} slack")),
        &entry(&alerts, &format!("{types} alertmanager")),
    ])
    .await;
    journey.say(&["pause", "resume", "promote"]).await;
    let text = slack.next().await.json();
    assert_eq!(
        text,
        json!({ "text": "trial, run 1, was paused (somebody at 127.0.0.1): to be &lt;heard&gt;" })
    );
    let text = slack.next().await.json()["text"].to_string();
    assert!(text.contains("was promoted"), "{text}");
    let delivery = alerts.next().await;
    assert_eq!(delivery.header("content-type"), "application/json");
    let alert = &delivery.json()[0];
    let labels = json!({
        "alertname": "WaldExperiment", "experiment": "trial", "run": "1",
        "type": "paused", "severity": "info",
    });
    assert_eq!(alert["labels"], labels);
    assert_eq!(alert["annotations"]["summary"], "to be <heard>");
    assert!(matches!(&alert["startsAt"], Value::String(at) if at.ends_with('Z')));
    assert_eq!(alerts.next().await.json()[0]["labels"]["type"], "promoted");
}

#[tokio::test]
async fn what_a_receiver_missed_it_is_sent_after_a_restart_and_nothing_twice() {
    let hook = Hook::start().await;
    let journey = Journey::start(&[&entry(&hook, "")]).await;
    assert_eq!(hook.next().await.kind(), "started");
    journey.shows(&count(&hook.name(), "delivered", 1)).await;
    hook.answer(503, &[("retry-after", "300")]);
    journey.say(&["pause"]).await;
    let missed = hook.next().await;
    let Journey {
        folder,
        wald,
        upstream: _upstream,
    } = journey;
    wald.stop().await;
    let wald = Wald::run(&folder.path("wald.yaml")).await;
    let again = hook.next().await;
    assert_eq!(again.header("webhook-id"), missed.header("webhook-id"));
    assert_eq!(again.kind(), "paused");
    wald.shows(&count(&hook.name(), "delivered", 1)).await;
    assert!(hook.rest().await.is_empty());
}

#[tokio::test]
async fn a_changed_document_begins_and_ends_deliveries() {
    let (before, after) = (Hook::start().await, Hook::start().await);
    // Which of them hears of the change itself is a matter of who is faster.
    let only = "types: [started, paused, resumed]";
    let journey = Journey::start(&[&entry(&before, only)]).await;
    assert_eq!(before.next().await.kind(), "started");
    journey.shows(&count(&before.name(), "delivered", 1)).await;
    journey.write(&[&entry(
        &after,
        &format!("secret: {{ file: hook.key }}, {only}"),
    )]);
    journey.wald.signal(Signal::HUP);
    journey.shows(&count(&after.name(), "delivered", 0)).await;
    journey.say(&["pause"]).await;
    let delivery = after.next().await;
    assert_eq!(delivery.kind(), "paused", "a new one hears what is new");
    assert!(before.rest().await.is_empty());
    journey.folder.write("hook.key", OTHER);
    journey.wald.signal(Signal::HUP);
    until("the other secret signs", async || {
        journey.say(&["resume", "pause"]).await;
        after.next().await;
        after.next().await.is_signed_with(OTHER).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_cannot_sign_keeps_wald_from_starting_and_is_not_shown() {
    let hook = Hook::start().await;
    let folder = Folder::new();
    folder.write("hook.key", "too short for a key");
    let text = text(
        &folder,
        &hook_upstream().await,
        &[&entry(&hook, "secret: { file: hook.key }")],
    );
    let mut refused = Wald::launch(&folder.write("wald.yaml", text));
    assert_eq!(refused.ended().await.code(), Some(1));
    let said = refused.said();
    assert!(
        said.contains("hook.key") && said.contains("openssl"),
        "{said}"
    );
    assert!(!said.contains("too short"), "{said}");
}

#[tokio::test]
async fn a_receiver_behind_https_must_be_vouched_for() {
    let (authority, stranger) = (Authority::new("hooks"), Authority::new("stranger"));
    let hook = Hook::secure(&authority.vouch(Wish::default())).await;
    let journey = Journey::start(&[]).await;
    journey.folder.write("hooks.pem", authority.pem());
    journey.folder.write("stranger.pem", stranger.pem());
    journey.write(&[&entry(&hook, "trust: stranger.pem")]);
    let name = hook.name();
    let subject = format!("webhook {name} https://{name}");
    let found = journey.check().await;
    assert!(
        found.contains(&format!("‼ {subject}: cannot connect")),
        "{found}"
    );
    journey.wald.signal(Signal::HUP);
    journey.shows(&count(&name, "delivered", 0)).await;
    journey.say(&["pause"]).await;
    journey.shows(&count(&name, "failed", 1)).await;
    assert!(
        hook.rest().await.is_empty(),
        "nothing is told to a stranger"
    );
    journey.write(&[&entry(&hook, "trust: hooks.pem")]);
    let found = journey.check().await;
    assert!(
        found.contains(&format!("✓ {subject}: accepts connections")),
        "{found}"
    );
    journey.wald.signal(Signal::HUP);
    assert_eq!(hook.next().await.kind(), "paused", "what it missed");
}

#[tokio::test]
async fn a_check_looks_at_receivers_and_secrets() {
    let gone = Hook::start().await;
    let entries = [
        entry(&gone, ""),
        entry(&gone, "name: signed, secret: { file: no.key }"),
    ];
    let journey = Journey::start(&[]).await;
    drop(gone);
    journey.write(&entries.each_ref().map(|it| &**it));
    let found = journey.check().await;
    assert!(found.contains("‼ webhook 127.0.0.1:"), "{found}");
    assert!(
        found.contains("× webhook signed http://127.0.0.1:"),
        "{found}"
    );
    assert!(found.contains("no.key"), "{found}");
}

async fn hook_upstream() -> Upstream {
    Upstream::start("both", Reply::Name).await
}

fn entry(hook: &Hook, rest: &str) -> String {
    format!("{{ url: {}, {rest} }}", hook.url())
}

fn count(webhook: &str, outcome: &str, count: u64) -> String {
    format!("wald_webhook_deliveries_total{{webhook=\"{webhook}\",outcome=\"{outcome}\"}} {count}")
}

fn text(folder: &Folder, upstream: &Upstream, entries: &[&str]) -> String {
    let text = trial(upstream, upstream, &folder.path("wald.redb"));
    format!("{text}events: {{ webhooks: [{}] }}\n", entries.join(", "))
}

struct Journey {
    upstream: Upstream,
    folder: Folder,
    wald: Wald,
}

impl Journey {
    async fn start(entries: &[&str]) -> Self {
        let upstream = hook_upstream().await;
        let folder = Folder::new();
        folder.write("hook.key", format!("whsec_{SECRET}\n"));
        let text = text(&folder, &upstream, entries);
        let wald = Wald::run(&folder.write("wald.yaml", text)).await;
        Self {
            upstream,
            folder,
            wald,
        }
    }

    fn write(&self, entries: &[&str]) {
        let text = text(&self.folder, &self.upstream, entries);
        self.folder.write("wald.yaml", text);
    }

    /// What `wald check` finds.
    async fn check(&self) -> String {
        let document = self.folder.path("wald.yaml");
        let document = document.to_str().expect("text");
        wald(["check", "-c", document]).await.stdout
    }

    async fn say(&self, verbs: &[&str]) {
        for verb in verbs {
            let path = format!("/api/v1/experiments/trial/{verb}");
            let mut admin = self.wald.connect("admin").await;
            let reason = json!({ "reason": "to be <heard>" });
            let answer = admin.post(&path, &reason).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    }

    async fn shows(&self, line: &str) {
        self.wald.shows(line).await;
    }
}
