//! What a journey needs around a real `wald`: its process, a folder for its files, a client that speaks
//! to it and backends that it speaks to.
//!
//! Everything here panics with what it knows when it cannot go on: a journey has no error to handle.
//! Nothing here waits for a fixed time. What is awaited is an event (a line of the log, an answer, the
//! end of a process), and each wait ends after [`PATIENCE`] with a sentence about what did not come.

#![expect(
    clippy::panic,
    clippy::expect_used,
    reason = "a journey that cannot go on has failed"
)]

mod agent;
mod authority;
mod bind;
mod calls;
mod client;
mod document;
mod folder;
pub mod frames;
mod hook;
mod issuer;
mod key_server;
mod load;
mod log;
mod names;
pub mod onnx;
pub mod peer;
mod recorder;
mod rude;
mod secure;
mod secure_upstream;
mod upstream;
mod verb;
mod wait;
mod wald;

pub use agent::Agent;
pub use authority::{Authority, Identity, Wish};
pub use calls::{Call, Calls, Ended};
pub use client::{Answer, Client};
pub use document::{document, fronting, trial};
pub use folder::Folder;
pub use hook::{Delivery, Hook};
pub use issuer::{SigningKey, claims, key_set, now, unsigned};
pub use key_server::KeyServer;
pub use load::{Load, Outcome};
pub use log::Event;
pub use names::Names;
pub use recorder::{Recorder, Request, Unclear};
pub use rude::Rude;
pub use secure::{Channel, Kept, Secure};
pub use secure_upstream::SecureUpstream;
pub use upstream::{Arrived, Reply, Upstream};
pub use verb::{Said, Verb, kinds, program, records, wald};
pub use wait::{PATIENCE, asked, in_time, until, within};
pub use wald::{Signal, Wald};
