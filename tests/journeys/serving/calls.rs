//! Calls of gRPC to a model that runs inside.

use bytes::Bytes;
use serde_json::json;
use tests::{Call, Calls, onnx, until};

use super::{TO_THE_MODEL, ask, binary_out, compared, parts, question, serve, two};

const INFER: &str = "/inference.GRPCInferenceService/ModelInfer";

#[tokio::test]
async fn metrics_hear_what_answers_in_binary_and_calls_say() {
    let trial = "\
store: { path: wald.redb }
routes: [{ name: all, allow: [{ callers: anyone }], backend: { experiment: trial } }]
experiments:
  - name: trial
    unit: request
    arms:
      - { name: control, backend: { model: inside } }
      - { name: candidate, backend: { model: inside } }
    ramp: [50%]
    metrics:
      - { name: first, kind: mean, source: { response: /outputs/0/data/0 }, better: lower, role: goal, window: 1s }
      - { name: failures, kind: proportion, source: failed, better: lower, role: guardrail, margin: { odds: 1.5 }, window: 1s }
";
    let (_folder, wald, mut client) = serve(&onnx::echo(&["FP32"]), trial).await;
    let mut caller = Call::open(wald.address("edge").await).await;
    let asked = binary_out(question(&json!([])));
    let call = infer(&two([4.0, 1.0]));
    for _ in 0..30 {
        parts(&ask(&mut client, &asked, &two([4.0, 1.0])).await);
        let ended = caller.ask(INFER, &[], call.clone()).await;
        assert_eq!(ended.status, "0", "{ended:?}");
    }
    let shown = until("both arms are counted", async || {
        let shown = wald.ask("/api/v1/experiments/trial").await;
        let of = |metric: usize, arm: &str| shown["metrics"][metric]["estimate"][arm].as_f64();
        let all = [of(0, "control"), of(0, "candidate"), of(1, "control")];
        all.iter().all(Option::is_some).then_some(all)
    })
    .await;
    assert_eq!(shown[2], Some(0.0), "no call failed");
    assert_eq!(shown[0], shown[1], "{shown:?}");
}

#[tokio::test]
async fn a_call_is_answered_within_its_deadline() {
    let (_folder, wald, _client) = serve(&onnx::echo(&["FP32"]), TO_THE_MODEL).await;
    let mut caller = Call::open(wald.address("edge").await).await;
    let numbers = two([0.5, 2.0]);
    let answer = caller.ask(INFER, &[], infer(&numbers)).await;
    let output = [field(1, b"y_FP32"), field(2, b"FP32"), field(3, &[1, 2])];
    let expected = [
        field(1, b"inside"),
        field(2, b"7"),
        field(3, b"q"),
        field(5, &output.concat()),
        field(6, &numbers),
    ];
    assert_eq!(
        (&*answer.status, &answer.body),
        ("0", &framed(&expected.concat()))
    );
    let late = [("grpc-timeout", "0n")];
    let ended = caller.ask(INFER, &late, infer(&numbers)).await;
    assert_eq!(ended.status, "4", "{ended:?}");
}

#[tokio::test]
async fn a_wrong_call_ends_with_what_was_expected() {
    let (_folder, wald, _client) = serve(&onnx::echo(&["FP32"]), TO_THE_MODEL).await;
    let mut caller = Call::open(wald.address("edge").await).await;
    let numbers = two([0.5, 2.0]);
    let which = framed(&[field(1, b"any"), field(2, b"8")].concat());
    for (method, message, status, says) in [
        ("ModelInfer", infer(&numbers[..7]), "3", "got 7 bytes"),
        ("ModelInfer", framed(&[0x0a]), "3", "WALD-4204"),
        (
            "ModelInfer",
            Bytes::from_static(b"\0\0"),
            "3",
            "one message in its frame",
        ),
        (
            "ModelInfer",
            framed(&[0x2a, 0].repeat(2000)),
            "3",
            "2000 tensors, at most 1024",
        ),
        (
            "ModelInfer",
            Bytes::from_static(b"\x01\0\0\0\x01x"),
            "3",
            "not encoded as it says",
        ),
        (
            "ModelReady",
            which.clone(),
            "5",
            "version 8 was asked for, 7 is served",
        ),
        ("ModelMetadata", which, "5", "WALD-4202"),
        ("ModelConfig", framed(&[]), "12", "WALD-4201"),
    ] {
        let path = format!("/inference.GRPCInferenceService/{method}");
        let headers = [("grpc-encoding", "gzip")];
        let ended = caller.ask(&path, &headers, message).await;
        assert_eq!(ended.status, status, "{method}: {ended:?}");
        assert!(ended.message.contains(says), "{method}: {ended:?}");
    }
    let headers = [("grpc-encoding", "snappy")];
    let message = Bytes::from_static(b"\x01\0\0\0\x01x");
    let ended = caller.ask(INFER, &headers, message).await;
    assert_eq!(ended.status, "12", "{ended:?}");
}

