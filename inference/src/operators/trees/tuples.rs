//! Trees as `TreeEnsembleClassifier` and `TreeEnsembleRegressor` write them: lists of equal length
//! for the nodes, told by tree and number, and lists of equal length for what leaves vote.

use std::collections::HashMap;
use std::ops::Range;

use tract_onnx::prelude::TractResult;
use tract_onnx::tract_core::internal::bail;

use super::super::attributes::{Attributes, sized};
use super::forest::{Branch, Child, Forest, Test, Vote};

/// Reads the trees; the lists of votes begin with `class` or `target`.
pub(super) fn read(node: &Attributes<'_>, votes: &str, targets: usize) -> TractResult<Forest> {
    let nodes = Nodes::read(node)?;
    let places = nodes.places();
    let leaves = Leaves::read(node, votes, &nodes, &places)?;
    let branches = (0..nodes.modes.len())
        .filter(|index| matches!(places.get(*index), Some(Child::Branch(_))))
        .map(|index| nodes.branch(index, &places))
        .collect::<TractResult<_>>()?;
    let roots = nodes.roots(&places)?;
    Forest::new((roots, branches), (leaves.ranges, leaves.votes), targets)
}

/// The number of a tree, and that of a node in it.
type Name = (i64, i64);

struct Nodes<'a> {
    modes: Vec<&'a str>,
    names: Vec<Name>,
    features: &'a [i64],
    values: Vec<f64>,
    missing: Option<&'a [i64]>,
    children: Vec<[i64; 2]>,
    by_name: HashMap<Name, usize>,
}

impl<'a> Nodes<'a> {
    fn read(node: &Attributes<'a>) -> TractResult<Self> {
        let modes = node.strings("nodes_modes")?;
        let count = modes.len();
        if count == 0 {
            bail!("it has no trees");
        }
        let values = node.numbers("nodes_values")?;
        sized("nodes_values", &values, count)?;
        let trees = node.ints_of("nodes_treeids", count)?;
        let numbers = node.ints_of("nodes_nodeids", count)?;
        let names: Vec<Name> = pairs(trees, numbers).collect();
        let on_true = node.ints_of("nodes_truenodeids", count)?;
        let on_false = node.ints_of("nodes_falsenodeids", count)?;
        let nodes = Self {
            modes,
            features: node.ints_of("nodes_featureids", count)?,
            values,
            missing: node.ints_or_none("nodes_missing_value_tracks_true", count)?,
            children: pairs(on_true, on_false).map(Into::into).collect(),
            by_name: names.iter().copied().zip(0..).collect(),
            names,
        };
        if nodes.by_name.len() < count {
            bail!("two nodes of a tree have one number");
        }
        Ok(nodes)
    }

    /// Which node becomes which branch or leaf.
    fn places(&self) -> Vec<Child> {
        let (mut branches, mut leaves) = (0.., 0..);
        let place = |mode: &&str| match *mode {
            "LEAF" => leaves.next().map(Child::Leaf),
            _ => branches.next().map(Child::Branch),
        };
        self.modes.iter().filter_map(place).collect()
    }

    /// The first node of each tree, whose nodes stand together.
    fn roots(&self, places: &[Child]) -> TractResult<Vec<Child>> {
        let mut roots = Vec::new();
        let mut seen = std::collections::HashSet::new();
        let mut last = None;
        for ((tree, _), place) in self.names.iter().zip(places) {
            if last != Some(*tree) {
                if !seen.insert(*tree) {
                    bail!("the nodes of tree {tree} do not stand together");
                }
                roots.push(*place);
                last = Some(*tree);
            }
        }
        Ok(roots)
    }

