//! Operators of `ai.onnx.ml` around trees: what each gives, and what it refuses.

use inference::{Signature, Tensor, Values};
use tract_onnx::pb::NodeProto;
use tract_onnx::pb::tensor_proto::DataType;

use crate::onnx::{Dim, Of, file, graph, load, ml, ml_file, told, value};

const NAN: f32 = f32::NAN;

fn input(values: &Values, width: usize) -> Tensor {
    Tensor {
        name: "x".into(),
        shape: vec![values.len() / width, width],
        values: values.clone(),
    }
}

fn declared(values: &Values, width: usize) -> tract_onnx::pb::ValueInfoProto {
    let datatype = match values {
        Values::Bytes(_) => DataType::String,
        Values::Int64(_) => DataType::Int64,
        _ => DataType::Float,
    };
    let width = Dim::Fixed(width.try_into().unwrap());
    value("x", datatype, &[Dim::Open, width])
}

/// What a node gives for rows of two columns.
fn outputs(node: NodeProto, values: &Values) -> Vec<Tensor> {
    let model = load(&ml_file(declared(values, 2), node)).unwrap();
    model.run(vec![input(values, 2)]).unwrap()
}

#[track_caller]
fn gives(operator: &str, attributes: &[(&str, Of<'_>)], values: &Values, expected: &Values) {
    let found = outputs(ml(operator, &["y"], attributes), values);
    assert_eq!(&found[0].values, expected, "{operator}");
}

#[track_caller]
fn refuses(operator: &str, attributes: &[(&str, Of<'_>)], values: &Values, reason: &str) {
    let outputs: &[&str] = if operator.ends_with("Classifier") {
        &["y", "z"]
    } else {
        &["y"]
    };
    let node = ml(operator, outputs, attributes);
    let error = load(&ml_file(declared(values, 2), node)).unwrap_err();
    let expected = format!("node `y_node` ({operator}) cannot run: {reason}");
    assert_eq!(told(&error), expected);
}

fn floats(values: &[f32]) -> Values {
    Values::Fp32(values.to_vec())
}

fn texts(values: &[&str]) -> Values {
    Values::Bytes(
        values
            .iter()
            .map(|value| value.as_bytes().to_vec())
            .collect(),
    )
}

fn ints(values: &[i64]) -> Values {
    Values::Int64(values.to_vec())
}

#[test]
fn a_scaler_shifts_and_stretches_each_column_or_all() {
    let rows = floats(&[1.0, 2.0, 3.0, 4.0]);
    let each = [
        ("offset", Of::Floats(&[1.0, 2.0])),
        ("scale", Of::Floats(&[2.0, 3.0])),
    ];
    gives("Scaler", &each, &rows, &floats(&[0.0, 0.0, 4.0, 6.0]));
    let all = [
        ("offset", Of::Floats(&[1.0])),
        ("scale", Of::Floats(&[2.0])),
    ];
    gives("Scaler", &all, &rows, &floats(&[0.0, 2.0, 4.0, 6.0]));
    let whole = ints(&[1, 2]);
    gives("Scaler", &all, &whole, &floats(&[0.0, 2.0]));
    let three = [
        ("offset", Of::Floats(&[0.0; 3])),
        ("scale", Of::Floats(&[1.0; 3])),
    ];
    let reason = "it has numbers for 3 columns, and its input has 2";
    refuses("Scaler", &three, &rows, reason);
    let uneven = [("offset", Of::Floats(&[0.0])), ("scale", Of::Floats(&[]))];
    refuses("Scaler", &uneven, &rows, "it has 1 offsets and 0 scales");
}

#[test]
fn a_normalizer_divides_rows_by_their_norm_and_leaves_noughts() {
    let rows = floats(&[3.0, -4.0, 0.0, 0.0]);
    let norm = |name| [("norm", Of::Text(name))];
    let l2 = floats(&[0.6, -0.8, 0.0, 0.0]);
    gives("Normalizer", &norm("L2"), &rows, &l2);
    let l1 = floats(&[3.0 / 7.0, -4.0 / 7.0, 0.0, 0.0]);
    gives("Normalizer", &norm("L1"), &rows, &l1);
    let max = floats(&[1.0, -4.0 / 3.0, 0.0, 0.0]);
    gives("Normalizer", &norm("MAX"), &rows, &max);
    refuses(
        "Normalizer",
        &norm("L3"),
        &rows,
        "norm is L3, which is unknown",
    );
}

#[test]
fn a_binarizer_tells_what_is_above() {
    let rows = floats(&[0.5, 0.6, NAN, -1.0]);
    let expected = floats(&[0.0, 1.0, 0.0, 0.0]);
    gives(
        "Binarizer",
        &[("threshold", Of::Float(0.5))],
        &rows,
        &expected,
    );
}

#[test]
fn an_imputer_fills_what_is_missing() {
    let each = [
        ("imputed_value_floats", Of::Floats(&[7.0, 8.0])),
        ("replaced_value_float", Of::Float(NAN)),
    ];
    let rows = floats(&[NAN, 1.0, 2.0, NAN]);
    gives("Imputer", &each, &rows, &floats(&[7.0, 1.0, 2.0, 8.0]));
    let whole = [
        ("imputed_value_int64s", Of::Ints(&[9])),
        ("replaced_value_int64", Of::Int(-1)),
    ];
    gives("Imputer", &whole, &ints(&[-1, 2]), &ints(&[9, 2]));
    refuses("Imputer", &[], &rows, "it says nothing to put in");
}

#[test]
fn encoders_map_texts_numbers_and_what_is_unknown() {
    let names = texts(&["b", "c"]);
    let numbers = [
        ("keys_strings", Of::Texts(&["a", "b"])),
        ("values_int64s", Of::Ints(&[10, 20])),
        ("default_int64", Of::Int(-5)),
    ];
    gives("LabelEncoder", &numbers, &names, &ints(&[20, -5]));
    let of_floats = [
        ("keys_floats", Of::Floats(&[0.0, NAN])),
        ("values_strings", Of::Texts(&["nought", "none"])),
    ];
    let expected = texts(&["nought", "none"]);
    gives("LabelEncoder", &of_floats, &floats(&[-0.0, NAN]), &expected);
    let old = [("classes_strings", Of::Texts(&["a", "b"]))];
    gives("LabelEncoder", &old, &names, &ints(&[1, -1]));
    gives(
        "LabelEncoder",
        &old,
        &ints(&[1, 9]),
        &texts(&["b", "_Unused"]),
    );
    let categories = [
        ("cats_strings", Of::Texts(&["a", "b"])),
        ("cats_int64s", Of::Ints(&[3, 4])),
    ];
    gives("CategoryMapper", &categories, &names, &ints(&[4, -1]));
    gives(
        "CategoryMapper",
        &categories,
        &ints(&[3, 0]),
        &texts(&["a", "_Unused"]),
    );
    let tensors = [
        ("keys_tensor", Of::Doubles(&[1.0, 2.0])),
        ("values_tensor", Of::Doubles(&[0.5, 0.25])),
        ("default_tensor", Of::Doubles(&[9.0])),
    ];
    let expected = Values::Fp64(vec![0.25, 9.0]);
    gives("LabelEncoder", &tensors, &floats(&[2.0, 3.0]), &expected);
}

#[test]
fn malformed_encoders_are_refused() {
    let uneven = [
        ("keys_strings", Of::Texts(&["a", "b"])),
        ("values_int64s", Of::Ints(&[10])),
    ];
    let names = texts(&["a", "b"]);
    refuses(
        "LabelEncoder",
        &uneven,
        &names,
        "it has 2 keys and 1 values",
    );
    let keys = [("keys_strings", Of::Texts(&["a"]))];
    refuses("LabelEncoder", &keys, &names, "it has no values");
    let fine = [keys[0].clone(), ("values_int64s", Of::Ints(&[1]))];
    let numbers = floats(&[1.0, 2.0]);
    refuses(
        "LabelEncoder",
        &fine,
        &numbers,
        "its input is F32, expected texts",
    );
    refuses("OneHotEncoder", &[], &names, "it has no cats");
}

#[test]
fn a_category_gets_a_column_of_its_own() {
    let cats = [("cats_strings", Of::Texts(&["a", "b"]))];
    let names = texts(&["b", "c"]);
    let found = outputs(ml("OneHotEncoder", &["y"], &cats), &names);
    assert_eq!(found[0].shape, [1, 2, 2]);
    assert_eq!(found[0].values, floats(&[0.0, 1.0, 0.0, 0.0]));
    let strict = [cats[0].clone(), ("zeros", Of::Int(0))];
    let node = ml("OneHotEncoder", &["y"], &strict);
    let model = load(&ml_file(declared(&names, 2), node)).unwrap();
    let error = told(&model.run(vec![input(&names, 2)]).unwrap_err());
    assert!(
        error.contains("of no category that the model knows"),
        "{error}"
    );
}

#[test]
fn columns_are_cut_and_filled() {
    let widths = [("inputdimensions", Of::Ints(&[1]))];
    let rows = ints(&[1, 2, 3, 4]);
    gives("FeatureVectorizer", &widths, &rows, &floats(&[1.0, 3.0]));
    let widths = [("inputdimensions", Of::Ints(&[3]))];
    let filled = floats(&[1.0, 2.0, 0.0, 3.0, 4.0, 0.0]);
    gives("FeatureVectorizer", &widths, &rows, &filled);
}

/// Columns of texts, by numbers that the request brings too.
#[test]
fn a_column_that_is_not_there_fails_its_request() {
    let mut node = ml("ArrayFeatureExtractor", &["y"], &[]);
    node.input = vec!["x".into(), "at".into()];
    let inputs = [
        value("x", DataType::String, &[Dim::Open, Dim::Fixed(2)]),
        value("at", DataType::Int64, &[Dim::Fixed(1)]),
    ];
    let output = value("y", DataType::String, &[Dim::Open]);
    let model = load(&file(graph(&inputs, &[node], output))).unwrap();
    let run = |column| {
        let at = Tensor {
            name: "at".into(),
            shape: vec![1],
            values: ints(&[column]),
        };
        model.run(vec![input(&texts(&["a", "b", "c", "d"]), 2), at])
    };
    assert_eq!(run(1).unwrap()[0].values, texts(&["b", "d"]));
    for column in [2, -1] {
        let error = told(&run(column).unwrap_err());
        let expected = format!("it is asked for column {column} of 2");
        assert!(error.contains(&expected), "{error}");
    }
}

#[test]
fn a_linear_classifier_of_one_score_names_two_classes() {
    let node = ml(
        "LinearClassifier",
        &["label", "scores"],
        &[
            ("coefficients", Of::Floats(&[1.0, -1.0])),
            ("intercepts", Of::Floats(&[0.0])),
            ("classlabels_strings", Of::Texts(&["no", "yes"])),
            ("post_transform", Of::Text("LOGISTIC")),
        ],
    );
    let found = outputs(node, &floats(&[2.0, 1.0, 1.0, 2.0]));
    assert_eq!(found[0].values, texts(&["yes", "no"]));
    let Values::Fp32(scores) = &found[1].values else {
        unreachable!("scores are floats")
    };
    let sigmoid = 1.0 / (1.0 + (-1.0_f32).exp());
    for (found, expected) in scores
        .iter()
        .zip([1.0 - sigmoid, sigmoid, sigmoid, 1.0 - sigmoid])
    {
        assert!((found - expected).abs() < 1e-6, "{scores:?}");
    }
}

#[test]
fn more_columns_than_memory_holds_are_refused() {
    let rows = floats(&[1.0, 2.0]);
    let many = Of::Int(1 << 40);
    let reason = |name| format!("{name} is 1099511627776, expected 0 to 16384");
    refuses(
        "LinearRegressor",
        &[("targets", many.clone())],
        &rows,
        &reason("targets"),
    );
    refuses(
        "TreeEnsembleRegressor",
        &[("n_targets", many.clone())],
        &rows,
        &reason("n_targets"),
    );
    refuses(
        "TreeEnsemble",
        &[("n_targets", many)],
        &rows,
        &reason("n_targets"),
    );
    let wide = [("inputdimensions", Of::Ints(&[1 << 40]))];
    refuses(
        "FeatureVectorizer",
        &wide,
        &rows,
        &reason("inputdimensions"),
    );
    let minus = [("targets", Of::Int(-1))];
    refuses(
        "LinearRegressor",
        &minus,
        &rows,
        "targets is -1, expected 0 to 16384",
    );
}

#[test]
fn linear_models_of_another_width_are_refused() {
    let rows = floats(&[1.0, 2.0]);
    let wide = [("coefficients", Of::Floats(&[1.0; 3]))];
    let reason = "it has coefficients for 3 columns, and its input has 2";
    refuses("LinearRegressor", &wide, &rows, reason);
    let reason = "it has 0 coefficients and 1 intercepts for 1 targets";
    refuses("LinearRegressor", &[], &rows, reason);
    let labels = [
        ("classlabels_ints", Of::Ints(&[0, 1, 2])),
        ("intercepts", Of::Floats(&[0.0; 2])),
    ];
    refuses(
        "LinearClassifier",
        &labels,
        &rows,
        "it has 2 intercepts for 3 classes",
    );
}

#[test]
fn support_vectors_weigh_what_is_like_them() {
    let vectors = [
        ("n_supports", Of::Int(2)),
        ("support_vectors", Of::Floats(&[1.0, 0.0, 0.0, 1.0])),
        ("coefficients", Of::Floats(&[2.0, 3.0])),
        ("rho", Of::Floats(&[0.5])),
        ("kernel_type", Of::Text("POLY")),
        ("kernel_params", Of::Floats(&[1.0, 1.0, 2.0])),
    ];
    // 2 (1 + 1)^2 + 3 (2 + 1)^2 + 0.5
    gives(
        "SVMRegressor",
        &vectors,
        &floats(&[1.0, 2.0]),
        &floats(&[35.5]),
    );
    let mut short = vectors.to_vec();
    short[1].1 = Of::Floats(&[1.0, 0.0, 0.0]);
    let rows = floats(&[1.0, 2.0]);
    refuses(
        "SVMRegressor",
        &short,
        &rows,
        "it has 3 numbers for 2 vectors",
    );
    let mut unknown = vectors.to_vec();
    unknown[4].1 = Of::Text("COSINE");
    refuses(
        "SVMRegressor",
        &unknown,
        &rows,
        "kernel_type is COSINE, which is unknown",
    );
    let classes = [
        ("classlabels_ints", Of::Ints(&[0, 1])),
        ("vectors_per_class", Of::Ints(&[1, 1])),
        ("support_vectors", Of::Floats(&[1.0, 0.0, 0.0, 1.0])),
        ("coefficients", Of::Floats(&[2.0])),
        ("rho", Of::Floats(&[0.5])),
    ];
    refuses(
        "SVMClassifier",
        &classes,
        &rows,
        "coefficients has 1 values, expected 2",
    );
}

#[test]
fn a_map_of_classes_is_a_tensor_whose_columns_have_names() {
    let node = ml(
        "ZipMap",
        &["y"],
        &[("classlabels_strings", Of::Texts(&["no", "yes"]))],
    );
    let rows = floats(&[0.25, 0.75]);
    let model = load(&ml_file(declared(&rows, 2), node)).unwrap();
    let [Signature { classes, .. }] = model.outputs() else {
        unreachable!("one output")
    };
    assert_eq!(classes, &["no", "yes"]);
    assert_eq!(model.run(vec![input(&rows, 2)]).unwrap()[0].values, rows);
    let numbers = ml(
        "ZipMap",
        &["y"],
        &[("classlabels_int64s", Of::Ints(&[3, 4]))],
    );
    let model = load(&ml_file(declared(&rows, 2), numbers)).unwrap();
    assert_eq!(model.outputs()[0].classes, ["3", "4"]);
}
