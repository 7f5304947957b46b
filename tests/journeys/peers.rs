//! Servers and clients that exist: MLServer, tritonclient, grpcio, the openai client and a mock of its server.

use std::net::SocketAddr;

use tests::peer::{Peer, free_address, said};
use tests::{Folder, Wald, document};

/// A wald with a listener `edge` and these upstreams, by name, protocol and address, of which the last serves
/// whatever no other one's path takes.
async fn front(folder: &Folder, upstreams: &[(&str, &str, SocketAddr, &str)]) -> Wald {
    let upstream = |(name, protocol, address, _): &(&str, &str, SocketAddr, &str)| {
        format!("  - {{ name: {name}, protocol: {protocol}, endpoints: [\"http://{address}\"] }}\n")
    };
    let route = |(name, _, _, prefix): &(&str, &str, SocketAddr, &str)| {
        format!(
            "  - {{ name: {name}, match: {{ path: {{ prefix: {prefix} }} }}, allow: [{{ callers: anyone }}], backend: {{ upstream: {name} }} }}\n"
        )
    };
    let text = document(&format!(
        "upstreams:\n{}routes:\n{}",
        upstreams.iter().map(upstream).collect::<String>(),
        upstreams.iter().map(route).collect::<String>()
    ));
    Wald::run(&folder.write("wald.yaml", text)).await
}

#[tokio::test]
async fn mlserver_answers_tritonclient_over_rest_and_grpc() {
    let folder = Folder::new();
    let [http, grpc, metrics] = [(); 3].map(|()| free_address());
    let models = folder.path("");
    let models = models.to_str().expect("a path of a journey is text");
    let ports = [http, grpc, metrics].map(|address| address.port().to_string());
    said("iris.py", &[models, &ports[0], &ports[1], &ports[2]]);
    let ready = "/v2/models/iris/ready";
    let _mlserver = Peer::start("mlserver", &["start", models], http, ready).await;
    let calls = ("calls", "http2", grpc, "/inference.GRPCInferenceService");
    let wald = front(&folder, &[calls, ("rest", "http1", http, "/")]).await;
    let edge = wald.address("edge").await.to_string();
    let told = said("triton_client.py", &[&edge, &edge]);
    let expected = "\
tritonclient.http [0, 2]
tritonclient.http refuses 500
tritonclient.http refuses 404
tritonclient.grpc [0, 2]
tritonclient.grpc refuses StatusCode.INTERNAL
tritonclient.grpc refuses StatusCode.NOT_FOUND
";
    assert_eq!(told, expected);
}

#[tokio::test]
async fn grpcio_talks_to_grpcio_in_both_directions() {
    let (folder, (_server, address)) = (Folder::new(), Peer::announced("calls.py", &["serve"]));
    let wald = front(&folder, &[("calls", "http2", address, "/test.Calls")]).await;
    let told = said(
        "calls.py",
        &["call", &wald.address("edge").await.to_string()],
    );
    let expected = "\
echo ['0', '1', '2'] 1
trailing 2 StatusCode.OK
fail StatusCode.FAILED_PRECONDITION not today: 100%
deadline True
closed StatusCode.UNIMPLEMENTED WALD-3001
";
    assert_eq!(told, expected);
}

#[tokio::test]
async fn the_openai_client_chats_whole_and_streamed() {
    let (folder, address) = (Folder::new(), free_address());
    let port = address.port().to_string();
    let arguments = ["serve", "--host", "127.0.0.1", "--port", &port];
    let _llmock = Peer::start("llmock", &arguments, address, "/v1/models").await;
    let wald = front(&folder, &[("llm", "http1", address, "/v1")]).await;
    let base = format!("http://{}/v1", wald.address("edge").await);
    let told = said("chat.py", &[&base]);
    let lines: Vec<_> = told.lines().collect();
    assert!(lines[0].starts_with("whole stop "), "{told}");
    assert!(lines[1].starts_with("streamed True "), "{told}");
    // What the client was told that its two answers took is what is counted.
    let told = lines
        .iter()
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    let output = format!(
        "wald_tokens_total{{route=\"llm\",backend=\"llm\",arm=\"\",kind=\"output\"}} {}",
        told.sum::<u64>()
    );
    let mut admin = wald.connect("admin").await;
    let text = admin.get("/metrics").await.text();
    assert!(text.lines().any(|line| line == output), "{output}: {text}");
    let events = text
        .lines()
        .find(|line| line.starts_with("wald_stream_interval_seconds_count"));
    assert!(events.is_some_and(|line| !line.ends_with(" 0")), "{text}");
}