#[tokio::test]
async fn a_stream_answers_each_request_in_turn_and_outlives_a_wrong_one() {
    let (_folder, wald, _client) = serve(&onnx::echo(&["FP32"]), TO_THE_MODEL).await;
    let mut caller = Call::open(wald.address("edge").await).await;
    let stream = "/inference.GRPCInferenceService/ModelStreamInfer";
    let messages = [
        infer(&two([1.0, 2.0])),
        infer(&[0; 7]),
        infer(&two([3.0, 4.0])),
    ];
    let ended = caller.ask(stream, &[], messages.concat().into()).await;
    assert_eq!(ended.status, "0", "{ended:?}");
    let answers = apart(&ended.body);
    assert_eq!(answers.len(), 3);
    let has = |answer: &[u8], part: &[u8]| answer.windows(part.len()).any(|it| it == part);
    assert!(has(answers[0], &two([1.0, 2.0])) && has(answers[2], &two([3.0, 4.0])));
    assert!(has(answers[1], b"got 7 bytes") && !has(answers[1], b"y_FP32"));
    // What is cut off in its midst ends the call.
    let cut = infer(&two([1.0, 2.0])).slice(..20);
    let ended = caller.ask(stream, &[], cut).await;
    assert!(ended.message.starts_with("WALD-4007"), "{ended:?}");
}

/// The messages of an answer.
fn apart(mut body: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    while let Some(([_flag, length @ ..], rest)) = body.split_first_chunk::<5>() {
        let (message, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        messages.push(message);
        body = rest;
    }
    messages
}

#[tokio::test]
async fn a_shadow_inside_answers_a_copy_of_a_call() {
    let server = Calls::start(100).await;
    let model = onnx::echo(&["FP32"]);
    let (_folder, wald, _client) = serve(
        &model,
        &format!(
            "\
upstreams: [{{ name: server, endpoints: [{}], protocol: http2 }}]
routes:
  - name: all
    allow: [{{ callers: anyone }}]
    backend: {{ upstream: server }}
    shadow: [{{ backend: {{ model: inside }}, compare: {{ only: [/outputs] }} }}]
",
            server.endpoint()
        ),
    )
    .await;
    let mut caller = Call::open(wald.address("edge").await).await;
    let numbers = two([0.5, 2.0]);
    let output = [field(1, b"y_FP32"), field(2, b"FP32"), field(3, &[1, 2])];
    let answer = [field(5, &output.concat()), field(6, &numbers)];
    server.says(framed(&answer.concat()), "0");
    caller.ask(INFER, &[], infer(&numbers)).await;
    let seen = compared(&wald, 1).await;
    assert_eq!(seen["agreed"], 1, "{seen}");
    // The one takes it, and the other does not.
    caller.ask(INFER, &[], infer(&numbers[..7])).await;
    let seen = compared(&wald, 2).await;
    let difference = json!({ "at": "grpc-status", "primary": "OK", "shadow": "INVALID_ARGUMENT" });
    assert_eq!(seen["samples"][0][0], difference, "{seen}");
}

/// Asks with `x_FP32` of one row in binary.
fn infer(raw: &[u8]) -> Bytes {
    let input = [field(1, b"x_FP32"), field(2, b"FP32"), field(3, &[1, 2])].concat();
    framed(
        &[
            field(1, b"any"),
            field(3, b"q"),
            field(5, &input),
            field(7, raw),
        ]
        .concat(),
    )
}

/// A message in its frame.
fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).expect("it is short");
    [&[0], &length.to_be_bytes()[..], message].concat().into()
}

/// A field that has a length; packed numbers are one, too.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("it is short");
    [&[number << 3 | 2, length], content].concat()
}
