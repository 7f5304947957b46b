//! What is a request, and what is told about what is none.

use half::{bf16, f16};
use http::HeaderValue;
use inference::Values;

use super::*;

fn input(datatype: &str, shape: &str, data: &str) -> String {
    format!(
        r#"{{"inputs":[{{"name":"x","shape":{shape},"datatype":"{datatype}","data":{data}}}]}}"#
    )
}

fn plain(body: &str) -> Result<Query, String> {
    Query::parse(&HeaderMap::new(), body.as_bytes())
}

#[track_caller]
fn check(datatype: &str, shape: &str, data: &str, values: &Values) {
    let query = plain(&input(datatype, shape, data)).unwrap();
    assert_eq!(query.inputs[0].values, *values);
}

#[track_caller]
fn check_refused(body: &str, says: &str) {
    let refused = plain(body).unwrap_err();
    assert!(refused.contains(says), "{refused}");
}

#[test]
fn data_may_be_nested_or_flat() {
    let values = Values::Fp32(vec![1.0, 2.5, -3.0, 4.0]);
    check("FP32", "[2,2]", "[1,2.5,-3,4]", &values);
    check("FP32", "[2,2]", "[[1,2.5],[-3,4]]", &values);
    check("FP32", "[]", "1", &Values::Fp32(vec![1.0]));
}

#[test]
fn every_datatype_is_read() {
    check(
        "BOOL",
        "[2]",
        "[true,false]",
        &Values::Bool(vec![true, false]),
    );
    check("UINT8", "[1]", "[255]", &Values::Uint8(vec![255]));
    check("UINT16", "[1]", "[65535]", &Values::Uint16(vec![65_535]));
    check(
        "UINT32",
        "[1]",
        "[4294967295]",
        &Values::Uint32(vec![u32::MAX]),
    );
    check(
        "UINT64",
        "[1]",
        "[18446744073709551615]",
        &Values::Uint64(vec![u64::MAX]),
    );
    check("INT8", "[1]", "[-128]", &Values::Int8(vec![-128]));
    check("INT16", "[1]", "[-32768]", &Values::Int16(vec![i16::MIN]));
    check(
        "INT32",
        "[1]",
        "[-2147483648]",
        &Values::Int32(vec![i32::MIN]),
    );
    check(
        "INT64",
        "[1]",
        "[-9223372036854775808]",
        &Values::Int64(vec![i64::MIN]),
    );
    let half = f16::from_f32(0.1);
    check(
        "FP16",
        "[2]",
        "[0.1,2]",
        &Values::Fp16(vec![half, f16::from_f32(2.0)]),
    );
    check(
        "BF16",
        "[1]",
        "[1.5]",
        &Values::Bf16(vec![bf16::from_f32(1.5)]),
    );
    check("FP64", "[1]", "[1e300]", &Values::Fp64(vec![1e300]));
    check(
        "BYTES",
        "[2]",
        r#"["a","ü"]"#,
        &Values::Bytes(vec![b"a".to_vec(), "ü".as_bytes().to_vec()]),
    );
}

#[test]
fn a_mismatch_says_what_was_expected() {
    check_refused(&input("FP8", "[1]", "[1]"), "expected one of BOOL");
    check_refused(&input("FP16", "[1]", "[65520]"), "expected FP16");
    check_refused(&input("INT64", "[1]", "[null]"), "expected INT64, got null");
    check_refused(&input("FP32", "[3]", "[1,2]"), "needs 3 values, got 2");
    check_refused(&input("FP32", "[1]", "[1,2]"), "more than the 1 values");
    check_refused(&input("UINT8", "[1]", "[256]"), "expected UINT8");
    check_refused(&input("INT64", "[1]", "[1.5]"), "expected INT64");
    check_refused(&input("FP32", "[1]", "[1e39]"), "expected FP32");
    check_refused(&input("FP32", "[1]", r#"["1"]"#), "expected FP32");
    check_refused(
        &input("FP32", "[18446744073709551615,3]", "[1]"),
        "too large",
    );
    check_refused(&input("FP32", "[-1]", "[1]"), "expected usize");
    check_refused(r#"{"inputs":[{"name":"x"}]}"#, "missing field `shape`");
    check_refused("{}", "missing field `inputs`");
    check_refused("not json", "expected ident");
}

#[test]
fn null_is_what_is_no_number() {
    for datatype in ["FP16", "BF16", "FP32", "FP64"] {
        let request = plain(&input(datatype, "[1]", "[null]")).unwrap();
        let is_nan = match &request.inputs[0].values {
            Values::Fp16(values) => values[0].is_nan(),
            Values::Bf16(values) => values[0].is_nan(),
            Values::Fp32(values) => values[0].is_nan(),
            Values::Fp64(values) => values[0].is_nan(),
            _ => false,
        };
        assert!(is_nan, "{datatype}");
    }
}

#[test]
fn parameters_that_are_not_known_are_ignored_and_the_id_is_kept() {
    let body = r#"{"id":"7","parameters":{"a":[1]},"inputs":[{"name":"x","shape":[1],"datatype":"BOOL",
        "parameters":{"content_type":"np"},"data":[true]}],"outputs":[{"name":"y","parameters":{"binary_data":false}}]}"#;
    let request = plain(body).unwrap();
    assert_eq!(request.id.as_deref(), Some("7"));
    assert_eq!(request.wanted.outputs[0].name, "y");
    let wrong = body.replace("[1]}", "[1],\"binary_data_output\":1}");
    check_refused(&wrong, "expected a boolean");
    check_refused(
        &body.replace(r#"{"a":[1]}"#, "7"),
        "expected an object of parameters",
    );
}

#[test]
fn outputs_say_their_form() {
    let body = r#"{"inputs":[],"parameters":{"binary_data_output":true},"outputs":[
        {"name":"a"},
        {"name":"b","parameters":{"binary_data":false}},
        {"name":"c","parameters":{"binary_data":true,"classification":3}},
        {"name":"d","parameters":{"classification":0}}]}"#;
    let wanted = plain(body).unwrap().wanted;
    let outputs = wanted.outputs.iter();
    let told: Vec<_> = outputs
        .map(|output| (output.is_binary, output.top.map(Top::get)))
        .collect();
    let expected = [
        (None, None),
        (Some(false), None),
        (Some(true), Some(3)),
        (None, None),
    ];
    assert!(wanted.is_binary);
    assert_eq!(told, expected);
}

