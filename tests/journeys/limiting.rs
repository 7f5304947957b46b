//! How much is let through, and what whoever sends more is told.

use bytes::Bytes;
use http::Method;
use tests::{Answer, Client, Folder, Wald, document};

/// A wald with one route that lets so much through.
async fn limited(rate: &str, listener: &str) -> (Wald, Folder) {
    let folder = Folder::new();
    let text = document(&format!(
        "\
routes:
  - {{ name: all, allow: [{{ callers: anyone }}], backend: {{ respond: {{ status: 204 }} }}, limits: {{ rate: {rate} }} }}
"
    ));
    let edge = "{ name: edge, address: 127.0.0.1:0";
    let text = text.replace(edge, &format!("{edge}{listener}"));
    (Wald::run(&folder.write("wald.yaml", text)).await, folder)
}

async fn ask(client: &mut Client, name: &str, value: &str) -> Answer {
    client
        .send(Method::GET, "/", &[(name, value)], Bytes::new())
        .await
}

#[tokio::test]
async fn a_tenant_that_sends_too_much_is_told_how_long_to_wait_and_others_go_on() {
    let (wald, _folder) =
        limited("{ requests: 2/h, burst: 2, key: { header: x-tenant } }", "").await;
    // Two connections, which different workers may have.
    let mut clients = [wald.connect("edge").await, wald.connect("edge").await];
    for (client, left) in clients.iter_mut().zip(["r=1", "r=0"]) {
        let answer = ask(client, "x-tenant", "bank").await;
        assert_eq!(answer.status.as_u16(), 204);
        assert!(answer.header("ratelimit").contains(left), "{answer:?}");
        assert_eq!(answer.header("ratelimit-policy"), "\"route\";q=2;w=3600");
    }
    let refused = ask(&mut clients[0], "x-tenant", "bank").await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["code"]),
        (429, &"WALD-4012".into())
    );
    let wait: u64 = refused.header("retry-after").parse().expect("seconds");
    assert!((1700..=1800).contains(&wait), "{wait}");
    assert!(refused.header("ratelimit").contains("r=0"), "{refused:?}");
    assert_eq!(
        ask(&mut clients[1], "x-tenant", "shop")
            .await
            .status
            .as_u16(),
        204
    );
    let text = wald.connect("admin").await.get("/metrics").await.text();
    assert!(
        text.contains("wald_limit_reached_total{limit=\"rate\"} 1"),
        "{text}"
    );
}

#[tokio::test]
async fn an_address_is_whom_a_proxy_that_is_believed_heard_and_otherwise_the_connection_s() {
    let rate = "{ requests: 1/h, burst: 1, key: address }";
    let (wald, _folder) = limited(rate, ", trust_forwarded: [127.0.0.0/8]").await;
    let mut client = wald.connect("edge").await;
    for (said, expected) in [
        ("192.0.2.1", 204),
        ("192.0.2.2", 204),
        // Only the last was seen by the proxy itself.
        ("203.0.113.9, 192.0.2.1", 429),
    ] {
        let answer = ask(&mut client, "x-forwarded-for", said).await;
        assert_eq!(answer.status.as_u16(), expected, "{said}");
    }
    let (wald, _folder) = limited(rate, "").await;
    let mut client = wald.connect("edge").await;
    for (said, expected) in [("192.0.2.1", 204), ("192.0.2.2", 429)] {
        let answer = ask(&mut client, "x-forwarded-for", said).await;
        assert_eq!(answer.status.as_u16(), expected, "{said}");
    }
}
