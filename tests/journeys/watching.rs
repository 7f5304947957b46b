//! After a promotion: what becomes worse is told, or taken back, and what stays as it was is left alone.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{
    Folder, Load, Reply, Upstream, Verb, Wald, asked, records, trial, until, wald, within,
};

/// It takes as many requests as it takes.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn a_promotion_is_taken_back_once_the_arm_fails_more_often_than_it_did() {
    let release = Release::begin("watch: { every: 1h, then: revert }")
        .await
        .promoted()
        .await;
    release.candidate.reply(failing(10));
    let reverted = release
        .served_until(|seen| seen["state"] == "rolled_back")
        .await;
    let reason = reverted["reason"].as_str().unwrap_or_default();
    assert!(
        reason.contains("failures of candidate has become worse since the promotion"),
        "{reason}"
    );
    assert_eq!(reverted["watch"], Value::Null, "{reverted}");
    let records = release.records().await;
    let kinds: Vec<_> = records.iter().map(|it| &it["kind"]).collect();
    assert_eq!(kinds, ["started", "promoted", "rolled_back"]);
    let detail = &records[2]["detail"];
    assert_eq!(detail["alarm"], "watch/failures", "{detail}");
    let risen = &detail["evidence"]["risen"];
    let again = recomputed(risen).await;
    assert!(
        (again - risen["log_e"].as_f64().expect("a number")).abs() < 1e-9,
        "{again}: {risen}"
    );
    let mut client = release.wald.connect("edge").await;
    for user in 0..20 {
        let user = format!("user-{user}");
        let headers = [("x-user", user.as_str())];
        let answer = client.send(Method::GET, "/", &headers, Bytes::new()).await;
        assert_eq!(answer.text(), "control");
    }
}

#[tokio::test]
async fn where_people_decide_an_alarm_is_told_once_also_after_a_restart() {
    let release = Release::begin("watch: { every: 1h }")
        .await
        .promoted()
        .await;
    release.candidate.reply(failing(10));
    let alarmed = release
        .served_until(|seen| seen["watch"]["metrics"][0]["alarm"] == true)
        .await;
    assert_eq!(alarmed["state"], "promoted", "{alarmed}");
    let before = n(&alarmed);
    let release = release.restarted().await;
    release.served_until(|seen| n(seen) > before + 200).await;
    let records = release.records().await;
    let kinds: Vec<_> = records.iter().map(|it| &it["kind"]).collect();
    assert_eq!(kinds, ["started", "promoted", "alarm"]);
    assert_eq!(records[2]["detail"]["alarm"], "watch/failures");
}

