//! How a run came to stand where it does: told as columns, thinned, and still there after a restart.

use serde_json::Value;
use tests::{Folder, Reply, Upstream, Wald, trial, until};

const SERIES: &str = "/api/v1/experiments/trial/series";

/// The history once it has this many moments.
async fn history(wald: &Wald, moments: usize) -> Value {
    until("moments are kept", async || {
        let series = wald.ask(SERIES).await;
        (times(&series).len() >= moments).then_some(series)
    })
    .await
}

fn times(series: &Value) -> Vec<u64> {
    let times = series["at_ms"].as_array().expect("moments are a list");
    times.iter().filter_map(Value::as_u64).collect()
}

#[tokio::test]
async fn a_history_begins_again_where_a_stop_has_left_it() {
    let control = Upstream::start("control", Reply::Name).await;
    let candidate = Upstream::start("candidate", Reply::Name).await;
    let folder = Folder::new();
    let text = trial(&control, &candidate, &folder.path("wald.redb"));
    let document = folder.write("wald.yaml", text);
    let wald = Wald::run(&document).await;
    let before = times(&history(&wald, 3).await);
    wald.stop().await;
    let wald = Wald::run(&document).await;
    let after = times(&history(&wald, before.len() + 1).await);
    assert!(
        after.starts_with(&before[..before.len() - 1]),
        "{before:?} became {after:?}"
    );
}

#[tokio::test]
async fn every_column_is_as_long_as_its_moments_and_only_what_is_new_is_asked_for() {
    let control = Upstream::start("control", Reply::Name).await;
    let candidate = Upstream::start("candidate", Reply::Name).await;
    let folder = Folder::new();
    let text = trial(&control, &candidate, &folder.path("wald.redb"));
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let series = history(&wald, 3).await;
    let moments = times(&series);
    let metrics = series["metrics"].as_array().expect("metrics are a list");
    assert!(!metrics.is_empty(), "{series}");
    for metric in metrics {
        for column in ["control", "candidate", "low", "high"] {
            assert_eq!(
                metric[column].as_array().map(Vec::len),
                Some(moments.len()),
                "{metric}"
            );
        }
    }
    let rest = wald.ask(&format!("{SERIES}?after={}", moments[0])).await;
    assert!(times(&rest).iter().all(|at| *at > moments[0]), "{rest}");
    let mut admin = wald.connect("admin").await;
    let unknown = admin.get("/api/v1/experiments/nobody/series").await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn whoever_asks_is_told_their_role_and_the_dashboard_asks_nobody_else() {
    let control = Upstream::start("control", Reply::Name).await;
    let candidate = Upstream::start("candidate", Reply::Name).await;
    let folder = Folder::new();
    let text = trial(&control, &candidate, &folder.path("wald.redb"));
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    assert_eq!(wald.ask("/api/v1/me").await["role"], "approver");
    let page = wald.connect("admin").await.get("/").await;
    let policy = page.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self';"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
    let missing = wald.connect("admin").await.get("/assets/other.js").await;
    assert_eq!(missing.status, 404);
}
