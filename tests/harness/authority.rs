//! Certificates of one journey, made when it runs: an authority and whoever it vouches for.

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SanType, SerialNumber, date_time_ymd,
};

/// Who vouches for others.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What a certificate is to say.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// Its DNS names.
    pub dns_names: &'a [&'a str],
    /// Its URIs.
    pub uris: &'a [&'a str],
    /// The years in which it begins and ends.
    pub years: (i32, i32),
    /// How long it lasts from now on; until its last year if nothing is said.
    pub lasts: Option<Duration>,
    /// What revocation lists call it.
    pub serial: u64,
}

/// A certificate and its key.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate, as PEM.
    pub certificate: String,
    /// The key, as PEM.
    pub key: String,
}

impl Default for Wish<'_> {
    /// A certificate for this machine that is good, and names no workload.
    fn default() -> Self {
        Self {
            dns_names: &["localhost"],
            uris: &[],
            years: (2020, 2100),
            lasts: None,
            serial: 1,
        }
    }
}

impl Authority {
    /// An authority of its own.
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        (params.not_before, params.not_after) =
            (date_time_ymd(2020, 1, 1), date_time_ymd(2100, 1, 1));
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority signs itself"))
    }

    /// Its own certificate, as PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Vouches for someone.
    pub fn vouch(&self, wish: Wish<'_>) -> Identity {
        let mut params = CertificateParams::default();
        let text = |text: &&str| (*text).try_into().expect("names are ASCII");
        let dns_names = wish.dns_names.iter().map(text).map(SanType::DnsName);
        let uris = wish.uris.iter().map(text).map(SanType::URI);
        params.subject_alt_names = dns_names.chain(uris).collect();
        params.distinguished_name.push(DnType::CommonName, "leaf");
        // An X.509-SVID must say so (SPIFFE X.509-SVID, section 4.1).
        params.is_ca = IsCa::ExplicitNoCa;
        params.serial_number = Some(SerialNumber::from(wish.serial));
        params.not_before = date_time_ymd(wish.years.0, 1, 1);
        params.not_after = match wish.lasts {
            Some(lasts) => (SystemTime::now() + lasts).into(),
            None => date_time_ymd(wish.years.1, 1, 1),
        };
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// A list of revoked serials, until the beginning of a year.
    pub fn revoke(&self, serials: &[u64], until: i32) -> String {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(until, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.0).expect("a revocation list");
        list.pem().expect("a revocation list is PEM")
    }
}

impl Identity {
    /// Certificate and key in one file, so that both change in one step.
    pub fn pem(&self) -> String {
        format!("{}{}", self.certificate, self.key)
    }
}
