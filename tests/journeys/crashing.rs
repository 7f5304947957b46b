//! Every transition survives a crash on either side of the write that makes it durable: it is neither lost nor done
//! twice.

use std::path::Path;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::json;
use tests::{Client, Folder, Load, Reply, Upstream, Wald, kinds, records, trial, until};
use tokio::task::{JoinSet, LocalSet};

const SHADOWED: &str = "shadow_first: { agreement: 30%, observations: 50 }";

/// Transitions that follow from traffic, in their order.
const BY_TRAFFIC: [&str; 4] = ["shadowing", "opened", "stepped", "rolled_back"];

#[tokio::test]
async fn what_follows_from_traffic_happens_once_whenever_the_process_dies() {
    let here = LocalSet::new();
    let mut cases = JoinSet::new();
    for when in ["before", "after"] {
        for kind in BY_TRAFFIC {
            cases.spawn_local_on(dies_over(when, kind), &here);
        }
    }
    here.run_until(cases.join_all()).await;
}

/// A process that dies there, and one that goes on from what it left.
async fn dies_over(when: &'static str, kind: &'static str) {
    let journey = Journey::start(SHADOWED).await;
    let crash = format!("{when}:{kind}");
    let mut wald = journey.launch(&crash);
    if kind == "shadowing" {
        wald.ended().await;
    } else {
        journey.load_until_it_ends(&mut wald).await;
    }
    let expected = Journey::before(when == "after", kind);
    assert_eq!(journey.trail().await, expected, "{crash}");
    journey.decide().await;
    assert_eq!(journey.trail().await, BY_TRAFFIC, "{crash}");
}

#[tokio::test]
async fn what_people_order_happens_once_whenever_the_process_dies() {
    for when in ["before", "after"] {
        for (orders, kind, state) in [
            (&["start"][..], "started", "running"),
            (&["start", "pause"], "paused", "paused"),
            (&["start", "pause", "resume"], "resumed", "running"),
            (&["start", "promote"], "promoted", "promoted"),
            (&["start", "rollback"], "rolled_back", "rolled_back"),
            (&["stop"], "stopped", "stopped"),
        ] {
            let [before @ .., order] = orders else {
                continue;
            };
            let journey = Journey::start("start: manual").await;
            let wald = journey.run().await;
            for order in before {
                assert_eq!(journey.order(&wald, order).await, StatusCode::OK);
            }
            wald.stop().await;
            let earlier = journey.trail().await;
            let crash = format!("{when}:{kind}");
            let mut wald = journey.launch(&crash);
            assert!(
                journey.attempt(&wald, order).await.is_none(),
                "{crash}: no answer comes"
            );
            wald.ended().await;
            let wald = journey.run().await;
            let found = wald.ask("/api/v1/experiments/trial").await;
            assert_eq!(found["state"] == state, when == "after", "{crash}: {found}");
            // Whoever got no answer asks again.
            let again = journey.order(&wald, order).await;
            let expected = match when {
                "after" => StatusCode::CONFLICT,
                _ => StatusCode::OK,
            };
            assert_eq!(again, expected, "{crash}");
            let found = wald.ask("/api/v1/experiments/trial").await;
            assert_eq!(found["state"], state, "{crash}");
            wald.stop().await;
            let trail = journey.trail().await;
            let mut expected = earlier;
            expected.push(kind.to_owned());
            assert_eq!(trail, expected, "{crash}");
        }
    }
}

#[tokio::test]
async fn what_is_concluded_happens_once_whenever_the_process_dies() {
    let worse = [50, 3];
    for when in ["before", "after"] {
        for (arms, kind, more) in [
            (worse, "futile", "end: { time: 1s }"),
            (worse, "advised", "decide: advise"),
            ([3, 50], "proposed", "approve: 1"),
        ] {
            let journey = Journey::between(arms, more).await;
            let crash = format!("{when}:{kind}");
            let mut wald = journey.launch(&crash);
            journey.load_until_it_ends(&mut wald).await;
            let times = async || {
                let trail = journey.trail().await;
                trail.iter().filter(|it| *it == kind).count()
            };
            assert_eq!(times().await, usize::from(when == "after"), "{crash}");
            journey.run_until_recorded(kind).await;
            assert_eq!(times().await, 1, "{crash}");
        }
    }
}

#[tokio::test]
async fn a_promotion_is_taken_back_once_whenever_the_process_dies() {
    for when in ["before", "after"] {
        let journey = Journey::between([50, 50], "watch: { every: 10m, then: revert }").await;
        let wald = journey.run().await;
        let load = Load::start(wald.address("edge").await, "/", 4, 800);
        until("enough is seen", async || {
            let seen = wald.ask("/api/v1/experiments/trial").await;
            (seen["metrics"][0]["n"][1].as_u64() > Some(300)).then_some(())
        })
        .await;
        load.stop().await;
        assert_eq!(journey.order(&wald, "promote").await, StatusCode::OK);
        wald.stop().await;
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        journey
            .candidate
            .reply(Reply::Sometimes { status, one_in: 2 });
        let crash = format!("{when}:rolled_back");
        let mut wald = journey.launch(&crash);
        journey.load_until_it_ends(&mut wald).await;
        let trail = journey.trail().await;
        assert_eq!(
            trail.ends_with(&["rolled_back".to_owned()]),
            when == "after",
            "{crash}"
        );
        journey.decide().await;
        let trail = journey.trail().await;
        let times = trail.iter().filter(|it| *it == "rolled_back").count();
        assert_eq!(times, 1, "{crash}: {trail:?}");
    }
}

