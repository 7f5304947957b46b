//! An ensemble that was checked: each branch leads somewhere, and every way down ends in a leaf.

use std::ops::Range;

use tract_onnx::prelude::TractResult;
use tract_onnx::tract_core::internal::bail;

/// A set of trees, which may share branches below their roots.
#[derive(Debug)]
pub(super) struct Forest {
    roots: Vec<Child>,
    branches: Vec<Branch>,
    leaves: Vec<Range<usize>>,
    votes: Vec<Vote>,
    targets: usize,
}

#[derive(Debug)]
pub(super) struct Branch {
    pub(super) feature: u32,
    pub(super) test: Test,
    /// Where a row goes whose feature is missing, which is NaN; else as the comparison says.
    pub(super) missing_is_true: bool,
    pub(super) on_true: Child,
    pub(super) on_false: Child,
}

/// What the value of a feature is compared with.
#[derive(Debug)]
pub(super) enum Test {
    AtMost(f64),
    Below(f64),
    AtLeast(f64),
    Above(f64),
    /// One of these, of which there may be none.
    In(Vec<f64>),
    NotIn(Vec<f64>),
}

/// What stands below a branch, by its place in the forest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Child {
    Branch(usize),
    Leaf(usize),
}

/// What a leaf adds to one target or class.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vote {
    pub(super) target: usize,
    pub(super) weight: f64,
}

impl Forest {
    /// Children, leaves and roots must be in range.
    pub(super) fn new(
        (roots, branches): (Vec<Child>, Vec<Branch>),
        (leaves, votes): (Vec<Range<usize>>, Vec<Vote>),
        targets: usize,
    ) -> TractResult<Self> {
        let forest = Self {
            roots,
            branches,
            leaves,
            votes,
            targets,
        };
        if let Some(vote) = forest.votes.iter().find(|vote| vote.target >= targets) {
            bail!("a leaf votes for {}, and there are {targets}", vote.target);
        }
        forest.refuse_circles()?;
        Ok(forest)
    }

    pub(super) fn roots(&self) -> &[Child] {
        &self.roots
    }

    pub(super) fn branches(&self) -> &[Branch] {
        &self.branches
    }

    pub(super) fn votes(&self, leaf: usize) -> &[Vote] {
        let range = self.leaves.get(leaf).cloned();
        range
            .and_then(|range| self.votes.get(range))
            .unwrap_or_default()
    }

    pub(super) fn leaves(&self) -> impl Iterator<Item = &[Vote]> {
        (0..self.leaves.len()).map(|leaf| self.votes(leaf))
    }

    /// How many targets or classes have a score.
    pub(super) fn targets(&self) -> usize {
        self.targets
    }

    /// For which targets any row gets a vote, if that is the same for all rows: each tree votes for
    /// the same ones in all its leaves.
    pub(super) fn constant_voters(&self) -> Option<Vec<bool>> {
        let mut voters = vec![false; self.targets];
        let mut seen = vec![None; self.branches.len()];
        for (tree, root) in self.roots.iter().enumerate() {
            let mut of_tree: Option<Vec<usize>> = None;
            let mut stack = vec![*root];
            while let Some(child) = stack.pop() {
                match child {
                    Child::Leaf(leaf) => {
                        let mut found: Vec<_> =
                            self.votes(leaf).iter().map(|vote| vote.target).collect();
                        found.sort_unstable();
                        found.dedup();
                        if *of_tree.get_or_insert_with(|| found.clone()) != found {
                            return None;
                        }
                    }
                    Child::Branch(branch) => {
                        let seen = seen.get_mut(branch)?;
                        if seen.replace(tree) != Some(tree) {
                            let branch = self.branches.get(branch)?;
                            stack.extend([branch.on_true, branch.on_false]);
                        }
                    }
                }
            }
            for target in of_tree.unwrap_or_default() {
                *voters.get_mut(target)? = true;
            }
        }
        Some(voters)
    }

    /// How many columns an input needs at least.
    pub(super) fn width(&self) -> usize {
        let last = self.branches.iter().map(|branch| branch.feature).max();
        last.map_or(0, |last| last as usize + 1)
    }

    fn children(&self, branch: usize) -> impl Iterator<Item = usize> {
        let branch = self.branches.get(branch);
        let children = branch.map(|branch| [branch.on_true, branch.on_false]);
        children
            .into_iter()
            .flatten()
            .filter_map(|child| match child {
                Child::Branch(branch) => Some(branch),
                Child::Leaf(_) => None,
            })
    }

    /// Walks down depth first, without recursion: a branch that is met again on the way from the
    /// root to it is above itself.
    fn refuse_circles(&self) -> TractResult<()> {
        #[derive(Clone, Copy, PartialEq)]
        enum Seen {
            Never,
            Above,
            Done,
        }
        let mut seen = vec![Seen::Never; self.branches.len()];
        let roots = self.roots.iter().filter_map(|root| match root {
            Child::Branch(branch) => Some(*branch),
            Child::Leaf(_) => None,
        });
        let mut stack: Vec<usize> = Vec::new();
        for root in roots {
            stack.push(root);
            while let Some(branch) = stack.last().copied() {
                let Some(state) = seen.get_mut(branch) else {
                    bail!("branch {branch} is not there")
                };
                match *state {
                    Seen::Never => *state = Seen::Above,
                    Seen::Above | Seen::Done => {
                        *state = Seen::Done;
                        stack.pop();
                        continue;
                    }
                }
                for child in self.children(branch) {
                    match seen.get(child) {
                        Some(Seen::Above) => bail!("a branch of a tree is below itself"),
                        Some(Seen::Never) => stack.push(child),
                        Some(Seen::Done) => {}
                        None => bail!("branch {child} is not there"),
                    }
                }
            }
        }
        Ok(())
    }
}
