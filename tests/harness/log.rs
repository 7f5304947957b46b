//! The log of a running `wald`: JSON lines on its standard error, read as they come.

use std::io::{BufRead as _, BufReader, Read};
use std::thread;

use serde_json::Value;
use tokio::sync::watch;

use crate::in_time;

/// One line of the log.
pub type Event = Value;

/// All lines so far, and more as they come.
pub(crate) struct Log(watch::Receiver<Lines>);

#[derive(Default)]
struct Lines {
    text: Vec<String>,
    ended: bool,
}

impl Log {
    /// Reads `stream` on a thread of its own until its writer ends.
    pub(crate) fn read(stream: impl Read + Send + 'static) -> Self {
        let (seen, log) = watch::channel(Lines::default());
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                seen.send_modify(|lines| lines.text.push(line));
            }
            seen.send_modify(|lines| lines.ended = true);
        });
        Self(log)
    }

    /// The first event that `wanted` takes, once there is one; none when the log ended without.
    pub(crate) async fn first(&self, what: &str, wanted: impl Fn(&Event) -> bool) -> Option<Event> {
        let mut log = self.0.clone();
        let look = |lines: &Lines| lines.events().find(|event| wanted(event));
        let lines = in_time(
            what,
            log.wait_for(|lines| lines.ended || look(lines).is_some()),
        );
        look(
            &lines
                .await
                .expect("the reader says when the log ends before it goes"),
        )
    }

    /// Waits until nothing more can come.
    pub(crate) async fn ended(&self) {
        // The reader says so before it goes.
        self.0.clone().wait_for(|lines| lines.ended).await.ok();
    }

    /// Everything so far, as it was written.
    pub(crate) fn text(&self) -> String {
        self.0.borrow().text.join("\n")
    }

    /// Every event so far.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.0.borrow().events().collect()
    }
}

impl Lines {
    /// The lines that are events; problems of a document, for people, are not.
    fn events(&self) -> impl Iterator<Item = Event> + '_ {
        self.text
            .iter()
            .filter_map(|line| serde_json::from_str(line).ok())
    }
}
