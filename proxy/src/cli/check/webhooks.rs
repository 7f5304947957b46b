//! Whether receivers of events can be reached, and what signs deliveries is there. Nothing is sent.

use std::time::Duration;

use policy::Webhook;

use super::finding::Finding;
use crate::causes::causes;
use crate::credentials::signing;
use crate::outward::reach;

/// How long a receiver may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connects as a delivery would, and reads its secret. Wald serves without a receiver that is away, and not
/// without a secret that it was promised.
pub(super) async fn look(webhook: &Webhook) -> Finding {
    let subject = format!("webhook {} {}", webhook.name, webhook.place());
    if let Err(error) = signing(webhook) {
        let remedy = "put the secret there, or mend `secret`: openssl rand -base64 32";
        return Finding::failed(subject, causes(&error), remedy);
    }
    let remedy = "start it, or mend `url` and `trust`: its events wait until it answers";
    let connected = reach(&webhook.url, webhook.trust.as_deref());
    match tokio::time::timeout(PATIENCE, connected).await {
        Ok(Ok(())) => Finding::fine(subject, "accepts connections"),
        Ok(Err(error)) => Finding::doubtful(subject, causes(&error), remedy),
        Err(_) => {
            let detail = format!("no connection within {PATIENCE:?}");
            Finding::doubtful(subject, detail, remedy)
        }
    }
}
