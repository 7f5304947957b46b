//! Servers that are too heavy for each run of the tests: `make test-peers`.

#![expect(clippy::expect_used, reason = "a journey that cannot go on has failed")]

use bytes::Bytes;
use http::Method;
use tests::peer::{Peer, free_address, said};
use tests::{Folder, Wald, document};

/// Triton behind Wald, over REST and gRPC.
async fn triton(folder: &Folder) -> (Peer, Wald) {
    let [http, grpc] = [(); 2].map(|()| free_address());
    let models = folder.path("triton");
    std::fs::create_dir(&models).expect("a folder");
    let models = models.to_str().expect("a path of a journey is text");
    let ports = [http, grpc].map(|address| address.port().to_string());
    let arguments = [models, &ports[0], &ports[1]];
    let triton = Peer::triton("triton.py", &arguments, http, "/v2/models/iris/ready").await;
    let text = document(&format!(
        "\
upstreams:
  - {{ name: rest, endpoints: [\"http://{http}\"], health: {{ path: /v2/models/iris/ready, interval: 100ms }} }}
  - {{ name: calls, protocol: http2, endpoints: [\"http://{grpc}\"], health: {{ grpc: \"\", interval: 100ms }} }}
routes:
  - {{ name: calls, match: {{ path: {{ prefix: /inference.GRPCInferenceService }} }}, allow: [{{ callers: anyone }}], backend: {{ upstream: calls }} }}
  - {{ name: rest, allow: [{{ callers: anyone }}], backend: {{ upstream: rest }} }}
"
    ));
    (triton, Wald::run(&folder.write("wald.yaml", text)).await)
}

#[tokio::test]
async fn triton_answers_tritonclient_over_rest_and_grpc() {
    let folder = Folder::new();
    let (_triton, wald) = triton(&folder).await;
    let edge = wald.address("edge").await.to_string();
    for arguments in [vec![&*edge, &edge], vec![&edge, &edge, "binary"]] {
        let told = said("triton_client.py", &arguments);
        let expected = "\
tritonclient.http [0, 2]
tritonclient.http refuses 400
tritonclient.http refuses 404
tritonclient.grpc [0, 2]
tritonclient.grpc refuses StatusCode.INVALID_ARGUMENT
tritonclient.grpc refuses StatusCode.NOT_FOUND
";
        assert_eq!(told, expected, "{arguments:?}");
    }
    // Both ways of asking how it is find it well.
    let shown = wald.ask("/api/v1/upstreams").await;
    for upstream in [0, 1] {
        let endpoint = &shown["upstreams"][upstream]["endpoints"][0];
        assert_eq!(endpoint["healthy"], true, "{shown}");
    }
}

#[tokio::test]
async fn triton_streams_events() {
    let folder = Folder::new();
    let (_triton, wald) = triton(&folder).await;
    let mut client = wald.connect("edge").await;
    let path = "/v2/models/words/generate_stream";
    let body = Bytes::from_static(br#"{"text_input":"one two three"}"#);
    let answer = client.send(Method::POST, path, &[], body).await;
    assert!(
        answer
            .header("content-type")
            .starts_with("text/event-stream")
    );
    let text = answer.text();
    let words: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("data: "))
        .collect();
    assert_eq!(words.len(), 3, "{text}");
}