#[tokio::test]
async fn another_document_is_written_down_once_whenever_the_process_dies() {
    for when in ["before", "after"] {
        let journey = Journey::start(SHADOWED).await;
        journey.run().await.stop().await;
        let text = std::fs::read_to_string(journey.document()).expect("a document");
        let text = text.replace("name: all,", "name: all, timeout: 7s,");
        let crash = format!("{when}:document");
        let mut wald = journey.launch(&crash);
        wald.address("edge").await;
        journey.folder.swap("wald.yaml", text);
        wald.ended().await;
        journey.run().await.stop().await;
        assert_eq!(journey.trail().await, ["shadowing", "document"], "{crash}");
    }
}

struct Journey {
    _control: Upstream,
    candidate: Upstream,
    folder: Folder,
}

impl Journey {
    /// An experiment whose candidate agrees in the shadow and fails one request in three once nobody looks.
    async fn start(more: &str) -> Self {
        Self::between([50, 3], more).await
    }

    /// An experiment whose arms fail one request in so many.
    async fn between(arms: [usize; 2], more: &str) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let [control, candidate] = arms.map(|one_in| Reply::Sometimes { status, one_in });
        let control = Upstream::start("same", control).await;
        let candidate = Upstream::start("same", candidate).await;
        let folder = Folder::new();
        let text = trial(&control, &candidate, &folder.path("wald.redb"));
        let first = format!(
            "step_minimum: {{ observations: 20, time: 1s }}\n    {more}\n    ramp: [10%, 50%]"
        );
        let text = text
            .replace("ramp: [50%]", &first)
            .replace("unit: { header: x-user }", "unit: request")
            .replace("window: 2s", "window: 1s")
            .replace(
                "admin: { address: 127.0.0.1:0 }",
                "admin: { address: 127.0.0.1:0, allow: [{ callers: anyone }] }",
            );
        // Nobody says what is liked.
        let lines = text.lines().filter(|line| !line.contains("liked"));
        let text: String = lines.flat_map(|line| [line, "\n"]).collect();
        folder.write("wald.yaml", text);
        Self {
            _control: control,
            candidate,
            folder,
        }
    }

    fn document(&self) -> std::path::PathBuf {
        self.folder.path("wald.yaml")
    }

    async fn run(&self) -> Wald {
        Wald::run(&self.document()).await
    }

    /// One that dies there.
    fn launch(&self, crash: &str) -> Wald {
        Wald::launch_in(&self.document(), &[("WALD_CRASH", Path::new(crash))])
    }

    async fn load_until_it_ends(&self, wald: &mut Wald) {
        let load = Load::start(wald.address("edge").await, "/", 4, 400);
        wald.ended().await;
        load.stop().await;
    }

    /// Goes on until there is a verdict.
    async fn decide(&self) {
        let wald = self.run().await;
        let load = Load::start(wald.address("edge").await, "/", 4, 400);
        until("the verdict", async || {
            let seen = wald.ask("/api/v1/experiments/trial").await;
            (seen["state"] == "rolled_back").then_some(())
        })
        .await;
        load.stop().await;
        wald.stop().await;
    }

    /// Goes on, with traffic, until the trail holds a record of this kind.
    async fn run_until_recorded(&self, kind: &str) {
        let wald = self.run().await;
        let load = Load::start(wald.address("edge").await, "/", 4, 400);
        until("the record", async || {
            let seen = wald.ask("/api/v1/experiments/trial").await;
            let history = seen["history"].as_array()?.clone();
            history.iter().any(|it| it["kind"] == kind).then_some(())
        })
        .await;
        load.stop().await;
        wald.stop().await;
    }

    /// What the trail holds if the process died at this transition.
    fn before(is_written: bool, kind: &str) -> Vec<&'static str> {
        let place = BY_TRAFFIC.iter().position(|it| *it == kind);
        let count = place.expect("one of them") + usize::from(is_written);
        BY_TRAFFIC.iter().take(count).copied().collect()
    }

    async fn order(&self, wald: &Wald, order: &str) -> StatusCode {
        self.attempt(wald, order).await.expect("an answer")
    }

    /// The status of an order; none if the process died over it.
    async fn attempt(&self, wald: &Wald, order: &str) -> Option<StatusCode> {
        let mut admin = Client::open(wald.admin().await).await;
        let body = json!({ "reason": "a test" }).to_string();
        let path = format!("/api/v1/experiments/trial/{order}");
        let headers = [("content-type", "application/json")];
        let answer = admin.attempt(Method::POST, &path, &headers, Bytes::from(body));
        answer.await.ok().map(|answer| answer.status)
    }

    /// What happened, by the trail, which must hold. What alarms say is beside the point.
    async fn trail(&self) -> Vec<String> {
        if !self.folder.path("wald.redb").exists() {
            return Vec::new();
        }
        let mut kinds = kinds(&records(&self.document()).await);
        kinds.retain(|kind| kind != "alarm");
        kinds
    }
}