#[tokio::test]
async fn an_arm_that_stays_as_it_was_is_left_alone() {
    let release = Release::begin("watch: { every: 1h, then: revert }")
        .await
        .promoted()
        .await;
    let later = release.served_until(|seen| n(seen) > 3000).await;
    let watched = &later["watch"]["metrics"][0];
    assert_eq!(
        (&later["state"], &watched["alarm"]),
        (&json!("promoted"), &json!(false)),
        "{later}"
    );
    let shown = release.show().await;
    assert!(
        shown.contains("watching candidate: an alarm takes the promotion back"),
        "{shown}"
    );
    let metrics = release.scrape().await;
    let of = "{experiment=\"trial\",metric=\"failures\"}";
    assert!(
        metrics.contains(&format!("wald_experiment_watch_log_e{of}")),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_watch_can_begin_and_change_without_a_new_run() {
    let release = Release::begin("").await.promoted().await;
    let seen = release.seen().await;
    assert_eq!((&seen["watch"], &seen["run"]), (&Value::Null, &json!(1)));
    let watched = async |watch: &str| {
        let text = release
            .text
            .replace("ramp: [50%]", &format!("ramp: [50%]\n    {watch}"));
        release.folder.swap("wald.yaml", text);
        until("the document is in force", async || {
            let seen = release.seen().await;
            let ticks = seen["watch"]["ticks"].as_u64()?;
            watch.contains(&format!("{}s", ticks)).then_some(seen)
        })
        .await
    };
    watched("watch: { every: 3600s }").await;
    let counting = release.served_until(|seen| n(seen) > 100).await;
    let rarer = watched("watch: { every: 7200s }").await;
    assert_eq!(
        (&rarer["run"], &rarer["state"]),
        (&json!(1), &json!("promoted"))
    );
    let threshold = |seen: &Value| seen["watch"]["metrics"][0]["threshold"].as_f64();
    assert!(threshold(&rarer) > threshold(&counting), "{rarer}");
    assert!(n(&rarer) >= n(&counting), "what was counted stays");
}

#[tokio::test]
async fn feedback_on_a_promoted_arm_counts_for_its_watch() {
    let release = Release::begin("watch: { every: 1h }").await;
    // Some of these are the candidate's.
    for _ in 0..20 {
        release.judge().await;
    }
    let release = release.promoted().await;
    release.judge().await;
    until("it counts", async || {
        let seen = release.seen().await;
        let watched = seen["watch"]["metrics"].as_array()?.clone();
        let liked = watched.iter().find(|it| it["metric"] == "liked")?;
        (liked["n"] == 1).then_some(())
    })
    .await;
}

/// ln(1 + M) as `wald stat` finds it.
async fn recomputed(risen: &Value) -> f64 {
    let arguments = json!({
        "looks": risen["looks"],
        "p0": risen["frozen"]["allowed"],
        "dependent": risen["dependent"],
        "from": risen["from"],
    });
    let said = Verb::new(["stat", "e_detector"])
        .input(&arguments.to_string())
        .run()
        .await;
    let log_e = said.json()["log_e"].as_array().expect("a list").clone();
    log_e.last().and_then(Value::as_f64).expect("a number")
}

/// How many outcomes of the first metric were counted since the promotion.
fn n(seen: &Value) -> u64 {
    seen["watch"]["metrics"][0]["n"].as_u64().unwrap_or(0)
}

/// One request in so many gets an error of the server's own.
fn failing(one_in: usize) -> Reply {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    Reply::Sometimes { status, one_in }
}

/// A candidate that failed once in a hundred requests until a person promoted it, as the control does.
struct Release {
    folder: Folder,
    text: String,
    wald: Wald,
    candidate: Upstream,
    _control: Upstream,
}

impl Release {
    async fn begin(watch: &str) -> Self {
        let control = Upstream::start("control", failing(100)).await;
        let candidate = Upstream::start("candidate", failing(100)).await;
        let folder = Folder::new();
        let text = trial(&control, &candidate, &folder.path("wald.redb"));
        let text = text.replace("unit: { header: x-user }", "unit: request");
        let text = text.replace("    ramp: [50%]", &format!("    ramp: [50%]\n    {watch}"));
        let running = Wald::run(&folder.write("wald.yaml", &text)).await;
        Self {
            folder,
            text,
            wald: running,
            candidate,
            _control: control,
        }
    }

    /// Sends a request, and says that its answer was liked.
    async fn judge(&self) {
        let mut client = self.wald.connect("edge").await;
        let answer = client.get("/").await;
        let token = answer.header("x-wald-assignment").to_owned();
        let judged = json!([{ "assignment": token, "metric": "liked", "value": 1 }]);
        let receipt = client.post("/.wald/feedback", &judged).await.json();
        assert_eq!(receipt["accepted"], 1, "{receipt}");
    }

    async fn promoted(self) -> Self {
        self.served_until(|seen| seen["metrics"][0]["n"][1].as_u64() > Some(1500))
            .await;
        let admin = self.wald.admin().await.to_string();
        let order = [
            "experiment",
            "promote",
            "trial",
            "--reason",
            "as good",
            "--admin",
            &admin,
        ];
        let said = wald(order).await;
        assert_eq!(said.code, Some(0), "{said:?}");
        self
    }

    async fn restarted(self) -> Self {
        assert_eq!(self.wald.stop().await.code(), Some(0));
        let wald = Wald::run(&self.folder.path("wald.yaml")).await;
        Self { wald, ..self }
    }

    async fn seen(&self) -> Value {
        self.wald.ask("/api/v1/experiments/trial").await
    }

    /// Sends requests until the experiment stands so.
    async fn served_until(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let load = Load::start(self.wald.address("edge").await, "/", 8, 1600);
        let reached = asked(async || Some(self.seen().await).filter(|seen| wanted(seen)));
        let seen = within(PATIENCE, "the experiment gets there", reached).await;
        let sent = load.stop().await;
        assert!(sent.lost.is_empty(), "{sent:?}");
        seen
    }

    async fn show(&self) -> String {
        let admin = self.wald.admin().await.to_string();
        wald(["experiment", "show", "trial", "--admin", &admin])
            .await
            .stdout
    }

    async fn scrape(&self) -> String {
        let mut admin = self.wald.connect("admin").await;
        admin.get("/metrics").await.text()
    }

    /// The audit trail of the experiment.
    async fn records(&self) -> Vec<Value> {
        let mut records = records(&self.folder.path("wald.yaml")).await;
        records.retain(|record| record["experiment"] == "trial");
        records
    }
}
