//! TLS of listeners and upstreams: what is written must fit together, or it would promise what it does not keep.

use std::path::PathBuf;

use config::document::{self, Certificate, ClientCertificates};
use config::{Path, code};

use super::{Report, listener};
use crate::tls::{
    self, Bundle, CertificateFiles, ClientTls, Clients, Name, Server, ServerTls, Trust,
};
use crate::{SpiffeId, upstream};

/// The longest DNS name (RFC 1035 §2.3.4).
const DNS_BYTES_MAX: usize = 253;

/// TLS of a listener.
pub(super) fn server(
    report: &mut Report<'_>,
    path: &Path,
    written: &document::Tls,
) -> Option<ServerTls> {
    let document::Tls {
        certificate,
        certificates,
        clients,
        trust,
        crl,
        minimum,
    } = written;
    let own = certificate
        .iter()
        .map(|written| (path.field("certificate"), written));
    let list = path.field("certificates");
    let more = certificates.iter().enumerate();
    let more = more.map(|(position, written)| (list.index(position), written));
    let written: Vec<_> = own.chain(more).collect();
    if written.is_empty() {
        let remedy = "add `certificate: { chain: edge.pem, key: edge.key }`";
        report.error(
            code::NOTHING_THERE,
            path,
            "`tls` names no certificate",
            remedy,
        );
    }
    let certificates: Vec<_> = written
        .into_iter()
        .filter_map(|(path, written)| self::certificate(report, &path, written))
        .collect();
    let tls12 = self::minimum(report, path, minimum.as_deref())?;
    let agent = certificates
        .iter()
        .find_map(|certificate| match certificate {
            tls::Certificate::Agent(socket) => Some(socket.clone()),
            tls::Certificate::Files(_) => None,
        });
    let clients = self::clients(report, path, clients.as_ref(), trust, agent, crl)?;
    (!certificates.is_empty()).then_some(ServerTls {
        certificates,
        clients,
        tls12,
    })
}

fn certificate(
    report: &mut Report<'_>,
    path: &Path,
    written: &Certificate,
) -> Option<tls::Certificate> {
    match written {
        Certificate::Files { chain, key } => Some(tls::Certificate::Files(CertificateFiles {
            chain: chain.clone(),
            key: key.clone(),
        })),
        Certificate::Spiffe { spiffe } => {
            let path = path.field("spiffe");
            let socket = listener::unix(spiffe);
            if socket.is_none() {
                let message = format!("{spiffe:?} is no Unix socket");
                let remedy = "write, for example, unix:///run/spire/agent.sock";
                report.error(code::BAD_ADDRESS, &path, message, remedy);
            }
            socket.map(tls::Certificate::Agent)
        }
    }
}

/// Whether TLS 1.2 will do.
fn minimum(report: &mut Report<'_>, path: &Path, written: Option<&str>) -> Option<bool> {
    match written {
        None | Some("1.3") => Some(false),
        Some("1.2") => Some(true),
        Some(other) => {
            let message = format!("{other:?} is no version that Wald speaks");
            let remedy = "write \"1.3\", or \"1.2\" for old clients";
            report.error(code::BAD_TLS, &path.field("minimum"), message, remedy);
            None
        }
    }
}

fn clients(
    report: &mut Report<'_>,
    path: &Path,
    written: Option<&ClientCertificates>,
    trust: &[document::Bundle],
    agent: Option<PathBuf>,
    crls: &[PathBuf],
) -> Option<Clients> {
    let optional = match written {
        Some(ClientCertificates::Required) => false,
        Some(ClientCertificates::Optional) => true,
        Some(ClientCertificates::None) | None => {
            let useless = [("trust", !trust.is_empty()), ("crl", !crls.is_empty())];
            for (field, _) in useless.into_iter().filter(|(_, used)| *used) {
                let message =
                    format!("`{field}` is about clients, who are asked for no certificate");
                let remedy = "add `clients: required`, or remove it";
                report.error(code::BAD_TLS, &path.field(field), message, remedy);
            }
            return Some(Clients::Unknown);
        }
    };
    // Files say whom to believe; without them, the agent that vouches for Wald itself does.
    let agent = agent.filter(|_| trust.is_empty());
    if trust.is_empty() && agent.is_none() {
        let message = "clients must show certificates, but nobody is believed to vouch for them";
        let remedy = "add `trust: [clients-ca.pem]`";
        report.error(code::BAD_TLS, &path.field("clients"), message, remedy);
        return None;
    }
    let field = path.field("trust");
    let bundles = trust.iter().enumerate();
    let bundles =
        bundles.map(|(position, written)| bundle(report, &field.index(position), written));
    Some(Clients::Known(Trust {
        optional,
        bundles: bundles.collect::<Option<_>>()?,
        agent,
        crls: crls.to_vec(),
    }))
}

fn bundle(report: &mut Report<'_>, path: &Path, written: &document::Bundle) -> Option<Bundle> {
    let (domain, file) = match written {
        document::Bundle::Any(file) => (None, file),
        document::Bundle::Domain(document::DomainBundle { domain, bundle }) => {
            let id = format!("spiffe://{domain}").parse::<SpiffeId>().ok();
            if id.is_none_or(|id| id.trust_domain() != domain) {
                let message = format!("{domain:?} is no trust domain");
                let remedy = "write it without scheme and path, for example bank.example";
                report.error(code::BAD_TLS, &path.field("domain"), message, remedy);
                return None;
            }
            (Some(domain.as_str().into()), bundle)
        }
    };
    Some(Bundle {
        domain,
        file: file.clone(),
    })
}

