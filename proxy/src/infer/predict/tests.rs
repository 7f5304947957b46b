//! Rows and columns, and what is told about what is neither.

use inference::{Datatype, Values};
use serde_json::{Value, json};

use super::*;

fn input(name: &str, datatype: Datatype, shape: &[Option<usize>]) -> Signature {
    Signature {
        name: name.to_owned(),
        datatype,
        shape: shape.to_vec(),
        classes: vec![],
    }
}

/// A table with a column of numbers and one of texts, as scikit-learn's pipelines are exported.
fn table() -> Vec<Signature> {
    vec![
        input("age", Datatype::Fp32, &[None, Some(1)]),
        input("sex", Datatype::Bytes, &[None, Some(1)]),
    ]
}

fn images() -> Vec<Signature> {
    vec![input("x", Datatype::Fp32, &[None, Some(2)])]
}

fn asked(known: &[Signature], body: &Value) -> Result<(Vec<Tensor>, Form), String> {
    read(known, body.to_string().as_bytes())
}

fn tensor(name: &str, shape: &[usize], values: Values) -> Tensor {
    let (name, shape) = (name.to_owned(), shape.to_vec());
    Tensor {
        name,
        shape,
        values,
    }
}

fn people() -> Vec<Tensor> {
    let sexes = vec![b"f".to_vec(), b"m".to_vec()];
    vec![
        tensor("age", &[2, 1], Values::Fp32(vec![3.0, 4.5])),
        tensor("sex", &[2, 1], Values::Bytes(sexes)),
    ]
}

#[test]
fn a_row_of_a_table_is_an_object_by_the_names_of_its_columns() {
    let rows = json!([{ "age": 3, "sex": "f" }, { "sex": "m", "age": 4.5 }]);
    for body in [
        json!({ "rows": rows }),
        json!({ "instances": rows, "signature_name": "x" }),
    ] {
        assert_eq!(asked(&table(), &body), Ok((people(), Form::Rows(2))));
    }
    // TensorFlow has a list for each dimension.
    let rows = json!([{ "age": [3], "sex": ["f"] }, { "age": [4.5], "sex": ["m"] }]);
    let found = asked(&table(), &json!({ "instances": rows }));
    assert_eq!(found, Ok((people(), Form::Rows(2))));
}

#[test]
fn a_row_of_one_input_is_its_value() {
    let expected = tensor("x", &[2, 2], Values::Fp32(vec![1.0, 2.0, 3.0, 4.0]));
    for rows in [
        json!([[1, 2], [3, 4]]),
        json!([{ "x": [1, 2] }, { "x": [3, 4] }]),
    ] {
        let found = asked(&images(), &json!({ "instances": rows }));
        assert_eq!(found, Ok((vec![expected.clone()], Form::Rows(2))));
    }
}

#[test]
fn columns_come_whole() {
    let found = asked(
        &table(),
        &json!({ "inputs": { "age": [3, 4.5], "sex": ["f", "m"] } }),
    );
    assert_eq!(found, Ok((people(), Form::Columns)));
    let expected = tensor("x", &[1, 2], Values::Fp32(vec![1.0, 2.0]));
    for inputs in [json!([[1, 2]]), json!({ "x": [[1, 2]] })] {
        let found = asked(&images(), &json!({ "inputs": inputs }));
        assert_eq!(found, Ok((vec![expected.clone()], Form::Columns)));
    }
}

#[test]
fn a_missing_number_is_nan() {
    let (inputs, _) = asked(&table(), &json!({ "rows": [{ "age": null, "sex": "f" }] })).unwrap();
    let Values::Fp32(ages) = &inputs[0].values else {
        panic!("{inputs:?}")
    };
    assert!(ages[0].is_nan());
}

#[test]
fn what_was_expected_is_told() {
    let told = |known: &[Signature], body: Value, says: &str| {
        let refused = asked(known, &body).unwrap_err();
        assert!(refused.contains(says), "{refused}");
    };
    told(
        &table(),
        json!({}),
        "one of `instances`, `rows` and `inputs`",
    );
    told(
        &table(),
        json!({ "rows": [], "inputs": {} }),
        "one of `instances`",
    );
    told(&table(), json!({ "rows": [] }), "at least one row");
    told(&table(), json!({ "rows": {} }), "expected a sequence");
    told(
        &table(),
        json!({ "rows": [7] }),
        "row 0: expected an object with `age`, `sex`",
    );
    let lacking = json!({ "rows": [{ "age": 3, "sex": "f" }, { "age": 3 }] });
    told(&table(), lacking, "row 1: `sex` is missing");
    let strange = json!({ "rows": [{ "age": 3, "sex": "f", "height": 1 }] });
    told(
        &table(),
        strange,
        "row 0: `height` is unknown, expected `age`, `sex`",
    );
    let wrong = json!({ "rows": [{ "age": "3", "sex": "f" }] });
    told(&table(), wrong, "input `age`: expected FP32, got a text");
    told(
        &table(),
        json!({ "rows": [{ "age": 3, "sex": null }] }),
        "input `sex`: expected BYTES",
    );
    told(
        &images(),
        json!({ "rows": [[1, 2], [3]] }),
        "input `x`: row 1 has shape [1]",
    );
    told(
        &images(),
        json!({ "rows": [[1, [2]]] }),
        "a list stands among values",
    );
    told(
        &images(),
        json!({ "inputs": { "y": [] } }),
        "`x` is missing",
    );
    let single = [input("x", Datatype::Fp32, &[])];
    told(&single, json!({ "rows": [1] }), "it has no rows");
    assert!(read(&images(), b"{").unwrap_err().contains("EOF"));
}

#[test]
fn answers_are_written_as_questions_are_read() {
    let scores = tensor(
        "scores",
        &[2, 2],
        Values::Fp32(vec![0.25, 0.75, 1.0, f32::NAN]),
    );
    let labels = tensor("label", &[2], Values::Int64(vec![1, 0]));
    let written = |form: Form, given: &[Tensor]| {
        let body = form.write(given).unwrap();
        serde_json::from_slice::<Value>(&body).unwrap()
    };
    let one = [scores.clone()];
    let rows = json!([[0.25, 0.75], [1.0, null]]);
    assert_eq!(written(Form::Rows(2), &one), json!({ "predictions": rows }));
    assert_eq!(written(Form::Columns, &one), json!({ "outputs": rows }));
    let two = [labels, scores];
    assert_eq!(
        written(Form::Rows(2), &two),
        json!({ "predictions": [
            { "label": 1, "scores": [0.25, 0.75] },
            { "label": 0, "scores": [1.0, null] },
        ] })
    );
    assert_eq!(
        written(Form::Columns, &two),
        json!({ "outputs": { "label": [1, 0], "scores": rows } })
    );
    let told = Form::Rows(3).write(&two).unwrap_err();
    assert!(told.contains("output `label` has shape [2]"), "{told}");
}

#[test]
fn any_text_is_a_question_or_none() {
    proptest::proptest!(|(bytes: Vec<u8>, rows in "[\\[\\]{}0-9a,:\"]{0,40}")| {
        drop(read(&table(), &bytes));
        drop(read(&images(), format!("{{\"rows\":{rows}}}").as_bytes()));
    });
}
