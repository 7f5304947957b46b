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
            fn fields() -> Vec<crate::decode::Field> {
                vec![$( crate::decode::Field::of::<$kind>(
                    stringify!($field),
                    crate::decode::record!(@required $($need)?),
                ) ),*]
            }

            fn require(schema: &mut schemars::Schema) {
                crate::schema::require(schema, &Self::fields());
            }
        }

        impl crate::decode::Decode for $name {
            fn wanted() -> crate::decode::Wanted {
                crate::decode::map_of(&Self::fields())
            }

            fn decode(
                node: &crate::tree::Node,
                decoder: &mut crate::decode::Decoder<'_>,
            ) -> Option<Self> {
                let mut fields = crate::decode::Fields::open(node, Self::fields(), decoder)?;
                $( let $field = fields.take::<$kind>(stringify!($field)); )*
                Some(Self {
                    $( $field: $field?, )*
                    $( $( $kept: Default::default(), )* )?
                })
            }
        }
    };
    (@required) => { false };
    (@required required) => { true };
}

pub(crate) use record;
