//! Who may take a route.

mod rule;

use std::fmt;

use config::Code;
use http::Method;

pub use rule::Miss;
pub(crate) use rule::Rule;

use crate::{Asked, Caller, Policy, Request, Route, RouteId};

/// Proof that the policy lets this caller take this route. Only [`Policy::authorize`] makes one.
///
/// ```compile_fail
/// fn forge(caller: policy::Caller, route: policy::RouteId) -> policy::Permit {
///     policy::Permit { caller, route }
/// }
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a permit is asked for by `Policy::place`"]
pub struct Permit {
    caller: Caller,
    route: RouteId,
}

impl Permit {
    /// Who was let through.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The one route that it is good for.
    #[must_use]
    pub fn route(&self) -> RouteId {
        self.route
    }
}

/// Why a caller may not take a route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The route has no entry in `allow`.
    #[error("the route allows nobody")]
    Nobody,
    /// No entry of the route's `allow` holds for this caller and request.
    #[error("no entry of the route's allow list holds: {0}")]
    NotListed(Misses),
    /// Neither, but one would if the caller proved for whom it acts.
    #[error("the route's allow list asks for a user: {0}")]
    Unproven(Misses),
}

/// What each entry of an `allow` missed, in the order of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misses(Box<[Miss]>);

impl fmt::Display for Misses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, miss) in self.0.iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            write!(f, "{comma}allow[{position}] {miss}")?;
        }
        Ok(())
    }
}

impl Denial {
    /// The number of this refusal.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Nobody => Code(3002),
            Self::NotListed(_) => Code(3003),
            Self::Unproven(_) => Code(3004),
        }
    }
}

impl Policy {
    /// Whether this caller may send this request along this route.
    ///
    /// # Errors
    /// When no entry of the route's `allow` holds entirely.
    pub fn authorize(
        &self,
        caller: Caller,
        route: &Route,
        request: &Request<'_>,
    ) -> Result<Permit, Denial> {
        refusal(route.allow.iter(), &caller, request.method, request.model)?;
        Ok(Permit {
            caller,
            route: route.id,
        })
    }
}

/// Whether no rule holds; what was missing, a request that is let through need not know.
pub(crate) fn refusal<'a>(
    rules: impl Iterator<Item = &'a Rule> + Clone,
    caller: &Caller,
    method: &Method,
    model: Asked<'_>,
) -> Result<(), Denial> {
    if rules
        .clone()
        .any(|rule| rule.miss(caller, method, model).is_none())
    {
        return Ok(());
    }
    let misses = rules.filter_map(|rule| rule.miss(caller, method, model));
    let misses = Misses(misses.collect());
    Err(if misses.0.is_empty() {
        Denial::Nobody
    } else if misses.0.contains(&Miss::NoUser) {
        Denial::Unproven(misses)
    } else {
        Denial::NotListed(misses)
    })
}

#[cfg(test)]
mod tests;
