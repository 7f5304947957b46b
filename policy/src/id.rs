//! Names of compiled things, as positions in the policy that made them.
//!
//! An id means something only together with its own policy, which is why a request loads one
//! policy and keeps it.

macro_rules! ids {
    ($($(#[$doc:meta])+ $name:ident)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(crate) usize);

        impl $name {
            /// Its position in the policy's list.
            #[must_use]
            pub fn index(self) -> usize {
                self.0
            }
        }
    )+};
}

ids! {
    /// A listener of this policy.
    ListenerId
    /// An issuer of tokens of this policy.
    IssuerId
    /// An upstream of this policy.
    UpstreamId
    /// An inline model of this policy.
    ModelId
    /// A route of this policy; a smaller one is asked first.
    RouteId
    /// An experiment of this policy.
    ExperimentId
}

/// An arm of an experiment, in the order of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArmId(pub u8);

impl ArmId {
    /// The first arm: what serves today, and what everyone gets in case of doubt.
    pub const CONTROL: Self = Self(0);

    /// Its position in the experiment's list of arms.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}
