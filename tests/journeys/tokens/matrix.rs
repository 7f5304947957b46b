//! Every way in which a token can be wrong, over HTTP/1.1 and HTTP/2: what the client is told, and what is
//! counted.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tests::{Folder, SigningKey, Wald, claims, in_time, key_set, now, unsigned};
use tokio::net::TcpStream;

use super::believing;

/// What a request brings, and what comes of it.
struct Cell {
    name: &'static str,
    credentials: Vec<String>,
    status: u16,
    code: &'static str,
}

fn cell(name: &'static str, token: &str, status: u16, code: &'static str) -> Cell {
    Cell {
        name,
        credentials: vec![format!("Bearer {token}")],
        status,
        code,
    }
}

#[tokio::test]
async fn every_wrong_token_is_refused_with_its_code_and_counted_over_both_protocols() {
    let (rsa, p256) = (SigningKey::rsa("rsa"), SigningKey::p256("p256"));
    let ed = SigningKey::ed25519("ed");
    let folder = Folder::new();
    folder.write("keys.json", key_set(&[&rsa, &p256, &ed]));
    let text = believing("{ file: keys.json }", "welcome", "");
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let edge = wald.address("edge").await;
    for cell in cells(&rsa, &p256, &ed) {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            check(&wald, edge, protocol, &cell).await;
        }
    }
}

fn cells(rsa: &SigningKey, p256: &SigningKey, ed: &SigningKey) -> Vec<Cell> {
    let good = claims(&json!({}));
    let mut cells = missing();
    cells.extend(right(rsa, p256, ed, &good));
    cells.extend(unreadable(rsa, &good));
    cells.extend(unsound(rsa, p256, &good));
    cells.extend(unfit(rsa));
    cells
}

fn missing() -> Vec<Cell> {
    let of = |name, credentials: &[&str], code| Cell {
        name,
        credentials: credentials.iter().map(|it| (*it).to_owned()).collect(),
        status: 401,
        code,
    };
    vec![
        of("missing", &[], "WALD-3004"),
        of("another scheme", &["Basic YTpi"], "WALD-3004"),
        of("nothing behind the scheme", &["Bearer"], "WALD-3101"),
        of("two credentials", &["Bearer a", "Basic YTpi"], "WALD-3101"),
    ]
}