/// TLS towards an upstream, if it is spoken at all.
pub(super) fn client(
    report: &mut Report<'_>,
    path: &Path,
    endpoints: &[upstream::Endpoint],
    written: Option<&document::UpstreamTls>,
    insecure: bool,
) -> Option<ClientTls> {
    let secure = endpoints.iter().filter(|endpoint| endpoint.secure).count();
    if secure != 0 && secure != endpoints.len() {
        let message = "some endpoints are `https://` and some are not";
        let remedy =
            "make them two upstreams: what is said to one would be readable on the way to another";
        report.error(code::BAD_TLS, &path.field("endpoints"), message, remedy);
    }
    let fields = [("tls", written.is_some()), ("insecure", insecure)];
    for (field, _) in fields.into_iter().filter(|(_, used)| *used && secure == 0) {
        let message = format!("`{field}` is about TLS, which no endpoint speaks");
        let remedy = "write the endpoints as https://HOST:PORT, or remove it";
        report.error(code::BAD_TLS, &path.field(field), message, remedy);
    }
    if secure == 0 {
        return None;
    }
    if insecure {
        let message = "whoever answers is believed: its certificate is not looked at";
        let remedy = "remove `insecure` and name whom to trust in `tls`";
        report.warning(code::INSECURE, &path.field("insecure"), message, remedy);
    }
    let path = path.field("tls");
    let own = written.and_then(|written| written.certificate.as_ref());
    let certificate = match own {
        Some(own) => Some(certificate(report, &path.field("certificate"), own)?),
        None => None,
    };
    let agent = match &certificate {
        Some(tls::Certificate::Agent(socket)) => Some(socket.clone()),
        Some(tls::Certificate::Files(_)) | None => None,
    };
    let server = server_of(report, &path, written, agent, insecure)?;
    Some(ClientTls {
        server,
        certificate,
    })
}

fn server_of(
    report: &mut Report<'_>,
    path: &Path,
    written: Option<&document::UpstreamTls>,
    agent: Option<PathBuf>,
    insecure: bool,
) -> Option<Server> {
    let Some(document::UpstreamTls {
        trust,
        crl,
        certificate: _,
        spiffe_id,
        dns_name,
    }) = written
    else {
        let named = Server::Named {
            trust: Vec::new(),
            agent: None,
            crls: Vec::new(),
            name: Name::Host,
        };
        return Some(if insecure { Server::Anyone } else { named });
    };
    let fields = [
        ("trust", !trust.is_empty()),
        ("crl", !crl.is_empty()),
        ("spiffe_id", spiffe_id.is_some()),
        ("dns_name", dns_name.is_some()),
    ];
    if insecure {
        for (field, _) in fields.into_iter().filter(|(_, used)| *used) {
            let message = format!("`{field}` would be ignored beside `insecure: true`");
            report.error(
                code::BAD_TLS,
                &path.field(field),
                message,
                "remove one of them",
            );
        }
        return Some(Server::Anyone);
    }
    let is_vouched = !trust.is_empty() || agent.is_some();
    let name = name(report, path, [spiffe_id, dns_name], is_vouched)?;
    let is_workload = matches!(name, Name::Spiffe(_));
    // About names that are no SPIFFE ids the agent says nothing.
    let agent = agent.filter(|_| trust.is_empty() && is_workload);
    if trust.is_empty() && agent.is_none() && !crl.is_empty() {
        let message =
            "no list covers the authorities that the machine believes, so nobody would be believed";
        let remedy = "name the authorities that the list is of in `trust`";
        report.error(code::BAD_TLS, &path.field("crl"), message, remedy);
    }
    Some(Server::Named {
        trust: trust.clone(),
        agent,
        crls: crl.clone(),
        name,
    })
}

/// The name that a server's certificate must carry.
fn name(
    report: &mut Report<'_>,
    path: &Path,
    [spiffe_id, dns_name]: [&Option<String>; 2],
    is_vouched: bool,
) -> Option<Name> {
    match (spiffe_id, dns_name) {
        (Some(_), Some(_)) => {
            let message = "the server is to have a SPIFFE id and a DNS name";
            report.error(code::BAD_TLS, path, message, "keep one of them");
            None
        }
        (Some(id), None) => spiffe(report, path, id, is_vouched).map(Name::Spiffe),
        (None, Some(name)) => dns(report, path, name).map(Name::Dns),
        (None, None) => Some(Name::Host),
    }
}

fn spiffe(
    report: &mut Report<'_>,
    path: &Path,
    written: &str,
    is_vouched: bool,
) -> Option<SpiffeId> {
    let path = path.field("spiffe_id");
    if !is_vouched {
        let message = "a SPIFFE id means nothing without the authorities of its trust domain";
        report.error(code::BAD_TLS, &path, message, "add `trust: [ca.pem]`");
    }
    match written.parse() {
        Ok(id) => Some(id),
        Err(why) => {
            let message = format!("{written:?} is no SPIFFE id: {why}");
            let remedy = "write, for example, spiffe://bank.example/fraud";
            report.error(code::BAD_TLS, &path, message, remedy);
            None
        }
    }
}

fn dns(report: &mut Report<'_>, path: &Path, written: &str) -> Option<Box<str>> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let label = |label: &str| !label.is_empty() && label.bytes().all(allowed);
    if written.len() > DNS_BYTES_MAX || !written.split('.').all(label) {
        let message = format!("{written:?} is no DNS name");
        let remedy = "write, for example, models.bank.example";
        report.error(code::BAD_TLS, &path.field("dns_name"), message, remedy);
        return None;
    }
    Some(written.into())
}
