//! Signs how far the audit trail has come, beside everything else that is written down.

use std::sync::{Arc, PoisonError};

use super::keeper::Keeper;
use crate::audit::checkpoint::CheckpointError;
use crate::audit::time;
use crate::causes::causes;

impl Keeper {
    /// Signs the last record, unless that was done. What cannot be signed now is signed the next time: decisions
    /// do not wait for it.
    pub(super) async fn sign(&mut self, now_ms: u64) {
        let Some(notary) = self.notary.clone() else {
            return;
        };
        let store = Arc::clone(&self.store);
        let signed = tokio::task::spawn_blocking(move || -> Result<(), CheckpointError> {
            let last = *store.last_record().borrow();
            // Whoever panicked with it has signed, or has not.
            let mut notary = notary.lock().unwrap_or_else(PoisonError::into_inner);
            if notary.has_signed(last) {
                return Ok(());
            }
            let Some(before) = last.checked_sub(1) else {
                return Ok(());
            };
            match store
                .records_after(before)
                .ok()
                .and_then(|it| it.into_iter().next())
            {
                Some((sequence, record)) => notary.sign(sequence, &record.hash, time(now_ms)),
                None => Ok(()),
            }
        });
        if let Ok(Err(error)) = signed.await {
            self.tally.store_failures += 1;
            tracing::error!(error = %causes(&error), "the audit trail is not signed");
        }
    }
}
