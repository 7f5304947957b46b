//! Signatures that prove something, and all kinds that do not.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_ED25519,
    SignatureAlgorithm, SigningKey as _,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::*;

/// Bytes that no loader would take, and no signature minds.
const MODEL: &[u8] = b"hello";

/// A folder with a key and a signature.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn signature(&self, key: SignerKey) -> policy::Signature {
        policy::Signature {
            file: self.path("model.sig"),
            signer: "release".into(),
            key,
        }
    }

    fn minisign(&self) -> policy::Signature {
        self.signature(SignerKey::Minisign(self.path("key.pub")))
    }

    fn openssf(&self) -> policy::Signature {
        self.signature(SignerKey::OpenSsf(self.path("key.pub")))
    }
}

fn proves(signature: &policy::Signature, bytes: &[u8]) -> Result<(), SignatureError> {
    verify(signature, bytes, &Sha256::digest(bytes).into())
}

#[track_caller]
fn check_refused(signature: &policy::Signature, bytes: &[u8], says: &str) {
    let refused = proves(signature, bytes).unwrap_err();
    let said = crate::causes::causes(&refused);
    assert!(said.contains(says), "{said}");
}

/// Writes a minisign key and its signature of these bytes.
fn minisigned(desk: &Desk, bytes: &[u8]) {
    let pair = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let signed = minisign::sign(None, &pair.sk, Cursor::new(bytes), None, None).unwrap();
    desk.write("key.pub", pair.pk.to_box().unwrap().to_string());
    desk.write("model.sig", signed.into_string());
}

#[test]
fn a_file_that_minisign_signed_is_its_signers_and_no_other_file_is() {
    let desk = Desk::new();
    minisigned(&desk, MODEL);
    proves(&desk.minisign(), MODEL).unwrap();
    check_refused(&desk.minisign(), b"hullo", "is not one of `release`");
}

#[test]
fn a_signature_of_minisign_by_another_key_proves_nothing() {
    let desk = Desk::new();
    minisigned(&desk, MODEL);
    let other = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    desk.write("key.pub", other.pk.to_box().unwrap().to_string());
    check_refused(&desk.minisign(), MODEL, "is not one of `release`");
}

#[test]
fn what_is_no_key_or_signature_says_which_file_it_is() {
    let desk = Desk::new();
    minisigned(&desk, MODEL);
    desk.write("model.sig", "untrusted comment: nothing\nAAAA\n");
    check_refused(&desk.minisign(), MODEL, "model.sig holds no signature");
    desk.write("key.pub", "not a key");
    check_refused(&desk.minisign(), MODEL, "key.pub holds no public key");
    check_refused(&desk.openssf(), MODEL, "key.pub holds no ECDSA public key");
    std::fs::remove_file(desk.path("key.pub")).unwrap();
    check_refused(&desk.minisign(), MODEL, "cannot read");
}

#[test]
fn a_file_beyond_any_signature_is_not_read() {
    let desk = Desk::new();
    minisigned(&desk, MODEL);
    desk.write(
        "model.sig",
        " ".repeat(usize::try_from(BYTES_MAX).unwrap() + 1),
    );
    check_refused(&desk.minisign(), MODEL, "cannot read");
}

/// Made by `model_signing sign key` of PyPI's model-signing 1.1.1, of a file that says `hello` and of a folder
/// with `a.onnx` that says `hello` and `b.bin` that says `world`. Their key is made for this and lost.
#[test]
fn what_model_signing_itself_made_is_believed() {
    let desk = Desk::new();
    desk.write("key.pub", include_str!("fixtures/signer.pem"));
    desk.write("model.sig", include_str!("fixtures/file.sig"));
    proves(&desk.openssf(), b"hello").unwrap();
    check_refused(&desk.openssf(), b"world", "not among those that it signs");
    desk.write("model.sig", include_str!("fixtures/folder.sig"));
    proves(&desk.openssf(), b"hello").unwrap();
    proves(&desk.openssf(), b"world").unwrap();
    check_refused(&desk.openssf(), b"hullo", "not among those that it signs");
}