/// A request whose JSON has this length in its head, and these bytes behind it.
fn binary(json: &str, length: &str, behind: &[u8]) -> Result<Query, String> {
    let value = HeaderValue::from_str(length).unwrap();
    let headers = HeaderMap::from_iter([(BINARY, value)]);
    Query::parse(&headers, &[json.as_bytes(), behind].concat())
}

/// The same with the right length.
fn behind(json: &str, behind: &[u8]) -> Result<Query, String> {
    binary(json, &json.len().to_string(), behind)
}

const TWO_BEHIND: &str = r#"{"inputs":[
    {"name":"a","shape":[2],"datatype":"INT16","parameters":{"binary_data_size":4}},
    {"name":"b","shape":[1],"datatype":"FP32","data":[0.5]},
    {"name":"c","shape":[1,2],"datatype":"BYTES","parameters":{"binary_data_size":9}}]}"#;

#[test]
fn tensors_follow_the_json_in_their_order() {
    let request = behind(TWO_BEHIND, b"\x01\0\xff\xff\x01\0\0\0a\0\0\0\0").unwrap();
    let values: Vec<_> = request.inputs.into_iter().map(|it| it.values).collect();
    let texts = vec![b"a".to_vec(), vec![]];
    let expected = [
        Values::Int16(vec![1, -1]),
        Values::Fp32(vec![0.5]),
        Values::Bytes(texts),
    ];
    assert_eq!(values, expected);
}

#[test]
fn what_is_wrong_with_binary_is_told() {
    let told = |refused: Result<Query, String>, says: &str| {
        let refused = refused.unwrap_err();
        assert!(refused.contains(says), "{refused}");
    };
    for length in ["x", "-1", "1e3", ""] {
        told(binary("{}", length, &[]), "expected the length of the JSON");
    }
    told(binary("{}", "3", &[]), "is 3, and the body has 2 bytes");
    told(binary(r#"{"inputs":[]}"#, "5", &[]), "EOF");
    told(
        behind(r#"{"inputs":[]}"#, &[0]),
        "1 bytes follow the last tensor",
    );
    told(
        behind(TWO_BEHIND, &[0; 3]),
        "input `a`: it announces 4 bytes, and 3 are left",
    );
    told(
        behind(TWO_BEHIND, &[0; 12]),
        "input `c`: it announces 9 bytes, and 8 are left",
    );
    // Without its head a request has nothing behind the JSON.
    told(
        plain(TWO_BEHIND),
        "input `a`: it announces 4 bytes, and 0 are left",
    );
    let uneven = TWO_BEHIND.replace("[2]", "[3]");
    told(
        behind(&uneven, &[0; 13]),
        "3 values of 2 bytes each are expected, got 4 bytes",
    );
    let cut_off = b"\x01\0\xff\xff\x09\0\0\0a\0\0\0\0";
    told(
        behind(TWO_BEHIND, cut_off),
        "input `c`: [1, 2] BYTES: value 0 is cut off",
    );
    let both = TWO_BEHIND.replace(r#""data""#, r#""parameters":{"binary_data_size":4},"data""#);
    told(
        behind(&both, &[0; 17]),
        "input `b`: it has `data` and `binary_data_size`",
    );
    let neither = TWO_BEHIND.replace(r#","data":[0.5]"#, "");
    told(
        behind(&neither, &[0; 13]),
        "input `b`: missing field `data`",
    );
    let negative = TWO_BEHIND.replace(":4", ":-4");
    told(behind(&negative, &[0; 13]), "expected usize");
    let huge = TWO_BEHIND.replace(":4", ":18446744073709551615");
    told(
        behind(&huge, &[0; 13]),
        "announces 18446744073709551615 bytes",
    );
}

#[test]
fn any_bytes_with_any_length_are_a_request_or_none() {
    proptest::proptest!(|(raw: Vec<u8>, length in 0_usize..400, shape in 0_u64..9)| {
        let json = TWO_BEHIND.replace("[2]", &format!("[{shape}]"));
        let body = [json.as_bytes(), &raw].concat();
        let headers = HeaderMap::from_iter([(BINARY, HeaderValue::from(length))]);
        if let Ok(request) = Query::parse(&headers, &body) {
            for input in request.inputs {
                assert_eq!(input.values.len(), input.shape.iter().product::<usize>());
            }
        }
    });
}
