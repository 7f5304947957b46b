//! One entry of a route's `allow`: all of it must hold.

use std::fmt;
use std::sync::Arc;

use http::Method;

use crate::claim::{ClaimPath, ClaimPattern};
use crate::{Asked, Caller, SpiffePattern};

/// One entry of a route's `allow`. What it does not mention is no condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Absent: anyone.
    pub(crate) callers: Option<Vec<SpiffePattern>>,
    /// Absent: whichever issuer.
    pub(crate) issuer: Option<Arc<str>>,
    /// Each must hold.
    pub(crate) claims: Vec<(ClaimPath, ClaimPattern)>,
    /// Empty: any method.
    pub(crate) methods: Vec<Method>,
    /// Empty: any model, or none.
    pub(crate) models: Vec<Box<str>>,
}

/// What an entry asks for and a request does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Miss {
    /// The entry is for other methods.
    Method,
    /// The entry is for other models.
    Model,
    /// The entry asks for a workload, and the connection proves none.
    NoWorkload,
    /// The entry is for other workloads.
    Workload,
    /// The entry asks for a user, and the request proves none.
    NoUser,
    /// The user is another issuer's.
    Issuer,
    /// The user's token does not make this claim.
    NoClaim(ClaimPath),
    /// The user's token makes this claim, but not as it is asked for.
    Claim(ClaimPath),
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method => f.write_str("another method"),
            Self::Model => f.write_str("another model"),
            Self::NoWorkload => f.write_str("no workload was proved"),
            Self::Workload => f.write_str("another workload"),
            Self::NoUser => f.write_str("no user was proved"),
            Self::Issuer => f.write_str("another issuer"),
            Self::NoClaim(path) => write!(f, "no claim {path}"),
            Self::Claim(path) => write!(f, "claim {path} says something else"),
        }
    }
}

impl Rule {
    /// Whether it depends on the model that a request asks for.
    pub(crate) fn asks_for_model(&self) -> bool {
        !self.models.is_empty()
    }

    /// Whether it holds for whoever asks.
    pub(crate) fn is_open(&self) -> bool {
        self.callers.is_none() && self.issuer.is_none() && self.claims.is_empty()
    }

    /// The first thing that is missing. A user comes last, so that nothing else is missing where only a
    /// user is.
    pub(crate) fn miss(&self, caller: &Caller, method: &Method, model: Asked<'_>) -> Option<Miss> {
        if !self.methods.is_empty() && !self.methods.contains(method) {
            return Some(Miss::Method);
        }
        if self.asks_for_model() && !model.is_one_of(&self.models) {
            return Some(Miss::Model);
        }
        if let Some(callers) = &self.callers {
            match caller.workload() {
                None => return Some(Miss::NoWorkload),
                Some(id) if !callers.iter().any(|pattern| pattern.matches(id)) => {
                    return Some(Miss::Workload);
                }
                Some(_) => {}
            }
        }
        self.miss_of_user(caller)
    }

    fn miss_of_user(&self, caller: &Caller) -> Option<Miss> {
        if self.issuer.is_none() && self.claims.is_empty() {
            return None;
        }
        let Some(user) = caller.user() else {
            return Some(Miss::NoUser);
        };
        if self
            .issuer
            .as_deref()
            .is_some_and(|issuer| issuer != user.issuer())
        {
            return Some(Miss::Issuer);
        }
        self.claims
            .iter()
            .find_map(|(path, pattern)| match path.of(user.claims()) {
                None => Some(Miss::NoClaim(path.clone())),
                Some(claim) if !pattern.holds(claim) => Some(Miss::Claim(path.clone())),
                Some(_) => None,
            })
    }
}
