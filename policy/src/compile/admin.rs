//! The admin address: where it is, and whom it lets in.

use std::net::{Ipv4Addr, SocketAddr};

use config::document;
use config::{Path, code};

use super::{Scope, allow, listener, origin, tls};
use crate::admin::Roles;
use crate::{Address, Admin};

/// Where the admin API listens unless the document says otherwise.
const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9901);

/// Compiles the section; it comes first, so that a listener that wants the same address is refused.
pub(super) fn compile(scope: &mut Scope<'_>, written: Option<&document::Admin>) -> Admin {
    let path = Path::root().field("admin");
    let Some(written) = written else {
        claim(scope, ADDRESS, &path);
        return Admin {
            address: ADDRESS,
            tls: None,
            allow: Vec::new(),
            roles: None,
        };
    };
    let document::Admin {
        address,
        tls,
        allow,
        roles,
    } = written;
    let address = listener::parse(&mut scope.report, &path.field("address"), address);
    let address = address.unwrap_or(ADDRESS);
    let proves = tls.as_ref().is_some_and(origin::proves_workloads);
    if allow.iter().any(|entry| !entry.models.is_empty()) {
        let message = "nobody asks for a model at the admin address";
        let path = path.field("allow");
        scope
            .report
            .error(code::BAD_MATCH, &path, message, "remove `models`");
    }
    let admin = Admin {
        address,
        tls: tls
            .as_ref()
            .and_then(|tls| tls::server(&mut scope.report, &path.field("tls"), tls)),
        allow: allow::entries(scope, &path.field("allow"), allow, proves),
        roles: roles
            .as_ref()
            .map(|roles| self::roles(scope, &path.field("roles"), roles, proves)),
    };
    if !address.ip().is_loopback() && (tls.is_none() || admin.lets_anyone_act()) {
        let message = format!("{address} is open to others, who could read and decide everything");
        let remedy =
            "add `tls` and `allow` or `roles`, or use a loopback address, such as 127.0.0.1:9901";
        let path = path.field("address");
        scope.report.error(code::OPEN_ADMIN, &path, message, remedy);
    }
    claim(scope, address, &path);
    admin
}

fn claim(scope: &mut Scope<'_>, address: SocketAddr, path: &Path) {
    let Scope {
        report, addresses, ..
    } = scope;
    addresses.claim(report, &Address::Tcp(address), path);
}

fn roles(scope: &mut Scope<'_>, path: &Path, written: &document::Roles, proves: bool) -> Roles {
    let document::Roles {
        viewer,
        operator,
        approver,
    } = written;
    if viewer.is_empty() && operator.is_empty() && approver.is_empty() {
        let message = "nobody has any role, so nobody may do anything";
        let remedy = "give someone a role, for example `approver: [{ callers: [spiffe://bank.example/ops/**] }]`";
        scope
            .report
            .error(code::NOTHING_THERE, path, message, remedy);
    }
    let mut of = |role: &str, written| allow::entries(scope, &path.field(role), written, proves);
    Roles {
        viewer: of("viewer", viewer),
        operator: of("operator", operator),
        approver: of("approver", approver),
    }
}
