//! Servers and clients that exist: MLServer, tritonclient, grpcio, the openai client and a mock of its server.

use std::net::SocketAddr;

use tests::peer::{Peer, free_address, said};
use tests::{Folder, Wald, document, onnx};

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
async fn models_inside_answer_tritonclient_over_rest_and_grpc() {
    let folder = Folder::new();
    let all = onnx::DATATYPES.map(|(name, _)| name);
    let plain: Vec<_> = all
        .into_iter()
        .filter(|it| !it.contains("16") || it.contains("INT"))
        .collect();
    let models = [
        ("echo", onnx::echo(&all)),
        ("plain", onnx::echo(&plain)),
        ("single", onnx::echo(&["FP32"])),
        ("classes", onnx::classifier(&["cat", "dog", "owl"])),
    ];
    let (mut listed, mut routes) = (String::new(), String::new());
    for (name, file) in &models {
        let (path, sha256) = (folder.write(name, file), onnx::sha256(file));
        let path = path.display();
        listed += &format!(
            "  - {{ name: {name}, version: \"7\", file: {path}, sha256: \"{sha256}\" }}\n"
        );
        for (route, condition) in [
            (name.to_string(), format!("model: {name}")),
            (
                format!("{name}-calls"),
                format!("headers: {{ x-model: {{ exact: {name} }} }}"),
            ),
        ] {
            routes += &format!(
                "  - {{ name: {route}, match: {{ {condition} }}, allow: [{{ callers: anyone }}], backend: {{ model: {name} }} }}\n"
            );
        }
    }
    routes += "  - { name: server, allow: [{ callers: anyone }], backend: { model: echo } }\n";
    let text = document(&format!("models:\n{listed}routes:\n{routes}"));
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let edge = wald.address("edge").await.to_string();
    let told = said("serving_client.py", &[&edge]);
    let stream = "stream ['0', '1', '2', '3', '4', 'WALD-4204: the inference reque', 'after']\n";
    let rest = tritonclient("", "400", "404");
    let calls = tritonclient(
        stream,
        "StatusCode.INVALID_ARGUMENT",
        "StatusCode.NOT_FOUND",
    );
    assert_eq!(told, rest + &calls);
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

/// What tritonclient found, where a request is refused with these statuses, and besides this was told.
fn tritonclient(besides: &str, wrong: &str, unknown: &str) -> String {
    let refused = [
        "input `x_FP32` has shape [2], expected [-1,2]",
        "input `x_FP32` has shape [1, 3], expected [-1,2]",
        "input `x_FP32` is FP64, expected FP32",
        "input `x_FP32` is BYTES, expected FP32",
        "input `y_FP32` is unknown, expected `x_FP32`",
        "input `x_FP32` is given twice, expected once",
        "dimension 0 of input `x_FP32` is 2000, expected 1 to 1024",
        "output `z` is not known; the model has y_FP32",
    ];
    let refused = refused
        .map(|why| format!("refused {wrong} {why}\n"))
        .concat();
    format!(
        "\
about wald ['binary_tensor_data', 'classification'] ['7'] ('BF16', [-1, 2])
binary a
{besides}classes [['0.75:2:owl', '0.5:0:cat'], ['3:0:cat', '2:1:dog']]
{refused}refused {unknown} version 8 was asked for, 7 is served
"
    )
}
