//! Servers that fail in every way they can: what is tried again, what falls back, what never is.

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::json;
use tests::{Client, Folder, Load, Reply, Rude, Upstream, Wald, document, until};

/// A wald with one worker and one route to the upstream `models`, with these fields of upstream and route.
async fn front(folder: &Folder, endpoints: &[String], upstream: &str, route: &str) -> Wald {
    let endpoints = endpoints.join(", ");
    let text = document(&format!(
        "\
upstreams:
  - {{ name: models, endpoints: [{endpoints}], balance: round_robin{upstream} }}
routes: [{{ name: all, allow: [{{ callers: anyone }}], backend: {{ upstream: models }}{route} }}]
"
    ));
    let text = text.replace("workers: 2", "workers: 1");
    Wald::run(&folder.write("wald.yaml", text)).await
}

async fn post(client: &mut Client, body: &'static str) -> tests::Answer {
    client
        .send(Method::POST, "/", &[], Bytes::from_static(body.as_bytes()))
        .await
}

const UNAVAILABLE: Reply = Reply::Status(StatusCode::SERVICE_UNAVAILABLE);

#[tokio::test]
async fn a_request_goes_to_another_server_with_its_whole_body() {
    let (bad, good) = (
        Upstream::start("bad", UNAVAILABLE).await,
        Upstream::start("good", Reply::Echo).await,
    );
    let folder = Folder::new();
    let retries = ", retries: { attempts: 1, when: [503], budget: 100% }";
    let wald = front(&folder, &[bad.endpoint(), good.endpoint()], "", retries).await;
    let mut client = wald.connect("edge").await;
    for _ in 0..6 {
        let answer = post(&mut client, "what I ask").await;
        assert_eq!(
            (answer.status, &*answer.text()),
            (StatusCode::OK, "what I ask")
        );
    }
    assert_eq!((bad.asked(), good.asked()), (3, 6));
    wald.shows("wald_retries_total{route=\"all\"} 3").await;
}

#[tokio::test]
async fn what_the_document_does_not_name_is_not_tried_again() {
    let (bad, good) = (
        Upstream::start("bad", Reply::Status(StatusCode::INTERNAL_SERVER_ERROR)).await,
        Upstream::start("good", Reply::Name).await,
    );
    let folder = Folder::new();
    let retries = ", retries: { attempts: 3, when: [connect, 503] }";
    let wald = front(&folder, &[bad.endpoint(), good.endpoint()], "", retries).await;
    let answer = wald.connect("edge").await.get("/").await;
    assert_eq!((answer.status.as_u16(), good.asked()), (500, 0));
}

