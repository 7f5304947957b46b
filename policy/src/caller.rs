//! Who is calling, as far as it was proved.

use std::fmt;
use std::sync::Arc;

use crate::{SpiffeId, User};

/// A caller of whom nothing is known but what was proved: the workload by its certificate, the user
/// by a token. A caller without either is anonymous.
///
/// ```compile_fail
/// fn forge(id: policy::SpiffeId) -> policy::Caller {
///     policy::Caller { workload: Some(id), user: None }
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    workload: Option<SpiffeId>,
    user: Option<Arc<User>>,
}

impl Caller {
    /// Someone of whom nothing is known.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// The same caller, whose connection proved that it comes from this workload.
    #[must_use]
    pub fn with_workload(self, workload: SpiffeId) -> Self {
        Self {
            workload: Some(workload),
            ..self
        }
    }

    /// The same caller, whose token proved that it acts for this user.
    #[must_use]
    pub fn with_user(self, user: Arc<User>) -> Self {
        Self {
            user: Some(user),
            ..self
        }
    }

    /// The workload that the connection comes from.
    #[must_use]
    pub fn workload(&self) -> Option<&SpiffeId> {
        self.workload.as_ref()
    }

    /// The user that the token names.
    #[must_use]
    pub fn user(&self) -> Option<&User> {
        self.user.as_deref()
    }

    /// Whether anything is known of it.
    #[must_use]
    pub fn is_proved(&self) -> bool {
        self.workload.is_some() || self.user.is_some()
    }
}

/// How logs and explanations name the caller.
impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.workload, &self.user) {
            (None, None) => f.write_str("an anonymous caller"),
            (Some(workload), None) => write!(f, "{workload}"),
            (None, Some(user)) => write!(f, "{user}"),
            (Some(workload), Some(user)) => write!(f, "{workload} for {user}"),
        }
    }
}
