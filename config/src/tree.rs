//! The document as a tree in which every value and every key knows its place.
//!
//! The YAML itself is read by `serde-saphyr`, under a budget that a hostile text exhausts at once.
//! Scalars keep their spelling: what `1.10` or `5%` means is for the field that holds it to say.

mod build;
mod parse;

pub(crate) use parse::{TEXT_BYTES_MAX, parse};

use crate::decode::shown;
use crate::{Path, Place, Places};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// Where its text begins; for a list or a map below a key, where the key does.
    pub(crate) place: Place,
    /// What is written there.
    pub(crate) value: Value,
}

/// What YAML can say.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// Nothing: `null`, `~` or no text at all.
    Null,
    /// A text with a variable that is not set, which is a problem already.
    Unset,
    /// Text, or what may be a number or a word.
    Scalar(Scalar),
    /// Items in order.
    List(Vec<Node>),
    /// Fields in order; a key may be there twice.
    Map(Vec<Entry>),
}

/// One field of a map.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// Its name.
    pub(crate) key: String,
    /// Where the name begins.
    pub(crate) place: Place,
    /// Its value.
    pub(crate) node: Node,
}

/// A text and how it was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scalar {
    /// The text as spelled, without quotes.
    pub(crate) text: String,
    /// How it was written.
    pub(crate) origin: Origin,
}

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// As it stands, and so perhaps a number.
    Plain,
    /// In quotes or as a block: text for certain.
    Quoted,
    /// With a variable in it: perhaps a number, perhaps a secret.
    Variable,
}

impl Scalar {
    /// Whether it is text for certain.
    pub(crate) fn is_quoted(&self) -> bool {
        self.origin == Origin::Quoted
    }
}

impl Value {
    /// What was found, for a message. What came from a variable is not repeated.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Unset => "an unset variable".to_owned(),
            Self::Scalar(Scalar {
                origin: Origin::Variable,
                ..
            }) => "what a variable holds".to_owned(),
            Self::Scalar(scalar) if scalar.is_quoted() => {
                format!("the text {:?}", shown(&scalar.text))
            }
            Self::Scalar(scalar) => format!("`{}`", shown(&scalar.text)),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a map".to_owned(),
        }
    }

    /// A scalar as it is written, unless it came from a variable.
    pub(crate) fn spelled(&self) -> Option<String> {
        match self {
            Self::Scalar(Scalar {
                text,
                origin: Origin::Plain | Origin::Quoted,
            }) => Some(shown(text)),
            _ => None,
        }
    }
}

impl Node {
    /// The place of this value and of every value in it.
    pub(crate) fn places(&self) -> Places {
        let mut places = Places::default();
        self.put(&Path::root(), &mut places);
        places
    }

    fn put(&self, path: &Path, places: &mut Places) {
        match &self.value {
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.put(&path.index(index), places);
                }
            }
            Value::Map(entries) => {
                for entry in entries {
                    entry.node.put(&path.field(&entry.key), places);
                }
            }
            Value::Null | Value::Unset | Value::Scalar(_) => {}
        }
        places.put(path.clone(), self.place);
    }
}
