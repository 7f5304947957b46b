//! `shapes!`: maps that are told apart by their fields.

use super::Decoder;
use super::hint::{instead, list};
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

        impl crate::decode::Decode for $name {
            const WANTED: crate::decode::Wanted = crate::decode::Wanted { what: "a map", example: "{ … }" };

            fn decode(
                node: &crate::tree::Node,
                decoder: &mut crate::decode::Decoder<'_>,
            ) -> Option<Self> {
                const SHAPES: &[&[&str]] = &[$( &[$( stringify!($field) ),*] ),*];
                let shape = crate::decode::shape_of(node, SHAPES, decoder)?;
                $(
                    if shape == [$( stringify!($field) ),*] {
                        let mut fields = crate::decode::Fields::open(node, shape, decoder)?;
                        $(
                            let required = <$kind as crate::decode::Decode>::absent().is_none();
                            let $field = fields.take::<$kind>(stringify!($field), required);
                        )*
                        return Some(Self::$variant { $( $field: $field?, )* });
                    }
                )*
                None
            }
        }
    };
}

pub(crate) use shapes;

/// Which of `shapes` the map at `node` has: the one whose lead it has, else one it shares a field
/// with, so that the missing lead is what gets reported.
pub(crate) fn shape_of<'s>(
    node: &Node,
    shapes: &[&'s [&'s str]],
    decoder: &mut Decoder<'_>,
) -> Option<&'s [&'s str]> {
    let leads: Vec<&str> = shapes
        .iter()
        .filter_map(|shape| shape.first().copied())
        .collect();
    let Value::Map(entries) = &node.value else {
        let (found, leads) = (node.value.describe(), list(&leads));
        decoder.report(
            code::WRONG_TYPE,
            node.place,
            format!("found {found}, want a map with one of {leads}"),
            format!(
                "write a map such as `{{ {}: … }}`",
                shapes.first()?.first()?
            ),
        );
        return None;
    };
    let led: Vec<_> = shapes
        .iter()
        .filter(|shape| has_any(entries, shape.get(..1)))
        .collect();
    match led.as_slice() {
        [one] => Some(one),
        [] => shapes
            .iter()
            .find(|shape| has_any(entries, Some(shape)))
            .copied()
            .or_else(|| {
                let remedy = match entries.first() {
                    Some(entry) => instead(&entry.key, &leads),
                    None => "add one of them".to_owned(),
                };
                report_leads(node, &leads, "found none of", remedy, decoder)
            }),
        _ => report_leads(
            node,
            &leads,
            "found more than one of",
            "keep one of them".to_owned(),
            decoder,
        ),
    }
}

fn has_any(entries: &[Entry], names: Option<&[&str]>) -> bool {
    entries
        .iter()
        .any(|entry| names.is_some_and(|names| names.contains(&entry.key.as_str())))
}

fn report_leads<T>(
    node: &Node,
    leads: &[&str],
    found: &str,
    remedy: String,
    decoder: &mut Decoder<'_>,
) -> Option<T> {
    let message = format!("{found} {}", list(leads));
    decoder.report(code::WRONG_TYPE, node.place, message, remedy);
    None
}
