//! Where in the document something stands, by structure and by line.

use std::collections::BTreeMap;
use std::fmt;

/// A place by structure, such as `experiments[2].arms`; the empty path is the document itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Step {
    Field(Box<str>),
    Index(usize),
}

impl Path {
    /// The document itself.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// The field `name` of what stands here.
    #[must_use]
    pub fn field(&self, name: &str) -> Self {
        self.step(Step::Field(name.into()))
    }

    /// The item at `index`, counted from 0, of the list that stands here.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.step(Step::Index(index))
    }

    fn step(&self, step: Step) -> Self {
        let mut steps = Vec::with_capacity(self.0.len() + 1);
        steps.extend_from_slice(&self.0);
        steps.push(step);
        Self(steps)
    }

    /// What contains this; nothing contains the document itself.
    fn parent(&self) -> Option<Self> {
        let (_, parents) = self.0.split_last()?;
        Some(Self(parents.to_vec()))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Field(name) if !is_plain(name) => write!(f, "[{name:?}]")?,
                Step::Field(name) if depth == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
            }
        }
        Ok(())
    }
}

/// Whether a name reads unambiguously between dots; a header such as `x.y` does not.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || "_-".contains(c))
}

/// A place by text: line and column, both counted from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

impl Place {
    /// Where a text begins.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// The place in the text of every value of one document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places(BTreeMap<Path, Place>);

impl Places {
    /// Where `path` stands. What is not written stands where its nearest parent does.
    #[must_use]
    pub fn of(&self, path: &Path) -> Place {
        let mut path = path.clone();
        loop {
            if let Some(place) = self.0.get(&path) {
                return *place;
            }
            match path.parent() {
                Some(parent) => path = parent,
                None => return Place::START,
            }
        }
    }

    pub(crate) fn put(&mut self, path: Path, place: Place) {
        self.0.insert(path, place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_an_operator_would_write_it() {
        let path = Path::root()
            .field("routes")
            .index(2)
            .field("match")
            .field("headers")
            .field("x.y");
        assert_eq!(path.to_string(), "routes[2].match.headers[\"x.y\"]");
    }

    #[test]
    fn what_is_not_written_stands_where_its_parent_does() {
        let mut places = Places::default();
        let here = Place { line: 7, column: 3 };
        places.put(Path::root().field("store"), here);
        assert_eq!(
            places.of(&Path::root().field("store").field("path").index(1)),
            here
        );
        assert_eq!(places.of(&Path::root().field("admin")), Place::START);
    }
}
