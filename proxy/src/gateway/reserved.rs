//! Wald's own resources on data listeners, below a path that no route can take.

use bytes::Bytes;
use http::{Method, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use super::Content;
use crate::refusal::Refusal;
use crate::server::Worker;

/// Everything below is Wald's, including what does not exist.
const PREFIX: &str = "/.wald/";

/// Feedback is short; ten thousand items fit.
const BODY_BYTES_MAX: usize = 1 << 20;

/// One of Wald's own resources.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Resource {
    /// Where clients report what became of an answer.
    Feedback,
}

impl Resource {
    /// The resource at this path; none if the path is not Wald's.
    pub(super) fn of(method: &Method, path: &str) -> Result<Option<Self>, Refusal> {
        match path.strip_prefix(PREFIX) {
            None => Ok(None),
            Some("feedback") if method == Method::POST => Ok(Some(Self::Feedback)),
            Some("feedback") => Err(Refusal::Method { allowed: "POST" }),
            Some(_) => Err(Refusal::NoRoute),
        }
    }
}

/// Answers a request for one of Wald's own resources.
pub(super) async fn answer(resource: Resource, worker: &Worker, body: Incoming) -> Result<Response<Content>, Refusal> {
    let body = collect(body, BODY_BYTES_MAX).await?;
    match resource {
        Resource::Feedback => Ok(worker.feedback(body).await.map(Content::Whole)),
    }
}

/// A whole body, for what cannot be answered while it arrives.
pub(crate) async fn collect(body: Incoming, limit: usize) -> Result<Bytes, Refusal> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(Refusal::BodyTooLarge { limit: limit as u64 }),
        Err(_) => Err(Refusal::BodyBroken),
    }
}
