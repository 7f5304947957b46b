//! Shadows of gRPC: unary calls are copied, and compared by status and message.

use bytes::Bytes;
use serde_json::{Value, json};
use tests::{Call, Calls, Folder, Wald, document, until};

const INFER: &str = "/inference.GRPCInferenceService/ModelInfer";

#[tokio::test]
async fn a_unary_call_is_compared_by_status_and_message() {
    let journey = Journey::start("protocol: http2").await;
    let mut caller = journey.caller().await;
    let headers = [("grpc-timeout", "20S"), ("grpc-accept-encoding", "gzip")];
    let ended = caller.ask("/echo", &headers, framed(b"meow")).await;
    assert_eq!((&*ended.status, ended.body), ("0", framed(b"meow")));
    let seen = journey.compared(1).await;
    assert_eq!(seen["agreed"], 1, "{seen}");
    let head = journey.shadow.head();
    assert_eq!(head["x-wald-shadow"], "true");
    for name in ["grpc-timeout", "grpc-accept-encoding"] {
        assert!(!head.contains_key(name), "{name}: {head:?}");
        assert!(journey.primary.head().contains_key(name), "{name}");
    }
    // Both fail the same way, one in its trailers and one in its head.
    journey.primary.says(Bytes::new(), "13");
    assert_eq!(caller.ask("/fail", &[], framed(b"x")).await.status, "13");
    let seen = journey.compared(2).await;
    assert_eq!(seen["agreed"], 2, "{seen}");
    journey.primary.says(framed(b"meow"), "0");
    journey.shadow.says(framed(b"woof"), "0");
    caller.ask("/echo", &[], framed(b"meow")).await;
    let seen = journey.compared(3).await;
    let place = json!([{ "at": "body", "disagreements": 1 }]);
    assert_eq!(seen["fields"], place, "{seen}");
    journey.shadow.says(framed(b"meow"), "13");
    caller.ask("/echo", &[], framed(b"meow")).await;
    let seen = journey.compared(4).await;
    let difference = json!([{ "at": "grpc-status", "primary": "OK", "shadow": "INTERNAL" }]);
    assert_eq!(seen["samples"][1], difference, "{seen}");
}

#[tokio::test]
async fn tensors_of_a_call_are_compared_by_what_they_hold() {
    let journey = Journey::start("protocol: http2").await;
    let mut caller = journey.caller().await;
    journey.primary.says(inferred("p-1", [0.1, 0.9]), "0");
    journey.shadow.says(inferred("s-7", [0.1, 0.9004]), "0");
    caller.ask(INFER, &[], framed(b"")).await;
    let seen = journey.compared(1).await;
    assert_eq!(seen["agreed"], 1, "{seen}");
    journey.shadow.says(inferred("s-8", [0.1, 0.8]), "0");
    caller.ask(INFER, &[], framed(b"")).await;
    let seen = journey.compared(2).await;
    let place = json!([{ "at": "/outputs/*/data/*", "disagreements": 1 }]);
    assert_eq!(seen["fields"], place, "{seen}");
}

#[tokio::test]
async fn a_call_with_several_messages_is_counted_and_not_copied() {
    let journey = Journey::start("protocol: http2").await;
    let mut caller = journey.caller().await;
    let several = [framed(b"one"), framed(b"two")].concat();
    caller.ask("/echo", &[], several.into()).await;
    let labels = r#"route="all",backend="shadow",outcome="streamed""#;
    let count = format!("wald_shadow_requests_total{{{labels}}} 1");
    journey.wald.shows(&count).await;
    // One that answers with several messages is no better.
    journey
        .primary
        .says([framed(b""), framed(b"")].concat().into(), "0");
    caller.ask("/echo", &[], framed(b"one")).await;
    let count = format!("wald_shadow_requests_total{{{labels}}} 2");
    journey.wald.shows(&count).await;
    assert_eq!(journey.shadow.begun(), 0);
}

#[tokio::test]
async fn calls_are_not_copied_to_servers_of_http_1() {
    let journey = Journey::start("protocol: http1").await;
    let mut caller = journey.caller().await;
    caller.ask("/echo", &[], framed(b"meow")).await;
    let seen = journey.wald.ask("/api/v1/shadows").await;
    assert_eq!(seen, json!({ "shadows": [], "copies": [] }));
}

/// A message that is not encoded, with what comes before it.
fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).expect("it is short");
    [&[0], &length.to_be_bytes()[..], message].concat().into()
}

/// `inference.ModelInferResponse` with one output, in the bytes of the protocol.
fn inferred(id: &str, scores: [f32; 2]) -> Bytes {
    let raw = scores.map(f32::to_le_bytes).concat();
    let output = [field(1, b"score"), field(2, b"FP32"), field(3, &[1, 2])];
    let answer = [
        field(1, b"fraud"),
        field(3, id.as_bytes()),
        field(5, &output.concat()),
        field(6, &raw),
    ];
    framed(&answer.concat())
}

/// A field that has a length; packed numbers are one, too.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("it is short");
    [&[number << 3 | 2, length], content].concat()
}

struct Journey {
    primary: Calls,
    shadow: Calls,
    wald: Wald,
    _folder: Folder,
}

impl Journey {
    /// One route with one shadow, whose upstream has these fields.
    async fn start(fields: &str) -> Self {
        let folder = Folder::new();
        let (primary, shadow) = (Calls::start(100).await, Calls::start(100).await);
        let text = document(&format!(
            "\
upstreams:
  - {{ name: primary, endpoints: [{}], protocol: http2 }}
  - {{ name: shadow, endpoints: [{}], {fields} }}
routes:
  - name: all
    allow: [{{ callers: anyone }}]
    backend: {{ upstream: primary }}
    shadow: [{{ backend: {{ upstream: shadow }}, compare: {{ ignore: [/id], tolerance: 1e-3 }} }}]
",
            primary.endpoint(),
            shadow.endpoint(),
        ));
        let wald = Wald::run(&folder.write("wald.yaml", text)).await;
        Self {
            primary,
            shadow,
            wald,
            _folder: folder,
        }
    }

    async fn caller(&self) -> Call {
        Call::open(self.wald.address("edge").await).await
    }

    /// What is known of the shadow once so many answers were compared.
    async fn compared(&self, count: u64) -> Value {
        until("the answers are compared", async || {
            let seen = self.wald.ask("/api/v1/shadows").await["shadows"][0].clone();
            (seen["compared"] == count).then_some(seen)
        })
        .await
    }
}
