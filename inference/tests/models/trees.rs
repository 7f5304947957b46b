//! Ensembles of trees, written field by field: each mode, and what is refused.

use inference::{Datatype, Model, Tensor, Values};
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, NodeProto};

use crate::onnx::{Dim, Of, attribute, load, ml, ml_file, told, value};

fn row(values: &[f32]) -> Vec<Tensor> {
    vec![Tensor {
        name: "x".into(),
        shape: vec![values.len(), 1],
        values: Values::Fp32(values.to_vec()),
    }]
}

fn floats(tensor: &Tensor) -> Vec<f32> {
    match &tensor.values {
        Values::Fp32(values) => values.clone(),
        other => unreachable!("{other:?}"),
    }
}

fn one_column() -> tract_onnx::pb::ValueInfoProto {
    value("x", DataType::Float, &[Dim::Open, Dim::Fixed(1)])
}

/// A root with two leaves: 10 where `x` and 0.5 compare so, else 20.
fn stump(mode: &str) -> Vec<(&'static str, Of<'_>)> {
    let modes: &'static [&'static str] = match mode {
        "BRANCH_LEQ" => &["BRANCH_LEQ", "LEAF", "LEAF"],
        "BRANCH_LT" => &["BRANCH_LT", "LEAF", "LEAF"],
        "BRANCH_GTE" => &["BRANCH_GTE", "LEAF", "LEAF"],
        "BRANCH_GT" => &["BRANCH_GT", "LEAF", "LEAF"],
        "BRANCH_EQ" => &["BRANCH_EQ", "LEAF", "LEAF"],
        "BRANCH_NEQ" => &["BRANCH_NEQ", "LEAF", "LEAF"],
        _ => &["BRANCH_SIDEWAYS", "LEAF", "LEAF"],
    };
    vec![
        ("nodes_modes", Of::Texts(modes)),
        ("nodes_treeids", Of::Ints(&[0, 0, 0])),
        ("nodes_nodeids", Of::Ints(&[0, 1, 2])),
        ("nodes_featureids", Of::Ints(&[0, 0, 0])),
        ("nodes_values", Of::Floats(&[0.5, 0.0, 0.0])),
        ("nodes_truenodeids", Of::Ints(&[1, 0, 0])),
        ("nodes_falsenodeids", Of::Ints(&[2, 0, 0])),
        ("target_treeids", Of::Ints(&[0, 0])),
        ("target_nodeids", Of::Ints(&[1, 2])),
        ("target_ids", Of::Ints(&[0, 0])),
        ("target_weights", Of::Floats(&[10.0, 20.0])),
        ("n_targets", Of::Int(1)),
    ]
}

