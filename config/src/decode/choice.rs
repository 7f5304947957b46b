//! `choice!`: a word, or a map with one key that says which.

use super::hint::{self, shown};
use super::{Decoder, Wanted};
use crate::code;
use crate::tree::{Entry, Node, Value};

/// Declares an enum whose variants are written as a word, `caller`, or, where they carry a value,
/// as a map with one key, `{ claim: sub }`.
macro_rules! choice {
    (
        $(#[$about:meta])*
        pub enum $name:ident {
            $( $(#[$variant_about:meta])* $variant:ident $(($kind:ty))? = $word:literal, )*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, schemars::JsonSchema)]
        pub enum $name {
            $( $(#[$variant_about])* #[serde(rename = $word)] $variant $(($kind))?, )*
        }

        impl crate::decode::Decode for $name {
            const WANTED: crate::decode::Wanted =
                crate::decode::Choice::wanted(&[$( crate::decode::choice!(@of $word $(, $kind)?) ),*]);

            fn decode(
                node: &crate::tree::Node,
                decoder: &mut crate::decode::Decoder<'_>,
            ) -> Option<Self> {
                let choices = &[$( crate::decode::choice!(@of $word $(, $kind)?) ),*];
                let (word, _value) = crate::decode::Choice::pick(choices, node, decoder)?;
                match word {
                    $( $word => crate::decode::choice!(@build $variant, decoder, $word, _value $(, $kind)?), )*
                    _ => None,
                }
            }
        }
    };
    (@of $word:literal) => { crate::decode::Choice { word: $word, keyed: false } };
    (@of $word:literal, $kind:ty) => { crate::decode::Choice { word: $word, keyed: true } };
    (@build $variant:ident, $decoder:ident, $word:literal, $value:ident) => { Some(Self::$variant) };
    (@build $variant:ident, $decoder:ident, $word:literal, $value:ident, $kind:ty) => {
        $decoder.field::<$kind>($word, $value?).map(Self::$variant)
    };
}

pub(crate) use choice;

/// One variant as the document spells it.
#[derive(Clone, Copy)]
pub(crate) struct Choice {
    /// The word, or the key.
    pub(crate) word: &'static str,
    /// Whether it is the key of a value.
    pub(crate) keyed: bool,
}

impl Choice {
    /// What a field with these choices wants; its example is the first of them.
    pub(crate) const fn wanted(choices: &[Self]) -> Wanted {
        match choices {
            [Self { word, keyed: false }, ..] => Wanted {
                what: "a word",
                example: word,
            },
            _ => Wanted {
                what: "a map with one key",
                example: "{ … }",
            },
        }
    }

    /// Which of `choices` the node is, and the value it carries.
    pub(crate) fn pick<'n>(
        choices: &[Self],
        node: &'n Node,
        decoder: &mut Decoder<'_>,
    ) -> Option<(&'static str, Option<&'n Node>)> {
        match &node.value {
            Value::Scalar(scalar) => {
                Self::word(choices, &scalar.text, node, decoder).map(|word| (word, None))
            }
            Value::Map(entries) => match entries.as_slice() {
                [entry] => Self::key(choices, entry, decoder).map(|word| (word, Some(&entry.node))),
                _ => Self::refuse(choices, node, decoder),
            },
            _ => Self::refuse(choices, node, decoder),
        }
    }

    fn word(
        choices: &[Self],
        text: &str,
        node: &Node,
        decoder: &mut Decoder<'_>,
    ) -> Option<&'static str> {
        match choices.iter().find(|choice| choice.word == text) {
            Some(Self { word, keyed: false }) => Some(word),
            Some(Self { word, keyed: true }) => {
                let message = format!("`{word}` needs a value");
                decoder.report(
                    code::WRONG_TYPE,
                    node.place,
                    message,
                    format!("write it like `{{ {word}: … }}`"),
                );
                None
            }
            None => {
                let found = node.value.describe();
                let (message, remedy) = (
                    format!("unknown choice: {found}"),
                    Self::instead(choices, text),
                );
                decoder.report(code::UNKNOWN_WORD, node.place, message, remedy);
                None
            }
        }
    }

    fn key(choices: &[Self], entry: &Entry, decoder: &mut Decoder<'_>) -> Option<&'static str> {
        match choices.iter().find(|choice| choice.word == entry.key) {
            Some(Self { word, keyed: true }) => Some(word),
            Some(Self { word, keyed: false }) => {
                let (message, remedy) = (
                    format!("`{word}` takes no value"),
                    format!("write the word `{word}` alone"),
                );
                decoder.report(code::WRONG_TYPE, entry.place, message, remedy);
                None
            }
            None => {
                let message = format!("unknown choice `{}`", shown(&entry.key));
                decoder.report(
                    code::UNKNOWN_WORD,
                    entry.place,
                    message,
                    Self::instead(choices, &entry.key),
                );
                None
            }
        }
    }

    fn refuse<T>(choices: &[Self], node: &Node, decoder: &mut Decoder<'_>) -> Option<T> {
        let (found, one) = (node.value.describe(), Self::list(choices));
        let message = format!("found {found}, want exactly one of {one}");
        decoder.report(
            code::WRONG_TYPE,
            node.place,
            message,
            "keep one of them".to_owned(),
        );
        None
    }

    fn instead(choices: &[Self], text: &str) -> String {
        let words: Vec<_> = choices.iter().map(|choice| choice.word).collect();
        let near = hint::nearest(text, &words);
        let near = near
            .map(|near| format!("did you mean `{near}`? "))
            .unwrap_or_default();
        format!("{near}known here: {}", Self::list(choices))
    }

    /// `caller`, `{ claim: … }`.
    fn list(choices: &[Self]) -> String {
        let spelled = choices.iter().map(|Self { word, keyed }| match keyed {
            true => format!("`{{ {word}: … }}`"),
            false => format!("`{word}`"),
        });
        spelled.collect::<Vec<_>>().join(", ")
    }
}