#[tokio::test]
async fn a_method_that_may_not_be_repeated_is_not_once_a_server_may_have_acted() {
    let (bad, good) = (
        Upstream::start("bad", UNAVAILABLE).await,
        Upstream::start("good", Reply::Name).await,
    );
    let folder = Folder::new();
    let retries = ", retries: { attempts: 1, when: [503], methods: [GET] }";
    let wald = front(&folder, &[bad.endpoint(), good.endpoint()], "", retries).await;
    let mut client = wald.connect("edge").await;
    assert_eq!(
        post(&mut client, "x").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(client.get("/").await.status, StatusCode::OK);
    assert_eq!(client.get("/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_is_too_large_to_keep_is_sent_once() {
    let (bad, good) = (
        Upstream::start("bad", UNAVAILABLE).await,
        Upstream::start("good", Reply::Echo).await,
    );
    let folder = Folder::new();
    let retries = ", retries: { attempts: 1, when: [503], body_max: 8B }";
    let wald = front(&folder, &[bad.endpoint(), good.endpoint()], "", retries).await;
    let mut client = wald.connect("edge").await;
    let answer = post(&mut client, "nine bytes").await;
    assert_eq!((answer.status.as_u16(), good.asked()), (503, 0));
    assert_eq!(post(&mut client, "nine bytes").await.text(), "nine bytes");
    assert_eq!(post(&mut client, "8 bytes.").await.text(), "8 bytes.");
}

#[tokio::test]
async fn retries_stay_within_their_budget() {
    let bad = Upstream::start("bad", UNAVAILABLE).await;
    let folder = Folder::new();
    let retries = ", retries: { attempts: 2, when: [503], budget: 10% }";
    let wald = front(&folder, &[bad.endpoint()], "", retries).await;
    let mut client = wald.connect("edge").await;
    for _ in 0..20 {
        assert_eq!(
            client.get("/").await.status,
            StatusCode::SERVICE_UNAVAILABLE
        );
    }
    let asked = bad.asked();
    assert!(
        (21..=25).contains(&asked),
        "{asked}: a few retries for 20 requests"
    );
    let text = wald.connect("admin").await.get("/metrics").await.text();
    assert!(
        text.contains("wald_limit_reached_total{limit=\"retry_budget\"}"),
        "{text}"
    );
}

#[tokio::test]
async fn servers_that_take_no_connection_reset_or_send_garbage_lose_no_request() {
    let good = Upstream::start("good", Reply::Name).await;
    let folder = Folder::new();
    let refuses = {
        // Its port is free again when it is gone.
        let gone = Upstream::start("gone", Reply::Name).await;
        gone.endpoint()
    };
    let retries = ", retries: { attempts: 2, when: [connect, reset, timeout], budget: 100% }";
    let times = ", timeouts: { response: 300ms }";
    let rude = [
        Rude::start(b"").await,
        Rude::start(b"HTTP/1.1 200 OK\r\nContent-Le").await,
        Rude::start(b"220 mail.example ESMTP\r\n").await,
        Rude::start(b"\x16\x03\x01\0\x01\0").await,
        Rude::start(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n").await,
        Rude::silent().await,
    ];
    let others = rude.iter().map(Rude::endpoint).chain([refuses]);
    for bad in others {
        let wald = front(&folder, &[bad, good.endpoint()], times, retries).await;
        let mut client = wald.connect("edge").await;
        for _ in 0..4 {
            let answer = post(&mut client, "x").await;
            assert_eq!((answer.status, &*answer.text()), (StatusCode::OK, "good"));
        }
    }
}

#[tokio::test]
async fn nothing_is_tried_again_once_an_answer_has_begun() {
    let good = Upstream::start("good", Reply::Name).await;
    let bad = Rude::start(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await;
    let folder = Folder::new();
    let retries = ", retries: { attempts: 2, when: [connect, reset, timeout, 502], budget: 100% }";
    let wald = front(&folder, &[bad.endpoint(), good.endpoint()], "", retries).await;
    let mut client = wald.connect("edge").await;
    let broken = client.attempt(Method::GET, "/", &[], Bytes::new()).await;
    assert!(broken.is_err(), "{broken:?}");
    assert_eq!(good.asked(), 0);
}

#[tokio::test]
async fn an_early_answer_ends_a_request_that_is_still_coming() {
    let bad = Rude::patient(
        b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig",
    )
    .await;
    let folder = Folder::new();
    let wald = front(&folder, &[bad.endpoint()], "", "").await;
    let mut client = wald.connect("edge").await;
    let large = Bytes::from(vec![b'x'; 4 << 20]);
    let answer = client.send(Method::POST, "/", &[], large).await;
    assert_eq!((answer.status.as_u16(), &*answer.text()), (413, "big"));
}

#[tokio::test]
async fn a_connection_over_which_a_server_failed_is_not_used_again() {
    // As uvicorn: what comes over the same connection after the failure is not answered any more.
    let bad =
        Rude::patient(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 6\r\n\r\nfailed")
            .await;
    let folder = Folder::new();
    let wald = front(
        &folder,
        &[bad.endpoint()],
        ", timeouts: { response: 2s }",
        "",
    )
    .await;
    let mut client = wald.connect("edge").await;
    for _ in 0..3 {
        let answer = post(&mut client, "x").await;
        assert_eq!((answer.status.as_u16(), &*answer.text()), (500, "failed"));
    }
}

#[tokio::test]
async fn a_server_that_asks_for_a_pause_gets_it_when_there_is_no_other() {
    let server = Upstream::start("server", Reply::Resting(60)).await;
    let folder = Folder::new();
    let retries = ", retries: { attempts: 1, when: [503] }";
    let wald = front(&folder, &[server.endpoint()], "", retries).await;
    let answer = wald.connect("edge").await.get("/").await;
    // A minute is longer than the route lets an answer take: the client hears of it instead.
    assert_eq!(
        (answer.status.as_u16(), answer.header("retry-after")),
        (503, "60")
    );
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn a_route_falls_back_when_its_backend_is_down_or_refuses() {
    let (bad, other) = (
        Upstream::start("bad", UNAVAILABLE).await,
        Upstream::start("other", Reply::Echo).await,
    );
    let folder = Folder::new();
    let gone = Upstream::start("gone", Reply::Name).await.endpoint();
    let other_too = format!("\n  - {{ name: other, endpoints: [{}] }}", other.endpoint());
    let fallback = ", fallback: [{ upstream: other }, { respond: { status: 503, body: later } }]";
    for endpoint in [bad.endpoint(), gone] {
        let upstream =
            format!(" }}{other_too}\n  - {{ name: unused, endpoints: [http://127.0.0.1:1]");
        let wald = front(&folder, &[endpoint], &upstream, fallback).await;
        let mut client = wald.connect("edge").await;
        let answer = post(&mut client, "the same").await;
        assert_eq!(
            (answer.status, &*answer.text()),
            (StatusCode::OK, "the same")
        );
        let counted = "wald_requests_total{listener=\"edge\",route=\"all\",backend=\"other\",arm=\"\",code=\"200\"} 1";
        wald.shows(counted).await;
    }
    let gone = other.endpoint();
    drop(other);
    let upstream = format!(" }}\n  - {{ name: other, endpoints: [{gone}]");
    let wald = front(&folder, &[bad.endpoint()], &upstream, fallback).await;
    let answer = post(&mut wald.connect("edge").await, "x").await;
    assert_eq!((answer.status.as_u16(), &*answer.text()), (503, "later"));
}

#[tokio::test]
async fn an_error_of_the_request_itself_does_not_fall_back() {
    let bad = Upstream::start("bad", Reply::Status(StatusCode::BAD_REQUEST)).await;
    let folder = Folder::new();
    let fallback = ", fallback: [{ respond: { status: 200 } }]";
    let wald = front(&folder, &[bad.endpoint()], "", fallback).await;
    let answer = wald.connect("edge").await.get("/").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_arm_that_fell_back_has_failed_in_evidence() {
    let (control, candidate) = (
        Upstream::start("control", Reply::Name).await,
        Upstream::start("candidate", UNAVAILABLE).await,
    );
    let folder = Folder::new();
    let text = tests::trial(&control, &candidate, &folder.path("wald.redb"));
    let route = "backend: { experiment: trial }";
    let text = text.replace(
        route,
        &format!("{route}, fallback: [{{ upstream: control }}]"),
    );
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let mut client = wald.connect("edge").await;
    let mut of_candidate = 0;
    for user in 0..40 {
        let user = format!("user-{user}");
        let headers = [("x-user", user.as_str())];
        let answer = client.send(Method::GET, "/", &headers, Bytes::new()).await;
        assert_eq!(
            (answer.status, &*answer.text()),
            (StatusCode::OK, "control")
        );
        of_candidate += usize::from(answer.header("x-wald-arm") == "candidate");
    }
    assert!((10..30).contains(&of_candidate), "{of_candidate}");
    until("the candidate's failures are seen", async || {
        let shown = wald.ask("/api/v1/experiments/trial").await;
        let estimate = &shown["metrics"][0]["estimate"];
        (estimate["control"] == json!(0.0) && estimate["candidate"] == json!(1.0)).then_some(())
    })
    .await;
}

/// A process that answers every request by itself.
async fn backend(folder: &Folder, name: &str) -> Wald {
    let text = document(
        "routes: [{ name: all, allow: [{ callers: anyone }], backend: { respond: { status: 204 } } }]\n",
    );
    Wald::run(&folder.write(&format!("{name}.yaml"), text)).await
}

#[tokio::test]
async fn of_three_servers_under_load_one_is_killed_and_no_request_is_lost() {
    let folder = Folder::new();
    let mut backends = Vec::new();
    let mut endpoints = Vec::new();
    for name in ["one", "two", "three"] {
        let backend = backend(&folder, name).await;
        endpoints.push(format!("http://{}", backend.address("edge").await));
        backends.push(backend);
    }
    let spared = ", eviction: { consecutive_failures: 3 }";
    let retries =
        ", retries: { attempts: 2, when: [connect, reset], methods: [GET], budget: 100% }";
    let wald = front(&folder, &endpoints, spared, retries).await;
    let load = Load::start(wald.address("edge").await, "/", 10, 2_000);
    let more = async |count: u64| {
        let target = load.answered() + count;
        until("the load flows", async || {
            (load.answered() > target).then_some(())
        })
        .await;
    };
    more(1_000).await;
    backends.remove(1).kill().await;
    more(2_000).await;
    let outcome = load.stop().await;
    assert!(outcome.lost.is_empty(), "{outcome:?}");
    let statuses: Vec<_> = outcome.answers.keys().copied().collect();
    assert_eq!(statuses, [StatusCode::NO_CONTENT], "{outcome:?}");
    let text = wald.connect("admin").await.get("/metrics").await.text();
    let retried = text
        .lines()
        .find(|line| line.starts_with("wald_retries_total"));
    assert!(
        retried.is_some_and(|line| !line.ends_with(" 0")),
        "the kill was felt: {retried:?}"
    );
}
