//! Trees as `TreeEnsemble` writes them: arrays of branches and of leaves, told by their index.

use tract_onnx::prelude::{TVec, Tensor, TractResult};
use tract_onnx::tract_core::internal::{bail, format_err};

use super::super::attributes::{Attributes, sized, wide};
use super::super::scores::Transform;
use super::super::{Fact, Kernel, Operator};
use super::forest::{Branch, Child, Forest, Test, Vote};
use super::regressor::{Regressor, Width};
use super::totals::Aggregate;
use super::tuples::feature_of;

/// `TreeEnsemble`, which regresses in the precision of its input.
#[derive(Debug)]
pub(in super::super) struct Arrays(Regressor);

impl Operator for Arrays {
    fn read(node: &Attributes<'_>) -> TractResult<Self> {
        let targets = node.width("n_targets")?;
        let regressor = Regressor {
            forest: forest(node, targets)?.into(),
            base: vec![],
            aggregate: Aggregate::numbered(node.int("aggregate_function").unwrap_or(1))?,
            transform: Transform::numbered(node.int("post_transform").unwrap_or(0))?,
            width: Width::OfInput,
        };
        Ok(Self(regressor))
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<TVec<Fact>> {
        self.0.facts(inputs)
    }

    fn compile(&self, inputs: &[Fact]) -> TractResult<Kernel> {
        self.0.compile(inputs)
    }
}

fn forest(node: &Attributes<'_>, targets: usize) -> TractResult<Forest> {
    let weights = wide(&required(node, "leaf_weights")?)?;
    let ids = node.ints_of("leaf_targetids", weights.len())?;
    let votes: Vec<Vote> = ids
        .iter()
        .zip(&weights)
        .map(|(id, weight)| {
            Ok(Vote {
                target: usize::try_from(*id)?,
                weight: *weight,
            })
        })
        .collect::<TractResult<_>>()?;
    let branches = branches(node, votes.len())?;
    let roots = node
        .ints("tree_roots")
        .iter()
        .map(|root| child(*root, branches.len(), "branches").map(Child::Branch));
    let roots: Vec<_> = roots.collect::<TractResult<_>>()?;
    if roots.is_empty() {
        bail!("it has no trees");
    }
    let leaves = (0..votes.len()).map(|vote| vote..vote + 1).collect();
    Forest::new((roots, branches), (leaves, votes), targets)
}

fn required(node: &Attributes<'_>, name: &str) -> TractResult<Tensor> {
    node.tensor(name)?
        .ok_or_else(|| format_err!("{name} is missing"))
}

fn branches(node: &Attributes<'_>, leaves: usize) -> TractResult<Vec<Branch>> {
    let modes = wide(&required(node, "nodes_modes")?)?;
    let splits = wide(&required(node, "nodes_splits")?)?;
    let count = modes.len();
    sized("nodes_splits", &splits, count)?;
    let features = node.ints_of("nodes_featureids", count)?;
    let missing = node.ints_or_none("nodes_missing_value_tracks_true", count)?;
    let ways = ["true", "false"].map(|way| {
        let leafs = node.ints_of(&format!("nodes_{way}leafs"), count)?;
        let ids = node.ints_of(&format!("nodes_{way}nodeids"), count)?;
        let children = leafs.iter().zip(ids).map(|(leaf, id)| match leaf {
            0 => child(*id, count, "branches").map(Child::Branch),
            _ => child(*id, leaves, "leaves").map(Child::Leaf),
        });
        children.collect::<TractResult<Vec<_>>>()
    });
    let [on_true, on_false] = ways;
    let mut sets = Sets::read(node)?;
    let tests = modes
        .iter()
        .zip(&splits)
        .map(|(mode, split)| sets.test(*mode, *split));
    let tests = tests.collect::<TractResult<Vec<_>>>()?;
    sets.refuse_rest()?;
    let ways = on_true?.into_iter().zip(on_false?);
    let nodes = tests.into_iter().zip(features).zip(ways).enumerate();
    nodes
        .map(|(index, ((test, feature), (on_true, on_false)))| {
            let missing = missing.and_then(|missing| missing.get(index));
            Ok(Branch {
                feature: feature_of(*feature)?,
                test,
                missing_is_true: missing.is_some_and(|missing| *missing != 0),
                on_true,
                on_false,
            })
        })
        .collect()
}

fn child(index: i64, count: usize, of: &str) -> TractResult<usize> {
    match usize::try_from(index) {
        Ok(child) if child < count => Ok(child),
        _ => bail!("a tree leads to {index}, and there are {count} {of}"),
    }
}

/// The sets of `BRANCH_MEMBER`, in the order of the branches, each ended by NaN.
struct Sets(std::vec::IntoIter<f64>);

impl Sets {
    fn read(node: &Attributes<'_>) -> TractResult<Self> {
        let values = node.tensor("membership_values")?;
        let values = values.as_ref().map(wide).transpose()?;
        Ok(Self(values.unwrap_or_default().into_iter()))
    }

    fn test(&mut self, mode: f64, split: f64) -> TractResult<Test> {
        // Small integers, which 64 bits hold exactly.
        match mode {
            0.0 => Ok(Test::AtMost(split)),
            1.0 => Ok(Test::Below(split)),
            2.0 => Ok(Test::AtLeast(split)),
            3.0 => Ok(Test::Above(split)),
            4.0 => Ok(Test::In(vec![split])),
            5.0 => Ok(Test::NotIn(vec![split])),
            6.0 => self.next().map(Test::In),
            other => bail!("the mode of a branch is {other}, expected 0 to 6"),
        }
    }

    fn next(&mut self) -> TractResult<Vec<f64>> {
        let mut set = Vec::new();
        for value in self.0.by_ref() {
            if value.is_nan() {
                return Ok(set);
            }
            set.push(value);
        }
        bail!("membership_values has fewer sets than there are branches that ask for one")
    }

    fn refuse_rest(mut self) -> TractResult<()> {
        match self.0.next() {
            Some(_) => {
                bail!("membership_values has more sets than there are branches that ask for one")
            }
            None => Ok(()),
        }
    }
}
