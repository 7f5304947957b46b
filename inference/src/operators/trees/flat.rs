//! A forest as one array of nodes, in which going down is an addition.
//!
//! Each node asks one question, `x <= threshold`, and its two children are neighbours: the next
//! node is `next` when the answer is no, and the one after it when it is yes. The other
//! comparisons are this one with another threshold or with the children swapped. Equality and
//! sets become a search of several nodes. A leaf has the threshold NaN, which no `x` is below, and
//! itself as `next`: who goes on from a leaf stays there, so that rows of different depth can go
//! down side by side. A node that only leads on, to a branch that two others share, is the same
//! with another `next`.

use tract_onnx::prelude::TractResult;
use tract_onnx::tract_core::internal::bail;

use super::super::real::Real;
use super::forest::{Branch, Child, Forest, Test, Vote};

pub(super) struct Flat<T> {
    pub(super) nodes: Vec<Node<T>>,
    pub(super) roots: Vec<u32>,
    /// All votes, those of a leaf together.
    pub(super) votes: Vec<Ballot<T>>,
    /// Whether any branch has [`MISSING`].
    pub(super) missing: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Node<T> {
    pub(super) threshold: T,
    /// The column, and [`MISSING`].
    pub(super) feature: u32,
    pub(super) next: u32,
    /// Of a leaf, where its votes begin.
    pub(super) votes: u32,
}

/// A bit of `feature`: the answer for NaN is yes.
pub(super) const MISSING: u32 = 1 << 31;

#[derive(Clone, Copy, Debug)]
pub(super) struct Ballot<T> {
    /// The target, and [`LAST`].
    pub(super) target: u32,
    pub(super) weight: T,
}

/// A bit of `target`: the last vote of its leaf.
pub(super) const LAST: u32 = 1 << 31;

impl<T: Real> Flat<T> {
    /// With `noughts`, votes that add nothing are kept, as it matters who voted at all.
    pub(super) fn new(forest: &Forest, noughts: bool) -> TractResult<Self> {
        let (votes, starts) = ballots(forest, noughts)?;
        let mut flattening = Flattening {
            forest,
            starts,
            nodes: Vec::new(),
            placed: vec![None; forest.branches().len()],
            open: Vec::new(),
        };
        let roots = forest.roots().iter();
        let roots = roots
            .map(|root| flattening.tree(*root))
            .collect::<TractResult<_>>()?;
        let nodes = flattening.nodes;
        Ok(Self {
            roots,
            votes,
            missing: nodes.iter().any(|node| node.feature & MISSING != 0),
            nodes,
        })
    }
}

/// All votes in one list, and where those of each leaf begin.
fn ballots<T: Real>(forest: &Forest, noughts: bool) -> TractResult<(Vec<Ballot<T>>, Vec<u32>)> {
    let mut ballots = Vec::new();
    let mut starts = Vec::new();
    for votes in forest.leaves() {
        starts.push(index(ballots.len())?);
        let counts = |vote: &&Vote| noughts || vote.weight.abs() > 0.0 || vote.weight.is_nan();
        let mut counted: Vec<_> = votes.iter().filter(counts).collect();
        if counted.is_empty() {
            counted.extend(votes.first());
        }
        let mut left = counted.len();
        for vote in counted {
            left -= 1;
            let last = if left == 0 { LAST } else { 0 };
            ballots.push(Ballot {
                target: index(vote.target)? | last,
                weight: T::nearest(vote.weight),
            });
        }
    }
    Ok((ballots, starts))
}

/// An index whose upper bit is free.
fn index(of: usize) -> TractResult<u32> {
    match u32::try_from(of) {
        Ok(index) if index < 1 << 31 => Ok(index),
        _ => bail!("it has more than 2^31 nodes, votes or targets"),
    }
}

struct Flattening<'a, T> {
    forest: &'a Forest,
    starts: Vec<u32>,
    nodes: Vec<Node<T>>,
    /// Where each branch stands.
    placed: Vec<Option<u32>>,
    /// What stands somewhere and is not written yet.
    open: Vec<(u32, Open<'a>)>,
}

enum Open<'a> {
    Branch(&'a Branch),
    /// A search for a value among sorted ones.
    Search(Search<'a>),
    /// The last question of a search: whether what is at most a value is below it.
    Exact {
        below: f64,
        feature: u32,
        miss: Child,
        hit: Child,
    },
}

struct Search<'a> {
    branch: &'a Branch,
    values: Vec<f64>,
    hit: Child,
    miss: Child,
    /// Whether NaN is a hit.
    missing: bool,
}

/// What a node of a search leads to.
enum Way<'a> {
    To(Child),
    On(Open<'a>),
}

impl<'a, T: Real> Flattening<'a, T> {
    /// Level by level, so that the first levels of a tree, which all rows pass, share cache lines.
    fn tree(&mut self, root: Child) -> TractResult<u32> {
        let at = self.room(1)?;
        self.place(root, at)?;
        while !self.open.is_empty() {
            for (at, open) in std::mem::take(&mut self.open) {
                self.write(at, open)?;
            }
        }
        Ok(at)
    }

    fn room(&mut self, count: usize) -> TractResult<u32> {
        let at = index(self.nodes.len())?;
        let node = stay(at);
        self.nodes.extend(std::iter::repeat_n(node, count));
        index(self.nodes.len())?;
        Ok(at)
    }

