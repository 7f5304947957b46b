//! Finds the first matching route without asking every route.
//!
//! Routes are filed by host, then by path in a trie of segments, and within one path by the value
//! of their first header condition with known values. A search visits the few shelves where a
//! matching route can stand and asks those routes, in order, whether they really match; so the
//! filing can only be incomplete, never wrong, and a property test holds it against asking all.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use http::header::HeaderName;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{HeaderPattern, PathPattern, Pattern, Subject, ValuePattern};
use crate::host::Host;

/// A map with a fixed hash. Only the operator's words are its keys, so nobody can crowd it.
type Map<K, V> = HashMap<K, V, BuildHasherDefault<Words>>;

/// All routes, filed.
#[derive(Debug, Default)]
pub(crate) struct Table {
    exact: Map<Box<str>, Tree>,
    below: Map<Box<str>, Tree>,
    any: Tree,
}

impl Table {
    /// Files patterns, of which the earlier ones win.
    pub(crate) fn new<'a>(patterns: impl Iterator<Item = &'a Pattern>) -> Self {
        let mut table = Self::default();
        for (id, pattern) in patterns.enumerate() {
            if pattern.hosts.is_empty() {
                table.any.file(id, pattern);
            }
            for host in &pattern.hosts {
                let tree = match host {
                    Host::Exact(name) => table.exact.entry(name.clone()).or_default(),
                    Host::Below(suffix) => table.below.entry(suffix.clone()).or_default(),
                };
                tree.file(id, pattern);
            }
        }
        table
    }

    /// The smallest id whose pattern matches.
    pub(crate) fn first<'p>(
        &self,
        subject: &Subject<'_>,
        pattern: impl Fn(usize) -> Option<&'p Pattern>,
    ) -> Option<usize> {
        let matches = |id| pattern(id).is_some_and(|pattern| pattern.mismatch(subject).is_none());
        let mut search = Search {
            subject,
            matches,
            best: usize::MAX,
        };
        let trees = || self.trees(&subject.host);
        trees().for_each(|tree| search.walk(tree));
        // Regular expressions are the dearest question, so they are asked last and rarely.
        trees().for_each(|tree| search.visit(&tree.regexes));
        (search.best != usize::MAX).then_some(search.best)
    }

    fn trees<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a Tree> {
        let suffixes = host
            .match_indices('.')
            .filter_map(move |(dot, _)| self.below.get(host.get(dot + 1..)?));
        let suffixes = (!self.below.is_empty()).then_some(suffixes);
        self.exact
            .get(host)
            .into_iter()
            .chain(suffixes.into_iter().flatten())
            .chain([&self.any])
    }
}

/// The routes of one host. Nodes lie in one list, so that a long path is no deep recursion.
#[derive(Debug)]
struct Tree {
    nodes: Vec<Node>,
    regexes: Shelf,
}

/// What lies at one path.
#[derive(Debug, Default)]
struct Node {
    children: Map<Box<str>, usize>,
    /// Routes for exactly this path.
    here: Shelf,
    /// Routes for this path and all below it.
    below: Shelf,
}

const ROOT: usize = 0;

impl Default for Tree {
    fn default() -> Self {
        Self {
            nodes: vec![Node::default()],
            regexes: Shelf::default(),
        }
    }
}

impl Tree {
    fn file(&mut self, id: usize, pattern: &Pattern) {
        let shelf = match &pattern.path {
            PathPattern::Any => self.node(None).map(|node| &mut node.below),
            PathPattern::Prefix(prefix) => self
                .node(prefix.strip_prefix('/'))
                .map(|node| &mut node.below),
            PathPattern::Exact(exact) => self
                .node(exact.strip_prefix('/'))
                .map(|node| &mut node.here),
            PathPattern::Regex(_) => Some(&mut self.regexes),
        };
        if let Some(shelf) = shelf {
            shelf.file(id, &pattern.headers);
        }
    }

    /// The node of a path without its first slash, made if need be; the root without a path.
    fn node(&mut self, path: Option<&str>) -> Option<&mut Node> {
        let mut at = ROOT;
        for segment in path.into_iter().flat_map(|path| path.split('/')) {
            let fresh = self.nodes.len();
            at = *self
                .nodes
                .get_mut(at)?
                .children
                .entry(segment.into())
                .or_insert(fresh);
            if at == fresh {
                self.nodes.push(Node::default());
            }
        }
        self.nodes.get_mut(at)
    }
}

/// Routes of one path, in order.
#[derive(Debug, Default)]
struct Shelf {
    /// Those without a header condition to file them by.
    plain: Vec<usize>,
    keyed: Vec<Keyed>,
}

/// Routes that want one of certain values of this header, by value.
#[derive(Debug)]
struct Keyed {
    header: HeaderName,
    values: Map<Box<[u8]>, Vec<usize>>,
}

impl Shelf {
    fn file(&mut self, id: usize, headers: &[HeaderPattern]) {
        let key = headers.iter().find_map(|header| match &header.value {
            ValuePattern::OneOf(values) => Some((&header.name, values)),
            ValuePattern::Prefix(_) | ValuePattern::Contains(_) => None,
        });
        let Some((name, values)) = key else {
            self.plain.push(id);
            return;
        };
        let keyed = self.keyed(name);
        for value in values {
            keyed
                .values
                .entry(value.as_bytes().into())
                .or_default()
                .push(id);
        }
    }

    fn keyed(&mut self, name: &HeaderName) -> &mut Keyed {
        let known = self.keyed.iter().position(|keyed| keyed.header == *name);
        let at = known.unwrap_or_else(|| {
            self.keyed.push(Keyed {
                header: name.clone(),
                values: Map::default(),
            });
            self.keyed.len() - 1
        });
        &mut self.keyed[at]
    }
}

/// The best match so far.
struct Search<'a, M> {
    subject: &'a Subject<'a>,
    matches: M,
    best: usize,
}

impl<M: Fn(usize) -> bool> Search<'_, M> {
    fn walk(&mut self, tree: &Tree) {
        let Some(mut node) = tree.nodes.get(ROOT) else {
            return;
        };
        self.visit(&node.below);
        let Some(path) = self.subject.path.strip_prefix('/') else {
            return;
        };
        for segment in path.split('/') {
            let child = node
                .children
                .get(segment)
                .and_then(|&child| tree.nodes.get(child));
            let Some(child) = child else { return };
            node = child;
            self.visit(&node.below);
        }
        self.visit(&node.here);
    }

    fn visit(&mut self, shelf: &Shelf) {
        self.ask(&shelf.plain);
        for keyed in &shelf.keyed {
            for value in self.subject.headers.get_all(&keyed.header) {
                self.ask(
                    keyed
                        .values
                        .get(value.as_bytes())
                        .map_or(&[], Vec::as_slice),
                );
            }
        }
    }

    /// Asks routes in order, as long as one could still be earlier than the best.
    fn ask(&mut self, ids: &[usize]) {
        let earlier = ids.iter().copied().take_while(|&id| id < self.best);
        if let Some(id) = earlier.into_iter().find(|&id| (self.matches)(id)) {
            self.best = id;
        }
    }
}

/// Hashes the words of a document.
#[derive(Default)]
struct Words(u64);

impl Hasher for Words {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    /// The byte that closes a text: maps of one key type need no border.
    fn write_u8(&mut self, _: u8) {}

    /// The length that opens a list of bytes, likewise.
    fn write_usize(&mut self, _: usize) {}
}

#[cfg(test)]
mod tests;
