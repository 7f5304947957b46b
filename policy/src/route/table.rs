//! Finds the first matching route without asking every route.
//!
//! Routes are filed by host, then by path in a tree of segments, and within one path by the value
//! of their first header condition with known values. A search visits the few shelves where a
//! matching route can stand and asks those routes, in order, whether they really match; so the
//! filing can only be incomplete, never wrong, and a property test holds it against asking all.

mod tree;

use tree::{Map, Tree};

use super::{PathPattern, Pattern, Subject};
use crate::host::Host;

/// All routes, filed.
#[derive(Debug, Default)]
pub(crate) struct Table {
    paths: Hosts,
    /// Regular expressions apart: they are the dearest question, so they are asked last and rarely.
    expressions: Hosts,
}

/// Routes by host.
#[derive(Debug, Default)]
struct Hosts {
    exact: Map<Box<str>, Tree>,
    below: Map<Box<str>, Tree>,
    any: Tree,
}

impl Table {
    /// Files patterns, of which the earlier ones win.
    pub(crate) fn new<'a>(patterns: impl Iterator<Item = &'a Pattern>) -> Self {
        let mut table = Self::default();
        for (id, pattern) in patterns.enumerate() {
            let hosts = match pattern.path {
                PathPattern::Regex(_) => &mut table.expressions,
                PathPattern::Any | PathPattern::Exact(_) | PathPattern::Prefix(_) => {
                    &mut table.paths
                }
            };
            hosts.file(id, pattern);
        }
        table
    }

    /// The smallest id whose pattern matches.
    pub(crate) fn first<'p>(
        &self,
        subject: &Subject<'_>,
        pattern: impl Fn(usize) -> Option<&'p Pattern>,
    ) -> Option<usize> {
        let matches =
            |id: &usize| pattern(*id).is_some_and(|pattern| pattern.mismatch(subject).is_none());
        let mut best = None;
        // A list is in order, so it is asked only as long as it could lead to an earlier route.
        let mut ask = |ids: &[usize]| {
            let earlier = ids
                .iter()
                .take_while(|&&id| best.is_none_or(|best| id < best));
            best = earlier.copied().find(matches).or(best);
        };
        for hosts in [&self.paths, &self.expressions] {
            hosts
                .trees(&subject.host)
                .for_each(|tree| tree.visit(subject, &mut ask));
        }
        best
    }
}

impl Hosts {
    fn file(&mut self, id: usize, pattern: &Pattern) {
        if pattern.hosts.is_empty() {
            self.any.file(id, pattern);
        }
        for host in &pattern.hosts {
            let tree = match host {
                Host::Exact(name) => self.exact.entry(name.clone()).or_default(),
                Host::Below(suffix) => self.below.entry(suffix.clone()).or_default(),
            };
            tree.file(id, pattern);
        }
    }

    /// The trees where a route for this host can stand.
    fn trees<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a Tree> {
        let suffix = move |(dot, _)| self.below.get(host.get(dot + 1..)?);
        let suffixes = (!self.below.is_empty()).then(|| host.match_indices('.').filter_map(suffix));
        let exact = (!self.exact.is_empty())
            .then(|| self.exact.get(host))
            .flatten();
        exact
            .into_iter()
            .chain(suffixes.into_iter().flatten())
            .chain([&self.any])
    }
}

#[cfg(test)]
mod tests;