fn right(rsa: &SigningKey, p256: &SigningKey, ed: &SigningKey, good: &Value) -> Vec<Cell> {
    let pss = json!({ "alg": "PS256", "kid": "rsa" }).to_string();
    let unnamed = p256.sign(r#"{"alg":"ES256"}"#, &good.to_string());
    vec![
        cell("right, RS256", &rsa.token(good), 200, ""),
        cell(
            "right, PS256",
            &rsa.sign_pss(&pss, &good.to_string()),
            200,
            "",
        ),
        cell("right, ES256", &p256.token(good), 200, ""),
        cell("right, EdDSA", &ed.token(good), 200, ""),
        cell("right, the only key of its kind", &unnamed, 200, ""),
        cell(
            "right, but not for this route",
            &rsa.token(&claims(&json!({ "scope": "read" }))),
            403,
            "WALD-3003",
        ),
    ]
}

fn unreadable(rsa: &SigningKey, good: &Value) -> Vec<Cell> {
    let claims = good.to_string();
    let with = |member: &str, value: Value| {
        let mut header = rsa.header();
        header[member] = value;
        rsa.sign(&header.to_string(), &claims)
    };
    let twice = |text: &str, member: &str| text.replacen('{', &format!("{{{member},"), 1);
    let header = rsa.header().to_string();
    let names_twice = rsa.sign(&twice(&header, r#""alg":"none""#), &claims);
    let claims_twice = rsa.sign(&header, &twice(&claims, r#""sub":"root""#));
    let large = json!({ "iss": "https://issuer.test", "x": "x".repeat(8 << 10) });
    vec![
        cell("malformed", "abc", 401, "WALD-3101"),
        cell("malformed, five parts", "a.b.c.d.e", 401, "WALD-3101"),
        cell(
            "duplicate member of the header",
            &names_twice,
            401,
            "WALD-3101",
        ),
        cell(
            "duplicate member of the claims",
            &claims_twice,
            401,
            "WALD-3101",
        ),
        cell("crit", &with("crit", json!(["exp"])), 401, "WALD-3101"),
        cell(
            "jku",
            &with("jku", json!("http://127.0.0.1/")),
            401,
            "WALD-3101",
        ),
        cell(
            "x5u",
            &with("x5u", json!("http://127.0.0.1/")),
            401,
            "WALD-3101",
        ),
        cell("jwk", &with("jwk", rsa.public()), 401, "WALD-3101"),
        cell(
            "another type",
            &with("typ", json!("logout+jwt")),
            401,
            "WALD-3101",
        ),
        cell("oversized", &rsa.token(&large), 401, "WALD-3102"),
    ]
}

fn unsound(rsa: &SigningKey, p256: &SigningKey, good: &Value) -> Vec<Cell> {
    let claims = good.to_string();
    let header = |algorithm: &str, key: &str| json!({ "alg": algorithm, "kid": key }).to_string();
    let impostor = SigningKey::rsa("rsa").token(good);
    let stranger = SigningKey::rsa("stranger").token(good);
    // The signature of one good token under the claims of another.
    let root = rsa.token(&json!({ "sub": "root", "iss": "https://issuer.test" }));
    let (signed, _) = root.rsplit_once('.').expect("a token has parts");
    let (_, signature) = impostor.rsplit_once('.').expect("a token has parts");
    let mixed = format!("{signed}.{signature}");
    vec![
        cell("bad signature, another key", &impostor, 401, "WALD-3106"),
        cell("bad signature, other claims", &mixed, 401, "WALD-3106"),
        cell("no signature", &format!("{signed}."), 401, "WALD-3106"),
        cell("alg none", &unsigned(&claims), 401, "WALD-3104"),
        cell(
            "alg swapped to HMAC",
            &rsa.forge_hmac(&claims),
            401,
            "WALD-3104",
        ),
        cell(
            "alg not taken",
            &rsa.sign(&header("RS384", "rsa"), &claims),
            401,
            "WALD-3104",
        ),
        cell(
            "alg swapped to PSS",
            &rsa.sign(&header("PS256", "rsa"), &claims),
            401,
            "WALD-3106",
        ),
        cell(
            "alg of another key",
            &p256.sign(&header("RS256", "p256"), &claims),
            401,
            "WALD-3105",
        ),
        cell("unknown kid", &stranger, 401, "WALD-3105"),
    ]
}

fn unfit(rsa: &SigningKey) -> Vec<Cell> {
    let with = |changes: Value| rsa.token(&claims(&changes));
    let (past, future) = (now() - 10, now() + 3600);
    vec![
        cell(
            "wrong issuer",
            &with(json!({ "iss": "https://other.test" })),
            401,
            "WALD-3103",
        ),
        cell("no issuer", &with(json!({ "iss": null })), 401, "WALD-3103"),
        cell(
            "wrong audience",
            &with(json!({ "aud": ["others"] })),
            401,
            "WALD-3107",
        ),
        cell(
            "no audience",
            &with(json!({ "aud": null })),
            401,
            "WALD-3107",
        ),
        cell("expired", &with(json!({ "exp": past })), 401, "WALD-3108"),
        cell("no end", &with(json!({ "exp": null })), 401, "WALD-3101"),
        cell(
            "not good yet",
            &with(json!({ "nbf": future, "exp": future + 1 })),
            401,
            "WALD-3109",
        ),
    ]
}

#[derive(Clone, Copy, Debug)]
enum Protocol {
    Http1,
    Http2,
}

async fn check(wald: &Wald, edge: SocketAddr, protocol: Protocol, cell: &Cell) {
    let place = format!("{} over {protocol:?}", cell.name);
    let before = refusals(wald, cell.code).await;
    let (head, body) = ask(edge, protocol, cell).await;
    assert_eq!(head.status.as_u16(), cell.status, "{place}");
    let challenge = head.headers.get("www-authenticate").map(|it| it.as_bytes());
    let expected: Option<&[u8]> = match (cell.status, cell.code) {
        (401, "WALD-3004") => Some(br#"Bearer realm="wald""#),
        (401, _) => Some(br#"Bearer realm="wald", error="invalid_token""#),
        _ => None,
    };
    assert_eq!(challenge, expected, "{place}");
    if head.status == StatusCode::OK {
        assert_eq!(&*body, b"welcome", "{place}");
        return;
    }
    let problem: Value = serde_json::from_slice(&body).expect("a problem is JSON");
    assert_eq!(problem["code"], cell.code, "{place}");
    assert_eq!(refusals(wald, cell.code).await, before + 1, "{place}");
}

async fn ask(edge: SocketAddr, protocol: Protocol, cell: &Cell) -> (http::response::Parts, Bytes) {
    let stream = in_time("a connection", TcpStream::connect(edge)).await;
    let io = TokioIo::new(stream.expect("wald takes connections"));
    let target = match protocol {
        Protocol::Http1 => "/closed".to_owned(),
        Protocol::Http2 => format!("http://{edge}/closed"),
    };
    let mut request = Request::get(target).header("host", edge.to_string());
    for credential in &cell.credentials {
        request = request.header("authorization", credential);
    }
    let request = request
        .body(Full::<Bytes>::default())
        .expect("a request of the test");
    let answered = async {
        match protocol {
            Protocol::Http1 => {
                let (mut sender, connection) = http1::handshake(io).await?;
                tokio::spawn(connection);
                sender.send_request(request).await
            }
            Protocol::Http2 => {
                let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
                tokio::spawn(connection);
                sender.send_request(request).await
            }
        }
    };
    let response = in_time(cell.name, answered).await.expect(cell.name);
    let (head, body) = response.into_parts();
    let body = in_time("the body", body.collect()).await.expect(cell.name);
    (head, body.to_bytes())
}

/// How often a request was refused for this reason.
async fn refusals(wald: &Wald, code: &str) -> u64 {
    let metrics = wald.connect("admin").await.get("/metrics").await.text();
    let line = format!("wald_refusals_total{{reason=\"{code}\"}} ");
    metrics
        .lines()
        .find_map(|metric| metric.strip_prefix(&line)?.parse().ok())
        .unwrap_or_default()
}