fn regressor(attributes: &[(&str, Of<'_>)]) -> NodeProto {
    ml("TreeEnsembleRegressor", &["y"], attributes)
}

fn model(node: NodeProto) -> Model {
    load(&ml_file(one_column(), node)).unwrap()
}

/// With another value for one attribute.
fn with(mut node: NodeProto, change: AttributeProto) -> NodeProto {
    node.attribute
        .retain(|attribute| attribute.name != change.name);
    node.attribute.push(change);
    node
}

#[test]
fn every_mode_compares_as_it_says_and_sends_what_is_missing_to_the_right() {
    let xs = [0.0, 0.5, 1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    let expected: [(&str, [bool; 6]); 6] = [
        ("BRANCH_LEQ", [true, true, false, false, false, true]),
        ("BRANCH_LT", [true, false, false, false, false, true]),
        ("BRANCH_GTE", [false, true, true, false, true, false]),
        ("BRANCH_GT", [false, false, true, false, true, false]),
        ("BRANCH_EQ", [false, true, false, false, false, false]),
        ("BRANCH_NEQ", [true, false, true, true, true, true]),
    ];
    for (mode, expected) in expected {
        let weight = |yes: bool| if yes { 10.0 } else { 20.0 };
        let mut expected = expected.map(weight).to_vec();
        let node = regressor(&stump(mode));
        let found = model(node.clone()).run(row(&xs)).unwrap();
        assert_eq!(floats(&found[0]), expected, "{mode}");
        let missing = Of::Ints(&[1, 0, 0]);
        let node = with(node, attribute("nodes_missing_value_tracks_true", &missing));
        expected[3] = weight(true);
        let found = model(node).run(row(&xs)).unwrap();
        assert_eq!(
            floats(&found[0]),
            expected,
            "{mode} with what is missing to the left"
        );
    }
}

#[test]
fn many_rows_get_what_each_gets_alone() {
    let node = regressor(&stump("BRANCH_LEQ"));
    let model = model(node);
    let xs: Vec<f32> = (0..1000_u16)
        .map(|x| f32::from(x * 7 % 13) / 13.0)
        .collect();
    let together = floats(&model.run(row(&xs)).unwrap()[0]);
    let alone = xs
        .iter()
        .map(|x| floats(&model.run(row(&[*x])).unwrap()[0])[0]);
    assert_eq!(together, alone.collect::<Vec<_>>());
    assert!(together.contains(&10.0) && together.contains(&20.0));
}

#[test]
fn thresholds_of_64_bits_are_compared_with_64_bits() {
    let fine = 0.1 + 1e-12;
    let node = regressor(&stump("BRANCH_LEQ"));
    let values = Of::Doubles(&[fine, 0.0, 0.0]);
    let node = with(node, attribute("nodes_values_as_tensor", &values));
    let input = value("x", DataType::Double, &[Dim::Open, Dim::Fixed(1)]);
    let model = load(&ml_file(input, node)).unwrap();
    let input = Tensor {
        name: "x".into(),
        shape: vec![2, 1],
        values: Values::Fp64(vec![fine, fine + 1e-12]),
    };
    assert_eq!(floats(&model.run(vec![input]).unwrap()[0]), [10.0, 20.0]);
}

#[test]
fn a_tree_may_join_its_branches_again() {
    // Both ways from the root lead to branch 1, as LightGBM writes sets.
    let node = regressor(&[
        (
            "nodes_modes",
            Of::Texts(&["BRANCH_EQ", "BRANCH_LEQ", "LEAF", "LEAF"]),
        ),
        ("nodes_treeids", Of::Ints(&[0; 4])),
        ("nodes_nodeids", Of::Ints(&[0, 1, 2, 3])),
        ("nodes_featureids", Of::Ints(&[0; 4])),
        ("nodes_values", Of::Floats(&[3.0, 0.5, 0.0, 0.0])),
        ("nodes_truenodeids", Of::Ints(&[1, 2, 0, 0])),
        ("nodes_falsenodeids", Of::Ints(&[1, 3, 0, 0])),
        ("target_treeids", Of::Ints(&[0, 0])),
        ("target_nodeids", Of::Ints(&[2, 3])),
        ("target_ids", Of::Ints(&[0, 0])),
        ("target_weights", Of::Floats(&[10.0, 20.0])),
        ("n_targets", Of::Int(1)),
    ]);
    let found = model(node).run(row(&[3.0, 0.0, 1.0])).unwrap();
    assert_eq!(floats(&found[0]), [20.0, 10.0, 20.0]);
}

/// Two classes, for one of which the leaves vote with weights between nought and one.
fn classifier() -> NodeProto {
    let rename = |(name, of): (&'static str, Of<'static>)| (name.replace("target", "class"), of);
    let attributes: Vec<_> = stump("BRANCH_LEQ").into_iter().map(rename).collect();
    let attributes = attributes.iter().map(|(name, of)| attribute(name, of));
    let mut node = ml("TreeEnsembleClassifier", &["label", "scores"], &[]);
    node.attribute = attributes.collect();
    let node = with(node, attribute("class_weights", &Of::Floats(&[0.75, 0.25])));
    with(
        node,
        attribute("classlabels_strings", &Of::Texts(&["no", "yes"])),
    )
}

#[test]
fn two_classes_of_one_score_get_two_columns_and_their_names() {
    let model = model(classifier());
    let signatures: Vec<_> = model.outputs().iter().map(ToString::to_string).collect();
    assert_eq!(signatures, ["label BYTES[-1]", "scores FP32[-1,2]"]);
    let found = model.run(row(&[0.0, 1.0])).unwrap();
    let names = Values::Bytes(vec![b"yes".to_vec(), b"no".to_vec()]);
    assert_eq!(found[0].values, names);
    assert_eq!(floats(&found[1]), [0.25, 0.75, 0.75, 0.25]);
}

#[test]
fn an_output_without_a_name_is_left_out() {
    let mut node = classifier();
    node.output = vec![String::new(), "scores".into()];
    let model = model(node);
    let found = model.run(row(&[0.0])).unwrap();
    assert_eq!((found.len(), found[0].datatype()), (1, Datatype::Fp32));
}

/// A root of `TreeEnsemble`: 10 where `x` is 1 or 3, else 20.
fn members() -> NodeProto {
    ml(
        "TreeEnsemble",
        &["y"],
        &[
            ("tree_roots", Of::Ints(&[0])),
            ("nodes_modes", Of::Bytes(&[6])),
            ("nodes_featureids", Of::Ints(&[0])),
            ("nodes_splits", Of::Doubles(&[0.0])),
            ("nodes_truenodeids", Of::Ints(&[0])),
            ("nodes_falsenodeids", Of::Ints(&[1])),
            ("nodes_trueleafs", Of::Ints(&[1])),
            ("nodes_falseleafs", Of::Ints(&[1])),
            ("membership_values", Of::Doubles(&[3.0, 1.0, f64::NAN])),
            ("leaf_targetids", Of::Ints(&[0, 0])),
            ("leaf_weights", Of::Doubles(&[10.0, 20.0])),
            ("n_targets", Of::Int(1)),
        ],
    )
}

#[test]
fn a_set_holds_its_members_and_nothing_between_them() {
    let found = model(members())
        .run(row(&[1.0, 2.0, 3.0, 1.5, f32::NAN, 0.0, 4.0]))
        .unwrap();
    let expected = [10.0, 20.0, 10.0, 20.0, 20.0, 20.0, 20.0];
    assert_eq!(floats(&found[0]), expected);
}

#[track_caller]
fn refused(node: NodeProto, reason: &str) {
    let (name, operator) = (node.name.clone(), node.op_type.clone());
    let error = load(&ml_file(one_column(), node)).expect_err("a model that is refused");
    let expected = format!("node `{name}` ({operator}) cannot run: {reason}");
    assert_eq!(told(&error), expected);
}

#[track_caller]
fn refused_with(name: &str, of: &Of<'_>, reason: &str) {
    let node = regressor(&stump("BRANCH_LEQ"));
    refused(with(node, attribute(name, of)), reason);
}

#[test]
fn malformed_nodes_of_trees_are_refused_with_the_reason() {
    let check = |name: &str, of: &[i64], reason: &str| refused_with(name, &Of::Ints(of), reason);
    let short = "nodes_truenodeids has 1 values, expected 3";
    check("nodes_truenodeids", &[1], short);
    let nowhere = "node 0 of tree 0 leads to node 7, which that tree does not have";
    check("nodes_truenodeids", &[7, 0, 0], nowhere);
    let circle = "a branch of a tree is below itself";
    check("nodes_truenodeids", &[0, 0, 0], circle);
    let twice = "two nodes of a tree have one number";
    check("nodes_nodeids", &[0, 1, 1], twice);
    check(
        "nodes_featureids",
        &[-1, 0, 0],
        "a branch looks at column -1",
    );
    let narrow = "it looks at column 4, and its input has 1";
    check("nodes_featureids", &[4, 0, 0], narrow);
    let values = "nodes_values has 1 values, expected 3";
    refused_with("nodes_values", &Of::Floats(&[0.5]), values);
    refused_with("nodes_modes", &Of::Texts(&[]), "it has no trees");
    let sideways = "the mode of a branch is BRANCH_SIDEWAYS, which is unknown";
    refused(regressor(&stump("BRANCH_SIDEWAYS")), sideways);
}

#[test]
fn malformed_votes_of_leaves_are_refused_with_the_reason() {
    let check = |name: &str, of: &[i64], reason: &str| refused_with(name, &Of::Ints(of), reason);
    check("nodes_treeids", &[0, 1, 0], "tree 0 has no node 1 to vote");
    check("target_nodeids", &[1, 1], "leaf 2 of tree 0 has no weight");
    check("target_nodeids", &[1, 9], "tree 0 has no node 9 to vote");
    check("target_ids", &[0, 1], "a leaf votes for 1, and there are 1");
    check("target_ids", &[0, -1], "target_ids holds -1");
    let base = "base_values has 2 values, expected 1";
    refused_with("base_values", &Of::Floats(&[0.0, 0.0]), base);
    let median = "aggregate_function is MEDIAN, which is unknown";
    refused_with("aggregate_function", &Of::Text("MEDIAN"), median);
}

#[test]
fn a_malformed_set_is_refused() {
    let check = |name: &str, of: Of<'_>, reason: &str| {
        refused(with(members(), attribute(name, &of)), reason);
    };
    let without_end = Of::Doubles(&[1.0]);
    let few = "membership_values has fewer sets than there are branches that ask for one";
    check("membership_values", without_end, few);
    let many = "membership_values has more sets than there are branches that ask for one";
    check(
        "membership_values",
        Of::Doubles(&[1.0, f64::NAN, 2.0, f64::NAN]),
        many,
    );
    check(
        "tree_roots",
        Of::Ints(&[1]),
        "a tree leads to 1, and there are 1 branches",
    );
    check(
        "nodes_falsenodeids",
        Of::Ints(&[2]),
        "a tree leads to 2, and there are 2 leaves",
    );
    check(
        "nodes_falseleafs",
        Of::Ints(&[0]),
        "a tree leads to 1, and there are 1 branches",
    );
    check(
        "nodes_modes",
        Of::Bytes(&[7]),
        "the mode of a branch is 7, expected 0 to 6",
    );
}

#[test]
fn a_circle_of_several_branches_is_refused() {
    let circle = [1, 0];
    let node = with(members(), attribute("nodes_modes", &Of::Bytes(&[0, 0])));
    let node = with(node, attribute("nodes_truenodeids", &Of::Ints(&circle)));
    let node = with(node, attribute("nodes_falsenodeids", &Of::Ints(&[0, 0])));
    let node = with(node, attribute("nodes_trueleafs", &Of::Ints(&[0, 0])));
    let node = with(node, attribute("nodes_falseleafs", &Of::Ints(&[1, 1])));
    let node = with(node, attribute("nodes_featureids", &Of::Ints(&[0, 0])));
    let node = with(node, attribute("nodes_splits", &Of::Doubles(&[0.0, 0.0])));
    let node = with(node, attribute("membership_values", &Of::Doubles(&[])));
    refused(node, "a branch of a tree is below itself");
}

#[test]
fn an_input_whose_width_is_open_is_checked_when_it_comes() {
    let input = value("x", DataType::Float, &[Dim::Open, Dim::Open]);
    let node = with(
        regressor(&stump("BRANCH_LEQ")),
        attribute("nodes_featureids", &Of::Ints(&[2, 0, 0])),
    );
    let model = load(&ml_file(input, node)).unwrap();
    let wide = |width: usize| {
        vec![Tensor {
            name: "x".into(),
            shape: vec![1, width],
            values: Values::Fp32(vec![0.0; width]),
        }]
    };
    assert_eq!(floats(&model.run(wide(3)).unwrap()[0]), [10.0]);
    let error = told(&model.run(wide(2)).unwrap_err());
    assert!(
        error.contains("it looks at column 2, and its input has 2"),
        "{error}"
    );
}

#[test]
fn an_operator_of_another_domain_is_another_operator() {
    let mut node = regressor(&stump("BRANCH_LEQ"));
    node.domain = "com.example".into();
    refused(node, "it is of the domain `com.example`, not ai.onnx.ml");
}
