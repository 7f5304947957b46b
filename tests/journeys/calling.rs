//! Calls through Wald: HTTP/2 on both sides, messages both ways at once, a status at the end.

use bytes::Bytes;
use futures_util::future::join_all;
use http::StatusCode;
use http_body_util::BodyExt as _;
use hyper::body::Frame;
use tests::{Call, Calls, Client, Folder, Reply, Upstream, Wald, document, in_time, until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A wald of one worker in front of this server, which lets all pass but those to `/closed`.
async fn front(calls: &Calls, folder: &Folder) -> Wald {
    Wald::run(&folder.write("wald.yaml", fronting(&[calls], "protocol: http2"))).await
}

/// The document of such a wald, where the upstream has these fields.
fn fronting(calls: &[&Calls], fields: &str) -> String {
    let endpoints: Vec<_> = calls.iter().map(|calls| calls.endpoint()).collect();
    let text = document(&format!(
        "\
upstreams: [{{ name: backend, endpoints: [{}], {fields} }}]
routes:
  - {{ name: closed, match: {{ path: {{ prefix: /closed }} }}, backend: {{ upstream: backend }} }}
  - {{ name: all, allow: [{{ callers: anyone }}], backend: {{ upstream: backend }} }}
",
        endpoints.join(", ")
    ));
    text.replace("workers: 2", "workers: 1")
}

/// Begins this many calls, which go on as long as what comes back is held.
async fn begin(caller: &mut Call, count: usize) -> Vec<impl Sized + use<>> {
    let (held, answers): (Vec<_>, Vec<_>) = (0..count).map(|_| caller.begin("/echo", &[])).unzip();
    for answer in in_time("heads", join_all(answers)).await {
        assert_eq!(answer.expect("a head").status(), StatusCode::OK);
    }
    held
}

#[tokio::test]
async fn messages_pass_both_ways_while_a_call_is_open_and_trailers_end_it() {
    let (calls, folder) = (Calls::start(100).await, Folder::new());
    let wald = front(&calls, &folder).await;
    let mut caller = Call::open(wald.address("edge").await).await;
    let (frames, answer) = caller.begin("/echo", &[]);
    let mut body = in_time("a head", answer).await.expect("a head").into_body();
    for message in ["one", "two", "three"] {
        frames
            .send(Frame::data(Bytes::from(message)))
            .expect("Wald listens");
        let frame = in_time(message, body.frame()).await.expect("a frame");
        let data = frame.expect("the call goes on").into_data();
        assert_eq!(data.expect("data"), message);
    }
    drop(frames);
    let end = in_time("the end", body.frame()).await.expect("a frame");
    let trailers = end.expect("an end").into_trailers().expect("trailers");
    assert_eq!(trailers["grpc-status"], "0");
}

#[tokio::test]
async fn many_calls_share_a_connection() {
    let (calls, folder) = (Calls::start(100).await, Folder::new());
    let wald = front(&calls, &folder).await;
    let mut caller = Call::open(wald.address("edge").await).await;
    let held = begin(&mut caller, 50).await;
    assert_eq!((calls.begun(), calls.connections()), (50, 1));
    drop(held);
}

#[tokio::test]
async fn another_connection_is_opened_when_the_server_takes_no_more_on_one() {
    let (calls, folder) = (Calls::start(2).await, Folder::new());
    let wald = front(&calls, &folder).await;
    let mut caller = Call::open(wald.address("edge").await).await;
    let held = begin(&mut caller, 6).await;
    assert_eq!(calls.connections(), 3);
    drop(held);
}

#[tokio::test]
async fn a_connection_that_its_server_ends_loses_no_call() {
    let (calls, folder) = (Calls::start(100).await, Folder::new());
    let wald = front(&calls, &folder).await;
    let mut caller = Call::open(wald.address("edge").await).await;
    for _ in 0..20 {
        let ended = caller.make("/last", &[]).await;
        assert_eq!((ended.status.as_str(), &*ended.body), ("0", &b"ping"[..]));
    }
    assert!(calls.connections() > 1);
}

#[tokio::test]
async fn a_connection_is_closed_when_nobody_needs_it_for_a_while_and_not_while_a_call_is_open() {
    let (busy, idle, folder) = (
        Calls::start(100).await,
        Calls::start(100).await,
        Folder::new(),
    );
    let text = fronting(
        &[&busy, &idle],
        "protocol: http2, balance: round_robin, timeouts: { idle: 100ms }",
    );
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let mut caller = Call::open(wald.address("edge").await).await;
    // In turn: the first is used since before the other.
    let held = begin(&mut caller, 1).await;
    assert_eq!(caller.make("/echo", &[]).await.status, "0");
    until("the idle one is closed", async || {
        (idle.closed() == 1).then_some(())
    })
    .await;
    assert_eq!(caller.make("/echo", &[]).await.status, "0");
    assert_eq!((busy.connections(), busy.closed()), (1, 0));
    assert_eq!(busy.begun(), 2, "the call went to the busy one");
    drop(held);
    until("the other is closed", async || {
        (busy.closed() == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_reload_changes_what_is_spoken() {
    let (calls, folder) = (Calls::start(100).await, Folder::new());
    let wald = Wald::run(&folder.write("wald.yaml", fronting(&[&calls], "protocol: http1"))).await;
    let mut caller = Call::open(wald.address("edge").await).await;
    assert_eq!(caller.make("/echo", &[]).await.status, "14");
    folder.swap("wald.yaml", fronting(&[&calls], "protocol: http2"));
    until("HTTP/2 is spoken", async || {
        (caller.make("/echo", &[]).await.status == "0").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_server_that_does_not_greet_in_http_2_is_sent_nothing() {
    let (upstream, folder) = (Upstream::start("old", Reply::Name).await, Folder::new());
    let text = tests::fronting(&upstream).replace(" }]\nroutes", ", protocol: http2 }]\nroutes");
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let answer = wald.connect("edge").await.get("/").await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!(
        (&answer.json()["code"], upstream.asked()),
        (&"WALD-5001".into(), 0)
    );
}

#[tokio::test]
async fn a_host_that_http_2_cannot_carry_is_refused() {
    let (calls, folder) = (Calls::start(100).await, Folder::new());
    let wald = front(&calls, &folder).await;
    let mut stream = TcpStream::connect(wald.address("edge").await)
        .await
        .expect("a connection");
    let get = b"GET /echo HTTP/1.1\r\nHost: a]b\r\nConnection: close\r\n\r\n";
    stream.write_all(get).await.expect("it is read");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("WALD-4003"), "{answer}");
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_its_call_back() {
    let (calls, folder) = (Calls::start(100).await, Folder::new());
    let wald = front(&calls, &folder).await;
    let mut caller = Call::open(wald.address("edge").await).await;
    let (frames, answer) = caller.begin("/stall", &[]);
    let answer = in_time("a head", answer).await.expect("a head");
    drop((frames, answer));
    until("the server is told", async || {
        (calls.cancelled() == 1).then_some(())
    })
    .await;
    // The connection is not the call's, and goes on.
    assert_eq!(caller.make("/echo", &[]).await.status, "0");
    assert_eq!(calls.connections(), 1);
}

#[tokio::test]
async fn a_refused_call_ends_with_a_status() {
    let (calls, folder) = (Calls::start(100).await, Folder::new());
    let wald = front(&calls, &folder).await;
    let mut caller = Call::open(wald.address("edge").await).await;
    let ended = caller.make("/closed", &[]).await;
    assert_eq!((ended.http, ended.status.as_str()), (StatusCode::OK, "7"));
    assert!(ended.message.starts_with("WALD-3002: "), "{ended:?}");
    assert_eq!(calls.begun(), 0);
    // Whoever makes no call gets a problem document, from the same route.
    let mut plain = Client::open(wald.address("edge").await).await;
    let answer = plain.get("/closed").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.json()["code"], "WALD-3002");
}

#[tokio::test]
async fn a_call_ends_at_its_deadline_also_when_it_has_begun_to_be_answered() {
    let (calls, folder) = (Calls::start(100).await, Folder::new());
    let wald = front(&calls, &folder).await;
    let mut caller = Call::open(wald.address("edge").await).await;
    let ended = caller.make("/stall", &[("grpc-timeout", "200m")]).await;
    assert_eq!((ended.http, ended.status.as_str()), (StatusCode::OK, "4"));
    until("the server is told", async || {
        (calls.cancelled() > 0).then_some(())
    })
    .await;
    let ended = caller.make("/echo", &[("grpc-timeout", "0n")]).await;
    assert_eq!(ended.status, "4");
    assert!(ended.message.starts_with("WALD-5007: "), "{ended:?}");
    // Without one, or with one that is far away, it ends as the server says.
    for headers in [&[][..], &[("grpc-timeout", "1H")]] {
        assert_eq!(caller.make("/echo", headers).await.status, "0");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_makes_calls_unavailable() {
    let (calls, folder) = (Calls::start(100).await, Folder::new());
    let wald = front(&calls, &folder).await;
    drop(calls);
    let mut caller = Call::open(wald.address("edge").await).await;
    let ended = until("the socket is closed", async || {
        let ended = caller.make("/echo", &[]).await;
        (ended.status != "0").then_some(ended)
    })
    .await;
    assert_eq!(ended.status, "14", "{ended:?}");
}

#[tokio::test]
async fn whoever_speaks_http_1_reaches_a_server_that_speaks_http_2() {
    let (calls, folder) = (Calls::start(100).await, Folder::new());
    let wald = front(&calls, &folder).await;
    let mut client = Client::open(wald.address("edge").await).await;
    let body = Bytes::from(vec![b'x'; 3 << 20]);
    let answer = client
        .send(http::Method::POST, "/echo", &[], body.clone())
        .await;
    assert_eq!((answer.status, answer.body), (StatusCode::OK, body));
}

#[tokio::test]
async fn a_call_that_fails_counts_as_failed_whatever_its_http_status() {
    let (calls, folder) = (Calls::start(100).await, Folder::new());
    let text = document(&format!(
        "\
upstreams: [{{ name: backend, endpoints: [{}], protocol: http2 }}]
routes: [{{ name: all, allow: [{{ callers: anyone }}], backend: {{ experiment: trial }} }}]
experiments:
  - name: trial
    unit: request
    arms:
      - {{ name: control, backend: {{ upstream: backend }} }}
      - {{ name: candidate, backend: {{ upstream: backend }} }}
    ramp: [50%]
    metrics:
      - {{ name: failures, kind: proportion, source: failed, better: lower, role: goal, window: 1s }}
",
        calls.endpoint()
    ));
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let mut caller = Call::open(wald.address("edge").await).await;
    let mut admin = wald.connect("admin").await;
    for _ in 0..40 {
        assert_eq!(caller.make("/fail", &[]).await.status, "13");
    }
    let shown = until("both arms are counted", async || {
        let shown = admin.get("/api/v1/experiments/trial").await.json();
        let estimate = shown["metrics"][0]["estimate"].clone();
        estimate["candidate"].is_number().then_some(estimate)
    })
    .await;
    assert_eq!(
        (shown["control"].as_f64(), shown["candidate"].as_f64()),
        (Some(1.0), Some(1.0))
    );
}

/// A server that takes connections one after the other, refuses the first stream unread, and then answers `200`.
async fn refuses_once() -> (std::net::SocketAddr, tokio::task::JoinHandle<()>) {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let address = socket.local_addr().expect("it is bound");
    let task = tokio::spawn(async move {
        let (stream, _) = socket.accept().await.expect("a connection");
        let mut connection = h2::server::handshake(stream)
            .await
            .expect("hands are shaken");
        let mut number = 0;
        while let Some(Ok((_request, mut respond))) = connection.accept().await {
            number += 1;
            if number == 1 {
                respond.send_reset(h2::Reason::REFUSED_STREAM);
            } else {
                respond
                    .send_response(http::Response::new(()), true)
                    .expect("it is listened to");
            }
        }
    });
    (address, task)
}

#[tokio::test]
async fn a_stream_that_was_refused_unread_is_tried_again_whatever_its_method() {
    let (folder, (address, server)) = (Folder::new(), refuses_once().await);
    let text = document(&format!(
        "\
upstreams: [{{ name: backend, endpoints: [\"http://{address}\"], protocol: http2 }}]
routes:
  - name: all
    allow: [{{ callers: anyone }}]
    backend: {{ upstream: backend }}
    retries: {{ attempts: 1, when: [connect], methods: [GET] }}
"
    ));
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let body = serde_json::json!({});
    let answer = wald.connect("edge").await.post("/", &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    server.abort();
}

#[tokio::test]
async fn calls_are_counted_by_how_they_end() {
    let (calls, folder) = (Calls::start(100).await, Folder::new());
    let wald = front(&calls, &folder).await;
    let mut caller = Call::open(wald.address("edge").await).await;
    for (path, status) in [
        ("/echo", "OK"),
        ("/fail", "INTERNAL"),
        ("/closed", "PERMISSION_DENIED"),
    ] {
        caller.make(path, &[]).await;
        let mut admin = wald.connect("admin").await;
        let end = format!("status=\"{status}\"}} 1");
        until(&end, async || {
            let text = admin.get("/metrics").await.text();
            let mut lines = text.lines();
            let counted = |line: &str| line.starts_with("wald_calls_total") && line.ends_with(&end);
            lines.any(counted).then_some(())
        })
        .await;
    }
}
