//! TLS on both sides, with certificates made when the journey runs: who gets in, who is believed, what changes
//! while traffic goes on.

mod agent;
mod flood;
mod matrix;
mod peers;
mod rotation;
mod upstreams;

use std::net::SocketAddr;

use http::StatusCode;
use tests::{Authority, Channel, Client, Folder, Identity, Secure, Wald, Wish, until};

/// The workload that everything is open to.
const WEB: &str = "spiffe://bank.example/ns/web";

/// An authority of the listener, one of clients, and the files that a document names.
struct Realm {
    folder: Folder,
    servers: Authority,
    clients: Authority,
}

impl Realm {
    /// With `edge.pem`, `clients.pem` and `clients.crl` (nothing is revoked).
    fn new() -> Self {
        let realm = Self {
            folder: Folder::new(),
            servers: Authority::new("servers"),
            clients: Authority::new("clients"),
        };
        let edge = realm.servers.vouch(Wish::default());
        realm.folder.write("edge.pem", edge.pem());
        realm.folder.write("clients.pem", realm.clients.pem());
        realm
            .folder
            .write("clients.crl", realm.clients.revoke(&[], 2100));
        realm
    }

    /// A `wald` whose listener `edge` has `tls` and whatever `rest` adds; everything is answered with 204.
    async fn run(&self, tls: &str, rest: &str) -> Wald {
        self.serve(&format!(
            "\
listeners: [{{ name: edge, address: 127.0.0.1:0, tls: {{ certificate: {{ chain: edge.pem, key: edge.pem }}{tls} }}{rest} }}]
routes: [{{ name: all, allow: [{{ callers: anyone }}], backend: {{ respond: {{ status: 204 }} }} }}]
"
        ))
        .await
    }

    /// A `wald` with this document, but for what every document of a journey has.
    async fn serve(&self, document: &str) -> Wald {
        let document = format!(
            "\
version: wald/v1
admin: {{ address: 127.0.0.1:0 }}
workers: 1
telemetry: {{ log: {{ format: json }} }}
{document}"
        );
        Wald::run(&self.folder.write("wald.yaml", document)).await
    }

    /// A workload that clients' authority vouches for.
    fn workload(&self, id: &str) -> Identity {
        self.clients.vouch(Wish {
            uris: &[id],
            ..Wish::default()
        })
    }

    /// A client of the listener.
    fn client(&self, identity: Option<&Identity>) -> Secure {
        Secure::new(&self.servers.pem(), identity, "http/1.1")
    }
}

/// Waits until a metric has this value, as it is written.
async fn counted(wald: &Wald, metric: &str, value: u64) {
    let mut admin = wald.connect("admin").await;
    let line = format!("{metric} {value}");
    until(&line, async || {
        let text = admin.get("/metrics").await.text();
        text.lines().any(|shown| shown == line).then_some(())
    })
    .await;
}

fn handshakes(outcome: &str) -> String {
    format!("wald_tls_handshakes_total{{listener=\"edge\",outcome=\"{outcome}\"}}")
}

#[tokio::test]
async fn the_key_exchange_withstands_quantum_computers_and_the_version_is_the_newest() {
    let realm = Realm::new();
    let wald = realm.run("", "").await;
    let edge = wald.address("edge").await;
    let channel = realm.client(None).connect(edge, "localhost").await;
    assert_eq!(
        channel.expect("hands are shaken").agreed(),
        "TLSv1_3 X25519MLKEM768"
    );
    assert_eq!(
        realm
            .client(None)
            .get(edge, "/")
            .await
            .expect("an answer")
            .status,
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn plain_text_to_a_tls_listener_is_closed_and_counted() {
    let realm = Realm::new();
    let wald = realm.run("", "").await;
    let mut plain = Client::open(wald.address("edge").await).await;
    let answered = plain
        .attempt(http::Method::GET, "/", &[], bytes::Bytes::new())
        .await;
    assert!(answered.is_err(), "{answered:?}");
    counted(&wald, &handshakes("not_tls"), 1).await;
}

#[tokio::test]
async fn the_certificate_is_chosen_by_the_name_that_is_asked_for() {
    let realm = Realm::new();
    for name in ["one.test", "two.test"] {
        let wish = Wish {
            dns_names: &[name],
            ..Wish::default()
        };
        realm.folder.write(name, realm.servers.vouch(wish).pem());
    }
    let more =
        ", certificates: [{ chain: one.test, key: one.test }, { chain: two.test, key: two.test }]";
    let wald = realm.run(more, "").await;
    let edge = wald.address("edge").await;
    let mut seen = Vec::new();
    for name in ["localhost", "one.test", "two.test"] {
        seen.push(shown(&realm, edge, name).await);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 3, "two names got the same certificate");
}

/// The certificate that a client gets which asks for `name`, and believes only this name.
async fn shown(realm: &Realm, edge: SocketAddr, name: &str) -> Vec<u8> {
    let channel = realm.client(None).connect(edge, name).await;
    channel
        .map(|channel: Channel| channel.certificate())
        .expect("hands are shaken")
}

#[tokio::test]
async fn certificates_are_listed_with_their_end_and_one_that_ends_is_warned_about() {
    let realm = Realm::new();
    let year = this_year();
    let wish = Wish {
        years: (year - 30, year + 2),
        ..Wish::default()
    };
    realm
        .folder
        .write("edge.pem", realm.servers.vouch(wish).pem());
    let wald = realm
        .run(
            ", clients: required, trust: [clients.pem], crl: [clients.crl]",
            "",
        )
        .await;
    let listed = wald.ask("/api/v1/certificates").await;
    let list = listed["certificates"].as_array().expect("a list");
    let of = |kind: &str| {
        let found = list.iter().find(|paper| paper["kind"] == kind);
        found.expect("each kind is listed")
    };
    assert_eq!(
        of("certificate")["not_after"],
        format!("{}-01-01T00:00:00Z", year + 2)
    );
    assert_eq!(of("certificate")["names"][0], "localhost");
    assert_eq!(of("crl")["not_after"], "2100-01-01T00:00:00Z");
    counted(
        &wald,
        "wald_certificate_expiry_timestamp_seconds{name=\"listener edge trust clients.pem\"}",
        4_102_444_800,
    )
    .await;
    let warned = wald
        .logged("the certificate is due", |event| {
            event["message"] == "should have been renewed by now"
        })
        .await;
    assert_eq!(warned["name"], "listener edge certificate edge.pem");
}

/// The year, within a day.
fn this_year() -> i32 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed();
    let seconds = since.expect("the clock is right").as_secs();
    1970 + i32::try_from(seconds / 31_556_952).expect("a year")
}
