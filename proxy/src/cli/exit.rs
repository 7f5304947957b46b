//! How a verb ends: the exit statuses that scripts rely on, and the reasons it could not do its work.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use super::client::ClientError;

/// How a verb ended after saying what there was to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything asked for was done.
    Done,
    /// The answer is bad news: a check failed, a verdict is missing, the server could not start.
    Failed,
    /// The document is refused.
    BadDocument,
    /// `explain`: the policy denies the request.
    Denied,
    /// `explain`: no route takes the request.
    NoRoute,
    /// `probe-model`: the file can be read without harm, and cannot be loaded.
    Unloadable,
}

/// What a probe of a model ends with that has nothing against trying again.
pub(crate) const UNLOADABLE: u8 = 5;

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::BadDocument => 2,
            Exit::Denied => 3,
            Exit::NoRoute => 4,
            Exit::Unloadable => UNLOADABLE,
        })
    }
}

/// Why a verb could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The document is not there or not text.
    #[error("cannot read the document {}", path.display())]
    Document { path: PathBuf, source: io::Error },
    /// The file given with `--body` is not there.
    #[error("cannot read the body {}", path.display())]
    Body { path: PathBuf, source: io::Error },
    /// The document has no listener of the name given with `--listener`.
    #[error("the document has no listener {asked:?}")]
    NoListener { asked: String },
    /// What was asked about is no HTTP request.
    #[error("not an HTTP request")]
    Request(#[from] http::Error),
    /// The recorded observations cannot be judged.
    #[error(transparent)]
    Observations(#[from] super::judge::Wrong),
    /// There is nothing to plan with.
    #[error(transparent)]
    Plan(#[from] super::plan::Wrong),
    /// Standard output took no more.
    #[error("cannot write the result")]
    Output(#[from] io::Error),
    /// A result that does not fit JSON.
    #[error("cannot write the result as JSON")]
    Json(#[from] serde_json::Error),
    /// The admin address did not answer, or not as expected.
    #[error(
        "cannot ask the wald at {admin} (is it running? its address is set with --admin or WALD_ADMIN)"
    )]
    Admin { admin: String, source: ClientError },
    /// The admin API has its reasons.
    #[error("the running wald refuses")]
    Refused(#[source] ClientError),
    /// There is nothing to look into.
    #[error("the document names no store, so nothing is recorded")]
    NoStore,
    /// There are checkpoints and no key to believe them by.
    #[error(
        "give the key that signed the checkpoints with --key, or in the document as `audit: {{ key }}`"
    )]
    NoAuditKey,
    /// The checkpoints cannot be read.
    #[error(transparent)]
    Checkpoints(#[from] crate::audit::checkpoint::CheckpointError),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// The store cannot be opened.
    #[error("cannot open the store")]
    OpenStore(#[from] crate::store::OpenError),
    /// The server could not start, or ended badly.
    #[error("cannot serve")]
    Server(#[from] crate::server::StartError),
    /// The demo's ports are taken.
    #[error(transparent)]
    DemoPorts(#[from] crate::demo::PortError),
    /// The demo's folder cannot be used.
    #[error(transparent)]
    DemoFolder(#[from] crate::demo::FolderError),
    /// The demo's server is not there.
    #[error(transparent)]
    DemoHost(#[from] crate::demo::HostError),
    /// The demo's traffic cannot be read.
    #[error(transparent)]
    DemoTraffic(#[from] crate::demo::TrafficError),
}

impl Failure {
    /// The exit status that goes with it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Document { .. } | Self::Observations(_) | Self::Plan(_) => Exit::BadDocument,
            _ => Exit::Failed,
        }
    }
}
