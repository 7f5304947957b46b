//! What a certificate says: the names it carries and how long it is good.
//!
//! Nothing here is a proof. Whoever asks for a name sees to it that the chain was verified.

use policy::{NotSpiffe, SpiffeId};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

/// Why the names of a certificate make no workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoWorkload {
    /// It cannot be read.
    #[error("the certificate cannot be read")]
    Unreadable,
    /// An id must be the only URI among the names (X509-SVID §2).
    #[error("the certificate has {0} URIs among its names, and a SPIFFE id must be the only one")]
    SeveralUris(usize),
    /// It has a URI of the scheme `spiffe` that is no id.
    #[error("the certificate's URI is no SPIFFE id: {0}")]
    NotSpiffe(NotSpiffe),
}

/// The names and dates of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// Every URI.
    pub(crate) uris: Vec<String>,
    /// Every DNS name.
    pub(crate) dns_names: Vec<String>,
    /// From when it is good, in seconds since 1970.
    pub(crate) from: i64,
    /// Until when it is good, in seconds since 1970.
    pub(crate) until: i64,
}

impl Certificate {
    /// Reads a certificate, all of it.
    pub(crate) fn read(der: &[u8]) -> Result<Self, NoWorkload> {
        let (rest, parsed) = X509Certificate::from_der(der).map_err(|_| NoWorkload::Unreadable)?;
        if !rest.is_empty() {
            return Err(NoWorkload::Unreadable);
        }
        let mut certificate = Self {
            uris: Vec::new(),
            dns_names: Vec::new(),
            from: parsed.validity().not_before.timestamp(),
            until: parsed.validity().not_after.timestamp(),
        };
        // Two extensions of names are an error here, so that none is overlooked.
        let names = parsed
            .subject_alternative_name()
            .map_err(|_| NoWorkload::Unreadable)?;
        for name in names.iter().flat_map(|names| &names.value.general_names) {
            match name {
                GeneralName::URI(uri) => certificate.uris.push((*uri).to_owned()),
                GeneralName::DNSName(name) => certificate.dns_names.push((*name).to_owned()),
                GeneralName::Invalid(..) => return Err(NoWorkload::Unreadable),
                _ => {}
            }
        }
        Ok(certificate)
    }

    /// The workload that it names; none if its names are of other kinds.
    pub(crate) fn workload(&self) -> Result<Option<SpiffeId>, NoWorkload> {
        match self.uris.as_slice() {
            [] => Ok(None),
            [uri] if is_spiffe(uri) => uri.parse().map(Some).map_err(NoWorkload::NotSpiffe),
            [_] => Ok(None),
            several => Err(NoWorkload::SeveralUris(several.len())),
        }
    }
}

/// Whether the URI's scheme is `spiffe`, however it is spelled: a wrong spelling must be refused, not ignored.
fn is_spiffe(uri: &str) -> bool {
    uri.split(':')
        .next()
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("spiffe"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    fn der(names: &[&str]) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["models.test".to_owned()]).unwrap();
        for name in names {
            params
                .subject_alt_names
                .push(SanType::URI((*name).try_into().unwrap()));
        }
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[track_caller]
    fn check(names: &[&str], workload: Result<Option<&str>, NoWorkload>) {
        let found = Certificate::read(&der(names)).unwrap().workload();
        let found = found.map(|id| id.map(|id| id.to_string()));
        assert_eq!(found, workload.map(|id| id.map(str::to_owned)));
    }

    #[test]
    fn the_one_uri_is_the_workload() {
        check(
            &["spiffe://bank.example/a"],
            Ok(Some("spiffe://bank.example/a")),
        );
    }

    #[test]
    fn other_names_make_no_workload() {
        check(&[], Ok(None));
        check(&["https://bank.example/a"], Ok(None));
    }

    #[test]
    fn what_could_be_read_as_another_workload_is_refused() {
        let two = ["spiffe://bank.example/a", "spiffe://bank.example/b"];
        check(&two, Err(NoWorkload::SeveralUris(2)));
        check(
            &["spiffe://bank.example/a", "https://a"],
            Err(NoWorkload::SeveralUris(2)),
        );
        check(
            &["SPIFFE://bank.example/a"],
            Err(NoWorkload::NotSpiffe(NotSpiffe::Scheme)),
        );
        check(
            &["spiffe://bank.example/a/"],
            Err(NoWorkload::NotSpiffe(NotSpiffe::Segment)),
        );
    }

    #[test]
    fn bytes_behind_the_certificate_are_refused() {
        let mut der = der(&[]);
        assert_eq!(Certificate::read(&der).unwrap().dns_names, ["models.test"]);
        der.push(0);
        assert_eq!(Certificate::read(&der), Err(NoWorkload::Unreadable));
    }

    proptest! {
        #[test]
        fn a_damaged_certificate_never_gives_another_workload(position in 0usize..600, bit in 0u8..8) {
            let mut der = der(&["spiffe://bank.example/a"]);
            let position = position % der.len();
            der[position] ^= 1 << bit;
            // Whatever comes out is an id that could be parsed again from its own text.
            if let Ok(Some(id)) = Certificate::read(&der).and_then(|read| read.workload()) {
                prop_assert_eq!(id.as_str().parse::<SpiffeId>().unwrap(), id);
            }
        }
    }
}
