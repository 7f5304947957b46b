//! The admin address: who may look, who may operate, who may decide.

use std::net::SocketAddr;

use http::Method;

use crate::permit::{Rule, refusal};
use crate::tls::ServerTls;
use crate::{Asked, Caller, Denial};

/// Where the admin API listens, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Admin {
    /// Where it listens.
    pub address: SocketAddr,
    /// How it proves who it is, and asks callers to; none if it is plain.
    pub tls: Option<ServerTls>,
    pub(crate) allow: Vec<Rule>,
    pub(crate) roles: Option<Roles>,
}

/// Who has which role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roles {
    pub(crate) viewer: Vec<Rule>,
    pub(crate) operator: Vec<Rule>,
    pub(crate) approver: Vec<Rule>,
}

/// What a request to the admin API needs; each role may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// To look, and to report feedback.
    Viewer,
    /// To reload, drain, start, pause and resume.
    Operator,
    /// To decide in place of the evidence: to promote, roll back, approve and stop.
    Approver,
}

impl Admin {
    /// Whether nobody is asked who they are.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.allow.is_empty() && self.roles.is_none()
    }

    /// Whether someone of whom nothing is known may do more than look.
    #[must_use]
    pub fn lets_anyone_act(&self) -> bool {
        let anyone = |rule: &Rule| rule.is_open();
        let comes_in = self.allow.is_empty() || self.allow.iter().any(anyone);
        let acts = match &self.roles {
            None => true,
            Some(roles) => roles.at_least(Role::Operator).any(anyone),
        };
        comes_in && acts
    }

    /// Whether this caller may do what takes this role. `allow` says who may come in at all, `roles` what
    /// they may do then; without roles, everything.
    ///
    /// # Errors
    /// When an entry of either is missing.
    pub fn authorize(&self, caller: &Caller, method: &Method, wanted: Role) -> Result<(), Denial> {
        if !self.allow.is_empty() {
            refusal(self.allow.iter(), caller, method, Asked::Nothing)?;
        }
        match &self.roles {
            None => Ok(()),
            Some(roles) => refusal(roles.at_least(wanted), caller, method, Asked::Nothing),
        }
    }
}

impl Roles {
    /// The entries of a role and of those that may do more.
    fn at_least(&self, wanted: Role) -> impl Iterator<Item = &Rule> + Clone {
        let roles = [
            (Role::Viewer, &self.viewer),
            (Role::Operator, &self.operator),
            (Role::Approver, &self.approver),
        ];
        let enough = roles.into_iter().filter(move |(role, _)| *role >= wanted);
        enough.flat_map(|(_, rules)| rules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn admin(fields: &str) -> Admin {
        let section = format!(
            "admin: {{ address: \"127.0.0.1:9901\", tls: {{ certificate: {{ chain: a.pem, key: a.key }}, clients: required, trust: [ca.pem] }}, {fields} }}\nlisteners:"
        );
        sample::policy(&[("listeners:", &section)]).admin().clone()
    }

    const ROLES: &str = r#"roles: { viewer: [{ callers: ["spiffe://a.example/view"] }], operator: [{ callers: ["spiffe://a.example/run"] }], approver: [{ callers: ["spiffe://a.example/judge"] }] }"#;

    /// Which roles a workload has: viewer, operator, approver.
    #[track_caller]
    fn check(admin: &Admin, workload: &str, expected: [bool; 3]) {
        let caller = if workload.is_empty() {
            Caller::anonymous()
        } else {
            Caller::anonymous().with_workload(workload.parse().unwrap())
        };
        let found = [Role::Viewer, Role::Operator, Role::Approver]
            .map(|role| admin.authorize(&caller, &Method::GET, role).is_ok());
        assert_eq!(found, expected, "{workload}");
    }

    #[test]
    fn each_role_may_do_what_those_before_it_may() {
        let admin = admin(ROLES);
        check(&admin, "spiffe://a.example/view", [true, false, false]);
        check(&admin, "spiffe://a.example/run", [true, true, false]);
        check(&admin, "spiffe://a.example/judge", [true, true, true]);
        check(&admin, "spiffe://a.example/other", [false; 3]);
        check(&admin, "", [false; 3]);
    }

    #[test]
    fn who_is_allowed_may_do_everything_where_there_are_no_roles() {
        let admin = admin(r#"allow: [{ callers: ["spiffe://a.example/*"] }]"#);
        check(&admin, "spiffe://a.example/any", [true; 3]);
        check(&admin, "spiffe://b.example/any", [false; 3]);
    }

    #[test]
    fn a_role_does_not_open_the_door() {
        let fields = format!(r#"allow: [{{ callers: ["spiffe://a.example/run"] }}], {ROLES}"#);
        let admin = admin(&fields);
        check(&admin, "spiffe://a.example/run", [true, true, false]);
        check(&admin, "spiffe://a.example/judge", [false; 3]);
    }

    #[test]
    fn a_role_that_nobody_has_is_nobodys() {
        let admin = admin(r#"roles: { viewer: [{ callers: anyone }] }"#);
        check(&admin, "", [true, false, false]);
        let denied = admin.authorize(&Caller::anonymous(), &Method::POST, Role::Approver);
        assert_eq!(denied, Err(Denial::Nobody));
    }
}
