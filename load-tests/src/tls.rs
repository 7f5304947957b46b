//! TLS clients that remember nothing: each handshake is a whole one, with certificates on both sides.

use std::{fs, io, net::SocketAddr, path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    version::TLS13,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A client of one certificate.
#[derive(Clone)]
pub(crate) struct Afresh(TlsConnector);

impl Afresh {
    /// The client whose files `Credentials` wrote. Keys are exchanged by X25519, which every peer can do: the newer
    /// hybrid would be dearer for those who have it.
    pub(crate) fn new(folder: &Path) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        let servers = CertificateDer::from_pem_file(folder.join("servers.pem"));
        let servers = servers.map_err(io::Error::other)?;
        roots.add(servers).map_err(io::Error::other)?;
        let pem = fs::read(folder.join("client.pem"))?;
        let certificate = CertificateDer::from_pem_slice(&pem).map_err(io::Error::other)?;
        let key = PrivateKeyDer::from_pem_slice(&pem).map_err(io::Error::other)?;
        let provider = CryptoProvider {
            kx_groups: vec![aws_lc_rs::kx_group::X25519],
            ..aws_lc_rs::default_provider()
        };
        let config = ClientConfig::builder_with_provider(provider.into())
            .with_protocol_versions(&[&TLS13])
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![certificate], key);
        let mut config = config.map_err(io::Error::other)?;
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Opens a connection and shakes hands.
    pub(crate) async fn connect(&self, address: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        self.0.connect(name, stream).await
    }
}
