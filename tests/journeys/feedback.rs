//! Feedback: whoever holds an assignment may judge it, once and in time.

use std::path::PathBuf;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{Client, Folder, Reply, Upstream, Wald, trial, until, wald};

#[tokio::test]
async fn feedback_sent_twice_counts_once() {
    let running = Running::start().await;
    let mut client = running.wald.connect("edge").await;
    let token = assignment(&mut client, "ann").await;
    let first = post(
        &mut client,
        &json!([judged(&token, "a"), judged(&token, "a")]),
    )
    .await;
    assert_eq!(
        (&first["accepted"], &first["duplicate"]),
        (&json!(1), &json!(1))
    );
    let again = post(
        &mut client,
        &json!([judged(&token, "a"), judged(&token, "b")]),
    )
    .await;
    assert_eq!(
        (&again["accepted"], &again["duplicate"]),
        (&json!(0), &json!(2))
    );
    let counted = until("the referee counts it", async || {
        let liked = metric(
            &running.wald.ask("/api/v1/experiments/trial").await,
            "liked",
        );
        (liked["n"] != json!([0, 0])).then_some(liked)
    })
    .await;
    assert_eq!(total(&counted), 1, "{counted}");
}

#[tokio::test]
async fn feedback_that_never_comes_is_counted_as_missing() {
    let running = Running::start().await;
    let mut client = running.wald.connect("edge").await;
    let tokens = [
        assignment(&mut client, "ann").await,
        assignment(&mut client, "ann").await,
    ];
    post(&mut client, &json!([judged(&tokens[0], "a")])).await;
    let silence = until("both requests have had their time", async || {
        let silence = metric(
            &running.wald.ask("/api/v1/experiments/trial").await,
            "silence",
        );
        (total(&silence) == 2).then_some(silence)
    })
    .await;
    let (arm, seen) = if silence["n"][0] == 2 {
        ("control", 0)
    } else {
        ("candidate", 1)
    };
    assert_eq!(silence["n"][seen], 2);
    assert_eq!(silence["estimate"][arm], 0.5, "{silence}");
}

#[tokio::test]
async fn a_plan_asks_a_running_wald_what_the_control_is_like() {
    let running = Running::start().await;
    let mut client = running.wald.connect("edge").await;
    // Users enough that some are the control's; half of each arm's answers are liked.
    for user in 0..32 {
        for value in [0, 1] {
            let token = assignment(&mut client, &format!("user-{user}")).await;
            let judged = json!({ "assignment": token, "metric": "liked", "value": value });
            post(&mut client, &json!([judged])).await;
        }
    }
    until("all of it is counted", async || {
        let trial = running.wald.ask("/api/v1/experiments/trial").await;
        (total(&metric(&trial, "liked")) == 64).then_some(())
    })
    .await;
    let admin = running.wald.admin().await.to_string();
    let document = running.document.to_str().expect("text");
    let plan = [
        "plan",
        "-c",
        document,
        "--experiment",
        "trial",
        "--runs",
        "1",
        "-o",
        "json",
    ];
    let asked = plan.iter().copied().chain(["--admin", &admin]);
    let said = wald(asked).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let liked = said.json()["assumptions"][1].clone();
    assert_eq!(
        (&liked["metric"], &liked["value"], &liked["source"]),
        (&json!("liked"), &json!(0.5), &json!("observed"))
    );
    // Nobody answers there.
    let nobody = plan.iter().copied().chain(["--admin", "127.0.0.1:1"]);
    let said = wald(nobody).await;
    assert!(
        said.code != Some(0) && said.stderr.contains("127.0.0.1:1"),
        "{said:?}"
    );
}

#[tokio::test]
async fn the_admin_address_takes_feedback_too() {
    let running = Running::start().await;
    let token = assignment(&mut running.wald.connect("edge").await, "ann").await;
    let mut admin = running.wald.connect("admin").await;
    let answer = admin.post("/api/v1/feedback", &judged(&token, "a")).await;
    assert_eq!(
        (answer.status, &answer.json()["accepted"]),
        (StatusCode::OK, &json!(1))
    );
}

