//! Who asks for a reload: SIGHUP, and the files themselves, the document and those that it names.
//!
//! Folders are watched and not files: editors replace files, and Kubernetes swaps a link beside them.
//! Whatever happens in it is only a reason to look whether the content has changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::{Wish, folder};

/// Turns every SIGHUP into a wish.
pub(super) fn signals(wishes: mpsc::Sender<Wish>) {
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => hangup,
        Err(error) => return tracing::error!(%error, "cannot watch for SIGHUP"),
    };
    tokio::spawn(async move {
        while hangup.recv().await.is_some()
            && wishes
                .send(Wish::Now("SIGHUP".to_owned(), None))
                .await
                .is_ok()
        {}
    });
}

/// The folders of all files that the policy in force was made of.
pub(super) struct Folders {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
}

impl Folders {
    /// Turns every event in a watched folder into a wish, until it is dropped.
    pub(super) fn new(wishes: mpsc::Sender<Wish>) -> Self {
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| !event.kind.is_access()) {
                // Full: then a wish is waiting that will see this change, too.
                drop(wishes.try_send(Wish::IfChanged));
            }
        });
        let watcher = watcher
            .inspect_err(
                |error| tracing::warn!(%error, "no file can be watched; SIGHUP still reloads"),
            )
            .ok();
        Self {
            watcher,
            watched: BTreeSet::new(),
        }
    }

    /// Watches the folders of these files and no others.
    pub(super) fn watch<'a>(&mut self, files: impl IntoIterator<Item = &'a Path>) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        let wanted: BTreeSet<PathBuf> = files
            .into_iter()
            .map(|file| folder(file).to_owned())
            .collect();
        for gone in self.watched.difference(&wanted) {
            // A folder that was removed meanwhile is watched no more already.
            drop(watcher.unwatch(gone));
        }
        let mut watched: BTreeSet<_> = self.watched.intersection(&wanted).cloned().collect();
        for new in wanted.difference(&self.watched) {
            match watcher.watch(new, RecursiveMode::NonRecursive) {
                Ok(()) => drop(watched.insert(new.clone())),
                Err(error) => {
                    tracing::warn!(folder = %new.display(), %error, "cannot be watched; SIGHUP still reloads");
                }
            }
        }
        self.watched = watched;
    }
}