/// A statement as model-signing writes it about one file.
fn statement(bytes: &[u8]) -> Value {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    let whole: [u8; 32] = Sha256::digest(digest).into();
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "model.onnx", "digest": { "sha256": crate::audit::hex(&whole) } }],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": { "resources": [
            { "name": ".", "digest": crate::audit::hex(&digest), "algorithm": "sha256" },
        ] },
    })
}

/// Writes a key and its bundle about a statement.
fn bundled(desk: &Desk, key: &KeyPair, statement: &Value) {
    let payload = statement.to_string();
    let kind = "application/vnd.in-toto+json";
    let message = format!("DSSEv1 28 {kind} {} {payload}", payload.len());
    let signature = key.sign(message.as_bytes()).unwrap();
    let bundle = json!({ "dsseEnvelope": {
        "payload": STANDARD.encode(payload),
        "payloadType": kind,
        "signatures": [{ "sig": STANDARD.encode(signature), "keyid": "" }],
    } });
    desk.write("key.pub", key.public_key_pem());
    desk.write("model.sig", bundle.to_string());
}

fn key(algorithm: &'static SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(algorithm).unwrap()
}

#[test]
fn keys_on_each_of_the_curves_sign() {
    for algorithm in [
        &PKCS_ECDSA_P256_SHA256,
        &PKCS_ECDSA_P384_SHA384,
        &PKCS_ECDSA_P521_SHA512,
    ] {
        let desk = Desk::new();
        bundled(&desk, &key(algorithm), &statement(MODEL));
        proves(&desk.openssf(), MODEL).unwrap();
        desk.write("key.pub", key(algorithm).public_key_pem());
        check_refused(&desk.openssf(), MODEL, "the key did not make it");
    }
}

#[test]
fn a_key_of_another_kind_is_told_so() {
    let desk = Desk::new();
    bundled(&desk, &key(&PKCS_ED25519), &statement(MODEL));
    check_refused(&desk.openssf(), MODEL, "not on P-256");
}

#[test]
fn a_statement_of_another_kind_or_about_nothing_proves_nothing() {
    let cases: [(&str, Value, &str); 6] = [
        (
            "/_type",
            json!("https://in-toto.io/Statement/v0.1"),
            "its _type is",
        ),
        (
            "/predicateType",
            json!("https://slsa.dev/provenance/v1"),
            "its predicateType is",
        ),
        (
            "/predicate/resources/0/algorithm",
            json!("blake2b"),
            "its algorithm is",
        ),
        (
            "/predicate/resources/0/digest",
            json!("00".repeat(32)),
            "the digest of its subject",
        ),
        (
            "/subject/0/digest/sha256",
            json!("00".repeat(32)),
            "the digest of its subject",
        ),
        ("/subject", json!([]), "the digest of its subject"),
    ];
    for (place, value, says) in cases {
        let desk = Desk::new();
        let mut statement = statement(MODEL);
        *statement.pointer_mut(place).unwrap() = value;
        bundled(&desk, &key(&PKCS_ECDSA_P256_SHA256), &statement);
        check_refused(&desk.openssf(), MODEL, says);
    }
}

#[test]
fn a_payload_that_changed_after_it_was_signed_proves_nothing() {
    let desk = Desk::new();
    bundled(&desk, &key(&PKCS_ECDSA_P256_SHA256), &statement(b"hullo"));
    let mut bundle: Value =
        serde_json::from_slice(&std::fs::read(desk.path("model.sig")).unwrap()).unwrap();
    bundle["dsseEnvelope"]["payload"] = json!(STANDARD.encode(statement(MODEL).to_string()));
    desk.write("model.sig", bundle.to_string());
    check_refused(&desk.openssf(), MODEL, "the key did not make it");
}
