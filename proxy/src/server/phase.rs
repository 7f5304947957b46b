//! How far a running server has come, and why it leaves.

/// What workers do. It only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Accept and serve.
    Serving,
    /// Accept and serve still, but say that nobody new should come.
    Leaving,
    /// Serve who is connected, for as long as that takes them to go elsewhere; accept nothing new.
    Retiring,
    /// Finish what was begun; accept nothing new.
    Draining,
    /// Stop.
    Ended,
}

/// Why a server leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// Somebody said so: balancers have to hear of it first.
    Told,
    /// Another process serves in its place, at the same addresses.
    Relieved,
}
