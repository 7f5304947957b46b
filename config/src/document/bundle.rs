//! Whom clients must be vouched for by.

use crate::decode::{Decode, Decoder, Wanted, record};
use crate::tree::{Node, Value};
use schemars::JsonSchema;
use std::path::PathBuf;

/// Authorities that are believed. Written as a file, or as a file for one trust domain.
#[derive(Clone, Debug, PartialEq, serde::Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Bundle {
    /// For whomever they vouch for, as PEM.
    Any(PathBuf),
    /// For workloads of one trust domain alone.
    Domain(DomainBundle),
}

record! {
    /// The authorities of one SPIFFE trust domain.
    pub struct DomainBundle {
        /// The trust domain, for example `bank.example`.
        pub domain: String,
        /// Its authorities, as PEM, for example `bank.pem`.
        pub bundle: PathBuf,
    }
}

impl Decode for Bundle {
    fn wanted() -> Wanted {
        Wanted::new(
            "a file, or `{ domain: bank.example, bundle: bank.pem }`",
            "clients-ca.pem",
        )
    }

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.value {
            Value::Map(_) => DomainBundle::decode(node, decoder).map(Self::Domain),
            Value::Scalar(_) => PathBuf::decode(node, decoder).map(Self::Any),
            _ => {
                decoder.mismatch::<Self>(node);
                None
            }
        }
    }
}
