//! `record!`: a map of known fields.

/// Declares a struct and reads it from a map. A field is optional where its type has an absent
/// value (`Option`, `Vec`, `BTreeMap`) and `= required` does not say otherwise. Fields listed
/// `with` it are not part of the document and start from their default.
macro_rules! record {
    (
        $(#[$about:meta])*
        pub struct $name:ident {
            $( $(#[$field_about:meta])* pub $field:ident : $kind:ty $(= $need:ident)?, )*
        }
        $(with { $( $(#[$kept_about:meta])* pub $kept:ident : $kept_kind:ty, )* })?
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        #[schemars(transform = $name::require)]
        pub struct $name {
            $(
                $(#[$field_about])*
                #[serde(skip_serializing_if = "crate::decode::Decode::is_absent")]
                pub $field: $kind,
            )*
            $($(
                $(#[$kept_about])*
                #[serde(skip)]
                pub $kept: $kept_kind,
            )*)?
        }

        impl $name {
            fn require(schema: &mut schemars::Schema) {
                crate::schema::require(schema, &[$((
                    crate::decode::name!($field),
                    crate::decode::record!(@required $kind $(, $need)?),
                )),*]);
            }
        }

        impl crate::decode::Decode for $name {
            const WANTED: crate::decode::Wanted = crate::decode::Wanted { what: "a map", example: "{ … }" };

            fn decode(
                node: &crate::tree::Node,
                decoder: &mut crate::decode::Decoder<'_>,
            ) -> Option<Self> {
                let known = &[$( crate::decode::name!($field) ),*];
                let mut fields = crate::decode::Fields::open(node, known, decoder)?;
                $(
                    let required = crate::decode::record!(@required $kind $(, $need)?);
                    let $field = fields.take::<$kind>(crate::decode::name!($field), required);
                )*
                Some(Self {
                    $( $field: $field?, )*
                    $( $( $kept: Default::default(), )* )?
                })
            }
        }
    };
    (@required $kind:ty) => { <$kind as crate::decode::Decode>::absent().is_none() };
    (@required $kind:ty, required) => { true };
}

/// A field's name as the document spells it: `match` for `r#match`.
macro_rules! name {
    ($field:ident) => {
        stringify!($field).trim_start_matches("r#")
    };
}

pub(crate) use {name, record};
