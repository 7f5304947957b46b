//! Signed checkpoints of the audit trail: what was cut off, written anew or signed by somebody else is found.

use std::fs;

use serde_json::{Value, json};
use tests::{Folder, Reply, Said, Upstream, Wald, trial, until, wald};

#[tokio::test]
async fn the_trail_is_signed_and_the_public_key_alone_shows_that_it_holds() {
    let journey = Journey::start().await;
    journey.act("pause").await;
    let held = journey.verify(&[]).await;
    assert_eq!(held.code, Some(0), "{held:?}");
    let held = held.json();
    assert_eq!(
        (&held["holds"], &held["records"]),
        (&json!(true), &json!(2))
    );
    assert!(held["checkpoints"].as_u64() >= Some(1), "{held}");
    let public = journey.folder.path("audit.pub");
    let public = public.to_str().expect("text");
    assert_eq!(journey.verify(&["--key", public]).await.code, Some(0));
    let other = key();
    let stranger = journey.folder.write("other.key", other.serialize_pem());
    let refused = journey
        .verify(&["--key", stranger.to_str().expect("text")])
        .await;
    assert_eq!(refused.code, Some(1));
    assert!(why(&refused).contains("signature"), "{refused:?}");
}

#[tokio::test]
async fn a_trail_whose_end_was_cut_off_does_not_hold() {
    let journey = Journey::start().await;
    journey.act("pause").await;
    let (store, kept) = (
        journey.folder.path("wald.redb"),
        journey.folder.path("kept"),
    );
    fs::copy(&store, &kept).expect("a copy of the store");
    journey.act("resume").await;
    fs::copy(&kept, &store).expect("the older store is put back");
    let found = journey.verify(&[]).await;
    assert_eq!(found.code, Some(1), "{found:?}");
    assert_eq!(found.json()["broken"]["record"], 3);
    assert!(why(&found).contains("cut off"), "{found:?}");
}

#[tokio::test]
async fn a_trail_that_was_written_anew_does_not_hold() {
    let journey = Journey::start().await;
    journey.act("pause").await;
    fs::remove_file(journey.folder.path("wald.redb")).expect("the store is removed");
    journey.act("pause").await;
    let found = journey.verify(&[]).await;
    assert_eq!(found.code, Some(1), "{found:?}");
    assert!(why(&found).contains("anew"), "{found:?}");
}

#[tokio::test]
async fn a_checkpoint_that_was_changed_is_found() {
    let journey = Journey::start().await;
    journey.act("pause").await;
    let path = journey.folder.path("wald.checkpoints");
    let text = fs::read_to_string(&path).expect("checkpoints");
    journey.folder.write(
        "wald.checkpoints",
        text.replace("\"sequence\":2", "\"sequence\":1"),
    );
    let found = journey.verify(&[]).await;
    assert!(why(&found).contains("signature"), "{found:?}");
}

#[tokio::test]
async fn without_its_key_wald_does_not_start() {
    let journey = Journey::start().await;
    journey.folder.write("audit.key", "no key");
    let mut refused = Wald::launch(&journey.folder.path("wald.yaml"));
    assert_eq!(refused.ended().await.code(), Some(1));
    assert!(refused.said().contains("audit.key"), "{}", refused.said());
}

#[tokio::test]
async fn who_changed_what_is_in_the_trail() {
    let journey = Journey::start().await;
    let document = journey.folder.path("wald.yaml");
    let text = fs::read_to_string(&document).expect("a document");
    let wald = Wald::run(&document).await;
    let changed = text.replace("name: all,", "name: all, timeout: 7s,");
    journey.folder.swap("wald.yaml", &changed);
    let mut admin = wald.connect("admin").await;
    until("the document is in force", async || {
        let shown = admin.get("/api/v1/policy").await.json();
        (shown["document"]["routes"][0]["timeout"] == "7s").then_some(())
    })
    .await;
    let reloaded = admin.post("/api/v1/reload", &json!({})).await;
    assert_eq!(reloaded.status, 200);
    let hash = reloaded.json()["hash"].clone();
    admin.post("/api/v1/drain", &json!({})).await;
    let mut wald = wald;
    assert_eq!(wald.ended().await.code(), Some(0));
    // What changes while nobody runs is seen at the next start.
    journey.folder.swap("wald.yaml", &text);
    let wald = Wald::run(&document).await;
    assert_eq!(wald.stop().await.code(), Some(0));
    let records = journey.records().await;
    let kinds: Vec<_> = records.iter().map(|it| it["kind"].as_str()).collect();
    let expected = ["started", "document", "reloaded", "drained", "document"];
    assert_eq!(kinds, expected.map(Some), "{records:?}");
    let [_, change, reload, drain, back] = &records[..] else {
        panic!("{records:?}");
    };
    let path = &change["detail"]["changes"][0];
    assert_eq!(
        (&path["path"], &path["value"], &path["was"]),
        (&json!("/routes/0/timeout"), &json!("7s"), &Value::Null),
        "{change}"
    );
    assert_eq!(
        (&change["detail"]["hash"], &change["actor"]),
        (&hash, &json!("wald"))
    );
    for asked in [reload, drain] {
        assert_eq!(asked["actor"], "somebody at 127.0.0.1", "{asked}");
        assert_eq!(asked.get("experiment"), None, "it is about none");
    }
    assert_eq!(reload["detail"], json!({ "hash": hash, "changed": false }));
    assert_eq!(back["detail"]["changes"][0]["was"], "7s", "{back}");
    assert_eq!(journey.verify(&[]).await.code, Some(0));
}

fn why(said: &Said) -> String {
    let Value::String(why) = said.json()["broken"]["why"].take() else {
        return String::new();
    };
    why
}

fn key() -> rcgen::KeyPair {
    rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key")
}

struct Journey {
    _upstream: Upstream,
    folder: Folder,
}

impl Journey {
    async fn start() -> Self {
        let upstream = Upstream::start("both", Reply::Name).await;
        let folder = Folder::new();
        let key = key();
        folder.write("audit.key", key.serialize_pem());
        folder.write("audit.pub", key.public_key_pem());
        let text = trial(&upstream, &upstream, &folder.path("wald.redb"));
        let text = text + "audit: { key: audit.key, checkpoints: wald.checkpoints }\n";
        folder.write("wald.yaml", text);
        Self {
            _upstream: upstream,
            folder,
        }
    }

    /// Runs, does something that is recorded, and stops.
    async fn act(&self, verb: &str) {
        let running = Wald::run(&self.folder.path("wald.yaml")).await;
        let path = format!("/api/v1/experiments/trial/{verb}");
        let mut admin = running.connect("admin").await;
        let answer = admin
            .post(&path, &json!({ "reason": "to be recorded" }))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(running.stop().await.code(), Some(0));
    }

    async fn records(&self) -> Vec<Value> {
        let document = self.folder.path("wald.yaml");
        let document = document.to_str().expect("text");
        let exported = wald(&["audit", "export", "-c", document]).await;
        let lines = exported.stdout.lines();
        lines
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }

    async fn verify(&self, more: &[&str]) -> Said {
        let document = self.folder.path("wald.yaml");
        let document = document.to_str().expect("text");
        let words = ["audit", "verify", "-o", "json", "-c", document];
        wald(words.iter().chain(more).copied().collect::<Vec<_>>()).await
    }
}
