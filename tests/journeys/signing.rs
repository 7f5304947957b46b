//! Models that somebody must have signed.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use minisign::KeyPair;
use tests::{Folder, Wald, document};

#[tokio::test]
async fn a_model_is_served_while_its_signer_is_believed() {
    let (folder, release) = (Folder::new(), pair());
    write(&folder, &release, &release);
    let wald = Wald::run(&folder.write("wald.yaml", serving(&folder, SIGNED))).await;
    let mut client = wald.connect("edge").await;
    assert_eq!(client.get("/v2/models/digits/ready").await.status, 200);
    // Whoever is believed from now on has not signed it: what is in force stays, and the log says why.
    folder.write("release.pub", public(&pair()));
    let refused = wald
        .logged("the reload is refused", |event| {
            event["message"] == "not reloaded; the document before stays in force"
        })
        .await;
    assert!(
        refused.to_string().contains("is not one of `release`"),
        "{refused}"
    );
    assert_eq!(client.get("/v2/models/digits/ready").await.status, 200);
    // Once the other one has signed it, too, nothing is in the way.
    let other = pair();
    write(&folder, &other, &other);
    wald.logged("it is reloaded", |event| event["message"] == "reloaded")
        .await;
}

#[tokio::test]
async fn a_model_that_another_key_signed_does_not_start() {
    let folder = Folder::new();
    write(&folder, &pair(), &pair());
    let mut wald = Wald::launch(&folder.write("wald.yaml", serving(&folder, SIGNED)));
    assert_eq!(wald.ended().await.code(), Some(1));
    let said = wald.said();
    assert!(said.contains("is not one of `release`"), "{said}");
}

#[tokio::test]
async fn unsigned_models_are_refused_where_signatures_are_required() {
    let folder = Folder::new();
    let mut wald = Wald::launch(&folder.write("wald.yaml", serving(&folder, "")));
    assert_eq!(wald.ended().await.code(), Some(2));
    let said = wald.said();
    assert!(
        said.contains("WALD-2028") && said.contains("signature: {"),
        "{said}"
    );
}

const SIGNED: &str = ", signature: { file: digits.onnx.minisig, signer: release }";

fn pair() -> KeyPair {
    KeyPair::generate_unencrypted_keypair().expect("a key pair")
}

fn public(pair: &KeyPair) -> String {
    pair.pk.to_box().expect("a public key").to_string()
}

fn model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/examples/digits/baseline.onnx")
}

/// Writes whom to believe, and a signature by whoever signs.
fn write(folder: &Folder, believed: &KeyPair, signer: &KeyPair) {
    let bytes = fs::read(model()).expect("the model");
    let signed = minisign::sign(None, &signer.sk, Cursor::new(bytes), None, None);
    let signed = signed.expect("a signature").into_string();
    folder.write("digits.onnx.minisig", signed);
    folder.write("release.pub", public(believed));
}

fn serving(folder: &Folder, signature: &str) -> String {
    fs::copy(model(), folder.path("digits.onnx")).expect("a copy of the model");
    let sums = model().with_file_name("SHA256SUMS");
    let sums = fs::read_to_string(sums).expect("digests");
    let digest = sums
        .split_whitespace()
        .next()
        .expect("the baseline comes first");
    document(&format!(
        "\
require_signature: true
signers: [{{ name: release, key: {{ minisign: release.pub }} }}]
models: [{{ name: digits, file: digits.onnx, sha256: \"{digest}\"{signature} }}]
routes: [{{ name: all, allow: [{{ callers: anyone }}], backend: {{ model: digits }} }}]
"
    ))
}
