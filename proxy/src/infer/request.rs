//! Reads an inference request: JSON, with data nested like its shape or flat.
//!
//! In two passes. The first finds the pieces; the second reads each piece of data straight into a vector of
//! its datatype. So a number takes the memory it needs, and never more elements are read than the shape says.

mod element;

use inference::{Datatype, Signature, Tensor};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A request that follows the protocol; whether it fits the model is the model's to say.
#[derive(Debug)]
pub(super) struct Query {
    /// Echoed in the answer.
    pub(super) id: Option<String>,
    /// What goes in.
    pub(super) inputs: Vec<Tensor>,
    /// Which outputs to answer, in this order; empty: all.
    pub(super) outputs: Vec<String>,
}

/// `parameters`, here and below, may hold anything: the protocol lets servers ignore what they do not know.
#[derive(Deserialize)]
struct Written<'a> {
    id: Option<String>,
    #[serde(borrow)]
    inputs: Vec<Input<'a>>,
    #[serde(default)]
    outputs: Vec<Output>,
}

#[derive(Deserialize)]
struct Input<'a> {
    name: String,
    shape: Vec<usize>,
    datatype: String,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct Output {
    name: String,
}

impl Query {
    /// The request in `body`, or what was expected instead.
    pub(super) fn parse(body: &[u8]) -> Result<Self, String> {
        let written: Written<'_> =
            serde_json::from_slice(body).map_err(|error| error.to_string())?;
        Ok(Self {
            id: written.id,
            inputs: written
                .inputs
                .into_iter()
                .map(Input::read)
                .collect::<Result<_, _>>()?,
            outputs: written
                .outputs
                .into_iter()
                .map(|output| output.name)
                .collect(),
        })
    }

    /// Refuses outputs that the model does not have.
    pub(super) fn check_outputs(&self, known: &[Signature]) -> Result<(), String> {
        match self
            .outputs
            .iter()
            .find(|asked| known.iter().all(|output| output.name != **asked))
        {
            None => Ok(()),
            Some(unknown) => {
                let names: Vec<_> = known.iter().map(|output| output.name.as_str()).collect();
                Err(format!(
                    "output `{unknown}` is not known; the model has {}",
                    names.join(", ")
                ))
            }
        }
    }
}

impl Input<'_> {
    fn read(self) -> Result<Tensor, String> {
        let Self {
            name,
            shape,
            datatype,
            data,
        } = self;
        let values = Datatype::named(&datatype).ok_or_else(|| {
            let known: Vec<_> = Datatype::ALL.into_iter().map(Datatype::name).collect();
            format!(
                "input `{name}`: datatype `{datatype}` is not known; expected one of {}",
                known.join(", ")
            )
        });
        let count = shape
            .iter()
            .try_fold(1_usize, |count, length| count.checked_mul(*length));
        let count =
            count.ok_or_else(|| format!("input `{name}`: the shape {shape:?} is too large"))?;
        let values = element::read(values?, data.get(), count)
            .map_err(|error| format!("input `{name}`: {error}"))?;
        if values.len() != count {
            return Err(format!(
                "input `{name}`: the shape {shape:?} needs {count} values, got {}",
                values.len()
            ));
        }
        Ok(Tensor {
            name,
            shape,
            values,
        })
    }
}

#[cfg(test)]
mod tests {
    use inference::Values;

    use super::*;

    fn input(datatype: &str, shape: &str, data: &str) -> String {
        format!(
            r#"{{"inputs":[{{"name":"x","shape":{shape},"datatype":"{datatype}","data":{data}}}]}}"#
        )
    }

    #[track_caller]
    fn check(datatype: &str, shape: &str, data: &str, values: &Values) {
        let query = Query::parse(input(datatype, shape, data).as_bytes()).unwrap();
        assert_eq!(query.inputs[0].values, *values);
    }

    #[track_caller]
    fn check_refused(body: &str, says: &str) {
        let refused = Query::parse(body.as_bytes()).unwrap_err();
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
    fn parameters_are_ignored_and_the_id_is_kept() {
        let body = r#"{"id":"7","parameters":{"a":[1]},"inputs":[{"name":"x","shape":[1],"datatype":"BOOL",
            "parameters":{"content_type":"np"},"data":[true]}],"outputs":[{"name":"y","parameters":{"binary_data":false}}]}"#;
        let query = Query::parse(body.as_bytes()).unwrap();
        assert_eq!(
            (query.id.as_deref(), query.outputs),
            (Some("7"), vec!["y".to_owned()])
        );
    }
}
