//! How far a running server has come.

/// What workers do. It only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Accept and serve.
    Serving,
    /// Accept and serve still, but say that nobody new should come.
    Leaving,
    /// Finish what was begun; accept nothing new.
    Draining,
    /// Stop.
    Ended,
}
