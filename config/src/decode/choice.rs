//! `choice!`: a word, or a map with one key that says which.

use super::hint::{self, shown};
use super::{Decoder, Wanted};
use crate::tree::{Entry, Node, Value};
use crate::{Place, code};

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

        impl $name {
            /// Every word that a document may write.
            pub const WORDS: &'static [&'static str] = &[$( $word ),*];

            /// The word that a document writes.
            #[must_use]
            pub const fn word(&self) -> &'static str {
                match self {
                    $( Self::$variant { .. } => $word, )*
                }
            }
        }

        impl crate::decode::Decode for $name {
            fn wanted() -> crate::decode::Wanted {
                crate::decode::Choice::wanted(&[$( crate::decode::choice!(@of $word $(, $kind)?) ),*])
            }

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
    (@of $word:literal) => { crate::decode::Choice { word: $word, value: None } };
    (@of $word:literal, $kind:ty) => { crate::decode::Choice { word: $word, value: Some(<$kind as crate::decode::Decode>::wanted) } };
    (@build $variant:ident, $decoder:ident, $word:literal, $value:ident) => { Some(Self::$variant) };
    (@build $variant:ident, $decoder:ident, $word:literal, $value:ident, $kind:ty) => {
        $decoder.field::<$kind>($word, $value?).map(Self::$variant)
    };
}

pub(crate) use choice;

/// What a document chose: a word, or the one key of a map and its value.
struct Written<'n> {
    word: &'n str,
    place: Place,
    value: Option<&'n Node>,
}

impl<'n> Written<'n> {
    fn of(node: &'n Node) -> Option<Self> {
        match &node.value {
            Value::Scalar(scalar) => Some(Self {
                word: &scalar.text,
                place: node.place,
                value: None,
            }),
            Value::Map(entries) => match entries.as_slice() {
                [Entry { key, place, node }] => Some(Self {
                    word: key,
                    place: *place,
                    value: Some(node),
                }),
                _ => None,
            },
            _ => None,
        }
    }
}

/// One variant as the document spells it.
pub(crate) struct Choice {
    /// The word, or the key.
    pub(crate) word: &'static str,
    /// What it carries, if it is the key of a value.
    pub(crate) value: Option<fn() -> Wanted>,
}

impl Choice {
    /// One of these choices; the example is the first of them.
    pub(crate) fn wanted(choices: &[Self]) -> Wanted {
        let example = choices.first().map(Self::spelled).unwrap_or_default();
        Wanted::new(format!("one of {}", Self::list(choices)), example)
    }

    /// Which of `choices` the node is, and the value it carries.
    pub(crate) fn pick<'n>(
        choices: &[Self],
        node: &'n Node,
        decoder: &mut Decoder<'_>,
    ) -> Option<(&'static str, Option<&'n Node>)> {
        let Some(Written { word, place, value }) = Written::of(node) else {
            let (found, choices) = (node.value.describe(), Self::list(choices));
            let message = format!("found {found}, want exactly one of {choices}");
            decoder.report(code::WRONG_TYPE, node.place, message, "keep one of them");
            return None;
        };
        let Some(choice) = choices.iter().find(|choice| choice.word == word) else {
            let found =
                value.map_or_else(|| node.value.describe(), |_| format!("`{}`", shown(word)));
            let (message, remedy) = (
                format!("unknown choice: {found}"),
                Self::instead(choices, word),
            );
            decoder.report(code::UNKNOWN_WORD, place, message, remedy);
            return None;
        };
        let needs = match (choice.value.is_some(), value.is_some()) {
            (true, false) => "needs a value",
            (false, true) => "takes no value",
            _ => return Some((choice.word, value)),
        };
        let remedy = format!("write it like `{}`", choice.spelled());
        decoder.report(code::WRONG_TYPE, place, format!("`{word}` {needs}"), remedy);
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

    /// Every choice as it is written.
    fn list(choices: &[Self]) -> String {
        let spelled = choices
            .iter()
            .map(|choice| format!("`{}`", choice.spelled()));
        spelled.collect::<Vec<_>>().join(", ")
    }

    /// `caller`, `{ claim: … }`.
    fn spelled(&self) -> String {
        match self.value {
            Some(wanted) => format!("{{ {}: {} }}", self.word, wanted().example),
            None => self.word.to_owned(),
        }
    }
}
