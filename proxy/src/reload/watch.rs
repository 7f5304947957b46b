//! Who asks for a reload: SIGHUP, and the file itself.
//!
//! The folder is watched and not the file: editors replace files, and Kubernetes swaps a link beside them.
//! Whatever happens in it is only a reason to look whether the content has changed.

use std::path::Path;

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
        while hangup.recv().await.is_some() && wishes.send(Wish::Now(None)).await.is_ok() {}
    });
}

/// Turns every event in the document's folder into a wish, until the watcher is dropped.
pub(super) fn files(
    document: &Path,
    wishes: mpsc::Sender<Wish>,
) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            // Full: then a wish is waiting that will see this change, too.
            drop(wishes.try_send(Wish::IfChanged));
        }
    })?;
    watcher.watch(folder(document), RecursiveMode::NonRecursive)?;
    Ok(watcher)
}
