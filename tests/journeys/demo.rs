//! The demo decides both of its experiments, whatever the seed.

use std::time::Duration;

use serde_json::Value;
use tests::{Folder, Said, Verb};

/// The demo's own promise is two minutes; a machine that runs other tests beside it may take longer.
const PATIENCE: Duration = Duration::from_secs(240);

#[tokio::test]
async fn seed_1_decides_both_ways() {
    decides_both_ways(1).await;
}

#[tokio::test]
async fn seed_2_decides_both_ways() {
    decides_both_ways(2).await;
}

#[tokio::test]
async fn seed_3_decides_both_ways_and_leaves_room_for_the_next() {
    let folder = decides_both_ways(3).await;
    let next = demo(&folder, 3).await;
    assert!(next.stderr.contains("starts clean"), "{next:?}");
}

async fn decides_both_ways(seed: u64) -> Folder {
    let folder = Folder::new();
    let said = demo(&folder, seed).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let summary = said.json();
    assert_eq!(summary["seed"], seed);
    let decisions: Vec<_> = experiments(&summary)
        .map(|(name, decision, _)| (name, decision))
        .collect();
    assert_eq!(
        decisions,
        [
            ("digits-better", "promoted"),
            ("digits-worse", "rolled_back")
        ]
    );
    assert!(
        experiments(&summary).all(|(_, _, reason)| !reason.is_empty()),
        "{summary}"
    );
    folder
}

async fn demo(folder: &Folder, seed: u64) -> Said {
    let seed = seed.to_string();
    Verb::new(["demo", "--port", "0", "--once", "--fast", "--seed", &seed])
        .variable("WALD_DEMO_DIR", folder.path("demo"))
        .patience(PATIENCE)
        .run()
        .await
}

/// Name, decision and reason of each experiment in a summary.
fn experiments(summary: &Value) -> impl Iterator<Item = (&str, &str, &str)> {
    let all = summary["experiments"].as_array().into_iter().flatten();
    all.map(|one| {
        (
            text(&one["name"]),
            text(&one["decision"]),
            text(&one["reason"]),
        )
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
