//! The forms that the answers of a shadow come in: encoded bodies, tensors in binary.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::{Value, json};
use tests::{Folder, Reply, Upstream, Wald, document, until};

const CAT: &[u8] = br#"{"id":"p-1","label":"cat","score":0.9101}"#;
const SAME_CAT: &[u8] = br#"{"score":0.9102,"label":"cat","id":"s-7"}"#;
const LIKE_CATS: &str = "body_max: 4KiB, compare: { ignore: [/id], tolerance: 1e-3 }";

#[tokio::test]
async fn answers_are_compared_by_what_their_encodings_stand_for() {
    let (gzip, deflate) = (
        Reply::Said(&[("content-encoding", "gzip")], gzip(CAT)),
        Reply::Said(&[("content-encoding", "deflate")], zlib(SAME_CAT)),
    );
    let plain = Reply::Said(&[], Bytes::from_static(SAME_CAT));
    let mut journey = Journey::start(gzip, deflate, LIKE_CATS).await;
    journey.ask().await;
    let seen = journey.compared(1).await;
    assert_eq!(seen["agreed"], 1, "{seen}");
    journey.shadow.reply(plain);
    journey.ask().await;
    let seen = journey.compared(2).await;
    assert_eq!(seen["agreed"], 2, "{seen}");
    // What nobody here can read agrees with its like alone.
    let sealed = Bytes::from_static(b"\x01\x02");
    let sealed = Reply::Said(&[("content-encoding", "x-sealed")], sealed);
    journey.shadow.reply(sealed.clone());
    journey.ask().await;
    let seen = journey.compared(3).await;
    assert_eq!(
        (&seen["agreed"], &seen["fields"][0]["at"]),
        (&json!(2), &json!("body"))
    );
    journey.primary.reply(sealed);
    journey.ask().await;
    let seen = journey.compared(4).await;
    assert_eq!(seen["agreed"], 3, "{seen}");
}

#[tokio::test]
async fn a_bomb_is_counted_as_too_large_and_compared_with_nothing() {
    let bomb = gzip(&vec![b' '; 1 << 20]);
    assert!(bomb.len() < 4096, "it passes as {} bytes", bomb.len());
    let primary = Reply::Said(&[], Bytes::from_static(CAT));
    let bomb = Reply::Said(&[("content-encoding", "gzip")], bomb);
    let mut journey = Journey::start(primary, bomb, LIKE_CATS).await;
    journey.ask().await;
    let count = r#"wald_shadow_too_large_total{route="all",backend="shadow"} 1"#;
    journey.wald.shows(count).await;
    let seen = journey.compared(0).await;
    assert_eq!(seen["too_large"], 1, "{seen}");
}

#[tokio::test]
async fn tensors_in_binary_are_compared_with_those_in_json_and_by_name() {
    let json = br#"{"id":"1","outputs":[{"name":"score","datatype":"FP32","shape":[1,2],"data":[0.1,0.9]},{"name":"label","datatype":"BYTES","shape":[1],"data":["cat"]}]}"#;
    let primary = Reply::Said(&[], Bytes::from_static(json));
    let same = binary([0.1, 0.9004], b"cat");
    let mut journey = Journey::start(primary, same, LIKE_CATS).await;
    journey.ask().await;
    let seen = journey.compared(1).await;
    assert_eq!(seen["agreed"], 1, "{seen}");
    journey.primary.reply(binary([0.1, 0.9], b"cat"));
    journey.ask().await;
    let seen = journey.compared(2).await;
    assert_eq!(seen["agreed"], 2, "{seen}");
    journey.shadow.reply(binary([0.1, 0.8], b"dog"));
    journey.ask().await;
    let seen = journey.compared(3).await;
    assert_eq!(seen["agreed"], 2, "{seen}");
    // Both outputs differ, at what a pointer calls one place.
    let place = json!([{ "at": "/outputs/*/data/*", "disagreements": 1 }]);
    assert_eq!(seen["fields"], place);
    assert_eq!(
        seen["samples"][0].as_array().map(Vec::len),
        Some(2),
        "{seen}"
    );
    assert!(!seen["samples"].to_string().contains("cat"), "{seen}");
}

/// What Triton answers to whoever asks for tensors in binary.
fn binary(scores: [f32; 2], label: &[u8; 3]) -> Reply {
    const JSON: &str = r#"{"id":"2","outputs":[{"name":"label","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":7}},{"name":"score","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}}]}"#;
    const HEADERS: &[(&str, &str)] = &[("inference-header-content-length", "191")];
    let tensors = [
        &[3, 0, 0, 0],
        &label[..],
        &scores.map(f32::to_le_bytes).concat(),
    ]
    .concat();
    Reply::Said(HEADERS, [JSON.as_bytes(), &tensors].concat().into())
}

fn gzip(said: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(said).expect("memory takes it");
    encoder.finish().expect("memory takes it").into()
}

fn zlib(said: &[u8]) -> Bytes {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(said).expect("memory takes it");
    encoder.finish().expect("memory takes it").into()
}

/// One route with one shadow.
struct Journey {
    primary: Upstream,
    shadow: Upstream,
    wald: Wald,
    _folder: Folder,
}

impl Journey {
    async fn start(primary: Reply, shadow: Reply, fields: &str) -> Self {
        let folder = Folder::new();
        let (primary, shadow) = (
            Upstream::start("primary", primary).await,
            Upstream::start("shadow", shadow).await,
        );
        let text = document(&format!(
            "\
upstreams:
  - {{ name: primary, endpoints: [{}] }}
  - {{ name: shadow, endpoints: [{}] }}
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
        Self {
            primary,
            shadow,
            wald,
            _folder: folder,
        }
    }

    /// Asks, and the shadow is asked the same.
    async fn ask(&mut self) {
        let answer = self.wald.connect("edge").await.get("/").await;
        assert_eq!(answer.status, http::StatusCode::OK);
        self.shadow.arrived().await;
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
