//! Inline models.

mod text;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use config::document;
use config::{Path, code};

use super::{Report, Scope};
use crate::model::{Batch, Example, ExampleBody};
use crate::{Model, ModelId, Signature, SignerKey, sha256};

/// How many requests may wait for a model unless the document says otherwise.
const QUEUE: u32 = 1024;

/// The most rows that a model takes at once; `inference::BATCH_MAX` is the same.
const ROWS_MAX: u32 = 1024;

/// Sums of 32-bit floats differ by less from machine to machine, and answers that a model changed by more.
const TOLERANCE: f64 = 1e-4;

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
        embedding: _, // read by `text::ending`
        labels: _,    // so are these
        scores: _,
        example,
    } = written;
    let signature = self::signature(scope, path, signature.as_ref());
    let report = &mut scope.report;
    let threads = report.positive(path, "threads", *threads, 1);
    let queue = report.positive(path, "queue", *queue, QUEUE);
    let batch = batch
        .as_ref()
        .map(|it| compile_batch(report, &path.field("batch"), it));
    let example = example.as_ref();
    let example = example.map(|it| compile_example(report, &path.field("example"), it));
    let tokenizer = tokenizer
        .as_ref()
        .map(|written| text::tokenizer(report, &path.field("tokenizer"), written));
    let ending = text::ending(report, path, written);
    Some(Model {
        id: ModelId(position),
        name: name.as_str().into(),
        version: version(written).into(),
        file: file.clone(),
        signature,
        threads: NonZeroUsize::new(usize::try_from(threads).ok()?)?,
        queue: usize::try_from(queue).ok()?,
        sha256: digest(report, &path.field("sha256"), sha256)?,
        batch: batch.flatten(),
        example,
        tokenizer: match tokenizer {
            Some(tokenizer) => Some(Arc::new(tokenizer?)),
            None => None,
        },
        ending: ending?.map(Arc::new),
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

fn compile_batch(report: &mut Report<'_>, path: &Path, written: &document::Batch) -> Option<Batch> {
    let document::Batch { max, wait } = written;
    if !(2..=ROWS_MAX).contains(max) {
        let message = format!("a batch has 2 to {ROWS_MAX} rows, not {max}");
        let remedy = "write, for example, 16, or remove `batch`";
        report.error(code::OUT_OF_RANGE, &path.field("max"), message, remedy);
    }
    Some(Batch {
        max: NonZeroUsize::new(usize::try_from(*max).ok()?)?,
        wait: wait.map(Duration::from).unwrap_or_default(),
    })
}

fn compile_example(report: &mut Report<'_>, path: &Path, written: &document::Example) -> Example {
    let document::Example {
        request,
        response,
        tolerance,
    } = written;
    let tolerance = tolerance.unwrap_or(TOLERANCE);
    if !(0.0..=1.0).contains(&tolerance) {
        let message = format!("a tolerance lies between 0 and 1, not at {tolerance}");
        let remedy = "write, for example, 1e-3";
        report.error(
            code::OUT_OF_RANGE,
            &path.field("tolerance"),
            message,
            remedy,
        );
    }
    Example {
        request: sample(request),
        response: response.as_ref().map(sample),
        tolerance,
    }
}

fn sample(written: &document::ExampleBody) -> ExampleBody {
    match written {
        document::ExampleBody::File(path) => ExampleBody::File(path.clone()),
        document::ExampleBody::Written(document::Anything(body)) => {
            ExampleBody::Written(body.to_string())
        }
    }
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
