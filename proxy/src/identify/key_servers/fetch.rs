//! One key set from one server.

use std::time::Duration;

use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderValue, Request, StatusCode};
use policy::KeyServer;

use crate::identify::jwt::{KEY_SET_BYTES_MAX, KeySet, KeySetError};
use crate::outward::{CallError, call};

/// The longest that a fetch takes, from the name to the last byte.
const FETCH_TIME_MAX: Duration = Duration::from_secs(5);

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// The server gives no answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The server answers something else. A redirect is not followed: keys come from where the document says.
    #[error("status {0}, want 200")]
    Status(StatusCode),
    /// The body is too long, or broke off.
    #[error("no whole key set")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What came is no key set.
    #[error(transparent)]
    KeySet(#[from] KeySetError),
    /// It took too long.
    #[error("no key set within {FETCH_TIME_MAX:?}")]
    Late,
}

/// Fetches the keys that a server has now.
pub(crate) async fn fetch(server: &KeyServer) -> Result<KeySet, FetchError> {
    match tokio::time::timeout(FETCH_TIME_MAX, ask(server)).await {
        Ok(fetched) => Ok(KeySet::parse(&fetched?)?),
        Err(_late) => Err(FetchError::Late),
    }
}

async fn ask(server: &KeyServer) -> Result<Bytes, FetchError> {
    let mut request = Request::<http_body_util::Full<Bytes>>::default();
    let accepted = HeaderValue::from_static("application/jwk-set+json, application/json");
    request.headers_mut().insert(ACCEPT, accepted);
    let answer = call(&server.url, server.trust.as_deref(), request).await?;
    if answer.status != StatusCode::OK {
        return Err(FetchError::Status(answer.status));
    }
    // One more than is allowed, so that the key set itself says that it is too large.
    let body = answer.body(KEY_SET_BYTES_MAX + 1).await;
    body.map_err(FetchError::Body)
}
