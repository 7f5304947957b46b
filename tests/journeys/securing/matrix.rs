//! Who gets in: every kind of client certificate over both protocols, with the alert, the answer and the metric.

use http::StatusCode;
use tests::{Authority, Identity, Secure, Wish};

use super::{Realm, WEB, counted, handshakes};

/// How a handshake ends.
enum End {
    /// The alert that the client gets, and how it is counted.
    Refused(&'static str, &'static str),
    /// The status of a GET.
    Answered(StatusCode),
}

/// What the document of the matrix says about clients: workloads of one trust domain, nobody else.
const TLS: &str = ", clients: required, crl: [clients.crl], \
    trust: [{ domain: bank.example, bundle: clients.pem }]";
/// The serial that the authority has revoked.
const REVOKED: u64 = 66;

async fn check(make: impl Fn(&Realm) -> Option<Identity>, end: End) {
    let realm = Realm::new();
    let crl = realm.clients.revoke(&[REVOKED], 2100);
    realm.folder.write("clients.crl", crl);
    let wald = realm.run(TLS, "").await;
    let edge = wald.address("edge").await;
    let identity = make(&realm);
    for (count, protocol) in [(1, "http/1.1"), (2, "h2")] {
        let client = Secure::new(&realm.servers.pem(), identity.as_ref(), protocol);
        match end {
            End::Refused(alert, outcome) => {
                assert_eq!(client.refusal(edge).await, alert, "{protocol}");
                counted(&wald, &handshakes(outcome), count).await;
            }
            End::Answered(status) => {
                let answer = client.get(edge, "/").await.expect("an answer");
                assert_eq!(answer.status, status, "{protocol}");
                counted(&wald, &handshakes("completed"), count).await;
            }
        }
    }
}

fn vouched(wish: Wish<'_>) -> impl Fn(&Realm) -> Option<Identity> {
    move |realm| Some(realm.clients.vouch(wish))
}

const RIGHT: Wish<'_> = Wish {
    dns_names: &[],
    uris: &[WEB],
    years: (2020, 2100),
    serial: 1,
    lasts: None,
};

#[tokio::test]
async fn the_right_certificate_gets_in() {
    check(vouched(RIGHT), End::Answered(StatusCode::NO_CONTENT)).await;
}

#[tokio::test]
async fn no_certificate_is_refused() {
    let end = End::Refused("CertificateRequired", "no_certificate");
    check(|_| None, end).await;
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused() {
    let end = End::Refused("UnknownCA", "unknown_issuer");
    check(|_| Some(Authority::new("others").vouch(RIGHT)), end).await;
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let years = (2020, 2021);
    let end = End::Refused("CertificateExpired", "expired");
    check(vouched(Wish { years, ..RIGHT }), end).await;
}

#[tokio::test]
async fn a_certificate_of_the_future_is_refused() {
    let years = (2090, 2100);
    let end = End::Refused("CertificateExpired", "not_valid_yet");
    check(vouched(Wish { years, ..RIGHT }), end).await;
}

#[tokio::test]
async fn a_revoked_certificate_is_refused() {
    let serial = REVOKED;
    let end = End::Refused("CertificateRevoked", "revoked");
    check(vouched(Wish { serial, ..RIGHT }), end).await;
}

#[tokio::test]
async fn another_trust_domain_is_refused_even_by_the_same_authority() {
    let uris = &["spiffe://other.example/ns/web"];
    let end = End::Refused("CertificateUnknown", "trust_domain");
    check(vouched(Wish { uris, ..RIGHT }), end).await;
}

#[tokio::test]
async fn two_uris_are_refused() {
    let uris = &[WEB, "spiffe://bank.example/ns/admin"];
    let end = End::Refused("CertificateUnknown", "misnamed");
    check(vouched(Wish { uris, ..RIGHT }), end).await;
}

#[tokio::test]
async fn a_dns_name_alone_is_no_workload() {
    let (dns_names, uris): (&[&str], &[&str]) = (&["web.bank.example"], &[]);
    let end = End::Refused("CertificateUnknown", "nameless");
    check(
        vouched(Wish {
            dns_names,
            uris,
            ..RIGHT
        }),
        end,
    )
    .await;
}

#[tokio::test]
async fn an_expired_revocation_list_lets_nobody_in() {
    let realm = Realm::new();
    realm
        .folder
        .write("clients.crl", realm.clients.revoke(&[], 2021));
    let wald = realm.run(TLS, "").await;
    let client = realm.client(Some(&realm.workload(WEB)));
    assert_eq!(
        client.refusal(wald.address("edge").await).await,
        "UnknownCA"
    );
    counted(&wald, &handshakes("expired_crl"), 1).await;
}

#[tokio::test]
async fn a_revocation_list_of_another_authority_lets_nobody_in() {
    let realm = Realm::new();
    let other = Authority::new("others");
    realm.folder.write("clients.crl", other.revoke(&[], 2100));
    let wald = realm.run(TLS, "").await;
    let client = realm.client(Some(&realm.workload(WEB)));
    assert_eq!(
        client.refusal(wald.address("edge").await).await,
        "UnknownCA"
    );
    counted(&wald, &handshakes("unknown_revocation"), 1).await;
}

#[tokio::test]
async fn each_trust_domain_is_vouched_for_by_its_own_authority_alone() {
    let realm = Realm::new();
    let shop = Authority::new("shop");
    realm.folder.write("shop.pem", shop.pem());
    let tls = ", clients: required, trust: [{ domain: bank.example, bundle: clients.pem }, \
        { domain: shop.example, bundle: shop.pem }]";
    let wald = realm.run(tls, "").await;
    let edge = wald.address("edge").await;
    let uris = &["spiffe://shop.example/till"];
    let till = Wish { uris, ..RIGHT };
    let (own, foreign) = (shop.vouch(till), realm.clients.vouch(till));
    let answer = realm.client(Some(&own)).get(edge, "/").await;
    assert_eq!(answer.expect("an answer").status, StatusCode::NO_CONTENT);
    let refusal = realm.client(Some(&foreign)).refusal(edge).await;
    assert_eq!(refusal, "UnknownCA");
}

#[tokio::test]
async fn where_certificates_are_optional_only_wrong_ones_are_refused() {
    let realm = Realm::new();
    let wald = realm
        .run(", clients: optional, trust: [clients.pem]", "")
        .await;
    let edge = wald.address("edge").await;
    let answer = realm.client(None).get(edge, "/").await.expect("an answer");
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let other = Authority::new("others").vouch(RIGHT);
    assert_eq!(realm.client(Some(&other)).refusal(edge).await, "UnknownCA");
}
