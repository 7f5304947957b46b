//! State that outlives the process: stopped in order, or killed at any moment.

use http::StatusCode;
use serde_json::Value;
use tests::{Folder, Load, Reply, Upstream, Wald, kinds, records, trial, until};

/// How often the process is killed, on its way to a verdict and after it.
const KILLS: u64 = 14;
/// The records that end a run.
const VERDICTS: [&str; 4] = ["promoted", "rolled_back", "futile", "stopped"];

#[tokio::test]
async fn a_second_start_resumes_where_the_first_one_stopped() {
    let journey = Journey::start(Reply::Name).await;
    let first = journey.run().await;
    let load = Load::start(first.address("edge").await, "/", 2, 200);
    until("requests are served", async || {
        (load.answered() > 100).then_some(())
    })
    .await;
    let served = load.stop().await.requests();
    assert_eq!(first.stop().await.code(), Some(0));
    let second = journey.run().await;
    let trial = second.ask("/api/v1/experiments/trial").await;
    assert_eq!(trial["run"], 1);
    assert_eq!(exposures(&trial), served, "{trial}");
}

#[tokio::test]
async fn killed_at_any_moment_no_decision_is_lost_or_repeated() {
    let status = StatusCode::BAD_GATEWAY;
    let journey = Journey::start(Reply::Sometimes { status, one_in: 3 }).await;
    let mut before = journey.run().await.ask("/api/v1/experiments/trial").await;
    for kill in 0..KILLS {
        let wald = journey.run().await;
        let load = Load::start(wald.address("edge").await, "/", 4, 400);
        // Each time a little later in the referee's tick of a second: before, within and after its commit.
        let due = 100 + kill * 53;
        until("requests are served", async || {
            (load.answered() > due).then_some(())
        })
        .await;
        wald.kill().await;
        load.stop().await;
        let found = journey.run().await.ask("/api/v1/experiments/trial").await;
        check_continues(&before, &found);
        before = found;
    }
    let wald = journey.run().await;
    let load = Load::start(wald.address("edge").await, "/", 4, 400);
    until("the verdict", async || {
        let trial = wald.ask("/api/v1/experiments/trial").await;
        (trial["state"] == "rolled_back").then_some(())
    })
    .await;
    load.stop().await;
    wald.kill().await;
    assert_eq!(journey.verdicts().await, ["rolled_back"]);
}

/// One experiment that is worse, its backends, and the folder of its store.
struct Journey {
    _control: Upstream,
    _candidate: Upstream,
    folder: Folder,
}

impl Journey {
    async fn start(candidate: Reply) -> Self {
        let control = Upstream::start("control", Reply::Name).await;
        let candidate = Upstream::start("candidate", candidate).await;
        let folder = Folder::new();
        folder.write(
            "wald.yaml",
            trial(&control, &candidate, &folder.path("wald.redb")),
        );
        Self {
            _control: control,
            _candidate: candidate,
            folder,
        }
    }

    async fn run(&self) -> Wald {
        Wald::run(&self.folder.path("wald.yaml")).await
    }

    /// The verdicts in the audit log, whose chain must hold.
    async fn verdicts(&self) -> Vec<String> {
        let mut kinds = kinds(&records(&self.folder.path("wald.yaml")).await);
        kinds.retain(|kind| VERDICTS.contains(&kind.as_str()));
        kinds
    }
}

/// What a start finds goes on from what the start before it found.
#[track_caller]
fn check_continues(before: &Value, found: &Value) {
    assert_eq!(found["run"], before["run"], "{before} became {found}");
    assert!(
        exposures(found) >= exposures(before),
        "{before} became {found}"
    );
    if before["state"] != "running" {
        assert_eq!(found["state"], before["state"], "{before} became {found}");
    }
}

fn exposures(trial: &Value) -> u64 {
    let arms = trial["arms"].as_array().expect("an experiment has arms");
    arms.iter()
        .filter_map(|arm| arm["exposures"].as_u64())
        .sum()
}