    fn set(&mut self, at: u32, node: Node<T>) {
        if let Some(place) = self.nodes.get_mut(at as usize) {
            *place = node;
        }
    }

    /// Puts a child where its parent looks for it.
    fn place(&mut self, child: Child, at: u32) -> TractResult<()> {
        match child {
            Child::Leaf(leaf) => {
                let Some(votes) = self.starts.get(leaf).copied() else {
                    bail!("leaf {leaf} is not there")
                };
                self.set(at, Node { votes, ..stay(at) });
            }
            Child::Branch(branch) => {
                let forest = self.forest;
                let known = (self.placed.get_mut(branch), forest.branches().get(branch));
                let (Some(placed), Some(branch)) = known else {
                    bail!("branch {branch} is not there")
                };
                match *placed {
                    Some(next) => self.set(at, stay(next)),
                    None => {
                        *placed = Some(at);
                        self.open.push((at, Open::Branch(branch)));
                    }
                }
            }
        }
        Ok(())
    }

    fn write(&mut self, at: u32, open: Open<'a>) -> TractResult<()> {
        match open {
            Open::Branch(branch) => self.branch(at, branch),
            Open::Search(search) => self.search(at, search),
            Open::Exact {
                below,
                feature,
                miss,
                hit,
            } => self.ask(at, (feature, T::below(below)), Way::To(hit), Way::To(miss)),
        }
    }

    fn branch(&mut self, at: u32, branch: &'a Branch) -> TractResult<()> {
        let (yes, no) = (branch.on_true, branch.on_false);
        let missing = branch.missing_is_true;
        let asked = |missing: bool| branch.feature | if missing { MISSING } else { 0 };
        let (straight, swapped) = (asked(missing), asked(!missing));
        let to = Way::To;
        match &branch.test {
            Test::AtMost(value) => self.ask(at, (straight, T::at_most(*value)), to(no), to(yes)),
            Test::Below(value) => self.ask(at, (straight, T::below(*value)), to(no), to(yes)),
            // Nothing is at least or above NaN, and swapping would make everything so.
            Test::AtLeast(value) | Test::Above(value) if value.is_nan() => {
                self.ask(at, (straight, T::NEVER), to(no), to(yes))
            }
            Test::AtLeast(value) => self.ask(at, (swapped, T::below(*value)), to(yes), to(no)),
            Test::Above(value) => self.ask(at, (swapped, T::at_most(*value)), to(yes), to(no)),
            Test::In(values) => self.search(at, Search::new(branch, values, (yes, no), missing)),
            // NaN is in no set.
            Test::NotIn(values) => self.search(at, Search::new(branch, values, (no, yes), false)),
        }
    }

    /// Writes a question and makes room for where it leads.
    fn ask(
        &mut self,
        at: u32,
        (feature, threshold): (u32, T),
        no: Way<'a>,
        yes: Way<'a>,
    ) -> TractResult<()> {
        let next = self.room(2)?;
        self.set(
            at,
            Node {
                threshold,
                feature,
                next,
                votes: 0,
            },
        );
        for (at, way) in (next..).zip([no, yes]) {
            match way {
                Way::To(child) => self.place(child, at)?,
                Way::On(open) => self.open.push((at, open)),
            }
        }
        Ok(())
    }

    fn search(&mut self, at: u32, mut search: Search<'a>) -> TractResult<()> {
        let feature = search.branch.feature | if search.missing { MISSING } else { 0 };
        let (hit, miss) = (search.hit, search.miss);
        match *search.values {
            [] => {
                let feature = search.branch.feature | if search.missing { MISSING } else { 0 };
                self.ask(at, (feature, T::NEVER), Way::To(miss), Way::To(hit))
            }
            [value] => {
                let exact = Open::Exact {
                    below: value,
                    feature: search.branch.feature,
                    miss,
                    hit,
                };
                let asked = (feature, T::at_most(value));
                self.ask(at, asked, Way::To(miss), Way::On(exact))
            }
            _ => {
                let upper = search.values.split_off(search.values.len() / 2);
                let middle = search.values.last().copied().unwrap_or(f64::NAN);
                let upper = Search {
                    values: upper,
                    missing: false,
                    ..search
                };
                let asked = (feature, T::at_most(middle));
                let (upper, lower) = (Open::Search(upper), Open::Search(search));
                self.ask(at, asked, Way::On(upper), Way::On(lower))
            }
        }
    }
}

impl<'a> Search<'a> {
    fn new(branch: &'a Branch, values: &[f64], (hit, miss): (Child, Child), missing: bool) -> Self {
        let mut values: Vec<_> = values
            .iter()
            .copied()
            .filter(|value| !value.is_nan())
            .collect();
        values.sort_by(f64::total_cmp);
        values.dedup_by(|one, other| one.total_cmp(other).is_eq());
        Self {
            branch,
            values,
            hit,
            miss,
            missing,
        }
    }
}

/// A node that leads to another, or that is the end if this is where it stands itself.
fn stay<T: Real>(next: u32) -> Node<T> {
    Node {
        threshold: T::NEVER,
        feature: 0,
        next,
        votes: 0,
    }
}
