//! Who is calling, as far as it was proved.

/// A caller whose identity has been established, be it only that there is none.
///
/// Today nobody can prove who they are, so [`Caller::anonymous`] is the one way to make one.
/// ```compile_fail
/// let forged = policy::Caller { identity: () };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    identity: Identity,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Identity {
    Anonymous,
}

impl Caller {
    /// Someone of whom nothing is known.
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            identity: Identity::Anonymous,
        }
    }

    /// How logs and explanations name the caller.
    #[must_use]
    pub fn describe(&self) -> &'static str {
        match self.identity {
            Identity::Anonymous => "an anonymous caller",
        }
    }
}
