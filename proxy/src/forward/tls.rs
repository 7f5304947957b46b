//! TLS towards one upstream: whom Wald believes its servers to be, and who Wald is to them.

mod servers;

use std::io;
use std::sync::Arc;

use policy::Protocol;
use policy::tls::{ClientTls, Name, Server};
use rustls::client::Resumption;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::identify::agents::Agents;
use crate::identify::paper::{self, Paper, PaperError};
use servers::Verifier;

/// The files of one upstream as they were when they were read.
pub(crate) struct Tls {
    connector: TlsConnector,
    papers: Vec<Paper>,
    dns_name: Option<ServerName<'static>>,
    upstream: Box<str>,
    protocol: Protocol,
    meant: ClientTls,
    digest: [u8; 32],
}

impl Tls {
    /// Reads the files of an upstream. What was read for it `before` is kept if nothing changed, and its connections
    /// with it.
    pub(crate) fn read(
        upstream: &policy::Upstream,
        tls: &ClientTls,
        agents: &Agents,
        before: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, PaperError> {
        let digest = digest(tls, agents)?;
        if let Some(before) =
            before.filter(|before| before.digest == digest && before.protocol == upstream.protocol)
        {
            return Ok(Arc::clone(before));
        }
        let used_by = format!("upstream {}", upstream.name);
        let mut papers = Vec::new();
        let connector = connector(&used_by, tls, upstream.protocol, agents, &mut papers)?;
        check_hosts(upstream, tls)?;
        Ok(Arc::new(Self {
            connector,
            papers,
            dns_name: dns_name(tls)?,
            upstream: upstream.name.clone(),
            protocol: upstream.protocol,
            meant: tls.clone(),
            digest,
        }))
    }

    /// Whether it was read for such an upstream.
    pub(crate) fn serves(&self, upstream: &policy::Upstream, tls: &ClientTls) -> bool {
        self.upstream == upstream.name && self.protocol == upstream.protocol && self.meant == *tls
    }

    /// What has an end.
    pub(crate) fn papers(&self) -> &[Paper] {
        &self.papers
    }

    /// What shakes hands.
    pub(super) fn connector(&self) -> &TlsConnector {
        &self.connector
    }

    /// Shakes hands with a server at `authority`.
    pub(crate) async fn shake(
        &self,
        authority: &str,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = self.name(authority).ok_or(io::ErrorKind::InvalidInput)?;
        self.connector.connect(name, stream).await
    }

    /// The name that a server at `authority` is asked for.
    pub(super) fn name(&self, authority: &str) -> Option<ServerName<'static>> {
        self.dns_name.clone().or_else(|| host(authority))
    }
}

/// What shakes hands with a server as this says; `papers` get what has an end.
pub(crate) fn connector(
    used_by: &str,
    tls: &ClientTls,
    protocol: Protocol,
    agents: &Agents,
    papers: &mut Vec<Paper>,
) -> Result<TlsConnector, PaperError> {
    let config = ClientConfig::builder_with_provider(paper::provider());
    let config = config.with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12]);
    let config = config.map_err(PaperError::Setup)?.dangerous();
    let config =
        config.with_custom_certificate_verifier(verifier(used_by, &tls.server, agents, papers)?);
    let mut config = match &tls.certificate {
        None => config.with_no_client_auth(),
        Some(files) => {
            let (key, paper) = paper::certified(used_by, files, agents)?;
            papers.push(paper);
            config.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(key)))
        }
    };
    // A resumed session would be one that the authorities of today did not see.
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![alpn(protocol).to_vec()];
    Ok(Arc::new(config).into())
}

/// What a protocol is called in a handshake (RFC 7301).
pub(super) fn alpn(protocol: Protocol) -> &'static [u8] {
    match protocol {
        Protocol::Http1 => b"http/1.1",
        Protocol::Http2 => b"h2",
    }
}

/// What tells two contents of the files apart.
fn digest(tls: &ClientTls, agents: &Agents) -> Result<[u8; 32], PaperError> {
    let mut digest = Sha256::new();
    for file in tls.files() {
        digest.update(Sha256::digest(paper::bytes(file)?));
    }
    for socket in tls.agents() {
        digest.update(paper::issued(socket, agents)?.digest());
    }
    Ok(digest.finalize().into())
}

fn verifier(
    used_by: &str,
    server: &Server,
    agents: &Agents,
    papers: &mut Vec<Paper>,
) -> Result<Arc<dyn ServerCertVerifier>, PaperError> {
    let Server::Named {
        trust,
        agent,
        crls,
        name,
    } = server
    else {
        return Ok(Arc::new(Verifier::anyone()));
    };
    let mut roots = match (agent, name) {
        (Some(socket), Name::Spiffe(id)) => {
            let bundle = paper::issued(socket, agents)?.bundle(id.trust_domain());
            bundle.unwrap_or_else(RootCertStore::empty)
        }
        _ if trust.is_empty() => paper::machine_authorities()?,
        _ => RootCertStore::empty(),
    };
    for file in trust {
        papers.push(paper::authorities(used_by, file, &mut roots)?);
    }
    let mut revoked = Vec::new();
    for file in crls {
        let (lists, dates) = paper::revocations(used_by, file)?;
        revoked.extend(lists);
        papers.extend(dates);
    }
    Ok(match name {
        Name::Spiffe(id) => Arc::new(Verifier::workload(id.clone(), roots, &revoked)?),
        Name::Host | Name::Dns(_) => {
            WebPkiServerVerifier::builder_with_provider(roots.into(), paper::provider())
                .with_crls(revoked)
                .enforce_revocation_expiration()
                .build()
                .map_err(PaperError::Trust)?
        }
    })
}

/// The name that all servers of the upstream are asked for, if it is not that of their endpoint.
fn dns_name(tls: &ClientTls) -> Result<Option<ServerName<'static>>, PaperError> {
    let Server::Named {
        name: Name::Dns(name),
        ..
    } = &tls.server
    else {
        return Ok(None);
    };
    let host = name.to_string();
    match ServerName::try_from(host.clone()) {
        Ok(name) => Ok(Some(name)),
        Err(_) => Err(PaperError::Host { host }),
    }
}

fn check_hosts(upstream: &policy::Upstream, tls: &ClientTls) -> Result<(), PaperError> {
    let named = dns_name(tls)?.is_some();
    let unnamed = upstream
        .endpoints
        .iter()
        .find(|endpoint| !named && host(&endpoint.authority).is_none());
    match unnamed {
        None => Ok(()),
        Some(endpoint) => Err(PaperError::Host {
            host: endpoint.authority.clone(),
        }),
    }
}

/// The host of `HOST:PORT`, without the brackets of an IPv6 address.
fn host(authority: &str) -> Option<ServerName<'static>> {
    let (host, _port) = authority.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(host.to_owned()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_asked_for_by_the_host_of_its_endpoint() {
        for (authority, name) in [
            ("models.test:443", "models.test"),
            ("127.0.0.1:8001", "127.0.0.1"),
            ("[::1]:8001", "::1"),
        ] {
            assert_eq!(
                host(authority).map(|host| host.to_str().into_owned()),
                Some(name.to_owned())
            );
        }
        assert_eq!(host("a_b..c:1"), None);
    }
}
