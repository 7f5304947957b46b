//! From the positioned tree to the document's types, going on after every mistake.
//!
//! A value that cannot be decoded reports its problem and yields `None`; its siblings are decoded
//! all the same, so that an operator sees every mistake at once. Three macros declare the types:
//! [`record`] for a map of known fields, [`choice`] for a word or a map with one key, [`shapes`]
//! for maps told apart by their fields. Each writes the type, its serde and schema derives and its
//! decoder from one list of fields, so that these cannot drift apart.

mod choice;
mod fields;
mod hint;
mod record;
mod scalar;
mod shapes;

pub(crate) use choice::{Choice, choice};
pub(crate) use fields::{Field, Fields, map_of};
pub(crate) use hint::shown;
pub(crate) use record::record;
pub(crate) use shapes::{lead, shapes};

use crate::tree::{Node, Value};
use crate::{Code, Path, Place, Problem, Problems, Severity, code};
use std::collections::BTreeMap;

/// What can be read from a document.
pub(crate) trait Decode: Sized {
    /// What a document must hold to be read as this.
    fn wanted() -> Wanted;

    /// Reads this from `node`, or reports what is wrong with it.
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self>;

    /// What a field means that is not written; `None` if it must be.
    fn absent() -> Option<Self> {
        None
    }

    /// Whether a document would leave this out.
    fn is_absent(&self) -> bool {
        false
    }
}

/// What a field wants, for people.
pub(crate) struct Wanted {
    /// With its article: `a whole number`.
    pub(crate) what: String,
    /// A value that would do, as YAML.
    pub(crate) example: String,
}

impl Wanted {
    pub(crate) fn new(what: impl Into<String>, example: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            example: example.into(),
        }
    }
}

/// How many problems one document may have before the rest is not told.
const PROBLEMS_MAX: usize = 1000;

/// Where the decoder is, and what it has found wrong so far.
pub(crate) struct Decoder<'a> {
    base: &'a std::path::Path,
    path: Path,
    problems: Problems,
}

impl<'a> Decoder<'a> {
    /// Begins at the document itself; relative files are files below `base`.
    pub(crate) fn new(base: &'a std::path::Path) -> Self {
        Self {
            base,
            path: Path::root(),
            problems: Problems::default(),
        }
    }

    /// All that was wrong.
    pub(crate) fn into_problems(self) -> Problems {
        self.problems
    }

    /// Reports a problem at the present path.
    pub(crate) fn report(
        &mut self,
        code: Code,
        place: Place,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.add(Problem {
                severity: Severity::Error,
                code,
                path: self.path.clone(),
                place,
                message: message.into(),
                remedy: remedy.into(),
            });
        }
    }

    /// Reports that `node` is no `T`.
    pub(crate) fn mismatch<T: Decode>(&mut self, node: &Node) {
        self.refuse::<T>(code::WRONG_TYPE, node);
    }

    /// Reports that `node` is no `T`, as a problem of kind `code`.
    pub(crate) fn refuse<T: Decode>(&mut self, code: Code, node: &Node) {
        let Wanted { what, example } = T::wanted();
        let message = format!("found {}, want {what}", node.value.describe());
        let remedy = format!("write it like `{example}`");
        self.report(code, node.place, message, remedy);
    }

    /// Decodes the field `name` of the value at the present path.
    pub(crate) fn field<T: Decode>(&mut self, name: &str, node: &Node) -> Option<T> {
        self.inside_field(name, |decoder| decoder.decode(node))
    }

    /// Does `work` with the field `name` of the present path as the present one.
    pub(crate) fn inside_field<T>(&mut self, name: &str, work: impl FnOnce(&mut Self) -> T) -> T {
        self.inside(self.path.field(name), work)
    }

    /// Does `work` with the item at `index` of the present path as the present one.
    pub(crate) fn inside_item<T>(&mut self, index: usize, work: impl FnOnce(&mut Self) -> T) -> T {
        self.inside(self.path.index(index), work)
    }

    fn inside<T>(&mut self, path: Path, work: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.path, path);
        let result = work(self);
        self.path = outer;
        result
    }

    /// Decodes unless the node's variable is unset, which is a problem already.
    pub(crate) fn decode<T: Decode>(&mut self, node: &Node) -> Option<T> {
        match node.value {
            Value::Unset => None,
            _ => T::decode(node, self),
        }
    }
}

impl<T: Decode> Decode for Option<T> {
    fn wanted() -> Wanted {
        T::wanted()
    }

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        decoder.decode(node).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn wanted() -> Wanted {
        Wanted::new("a list", format!("[{}]", T::wanted().example))
    }

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let Value::List(items) = &node.value else {
            report_not_a_list::<T>(node, decoder);
            return None;
        };
        let decoded: Vec<_> = items
            .iter()
            .enumerate()
            .map(|(index, item)| decoder.inside_item(index, |decoder| decoder.decode(item)))
            .collect();
        decoded.into_iter().collect()
    }

    fn absent() -> Option<Self> {
        Some(Self::new())
    }

    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

/// One value without its brackets is the usual slip: the remedy puts them around it.
fn report_not_a_list<T: Decode>(node: &Node, decoder: &mut Decoder<'_>) {
    let Some(written) = node.value.spelled() else {
        return decoder.mismatch::<Vec<T>>(node);
    };
    let message = format!("found {}, want a list", node.value.describe());
    let remedy = format!("put it in one: `[{written}]`");
    decoder.report(code::WRONG_TYPE, node.place, message, remedy);
}

impl<T: Decode> Decode for BTreeMap<String, T> {
    fn wanted() -> Wanted {
        Wanted::new("a map", format!("{{ name: {} }}", T::wanted().example))
    }

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            decoder.mismatch::<Self>(node);
            return None;
        };
        fields::report_repeated(entries, decoder);
        let decoded: Vec<_> = entries
            .iter()
            .map(|entry| Some((entry.key.clone(), decoder.field(&entry.key, &entry.node)?)))
            .collect();
        decoded.into_iter().collect()
    }

    fn absent() -> Option<Self> {
        Some(Self::new())
    }

    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}
