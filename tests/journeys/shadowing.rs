//! Shadows: copies of live requests, whose answers are compared and never reach anyone.

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{Client, Folder, Reply, Upstream, Wald, document, trial, until, wald};

const CAT: &str = r#"{"id":"p-1","label":"cat","score":0.9101}"#;
const SAME_CAT: &str = r#"{"score":0.9102,"label":"cat","id":"s-7"}"#;
const DOG: &str = r#"{"id":"s-7","label":"dog","score":0.55}"#;

#[tokio::test]
async fn a_shadow_is_asked_the_same_after_the_client_has_its_answer() {
    let primary = Upstream::start(CAT, Reply::Name).await;
    let mut shadow = Upstream::start(SAME_CAT, Reply::Name).await;
    let journey = Journey::start(
        &primary,
        &shadow,
        "compare: { ignore: [/id], tolerance: 1e-3 }",
    )
    .await;
    let mut client = journey.wald.connect("edge").await;
    let headers = [("x-user", "ada"), ("x-wald-shadow", "mine")];
    let body = Bytes::from_static(br#"{"text":"meow"}"#);
    let answer = client
        .send(Method::POST, "/v1/classify?top=1", &headers, body.clone())
        .await;
    assert_eq!(answer.text(), CAT);
    let copy = shadow.arrived().await;
    let said = |name: &str| copy.head.headers.get(name).and_then(|it| it.to_str().ok());
    assert_eq!(copy.head.uri, "/v1/classify?top=1");
    assert_eq!((copy.head.method.as_str(), &copy.body), ("POST", &body));
    assert_eq!(
        (said("x-wald-shadow"), said("x-user")),
        (Some("true"), Some("ada"))
    );
    assert_eq!(said("x-wald-route"), Some("all"));
    let seen = journey.compared(1).await;
    assert_eq!(
        (&seen["route"], &seen["backend"]),
        (&json!("all"), &json!("shadow"))
    );
    assert_eq!(
        (&seen["agreed"], &seen["against"]),
        (&json!(1), &Value::Null),
        "{seen}"
    );
    let labels = r#"route="all",backend="shadow""#;
    let copies = format!("wald_shadow_requests_total{{{labels},outcome=\"answered\"}} 1");
    journey.wald.shows(&copies).await;
    let agreement = format!("wald_shadow_agreement_ratio{{{labels}}} 1");
    journey.wald.shows(&agreement).await;
}

#[tokio::test]
async fn where_answers_differ_is_counted_by_field_and_shown_without_what_people_wrote() {
    let primary = Upstream::start(CAT, Reply::Name).await;
    let shadow = Upstream::start(DOG, Reply::Name).await;
    let journey = Journey::start(&primary, &shadow, "compare: { ignore: [/id] }").await;
    journey.ask(40).await;
    let seen = journey.compared(40).await;
    assert_eq!(seen["agreed"], 0, "{seen}");
    let fields = seen["fields"].as_array().expect("a list");
    let mut at: Vec<_> = fields
        .iter()
        .map(|it| (it["at"].as_str(), it["disagreements"].as_u64()))
        .collect();
    at.sort_unstable();
    assert_eq!(at, [(Some("/label"), Some(40)), (Some("/score"), Some(40))]);
    assert!(!seen["samples"].to_string().contains("cat"), "{seen}");
    let [low, high] = interval(&seen);
    assert!(
        low < 1e-9 && high < 0.2,
        "forty of forty differ: {low}..{high}"
    );
}

#[tokio::test]
async fn only_what_is_asked_for_counts_as_agreement_and_its_interval_closes_in() {
    let primary = Upstream::start(CAT, Reply::Name).await;
    let shadow = Upstream::start(SAME_CAT, Reply::Name).await;
    let journey = Journey::start(&primary, &shadow, "compare: { only: [/label] }").await;
    // Of copies that come faster than they are compared some are let go.
    let seen = until("enough is compared", async || {
        journey.ask(20).await;
        let seen = journey.shadows().await["shadows"][0].clone();
        (seen["compared"].as_u64() >= Some(200)).then_some(seen)
    })
    .await;
    assert_eq!(seen["agreed"], seen["compared"], "{seen}");
    let [low, high] = interval(&seen);
    assert!(low > 0.95 && high > 0.999, "{low}..{high}");
}

#[tokio::test]
async fn a_dead_shadow_and_a_silent_one_cost_no_client_anything() {
    let primary = Upstream::start(CAT, Reply::Name).await;
    let shadow = Upstream::start(CAT, Reply::Held).await;
    let fields = "in_flight: 2, timeout: 1s";
    let journey = Journey::start(&primary, &shadow, fields).await;
    // A few wait for an answer that does not come, the others are let go.
    journey.ask(50).await;
    for outcome in ["shed", "timeout"] {
        until(outcome, async || {
            (journey.copies(outcome).await > 0).then_some(())
        })
        .await;
    }
    assert_eq!(journey.copies("answered").await, 0);
    // Nobody listens there any more.
    drop(shadow);
    until("copies fail", async || {
        // It may be left alone for a moment after so many that were late.
        journey.ask(1).await;
        (journey.copies("failed").await > 0).then_some(())
    })
    .await;
    let seen = journey.shadows().await["shadows"][0].clone();
    assert!(
        seen["compared"].as_u64() > Some(0),
        "silence counts as no agreement: {seen}"
    );
    assert_eq!(seen["agreed"], 0, "{seen}");
    assert_eq!(seen["fields"][0]["at"], "answer");
}

#[tokio::test]
async fn what_wald_itself_answers_is_compared_with_nothing() {
    let primary = Upstream::start("primary", Reply::Name).await;
    let shadow = Upstream::start("shadow", Reply::Name).await;
    let journey = Journey::start(&primary, &shadow, "share: 100%").await;
    drop(primary);
    let mut client = journey.wald.connect("edge").await;
    assert_eq!(client.get("/").await.status, StatusCode::BAD_GATEWAY);
    until("the copy is given up", async || {
        (journey.copies("incomplete").await == 1).then_some(())
    })
    .await;
    assert_eq!(
        (journey.shadows().await["shadows"].clone(), shadow.asked()),
        (json!([]), 0)
    );
}

#[tokio::test]
async fn what_stands_in_for_a_primary_is_compared_with_nothing() {
    let primary = Upstream::start("primary", Reply::Status(StatusCode::BAD_GATEWAY)).await;
    let shadow = Upstream::start("shadow", Reply::Name).await;
    let other = Upstream::start("shadow", Reply::Name).await;
    let folder = Folder::new();
    let text = document(&format!(
        "\
upstreams:
  - {{ name: primary, endpoints: [{}] }}
  - {{ name: shadow, endpoints: [{}] }}
  - {{ name: other, endpoints: [{}] }}
routes:
  - name: all
    allow: [{{ callers: anyone }}]
    backend: {{ upstream: primary }}
    fallback: [{{ upstream: other }}]
    shadow: [{{ backend: {{ upstream: shadow }} }}]
",
        primary.endpoint(),
        shadow.endpoint(),
        other.endpoint(),
    ));
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let journey = Journey { wald, folder };
    journey.ask(1).await;
    until("the copy is given up", async || {
        (journey.copies("incomplete").await == 1).then_some(())
    })
    .await;
    // The next one is of the primary again.
    primary.reply(Reply::Name);
    journey.ask(1).await;
    let seen = journey.compared(1).await;
    assert_eq!((&seen["agreed"], shadow.asked()), (&json!(0), 1), "{seen}");
}

#[tokio::test]
async fn of_two_shadows_each_has_its_own_limit() {
    let primary = Upstream::start("primary", Reply::Echo).await;
    let (small, large) = (
        Upstream::start("small", Reply::Echo).await,
        Upstream::start("large", Reply::Echo).await,
    );
    let folder = Folder::new();
    let text = document(&format!(
        "\
upstreams:
  - {{ name: primary, endpoints: [{}] }}
  - {{ name: small, endpoints: [{}] }}
  - {{ name: large, endpoints: [{}] }}
routes:
  - name: all
    allow: [{{ callers: anyone }}]
    backend: {{ upstream: primary }}
    shadow: [{{ backend: {{ upstream: small }}, body_max: 1KiB }}, {{ backend: {{ upstream: large }}, body_max: 4KiB }}]
",
        primary.endpoint(),
        small.endpoint(),
        large.endpoint(),
    ));
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let journey = Journey { wald, folder };
    let mut client = journey.wald.connect("edge").await;
    client
        .send(Method::POST, "/", &[], Bytes::from(vec![b'x'; 2000]))
        .await;
    let seen = journey.compared(1).await;
    assert_eq!(
        (&seen["backend"], &seen["agreed"]),
        (&json!("large"), &json!(1))
    );
    assert_eq!(
        (small.asked(), large.asked(), journey.copies("shed").await),
        (0, 1, 1)
    );
}

#[tokio::test]
async fn methods_that_the_document_does_not_name_and_large_bodies_are_not_copied() {
    let primary = Upstream::start("primary", Reply::Echo).await;
    let shadow = Upstream::start("shadow", Reply::Echo).await;
    let journey = Journey::start(&primary, &shadow, "methods: [POST], body_max: 1KiB").await;
    let mut client = journey.wald.connect("edge").await;
    for (method, length) in [
        (Method::PUT, 10),
        (Method::POST, 2000),
        (Method::POST, 1000),
    ] {
        let body = Bytes::from(vec![b'x'; length]);
        let answer = client.send(method, "/", &[], body.clone()).await;
        assert_eq!(answer.body, body);
    }
    let seen = journey.compared(1).await;
    assert_eq!(seen["agreed"], 1);
    assert_eq!((shadow.asked(), journey.copies("shed").await), (1, 1));
}

#[tokio::test]
async fn a_share_of_nothing_copies_nothing_and_explain_names_who_listens() {
    let primary = Upstream::start("primary", Reply::Name).await;
    let shadow = Upstream::start("shadow", Reply::Name).await;
    let journey = Journey::start(&primary, &shadow, "share: 0%").await;
    journey.ask(50).await;
    let path = journey.folder.path("wald.yaml");
    let path = path.to_str().expect("text");
    let said = wald([
        "explain", "-o", "json", "-c", path, "--method", "GET", "--path", "/",
    ])
    .await;
    assert_eq!(said.json()["shadows"], json!(["shadow (0%)"]));
    assert_eq!(
        journey.shadows().await,
        json!({ "shadows": [], "copies": [] })
    );
    assert_eq!(shadow.asked(), 0);
}

#[tokio::test]
async fn within_an_experiment_a_shadow_is_compared_with_each_arm_apart() {
    let control = Upstream::start(CAT, Reply::Name).await;
    let candidate = Upstream::start(DOG, Reply::Name).await;
    let shadow = Upstream::start(CAT, Reply::Name).await;
    let folder = Folder::new();
    let text = trial(&control, &candidate, &folder.path("wald.redb"));
    let text = text
        .replace(
            "upstreams:\n",
            &format!(
                "upstreams:\n  - {{ name: shadow, endpoints: [{}] }}\n",
                shadow.endpoint()
            ),
        )
        .replace(
            "backend: { experiment: trial } }]",
            "backend: { experiment: trial }, shadow: [{ backend: { upstream: shadow } }] }]",
        );
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let mut client = wald.connect("edge").await;
    for user in 0..30 {
        let user = user.to_string();
        let headers = [("x-user", user.as_str())];
        client.send(Method::GET, "/", &headers, Bytes::new()).await;
    }
    let seen = until("all are compared", async || {
        let seen = wald.ask("/api/v1/shadows").await["shadows"].clone();
        let counts = seen.as_array()?.iter().map(|it| it["compared"].as_u64());
        (counts.sum::<Option<u64>>()? == 30).then_some(seen)
    })
    .await;
    for one in seen.as_array().expect("a list") {
        let agreed = if one["against"] == "control" {
            one["compared"].clone()
        } else {
            json!(0)
        };
        assert_eq!(one["agreed"], agreed, "{one}");
    }
    assert_eq!(seen.as_array().map(Vec::len), Some(2), "{seen}");
}

fn interval(seen: &Value) -> [f64; 2] {
    let interval = &seen["agreement"]["interval"];
    [0, 1].map(|end| interval[end].as_f64().expect("an end of the interval"))
}

/// One route with one shadow.
struct Journey {
    wald: Wald,
    folder: Folder,
}

impl Journey {
    async fn start(primary: &Upstream, shadow: &Upstream, fields: &str) -> Self {
        let folder = Folder::new();
        let text = document(&format!(
            "\
upstreams:
  - {{ name: primary, endpoints: [{}] }}
  - {{ name: shadow, endpoints: [{}], timeouts: {{ connect: 1s }} }}
routes:
  - name: all
    allow: [{{ callers: anyone }}]
    backend: {{ upstream: primary }}
    shadow: [{{ backend: {{ upstream: shadow }}, {fields} }}]
",
            primary.endpoint(),
            shadow.endpoint(),
        ));
        let wald = Wald::run(&folder.write("wald.yaml", text)).await;
        Self { wald, folder }
    }

    /// Asks so often, and gets an answer each time.
    async fn ask(&self, times: usize) {
        let mut client = Client::open(self.wald.address("edge").await).await;
        for _ in 0..times {
            assert_eq!(client.get("/").await.status, StatusCode::OK);
        }
    }

    async fn shadows(&self) -> Value {
        self.wald.ask("/api/v1/shadows").await
    }

    /// What is known of the shadow once so many answers were compared.
    async fn compared(&self, count: u64) -> Value {
        until("the answers are compared", async || {
            let seen = self.shadows().await["shadows"][0].clone();
            (seen["compared"] == count).then_some(seen)
        })
        .await
    }

    /// How many copies ended so.
    async fn copies(&self, outcome: &str) -> u64 {
        let shadows = self.shadows().await;
        let copies = shadows["copies"].as_array().expect("a list");
        let found = copies.iter().find(|it| it["outcome"] == outcome);
        found
            .and_then(|it| it["count"].as_u64())
            .unwrap_or_default()
    }
}
