//! One webhook: what it is sent, again until it takes it, and how far it has come.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use policy::Webhook;

use super::Standing;
use super::body::Body;
use super::pause::pause;
use super::signature::SigningKey;
use crate::audit::Record;
use crate::causes::causes;
use crate::forward::retry_after;
use crate::outward::{CallError, call};
use crate::referee::unix_ms;
use crate::store::{Store, StoreError};

/// The longest that one try takes, from the name to the answer's header.
const DELIVERY_TIME_MAX: Duration = Duration::from_secs(10);

/// How long until the store is asked again when it cannot be read: another Wald may have it for a while.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// One webhook and what it needs.
pub(super) struct Delivery {
    pub(super) webhook: Webhook,
    pub(super) key: Option<Arc<SigningKey>>,
    pub(super) standing: Arc<Standing>,
    pub(super) trail: Arc<Store>,
}

/// Why a try brought nothing.
#[derive(Debug, thiserror::Error)]
enum DeliveryError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("no header can carry what belongs to it")]
    Header(#[from] http::header::InvalidHeaderValue),
    #[error("no answer within {DELIVERY_TIME_MAX:?}")]
    Late,
    #[error("status {0}")]
    Status(StatusCode),
}

/// What became of a try.
enum Outcome {
    Taken,
    Refused(DeliveryError),
    Again(DeliveryError, Option<Duration>),
}

impl Delivery {
    /// Sends what comes after the last record that was taken; if nothing is known of that, after `since`.
    pub(super) async fn follow(self, since: u64) {
        let mut grown = self.trail.last_record();
        loop {
            // Asked each time: another Wald may have had the store, and sent what was there.
            let records = match self.waiting(since).await {
                Ok(records) => records,
                Err(error) => {
                    tracing::debug!(webhook = %self.webhook.name, error = %causes(&error), "the trail cannot be read");
                    tokio::time::sleep(STORE_PAUSE).await;
                    continue;
                }
            };
            for (number, record) in &records {
                if !self.deliver(*number, record).await {
                    break;
                }
                self.note(*number).await;
            }
            let position = self.standing.position.load(Ordering::Relaxed);
            if records.is_empty() && grown.wait_for(|last| *last > position).await.is_err() {
                return;
            }
        }
    }

    async fn waiting(&self, since: u64) -> Result<Vec<(u64, Record)>, StoreError> {
        let (trail, name) = (Arc::clone(&self.trail), self.webhook.name.clone());
        let known = self.standing.position.load(Ordering::Relaxed);
        let read = tokio::task::spawn_blocking(move || -> Result<_, StoreError> {
            // What is on disk may be behind, where it could not be written.
            let position = trail.delivered(&name, since)?.max(known);
            Ok((position, trail.records_after(position)?))
        });
        let (position, records) = read.await.map_err(|_| StoreError::Interrupted)??;
        self.standing.position.store(position, Ordering::Relaxed);
        Ok(records)
    }

    /// Remembers that this record needs no delivery any more. While another Wald has the store, it may send it
    /// once more.
    async fn note(&self, number: u64) {
        self.standing.position.store(number, Ordering::Relaxed);
        let (trail, name) = (Arc::clone(&self.trail), self.webhook.name.clone());
        let noted =
            tokio::task::spawn_blocking(move || trail.write(|tx| tx.put_delivered(&name, number)));
        if let Ok(Err(error)) = noted.await {
            tracing::warn!(webhook = %self.webhook.name, number, error = %causes(&error), "a delivery could not be noted, and may come twice");
        }
    }

    /// Returns when the receiver has taken the record, refused it, or does not want it; false if another Wald has
    /// the store, and with it the task to deliver.
    async fn deliver(&self, number: u64, record: &Record) -> bool {
        let name = &*self.webhook.name;
        let body = match Body::of(record, self.webhook.format) {
            Ok(body) => body,
            Err(error) => {
                tracing::error!(webhook = name, number, %error, "a record is not readable");
                return true;
            }
        };
        if !self.webhook.wants(&body.kind) {
            return true;
        }
        // The same for each try, and for no other record of any Wald.
        let id = format!("{number}-{}", record.hash.get(..16).unwrap_or_default());
        let mut failures = 0;
        while self.trail.is_here() {
            match self.attempt(&id, &body).await {
                Outcome::Taken => {
                    self.standing.delivered.fetch_add(1, Ordering::Relaxed);
                    return true;
                }
                Outcome::Refused(error) => {
                    self.standing.refused.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(webhook = name, number, error = %causes(&error), "an event is refused and not sent again");
                    return true;
                }
                Outcome::Again(error, asked) => {
                    self.standing.failed.fetch_add(1, Ordering::Relaxed);
                    failures += 1;
                    // Without randomness nothing is spread, and nothing is lost.
                    let pause = pause(failures, asked, getrandom::u32().unwrap_or(u32::MAX));
                    tracing::warn!(webhook = name, number, ?pause, error = %causes(&error), "an event cannot be delivered yet");
                    tokio::time::sleep(pause).await;
                }
            }
        }
        false
    }

    async fn attempt(&self, id: &str, body: &Body) -> Outcome {
        let request = match self.request(id, body) {
            Ok(request) => request,
            Err(error) => return Outcome::Refused(error),
        };
        let call = call(&self.webhook.url, self.webhook.trust.as_deref(), request);
        let answer = match tokio::time::timeout(DELIVERY_TIME_MAX, call).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Outcome::Again(error.into(), None),
            Err(_late) => return Outcome::Again(DeliveryError::Late, None),
        };
        let status = answer.status;
        if status.is_success() {
            return Outcome::Taken;
        }
        let error = DeliveryError::Status(status);
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Outcome::Again(error, retry_after(&answer.headers, SystemTime::now()));
        }
        Outcome::Refused(error)
    }

    /// A receiver refuses what was signed long ago, so each try is signed anew.
    fn request(&self, id: &str, body: &Body) -> Result<Request<Full<Bytes>>, DeliveryError> {
        let seconds = unix_ms() / 1000;
        let mut request = Request::new(Full::from(body.text.clone()));
        *request.method_mut() = Method::POST;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, body.content_type.clone());
        let mut insert = |name, value: &str| -> Result<(), DeliveryError> {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value)?);
            Ok(())
        };
        insert("webhook-id", id)?;
        insert("webhook-timestamp", &seconds.to_string())?;
        if let Some(key) = &self.key {
            let signature = key.sign(id, seconds, body.text.as_bytes());
            insert("webhook-signature", &signature)?;
        }
        Ok(request)
    }
}
