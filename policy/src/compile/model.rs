//! Inline models.

use std::num::NonZeroUsize;

use config::document;
use config::{Path, code};

use super::{Report, Scope};
use crate::{Model, ModelId, Signature, SignerKey, sha256};

/// How many requests may wait for a model unless the document says otherwise.
const QUEUE: u32 = 1024;

/// The version of a model, named or not.
pub(super) fn version(written: &document::Model) -> &str {
    written.version.as_deref().unwrap_or("1")
}

/// Compiles one inline model.
pub(super) fn compile(
    scope: &mut Scope<'_>,
    path: &Path,
    position: usize,
    written: &document::Model,
) -> Option<Model> {
    let document::Model {
        name,
        version: _, // read by `version`
        file,
        sha256,
        batch,
        threads,
        queue,
        signature,
        tokenizer,
        labels,
        example,
    } = written;
    let signature = self::signature(scope, path, signature.as_ref());
    let report = &mut scope.report;
    report.not_built(path, "batch", batch.is_some());
    report.not_built(path, "tokenizer", tokenizer.is_some());
    report.not_built(path, "labels", labels.is_some());
    report.not_built(path, "example", example.is_some());
    let threads = report.positive(path, "threads", *threads, 1);
    let queue = report.positive(path, "queue", *queue, QUEUE);
    Some(Model {
        id: ModelId(position),
        name: name.as_str().into(),
        version: version(written).into(),
        file: file.clone(),
        signature,
        threads: NonZeroUsize::new(usize::try_from(threads).ok()?)?,
        queue: usize::try_from(queue).ok()?,
        sha256: digest(report, &path.field("sha256"), sha256)?,
    })
}

/// Who must have signed the file, if anybody must have.
fn signature(
    scope: &mut Scope<'_>,
    path: &Path,
    written: Option<&document::ModelSignature>,
) -> Option<Signature> {
    let Scope {
        document,
        report,
        names,
        ..
    } = scope;
    let Some(document::ModelSignature { file, signer }) = written else {
        if document.require_signature == Some(true) {
            let message = "`require_signature` refuses models that nobody signed";
            let remedy = "add `signature: { file: FILE, signer: NAME }`";
            report.error(code::UNSIGNED_MODEL, path, message, remedy);
        }
        return None;
    };
    let place = path.field("signature").field("signer");
    let position = names.signers.find(signer, &place, report)?;
    let document::Signer { name, key } = document.signers.get(position)?;
    Some(Signature {
        file: file.clone(),
        signer: name.as_str().into(),
        key: match key {
            document::SignerKey::Minisign { minisign } => SignerKey::Minisign(minisign.clone()),
            document::SignerKey::OpenSsf { openssf } => SignerKey::OpenSsf(openssf.clone()),
        },
    })
}

fn digest(report: &mut Report<'_>, path: &Path, written: &str) -> Option<[u8; 32]> {
    let digest = sha256(written);
    if digest.is_none() {
        let message = format!("a SHA-256 has 64 hexadecimal digits, not {:?}", written);
        report.error(
            code::BAD_DIGEST,
            path,
            message,
            "copy what `sha256sum` prints for the file",
        );
    }
    digest
}
