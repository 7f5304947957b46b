//! Whom Wald believes to be an upstream, and who it is to it.

use http::StatusCode;
use tests::{Answer, Authority, Identity, SecureUpstream, Wald, Wish, until};

use super::{Realm, counted};

/// Who the upstream must be.
const FRAUD: &str = "spiffe://bank.example/fraud";
const RIGHT: Wish<'_> = Wish {
    dns_names: &[],
    uris: &[FRAUD],
    years: (2020, 2100),
    serial: 1,
    lasts: None,
};
const AS_WORKLOAD: &str = "trust: [ca.pem], spiffe_id: \"spiffe://bank.example/fraud\"";

/// A realm with `ca.pem` (whom upstreams are vouched for by) and `wald.pem` (who Wald is to them).
fn realm() -> Realm {
    let realm = Realm::new();
    realm.folder.write("ca.pem", realm.servers.pem());
    let wald = realm.workload("spiffe://bank.example/wald");
    realm.folder.write("wald.pem", wald.pem());
    realm
}

/// A `wald` in front of one upstream, which it speaks to as `tls` says.
async fn front(realm: &Realm, upstream: &SecureUpstream, tls: &str) -> Wald {
    let document = format!(
        "\
listeners: [{{ name: edge, address: 127.0.0.1:0 }}]
upstreams: [{{ name: backend, endpoints: [\"{}\"], {tls} }}]
routes: [{{ name: all, allow: [{{ callers: anyone }}], backend: {{ upstream: backend }} }}]
",
        upstream.endpoint()
    );
    realm.serve(&document).await
}

fn as_us(tls: &str) -> String {
    format!("tls: {{ {tls}, certificate: {{ chain: wald.pem, key: wald.pem }} }}")
}

async fn ask(realm: &Realm, identity: &Identity, tls: &str) -> (Answer, usize) {
    let upstream = SecureUpstream::start(identity, &realm.clients).await;
    let wald = front(realm, &upstream, tls).await;
    let answer = wald.connect("edge").await.get("/").await;
    (answer, upstream.handshakes())
}

async fn believed(wish: Wish<'_>, tls: &str) {
    let realm = realm();
    let (answer, _) = ask(&realm, &realm.servers.vouch(wish), &as_us(tls)).await;
    assert_eq!((answer.status, &*answer.text()), (StatusCode::OK, "secure"));
}

async fn refused(realm: &Realm, identity: &Identity, tls: &str) {
    let (answer, handshakes) = ask(realm, identity, &as_us(tls)).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!(answer.json()["code"], "WALD-5006");
    assert!(!answer.text().contains("spiffe"), "{}", answer.text());
    assert_eq!(handshakes, 0, "the upstream could have answered");
}

#[tokio::test]
async fn an_upstream_is_believed_by_its_workload_without_a_dns_name() {
    believed(RIGHT, AS_WORKLOAD).await;
}

#[tokio::test]
async fn an_upstream_is_believed_by_its_dns_name() {
    believed(Wish::default(), "trust: [ca.pem]").await;
    let dns_names = &["models.bank.example"];
    let wish = Wish { dns_names, ..RIGHT };
    believed(wish, "trust: [ca.pem], dns_name: models.bank.example").await;
}

#[tokio::test]
async fn http_2_is_spoken_with_an_upstream_that_offers_it_and_with_no_other() {
    let realm = realm();
    let identity = realm.servers.vouch(RIGHT);
    let tls = format!("protocol: http2, {}", as_us(AS_WORKLOAD));
    let offered = ["h2", "http/1.1"];
    let upstream = SecureUpstream::offering(&identity, &realm.clients, &offered).await;
    let wald = front(&realm, &upstream, &tls).await;
    let answer = wald.connect("edge").await.get("/").await;
    assert_eq!((answer.status, &*answer.text()), (StatusCode::OK, "secure"));
    // One that offers nothing shakes hands and would be misunderstood.
    let (answer, _) = ask(&realm, &identity, &tls).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!(answer.json()["code"], "WALD-5001");
}

#[tokio::test]
async fn an_upstream_that_is_another_is_not_spoken_to() {
    let realm = realm();
    let vouch = |wish| realm.servers.vouch(wish);
    for wish in [
        Wish {
            uris: &["spiffe://bank.example/other"],
            ..RIGHT
        },
        Wish {
            uris: &["spiffe://other.example/fraud"],
            ..RIGHT
        },
        Wish {
            uris: &[FRAUD, "spiffe://bank.example/other"],
            ..RIGHT
        },
        Wish::default(),
        Wish {
            years: (2020, 2021),
            ..RIGHT
        },
        Wish {
            years: (2090, 2100),
            ..RIGHT
        },
    ] {
        refused(&realm, &vouch(wish), AS_WORKLOAD).await;
    }
    let foreign = Authority::new("others").vouch(RIGHT);
    refused(&realm, &foreign, AS_WORKLOAD).await;
    refused(&realm, &vouch(RIGHT), "trust: [ca.pem]").await;
    let named = "trust: [ca.pem], dns_name: models.bank.example";
    refused(&realm, &vouch(Wish::default()), named).await;
}

#[tokio::test]
async fn without_a_certificate_of_ours_an_upstream_that_wants_one_gives_no_answer() {
    let realm = realm();
    let identity = realm.servers.vouch(RIGHT);
    let (answer, handshakes) = ask(&realm, &identity, &format!("tls: {{ {AS_WORKLOAD} }}")).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!(handshakes, 0);
}

#[tokio::test]
async fn an_insecure_upstream_is_believed_and_shown_in_a_metric() {
    let realm = realm();
    let foreign = Authority::new("others").vouch(Wish::default());
    let upstream = SecureUpstream::start(&foreign, &realm.clients).await;
    let own = "tls: { certificate: { chain: wald.pem, key: wald.pem } }";
    let wald = front(&realm, &upstream, &format!("insecure: true, {own}")).await;
    let answer = wald.connect("edge").await.get("/").await;
    assert_eq!(answer.status, StatusCode::OK);
    counted(&wald, "wald_upstream_insecure{upstream=\"backend\"}", 1).await;
}

#[tokio::test]
async fn connections_are_kept_until_trust_changes_and_never_after() {
    let realm = realm();
    let identity = realm.servers.vouch(RIGHT);
    let upstream = SecureUpstream::start(&identity, &realm.clients).await;
    let wald = front(&realm, &upstream, &as_us(AS_WORKLOAD)).await;
    let mut client = wald.connect("edge").await;
    for _ in 0..3 {
        assert_eq!(client.get("/").await.status, StatusCode::OK);
    }
    assert_eq!(upstream.handshakes(), 1, "the connection was not kept");
    realm.folder.swap("ca.pem", Authority::new("others").pem());
    until("the new authorities are in force", async || {
        (client.get("/").await.status == StatusCode::BAD_GATEWAY).then_some(())
    })
    .await;
    realm.folder.swap("ca.pem", realm.servers.pem());
    until("the old authorities are in force again", async || {
        (client.get("/").await.status == StatusCode::OK).then_some(())
    })
    .await;
    assert_eq!(upstream.handshakes(), 2, "a connection outlived its trust");
}

#[tokio::test]
async fn an_upstream_whose_certificate_was_revoked_is_not_spoken_to() {
    let realm = realm();
    let by_name = Wish::default();
    for (wish, tls) in [(RIGHT, AS_WORKLOAD), (by_name, "trust: [ca.pem]")] {
        let tls = format!("{tls}, crl: [servers.crl]");
        let identity = realm.servers.vouch(wish);
        realm
            .folder
            .write("servers.crl", realm.servers.revoke(&[99], 2100));
        let (answer, _) = ask(&realm, &identity, &as_us(&tls)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        realm
            .folder
            .write("servers.crl", realm.servers.revoke(&[1], 2100));
        refused(&realm, &identity, &tls).await;
        // A list that has ended says nothing about anybody.
        realm
            .folder
            .write("servers.crl", realm.servers.revoke(&[], 2021));
        refused(&realm, &identity, &tls).await;
    }
}

/// Waits until the one endpoint is shown as healthy, or as not.
async fn healthy(wald: &Wald, upstream: &SecureUpstream, expected: u8) {
    let address = upstream.endpoint().replace("https://", "");
    let port = address.rsplit(':').next().expect("a port").to_owned();
    let line = format!(
        "wald_upstream_endpoint_healthy{{upstream=\"backend\",endpoint=\"127.0.0.1:{port}\"}} {expected}"
    );
    wald.shows(&line).await;
}

#[tokio::test]
async fn a_health_check_believes_and_proves_as_a_request_does() {
    let realm = realm();
    let health = |tls: &str| format!("health: {{ path: /, interval: 50ms, unhealthy: 1 }}, {tls}");
    let upstream = SecureUpstream::start(&realm.servers.vouch(RIGHT), &realm.clients).await;
    let wald = front(&realm, &upstream, &health(&as_us(AS_WORKLOAD))).await;
    until("it was asked", async || {
        (upstream.handshakes() > 0).then_some(())
    })
    .await;
    healthy(&wald, &upstream, 1).await;
    // Another workload at that address is not well, whatever it answers.
    let other = Wish {
        uris: &["spiffe://bank.example/other"],
        ..RIGHT
    };
    let upstream = SecureUpstream::start(&realm.servers.vouch(other), &realm.clients).await;
    let wald = front(&realm, &upstream, &health(&as_us(AS_WORKLOAD))).await;
    healthy(&wald, &upstream, 0).await;
}
