//! The stable number of every kind of problem that a document can have.
//!
//! 1xxx: the text cannot be read or has the wrong shape (this crate).
//! 2xxx: the document is well formed but does not make sense (`policy`).
//!
//! `docs/reference/codes.md` lists them for operators; a test keeps it equal to [`ALL`].

use std::fmt;

/// The number of a kind of problem, printed as `WALD-1001`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u16);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WALD-{:04}", self.0)
    }
}

/// Declares codes and the list of them from the same lines, so that no code goes undocumented.
macro_rules! codes {
    ($($name:ident = $number:literal, $about:literal;)*) => {
        $(#[doc = $about] pub const $name: Code = Code($number);)*

        /// Every code, in ascending order, with one line that says what it means.
        pub const ALL: &[(Code, &str)] = &[$(($name, $about)),*];
    };
}

codes! {
    TOO_LARGE = 1001, "The document is larger than 1 MiB.";
    SYNTAX = 1002, "The text is not YAML.";
    TOO_COMPLEX = 1003, "The document nests too deeply, or its aliases expand to too much.";
    NOT_USED = 1004, "The document uses a part of YAML that Wald refuses: merge keys, tags, keys that are not text.";
    UNKNOWN_FIELD = 1005, "A field is not one that Wald knows.";
    DUPLICATE_FIELD = 1006, "A field is written twice in the same place.";
    MISSING_FIELD = 1007, "A field that must be there is not.";
    WRONG_TYPE = 1008, "A value is of another kind than its field wants.";
    UNKNOWN_WORD = 1009, "A word is not one of those that its field allows.";
    OUT_OF_RANGE = 1010, "A number is outside what its field allows.";
    UNSET_VARIABLE = 1011, "A `${VARIABLE}` is not set and has no default, or is written wrongly.";
    VERSION = 1012, "The document's version is not one that this Wald reads.";
    NOT_BUILT = 2001, "The document uses a feature that is planned but not built yet.";
    UNKNOWN_NAME = 2002, "A name refers to nothing in the document.";
    DUPLICATE_NAME = 2003, "Two things of one kind have the same name.";
    BAD_NAME = 2004, "A name is empty, too long, or has characters that headers and metrics cannot carry.";
    BAD_ADDRESS = 2005, "An address or endpoint is not one that Wald can use.";
    DUPLICATE_ADDRESS = 2006, "Two listeners, or a listener and the admin API, have the same address.";
    OPEN_ADMIN = 2007, "The admin API would be open to other machines without protection.";
    BAD_DIGEST = 2008, "A SHA-256 is not 64 hexadecimal digits.";
    NOTHING_THERE = 2009, "A list that must name something is empty.";
    BAD_MATCH = 2010, "A condition of a route that no request can meet.";
    UNREACHABLE_ROUTE = 2011, "A route is never taken, because an earlier one matches all its requests.";
    NOBODY_ALLOWED = 2012, "A route has no `allow`, so nobody may use it.";
    EMPTY_ALLOW = 2013, "An entry of `allow` has no condition.";
    BAD_BACKEND = 2014, "A backend cannot stand where it does, or answers with no proper status.";
    UNUSED = 2015, "No route leads to an upstream, a model or an experiment.";
    BAD_ARMS = 2016, "An experiment has too few or too many arms.";
    BAD_RAMP = 2017, "A step of a ramp does not rise, or gives away more than all.";
    BAD_UNIT = 2018, "The unit of an experiment cannot be read from a request.";
    NO_GOAL = 2019, "An experiment has no goal, so nothing could be promoted.";
    NO_GUARDRAIL = 2020, "An experiment has no guardrail.";
    BAD_METRIC = 2021, "A metric's kind, source, role and other fields do not fit together.";
    BAD_MARGIN = 2022, "A margin is missing, or does not fit its metric.";
    UNPROVABLE = 2023, "A margin cannot be proven before the experiment's `end`.";
    ZEROS_ON_LOG = 2024, "Numbers that may be nought are compared on a scale that has none.";
    BAD_REWRITE = 2025, "A rewrite or redirect has no valid part, parts that exclude each other, or nothing to stand instead of.";
    NO_APPROVERS = 2026, "An experiment asks for approvals, and the admin address does not know who asks.";
    BAD_AUDIENCE = 2027, "Who takes part in an experiment contradicts itself: parts of a layer overlap, or a unit never returns.";
    UNSIGNED_MODEL = 2028, "A model has no `signature`, and the document refuses such models.";
    BAD_ALGORITHM = 2040, "An algorithm is not one that tokens may be signed with.";
    BAD_CALLER = 2041, "A pattern of callers is no SPIFFE id.";
    BAD_CLAIM = 2042, "A claim has no name, or cannot be proved because the document believes no tokens.";
    ANY_ISSUER = 2043, "An entry of `allow` takes a claim from whichever issuer makes it.";
    BAD_HEADER = 2044, "A header cannot be set: it has no valid name, or Wald or the connection needs it.";
    BAD_TLS = 2050, "Parts of `tls` do not fit together, or a name in it is none.";
    INSECURE = 2051, "An upstream is believed whoever it is.";
    BAD_AUTHORIZATION = 2052, "What Wald is to present to an upstream is not said, or no header can carry it.";
    SECRET_IN_CLEAR = 2053, "A secret for an upstream goes over connections that others may read.";
    BAD_HEALTH = 2054, "A health check asks in no way, in several, or in one that its upstream does not speak.";
    BAD_MODEL = 2060, "Parts of a model exclude each other, or say nothing together.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_ascend_so_that_no_two_are_equal() {
        assert!(ALL.is_sorted_by(|(a, _), (b, _)| a < b));
    }
}
