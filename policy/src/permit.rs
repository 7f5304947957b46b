//! Who may take a route.

use config::Code;
use http::Method;

use crate::{Caller, Policy, Request, Route, RouteId};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The route has no entry in `allow`.
    #[error("the route allows nobody")]
    Nobody,
    /// No entry of the route's `allow` holds for this caller and request.
    #[error("no entry of the route's allow list holds")]
    NotListed,
}

impl Denial {
    /// The number of this refusal.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Self::Nobody => Code(3002),
            Self::NotListed => Code(3003),
        }
    }
}

/// One entry of a route's `allow`, all of which must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Empty: any method.
    pub(crate) methods: Vec<Method>,
}

impl Rule {
    fn holds(&self, request: &Request<'_>) -> bool {
        self.methods.is_empty() || self.methods.contains(request.method)
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
        let rules = &route.allow;
        if rules.is_empty() {
            return Err(Denial::Nobody);
        }
        if !rules.iter().any(|rule| rule.holds(request)) {
            return Err(Denial::NotListed);
        }
        Ok(Permit {
            caller,
            route: route.id,
        })
    }
}
