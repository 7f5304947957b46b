//! Wald's own resources on data listeners, below a path that no route can take.

use std::time::Duration;

use http::{Method, Response};

use super::Content;
use super::Inbound;
use super::collect::collect;
use crate::refusal::Refusal;
use crate::server::Worker;

/// Everything below is Wald's, including what does not exist.
const PREFIX: &str = "/.wald/";

/// Feedback is short; ten thousand items fit.
const BODY_BYTES_MAX: u64 = 1 << 20;

/// As long as a request's head may take by default.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);

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
pub(super) async fn answer(
    resource: Resource,
    worker: &Worker,
    body: Inbound,
) -> Result<Response<Content>, Refusal> {
    let body = collect(body, BODY_BYTES_MAX, BODY_TIME_MAX).await?;
    match resource {
        Resource::Feedback => Ok(worker.feedback(body).await?.map(Content::Whole)),
    }
}
