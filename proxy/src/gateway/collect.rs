//! A whole body, for what cannot be answered while it arrives.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;

use super::{Cut, Inbound, model};
use crate::refusal::Refusal;

/// The body, unless it is larger than `limit` or takes longer than `patience`.
pub(crate) async fn collect(
    body: Inbound,
    limit: u64,
    patience: Duration,
) -> Result<Bytes, Refusal> {
    if body.size_hint().lower() > limit {
        return Err(Refusal::BodyTooLarge { limit });
    }
    let whole = Limited::new(body, usize::try_from(limit).unwrap_or(usize::MAX)).collect();
    match tokio::time::timeout(patience, whole).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::BodyTooLarge { limit }),
        Ok(Err(error)) => Err(error
            .downcast::<Cut>()
            .map_or(Refusal::BodyBroken, |why| model::cut(&why))),
        Err(_elapsed) => Err(Refusal::BodyTimeout),
    }
}