#[tokio::test]
async fn a_token_that_another_wald_signed_is_refused() {
    let (ours, theirs) = (Running::start().await, Running::start().await);
    let foreign = assignment(&mut theirs.wald.connect("edge").await, "ann").await;
    let mut client = ours.wald.connect("edge").await;
    let native = assignment(&mut client, "ann").await;
    let receipt = post(
        &mut client,
        &json!([judged(&foreign, "a"), judged(&native, "b")]),
    )
    .await;
    assert_eq!(receipt["accepted"], 1);
    assert_eq!(receipt["refused"][0]["index"], 0);
    let alone = client.post("/.wald/feedback", &judged(&foreign, "c")).await;
    assert!(alone.status.is_client_error(), "{alone:?}");
    assert_eq!(alone.json()["code"], receipt["refused"][0]["code"]);
}

#[tokio::test]
async fn a_token_that_was_changed_is_refused() {
    let running = Running::start().await;
    let mut client = running.wald.connect("edge").await;
    let token = assignment(&mut client, "ann").await;
    let end = if token.ends_with('A') { "B" } else { "A" };
    let changed = token.chars().take(token.len() - 1).collect::<String>() + end;
    for broken in [changed.as_str(), "", "nonsense"] {
        let answer = client.post("/.wald/feedback", &judged(broken, "a")).await;
        assert!(answer.status.is_client_error(), "{broken:?}: {answer:?}");
    }
}

#[tokio::test]
async fn feedback_after_the_metrics_window_is_refused_as_late() {
    let running = Running::start().await;
    let mut client = running.wald.connect("edge").await;
    let mut tokens = Vec::new();
    for user in 0..400 {
        tokens.push(assignment(&mut client, &format!("user-{user}")).await);
    }
    // All are of the same age; each is tried once, until the first comes too late.
    let mut left = tokens.iter();
    let late = until("a token grows too old", async || {
        let token = left
            .next()
            .expect("the window ends before four hundred tries");
        let answer = client.post("/.wald/feedback", &judged(token, "a")).await;
        (answer.status != StatusCode::OK).then_some(answer)
    })
    .await;
    assert!(late.status.is_client_error());
    assert!(
        late.text().contains("late") || late.text().contains("window"),
        "{}",
        late.text()
    );
}

struct Running {
    wald: Wald,
    document: PathBuf,
    _upstream: Upstream,
    _folder: Folder,
}

impl Running {
    async fn start() -> Self {
        let upstream = Upstream::start("both", Reply::Name).await;
        let folder = Folder::new();
        let silence = "      - { name: silence, kind: proportion, source: { missing: liked }, better: lower, role: guardrail, margin: { odds: 1.5 } }\n";
        let text = trial(&upstream, &upstream, &folder.path("wald.redb")) + silence;
        let document = folder.write("wald.yaml", text);
        Self {
            wald: Wald::run(&document).await,
            document,
            _upstream: upstream,
            _folder: folder,
        }
    }
}

/// The token of a request that an experiment served.
async fn assignment(client: &mut Client, user: &str) -> String {
    let answer = client
        .send(Method::GET, "/", &[("x-user", user)], Bytes::new())
        .await;
    let token = answer.header("x-wald-assignment").to_owned();
    assert_ne!(token, "", "{answer:?}");
    token
}

fn judged(token: &str, id: &str) -> Value {
    json!({ "assignment": token, "metric": "liked", "value": 1, "id": id })
}

async fn post(client: &mut Client, items: &Value) -> Value {
    let answer = client.post("/.wald/feedback", items).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.json()
}

fn metric(experiment: &Value, name: &str) -> Value {
    let metrics = experiment["metrics"].as_array().expect("a list of metrics");
    metrics
        .iter()
        .find(|metric| metric["name"] == name)
        .expect("the metric is reported")
        .clone()
}

fn total(metric: &Value) -> u64 {
    metric["n"]
        .as_array()
        .expect("a count for each arm")
        .iter()
        .filter_map(Value::as_u64)
        .sum()
}
