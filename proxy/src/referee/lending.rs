//! The store in another's hands: a Wald that takes over opens it before this one has ended.
//!
//! Meanwhile nothing is decided here, evidence waits with the workers, and feedback is turned away, to be
//! sent again: whoever opens the store must find in it all that was counted.

use std::sync::Arc;

use super::keeper::{Keeper, blocking};
use super::settling::settle;
use super::unix_ms;
use crate::causes::causes;
use crate::store::StoreError;

/// Who has the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Holder {
    /// This referee.
    #[default]
    Here,
    /// Another process, which may give it back.
    Lent,
    /// Nobody who should; it is opened as soon as that can be done.
    Wanted,
}

impl Keeper {
    /// Whether there is a store to write to.
    pub(super) fn has_store(&self) -> bool {
        self.holder == Holder::Here
    }

    /// Closes the store with all that is known in it.
    pub(super) async fn lend(&mut self) -> Result<(), StoreError> {
        self.checkpoint().await;
        if self.runs.iter().any(|run| run.is_dirty) {
            // The checkpoint has said why.
            return Err(StoreError::Interrupted);
        }
        self.keep_series().await;
        self.sign(unix_ms()).await;
        let store = Arc::clone(&self.store);
        let closed = tokio::task::spawn_blocking(move || store.close());
        closed.await.map_err(|_| StoreError::Interrupted)?;
        self.holder = Holder::Lent;
        Ok(())
    }

    /// Opens the store again, at the latest when whoever has it is gone, and goes on from what it says: the
    /// other may have written to it.
    pub(super) async fn reclaim(&mut self) {
        if self.has_store() {
            return;
        }
        self.holder = Holder::Wanted;
        if let Err(error) = self.reopen().await {
            self.tally.store_failures += 1;
            tracing::error!(error = %causes(&*error), "the store cannot be opened again yet; nothing is decided until it can");
        }
    }

    /// Tries again what could not be done at once.
    pub(super) async fn retry(&mut self) {
        if self.holder == Holder::Wanted {
            self.reclaim().await;
        }
    }

    async fn reopen(&mut self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let store = Arc::clone(&self.store);
        tokio::task::spawn_blocking(move || store.reopen()).await??;
        let (policy, now_ms) = (Arc::clone(&self.policy), unix_ms());
        let settled = blocking(&self.store, move |tx| {
            settle(tx, &policy, Vec::new(), now_ms)
        });
        (self.runs, _) = settled.await?;
        self.holder = Holder::Here;
        self.publish();
        self.write_book();
        tracing::info!("the store is open again");
        Ok(())
    }
}
