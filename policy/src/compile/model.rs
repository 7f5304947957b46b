//! Inline models.

use std::num::NonZeroUsize;

use config::document;
use config::{Path, code};

use super::{Report, Scope};
use crate::{Model, ModelId};

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
    let report = &mut scope.report;
    report.not_built(path, "batch", batch.is_some());
    report.not_built(path, "signature", signature.is_some());
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
        threads: NonZeroUsize::new(usize::try_from(threads).ok()?)?,
        queue: usize::try_from(queue).ok()?,
        sha256: digest(report, &path.field("sha256"), sha256)?,
    })
}

fn digest(report: &mut Report<'_>, path: &Path, written: &str) -> Option<[u8; 32]> {
    let digest = decode(written);
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

fn decode(hex: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = hex
        .chars()
        .map(|digit| digit.to_digit(16))
        .map(|digit| u8::try_from(digit?).ok())
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
        .collect();
    bytes.try_into().ok().filter(|_| digits.len() == 64)
}
