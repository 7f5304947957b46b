//! Files of certificates change while traffic goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;
use tests::{Identity, Kept, Secure, Wish, until};

use super::{Realm, WEB, counted};

/// How often the listener's certificate changes under load.
const ROTATIONS: u64 = 100;
/// Clients that shake hands all the time.
const CLIENTS: usize = 2;

#[tokio::test]
async fn a_hundred_rotations_fail_no_handshake_and_no_request() {
    let realm = Realm::new();
    let wald = realm.run("", "").await;
    let edge = wald.address("edge").await;
    let (stop, served) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let mut load = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let (client, stop, served) = (realm.client(None), Arc::clone(&stop), Arc::clone(&served));
        load.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let answer = client
                    .get(edge, "/")
                    .await
                    .expect("a request while files change");
                assert_eq!(answer.status, StatusCode::NO_CONTENT);
                served.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    for serial in 2..2 + ROTATIONS {
        let next = realm.servers.vouch(Wish {
            serial,
            ..Wish::default()
        });
        realm.folder.swap("edge.pem", next.pem());
        let before = served.load(Ordering::Relaxed);
        until("the new certificate is shown", async || {
            (super::shown(&realm, edge, "localhost").await == der(&next)).then_some(())
        })
        .await;
        until("the load goes on", async || {
            (served.load(Ordering::Relaxed) > before).then_some(())
        })
        .await;
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(client) = load.join_next().await {
        client.expect("no handshake and no request fails");
    }
    counted(&wald, "wald_policy_reloads_total{outcome=\"failure\"}", 0).await;
}

fn der(identity: &Identity) -> Vec<u8> {
    use rustls::pki_types::pem::PemObject as _;
    let certificate =
        rustls::pki_types::CertificateDer::from_pem_slice(identity.certificate.as_bytes());
    certificate.expect("a certificate is PEM").to_vec()
}

#[tokio::test]
async fn a_broken_file_keeps_the_old_certificate_and_is_told_and_counted() {
    let realm = Realm::new();
    let wald = realm.run("", "").await;
    let edge = wald.address("edge").await;
    let before = super::shown(&realm, edge, "localhost").await;
    realm
        .folder
        .swap("edge.pem", "-----BEGIN CERTIFICATE-----\nnothing");
    let mut admin = wald.connect("admin").await;
    // A change may be noticed in two parts, and is then tried twice.
    until("the failure is counted", async || {
        let text = admin.get("/metrics").await.text();
        let none = "wald_policy_reloads_total{outcome=\"failure\"} 0";
        (!text.lines().any(|line| line == none)).then_some(())
    })
    .await;
    let told = wald
        .logged("the reload is refused", |event| {
            event["message"] == "not reloaded; the document before stays in force"
        })
        .await;
    let why = told["error"].as_str().expect("a reason");
    assert!(
        why.starts_with("TLS of listener `edge` cannot be used: no certificate in"),
        "{why}"
    );
    assert_eq!(super::shown(&realm, edge, "localhost").await, before);
}

#[tokio::test]
async fn a_connection_outlives_the_rotation_under_which_it_was_opened() {
    let realm = Realm::new();
    let wald = realm.run("", "").await;
    let edge = wald.address("edge").await;
    let channel = realm.client(None).connect(edge, "localhost").await;
    let channel = channel.expect("hands are shaken");
    let next = realm.servers.vouch(Wish {
        serial: 2,
        ..Wish::default()
    });
    realm.folder.swap("edge.pem", next.pem());
    until("the new certificate is shown", async || {
        (super::shown(&realm, edge, "localhost").await == der(&next)).then_some(())
    })
    .await;
    let answer = channel.get("/").await.expect("an answer");
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_second_handshake_is_a_whole_one_and_sees_that_the_client_was_revoked() {
    for old in [false, true] {
        let realm = Realm::new();
        let tls = ", clients: required, trust: [clients.pem], crl: [clients.crl], minimum: \"1.2\"";
        let wald = realm.run(tls, "").await;
        let edge = wald.address("edge").await;
        let web = realm.workload(WEB);
        let client = if old {
            Secure::old(&realm.servers.pem(), Some(&web))
        } else {
            realm.client(Some(&web))
        };
        for _ in 0..3 {
            let channel = client.connect(edge, "localhost").await;
            let channel = channel.expect("hands are shaken");
            assert!(channel.is_full(), "a session was resumed");
            let answer = channel.get("/").await.expect("an answer");
            assert_eq!(answer.status, StatusCode::NO_CONTENT);
        }
        realm
            .folder
            .swap("clients.crl", realm.clients.revoke(&[1], 2100));
        until("the revocation is seen", async || {
            (client.get(edge, "/").await.is_err()).then_some(())
        })
        .await;
        assert_eq!(client.refusal(edge).await, "CertificateRevoked");
    }
}

/// Waits until a connection is refused what it was given before, and is ended then.
async fn is_ended(kept: &mut Kept) {
    let refused = until("the connection is refused", async || {
        let answer = kept.get("/").await;
        (answer.status != StatusCode::NO_CONTENT).then_some(answer)
    })
    .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.json()["code"], "WALD-3005");
    until("the connection is ended", async || {
        kept.is_closed().then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_open_connection_ends_with_its_certificate() {
    for protocol in ["http/1.1", "h2"] {
        let realm = Realm::new();
        let tls = ", clients: required, trust: [clients.pem]";
        let wald = realm.run(tls, "").await;
        let edge = wald.address("edge").await;
        let brief = realm.clients.vouch(Wish {
            lasts: Some(Duration::from_secs(3)),
            ..Wish::default()
        });
        let client = Secure::new(&realm.servers.pem(), Some(&brief), protocol);
        let channel = client.connect(edge, "localhost").await;
        let mut kept = channel.expect("hands are shaken").keep().await;
        assert_eq!(kept.get("/").await.status, StatusCode::NO_CONTENT);
        is_ended(&mut kept).await;
    }
}

#[tokio::test]
async fn an_open_connection_ends_with_the_trust_in_its_certificate() {
    for protocol in ["http/1.1", "h2"] {
        let realm = Realm::new();
        let tls = ", clients: required, trust: [clients.pem], crl: [clients.crl]";
        let wald = realm.run(tls, "").await;
        let edge = wald.address("edge").await;
        let [revoked, good] = [7, 8].map(|serial| {
            realm.clients.vouch(Wish {
                serial,
                uris: &[WEB],
                ..Wish::default()
            })
        });
        let mut open = Vec::new();
        for identity in [&revoked, &good] {
            let client = Secure::new(&realm.servers.pem(), Some(identity), protocol);
            let channel = client.connect(edge, "localhost").await;
            let mut kept = channel.expect("hands are shaken").keep().await;
            assert_eq!(kept.get("/").await.status, StatusCode::NO_CONTENT);
            open.push(kept);
        }
        realm
            .folder
            .swap("clients.crl", realm.clients.revoke(&[7], 2100));
        is_ended(&mut open[0]).await;
        let answer = open[1].get("/").await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "the other stays");
    }
}
