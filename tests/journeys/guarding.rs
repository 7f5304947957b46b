//! Guardrails on the slow tail: a candidate that keeps a part of its requests waiting is rolled back,
//! however quick the others are.

use std::path::Path;

use serde_json::{Value, json};
use tests::{Folder, Load, Reply, Upstream, Wald, document, until};

/// One request in five of the candidate meets nobody and ends with the upstream's timeout of a second;
/// each of the others is answered at once, so that the median is the control's.
#[tokio::test]
async fn a_slow_tail_is_rolled_back_by_its_slo_and_its_quantile() {
    let journey = Journey::start(Reply::Stuck { one_in: 5 }).await;
    let (trial, load) = journey.decided().await;
    load.stop().await;
    assert_eq!(trial["state"], "rolled_back", "{trial}");
    let reason = trial["reason"].as_str().expect("a reason");
    assert!(reason.starts_with("arm candidate is worse"), "{reason}");
    assert!(reason.contains("slow 0.0000 → 0."), "{reason}");
    for (name, scale, method) in [
        ("slow", "odds_ratio", "conditional_2x2"),
        ("p90", "quantile_ratio", "quantile_exceedance"),
    ] {
        let metric = metric(&trial, name);
        assert_eq!(metric["scale"], scale, "{metric}");
        assert_eq!(metric["methods"]["worse"], method, "{metric}");
        let [control, candidate] = ["control", "candidate"]
            .map(|arm| metric["estimate"][arm].as_f64().expect("an estimate"));
        assert!(candidate > control, "{metric}");
    }
}

/// The same guardrails on two equal backends find nothing to roll back.
#[tokio::test]
async fn equal_tails_are_left_alone() {
    let journey = Journey::start(Reply::Name).await;
    let load = journey.load().await;
    let trial = until("both arms are judged", async || {
        let trial = journey.trial().await;
        let n = metric(&trial, "slow")["n"].clone();
        let all = n.as_array()?.iter().all(|n| n.as_u64() > Some(150));
        all.then_some(trial)
    })
    .await;
    load.stop().await;
    assert_eq!(trial["state"], "running", "{trial}");
    assert_eq!(metric(&trial, "slow")["estimate"]["candidate"], json!(0.0));
}

struct Journey {
    wald: Wald,
    _backends: [Upstream; 2],
    _folder: Folder,
}

impl Journey {
    async fn start(candidate: Reply) -> Self {
        let control = Upstream::start("control", Reply::Name).await;
        let candidate = Upstream::start("candidate", candidate).await;
        let folder = Folder::new();
        let text = guarded(&control, &candidate, &folder.path("wald.redb"));
        let wald = Wald::run(&folder.write("wald.yaml", text)).await;
        Self {
            wald,
            _backends: [control, candidate],
            _folder: folder,
        }
    }

    async fn load(&self) -> Load {
        Load::start(self.wald.address("edge").await, "/", 8, 800)
    }

    async fn trial(&self) -> Value {
        self.wald.ask("/api/v1/experiments/trial").await
    }

    /// The experiment once it has its verdict, and the load that brought it.
    async fn decided(&self) -> (Value, Load) {
        let load = self.load().await;
        let trial = until("a verdict", async || {
            let trial = self.trial().await;
            (trial["decision"] != "undecided").then_some(trial)
        })
        .await;
        (trial, load)
    }
}

fn guarded(control: &Upstream, candidate: &Upstream, store: &Path) -> String {
    document(&format!(
        "\
store: {{ path: {store} }}
upstreams:
  - {{ name: control, endpoints: [{control}] }}
  - {{ name: candidate, endpoints: [{candidate}], timeouts: {{ response: 1s }} }}
routes: [{{ name: all, allow: [{{ callers: anyone }}], backend: {{ experiment: trial }} }}]
experiments:
  - name: trial
    unit: request
    arms:
      - {{ name: control, backend: {{ upstream: control }} }}
      - {{ name: candidate, backend: {{ upstream: candidate }} }}
    ramp: [50%]
    metrics:
      - {{ name: liked, kind: proportion, source: feedback, better: higher, role: goal, window: 2s }}
      - {{ name: slow, kind: quantile, slo: 800ms, source: duration, better: lower, role: guardrail, margin: {{ odds: 1.5 }}, window: 2s }}
      - {{ name: p90, kind: quantile, quantile: 0.9, source: duration, better: lower, role: guardrail, margin: {{ relative: 50% }}, window: 2s }}
",
        store = store.display(),
        control = control.endpoint(),
        candidate = candidate.endpoint(),
    ))
}

fn metric(trial: &Value, name: &str) -> Value {
    let metrics = trial["metrics"].as_array().expect("a list of metrics");
    let mut metrics = metrics.iter();
    let found = metrics.find(|metric| metric["name"] == name);
    found.expect("the metric is reported").clone()
}
