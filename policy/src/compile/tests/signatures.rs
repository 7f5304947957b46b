//! Whose models are believed.

use std::path::Path;

use super::*;
use crate::SignerKey;

const SIGNERS: (&str, &str) = (
    "version: wald/v1\n",
    "version: wald/v1\nsigners: [{ name: release, key: { minisign: release.pub } }, { name: team, key: { openssf: team.pem } }]\n",
);
const REQUIRED: (&str, &str) = (
    "version: wald/v1\n",
    "version: wald/v1\nrequire_signature: true\n",
);
const FILE: &str = "file: digits-9.onnx";

fn signed_by(signer: &str) -> String {
    format!("{FILE}, signature: {{ file: digits-9.sig, signer: {signer} }}")
}

#[test]
fn a_model_is_its_signers_by_the_signers_key() {
    let policy = sample::policy(&[SIGNERS, (FILE, &signed_by("team"))]);
    let signature = policy.models()[0].signature.as_ref().unwrap();
    assert_eq!(signature.file, Path::new("/bank/digits-9.sig"));
    assert_eq!(&*signature.signer, "team");
    let key = SignerKey::OpenSsf("/bank/team.pem".into());
    assert_eq!(signature.key, key);
    assert_eq!(policy.models()[1].signature, None);
}

#[test]
fn a_signer_who_is_not_there_is_refused_with_the_one_that_may_be_meant() {
    let path = "models[0].signature.signer";
    let edits = [SIGNERS, (FILE, &*signed_by("relase"))];
    check(Severity::Error, code::UNKNOWN_NAME, path, &edits);
    let found = problems(&edits);
    assert!(
        found.iter().any(|it| it.remedy.contains("release")),
        "{found:?}"
    );
}

#[test]
fn each_model_without_a_signature_is_refused_where_they_are_required() {
    for model in ["models[0]", "models[1]"] {
        check(Severity::Error, code::UNSIGNED_MODEL, model, &[REQUIRED]);
    }
}