    fn branch(&self, index: usize, places: &[Child]) -> TractResult<Branch> {
        let lists = (
            self.names.get(index),
            self.features.get(index),
            self.values.get(index),
            self.modes.get(index),
            self.children.get(index),
        );
        let (Some(name), Some(feature), Some(value), Some(mode), Some([on_true, on_false])) = lists
        else {
            bail!("node {index} is not there")
        };
        let child = |number: &i64| {
            let found = self.by_name.get(&(name.0, *number));
            match found.and_then(|index| places.get(*index)) {
                Some(place) => Ok(*place),
                None => bail!(
                    "node {} of tree {} leads to node {number}, which that tree does not have",
                    name.1,
                    name.0
                ),
            }
        };
        let missing = self.missing.and_then(|missing| missing.get(index));
        Ok(Branch {
            feature: feature_of(*feature)?,
            test: test(mode, *value)?,
            missing_is_true: missing.is_some_and(|missing| *missing != 0),
            on_true: child(on_true)?,
            on_false: child(on_false)?,
        })
    }
}

/// The number of a column; the upper bit is needed elsewhere.
pub(super) fn feature_of(number: i64) -> TractResult<u32> {
    match u32::try_from(number) {
        Ok(feature) if feature < 1 << 31 => Ok(feature),
        _ => bail!("a branch looks at column {number}"),
    }
}

fn test(mode: &str, value: f64) -> TractResult<Test> {
    match mode {
        "BRANCH_LEQ" => Ok(Test::AtMost(value)),
        "BRANCH_LT" => Ok(Test::Below(value)),
        "BRANCH_GTE" => Ok(Test::AtLeast(value)),
        "BRANCH_GT" => Ok(Test::Above(value)),
        "BRANCH_EQ" => Ok(Test::In(vec![value])),
        "BRANCH_NEQ" => Ok(Test::NotIn(vec![value])),
        other => bail!("the mode of a branch is {other}, which is unknown"),
    }
}

fn pairs<'a>(first: &'a [i64], second: &'a [i64]) -> impl Iterator<Item = (i64, i64)> + 'a {
    first.iter().copied().zip(second.iter().copied())
}

/// Votes, those of each leaf together and in the order of the file.
struct Leaves {
    ranges: Vec<Range<usize>>,
    votes: Vec<Vote>,
}

impl Leaves {
    fn read(
        node: &Attributes<'_>,
        prefix: &str,
        nodes: &Nodes<'_>,
        places: &[Child],
    ) -> TractResult<Self> {
        let list = |name: &str| format!("{prefix}_{name}");
        let weights = node.numbers(&list("weights"))?;
        let ids = node.ints_of(&list("ids"), weights.len())?;
        let trees = node.ints_of(&list("treeids"), weights.len())?;
        let numbers = node.ints_of(&list("nodeids"), weights.len())?;
        let mut found = Vec::with_capacity(weights.len());
        for ((name, id), weight) in pairs(trees, numbers).zip(ids).zip(weights) {
            let place = nodes
                .by_name
                .get(&name)
                .and_then(|index| places.get(*index));
            let Ok(target) = usize::try_from(*id) else {
                bail!("{prefix}_ids holds {id}")
            };
            match place {
                Some(Child::Leaf(leaf)) => found.push((*leaf, Vote { target, weight })),
                // As ONNX Runtime, which never comes to ask a branch for its weights.
                Some(Child::Branch(_)) => {}
                None => bail!("tree {} has no node {} to vote", name.0, name.1),
            }
        }
        found.sort_by_key(|(leaf, _)| *leaf);
        Self::grouped(&found, nodes)
    }

    fn grouped(found: &[(usize, Vote)], nodes: &Nodes<'_>) -> TractResult<Self> {
        let mut ranges = Vec::new();
        let mut start = 0;
        let leaves = nodes.modes.iter().zip(&nodes.names);
        for (_, (tree, number)) in leaves.filter(|(mode, _)| **mode == "LEAF") {
            let of_leaf = |(leaf, _): &&(usize, Vote)| *leaf == ranges.len();
            let count = found.iter().skip(start).take_while(of_leaf).count();
            if count == 0 {
                bail!("leaf {number} of tree {tree} has no weight");
            }
            ranges.push(start..start + count);
            start += count;
        }
        let votes = found.iter().map(|(_, vote)| *vote).collect();
        Ok(Self { ranges, votes })
    }
}
