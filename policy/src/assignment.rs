//! Which arm a unit belongs to, the same one every time and on every machine.
//!
//! A unit is hashed with its experiment's salt to one of [`SLOTS`] slots. The candidates divide
//! the slots into territories of equal width, and each owns its territory from the left as far as
//! its share reaches; the rest is the control's. So raising the share moves units from the control
//! to a candidate and never otherwise.

use std::borrow::Cow;
use std::fmt;

use http::header::{COOKIE, HeaderMap, HeaderName};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::{ArmId, Caller, ClaimPath, ExperimentId, Share, User};

/// Into how many parts an experiment's traffic is divided: a share has steps of 0.01%.
pub const SLOTS: u16 = 10_000;

/// The clusters of a sticky experiment's evidence (`STATISTICS`: 512 hash buckets of the unit).
pub const BUCKETS: u16 = 512;

/// Sets the bucket's hash apart from the arm's: the digits of the golden ratio, which mean nothing.
const BUCKET_SEED: u64 = 0x9E37_79B9_7F4A_7C15;

/// Who stays on one arm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Everyone of whom one issuer's tokens make the same claim.
    Claim(ClaimPath),
    /// Everyone who is the same user or, where no user was proved, the same workload.
    Caller,
    /// Everyone with the same value of this header.
    Header(HeaderName),
    /// Everyone with the same value of this cookie.
    Cookie(Box<str>),
    /// Nobody: each request is assigned anew.
    Request,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claim(path) => write!(f, "claim {path}"),
            Self::Caller => f.write_str("proved caller"),
            Self::Header(name) => write!(f, "header {name}"),
            Self::Cookie(name) => write!(f, "cookie {name}"),
            Self::Request => f.write_str("request"),
        }
    }
}

impl Unit {
    /// The bytes that name a request's unit; none if the request does not carry it.
    ///
    /// Of several values the first counts. An empty value names nobody.
    pub(crate) fn of<'a>(
        &self,
        headers: &'a HeaderMap,
        caller: &'a Caller,
        chance: u64,
    ) -> Option<Cow<'a, [u8]>> {
        let name: Cow<'a, [u8]> = match self {
            Self::Claim(path) => claim(caller.user()?, path)?.into(),
            Self::Caller => self::caller(caller)?,
            Self::Header(name) => headers.get(name)?.as_bytes().into(),
            Self::Cookie(name) => cookie(headers, name)?.into(),
            Self::Request => chance.to_le_bytes().to_vec().into(),
        };
        (!name.is_empty()).then_some(name)
    }
}

/// Two issuers may give one name to two people, so the issuer's name stands before the claim. It is a text
/// without a zero byte, so no other issuer and claim make the same bytes.
fn claim(user: &User, path: &ClaimPath) -> Option<Vec<u8>> {
    let text = path.text(user.claims())?;
    (!text.is_empty()).then(|| [user.issuer().as_bytes(), &[0], text.as_bytes()].concat())
}

fn caller(caller: &Caller) -> Option<Cow<'_, [u8]>> {
    let user = caller
        .user()
        .and_then(|user| Some((user.issuer(), user.subject()?)))
        .map(|(issuer, subject)| {
            [issuer.as_bytes(), &[0], subject.as_bytes()]
                .concat()
                .into()
        });
    user.or_else(|| Some(caller.workload()?.as_str().as_bytes().into()))
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let pairs = headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b';'));
    pairs.into_iter().find_map(|pair| {
        let value = pair
            .trim_ascii()
            .strip_prefix(name.as_bytes())?
            .strip_prefix(b"=")?;
        Some(value.trim_ascii())
    })
}

/// What an experiment decided about one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The experiment.
    pub experiment: ExperimentId,
    /// Its attempt: evidence is never carried from one to the next.
    pub run: u32,
    /// The stretch of the run with constant shares.
    pub epoch: u32,
    /// The arm that serves the request.
    pub arm: ArmId,
    /// The unit's hash: tells units apart without naming anyone.
    pub unit: u64,
    /// The unit's cluster, from 0 to [`BUCKETS`], independent of its arm.
    pub bucket: u16,
    /// Whether what happens to the request is evidence; only while the experiment runs.
    pub counted: bool,
}

/// Where a unit stands in one experiment, whatever the shares are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) unit: u64,
    pub(crate) slot: u16,
    pub(crate) bucket: u16,
}

impl Standing {
    pub(crate) fn of(unit: &[u8], salt: u64) -> Self {
        let hash = xxh3_64_with_seed(unit, salt);
        let cluster = xxh3_64_with_seed(unit, salt ^ BUCKET_SEED);
        Self {
            unit: hash,
            slot: remainder(hash, SLOTS),
            bucket: remainder(cluster, BUCKETS),
        }
    }
}

pub(crate) fn remainder(hash: u64, parts: u16) -> u16 {
    u16::try_from(hash % u64::from(parts)).unwrap_or_default()
}

/// The arm that owns a slot when each of `candidates` owns `width` slots.
pub(crate) fn owner(slot: u16, width: u16, candidates: u8) -> ArmId {
    let owns = |candidate: u8| {
        slot.checked_sub(territory(candidate, candidates))
            .is_some_and(|into| into < width)
    };
    (0..candidates)
        .find(|&candidate| owns(candidate))
        .map_or(ArmId::CONTROL, |candidate| ArmId(candidate + 1))
}

/// The shares of the arms that follow from a width, the control's first.
pub(crate) fn split(width: u16, candidates: u8) -> Vec<f64> {
    let part = |slots: f64| slots / f64::from(SLOTS);
    let candidate = part(f64::from(width));
    let control = part(f64::from(SLOTS) - f64::from(width) * f64::from(candidates));
    std::iter::once(control)
        .chain((0..candidates).map(|_| candidate))
        .collect()
}

/// The first slot of a candidate's territory.
fn territory(candidate: u8, candidates: u8) -> u16 {
    let slot = u32::from(candidate) * u32::from(SLOTS) / u32::from(candidates.max(1));
    u16::try_from(slot).unwrap_or(SLOTS)
}

/// How many slots a share is: the nearest whole number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share lies between 0 and 1, so the product lies between 0 and SLOTS"
)]
pub(crate) fn slots(share: Share) -> u16 {
    (share.value() * f64::from(SLOTS)).round() as u16
}

/// How many slots a share gives each candidate, but never more than a territory holds, which a share of exactly
/// 1/K could by rounding.
pub(crate) fn width(share: Share, candidates: u8) -> u16 {
    slots(share).min(SLOTS / u16::from(candidates.max(1)))
}

#[cfg(test)]
mod tests;
