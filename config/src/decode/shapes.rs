//! `shapes!`: maps that are told apart by their fields.

use super::hint::{instead, list};
use super::{Decoder, Field, map_of};
use crate::code;
use crate::tree::{Entry, Node, Value};

/// Declares an enum whose variants are maps; the first field of a variant, its *lead*, says which
/// one a map is, as `model` does in `{ model: digits, version: "2" }`.
macro_rules! shapes {
    (
        $(#[$about:meta])*
        pub enum $name:ident {
            $(
                $(#[$variant_about:meta])*
                $variant:ident { $( $(#[$field_about:meta])* $field:ident : $kind:ty, )* },
            )*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, schemars::JsonSchema)]
        #[serde(untagged, deny_unknown_fields)]
        pub enum $name {
            $(
                $(#[$variant_about])*
                $variant {
                    $(
                        $(#[$field_about])*
                        #[serde(skip_serializing_if = "crate::decode::Decode::is_absent")]
                        $field: $kind,
                    )*
                },
            )*
        }

        impl $name {
            fn shapes() -> Vec<Vec<crate::decode::Field>> {
                vec![$( vec![$( crate::decode::Field::of::<$kind>(stringify!($field), false) ),*] ),*]
            }
        }

        impl crate::decode::Decode for $name {
            fn wanted() -> crate::decode::Wanted {
                crate::decode::map_of(Self::shapes().first().map_or(&[], Vec::as_slice))
            }

            fn decode(
                node: &crate::tree::Node,
                decoder: &mut crate::decode::Decoder<'_>,
            ) -> Option<Self> {
                let lead = crate::decode::lead(&Self::shapes(), node, decoder)?;
                $(
                    let shape = vec![$( crate::decode::Field::of::<$kind>(stringify!($field), false) ),*];
                    if shape.first().is_some_and(|field| field.name == lead) {
                        let mut fields = crate::decode::Fields::open(node, shape, decoder)?;
                        $( let $field = fields.take::<$kind>(stringify!($field)); )*
                        return Some(Self::$variant { $( $field: $field?, )* });
                    }
                )*
                None
            }
        }
    };
}

pub(crate) use shapes;

/// The lead of the shape that the map at `node` has.
pub(crate) fn lead(
    shapes: &[Vec<Field>],
    node: &Node,
    decoder: &mut Decoder<'_>,
) -> Option<&'static str> {
    let leads: Vec<_> = shapes
        .iter()
        .filter_map(|shape| Some(shape.first()?.name))
        .collect();
    let (message, remedy) = match &node.value {
        Value::Map(entries) => match written_lead(shapes, &leads, entries) {
            Ok(lead) => return Some(lead),
            Err(told) => told,
        },
        other => {
            let message = format!(
                "found {}, want a map with one of {}",
                other.describe(),
                list(&leads)
            );
            let first = shapes.first().map_or(&[] as &[Field], Vec::as_slice);
            (
                message,
                format!("write it like `{}`", map_of(first).example),
            )
        }
    };
    decoder.report(code::WRONG_TYPE, node.place, message, remedy);
    None
}

/// The one lead among `entries`, or a message and a remedy. Without any, it is the lead of the
/// shape that they share a field with, so that the missing lead is what gets reported.
fn written_lead(
    shapes: &[Vec<Field>],
    leads: &[&'static str],
    entries: &[Entry],
) -> Result<&'static str, (String, String)> {
    let has = |name: &str| entries.iter().any(|entry| entry.key == name);
    let written: Vec<_> = leads.iter().copied().filter(|lead| has(lead)).collect();
    match written.as_slice() {
        [lead] => Ok(lead),
        [] => {
            let shared = shapes
                .iter()
                .find(|shape| shape.iter().any(|field| has(field.name)));
            shared
                .and_then(|shape| Some(shape.first()?.name))
                .ok_or_else(|| {
                    let name = entries.first().map_or("", |entry| &entry.key);
                    (
                        format!("found none of {}", list(leads)),
                        instead(name, leads),
                    )
                })
        }
        several => Err((
            format!("found {} together", list(several)),
            "keep one of them".to_owned(),
        )),
    }
}
