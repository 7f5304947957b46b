//! The values of a tensor in the typed fields of a message.
//!
//! Each datatype has one field: `int_contents` holds those of 8, 16 and 32 bits, `uint_contents` likewise. FP16 and
//! BF16 have none.

use inference::{Datatype, Values};

use super::message::Contents;

/// Values as a message holds them. FP16 and BF16 travel in binary only.
pub(super) fn of(values: Values) -> Contents {
    let mut contents = Contents::default();
    match values {
        Values::Bool(values) => contents.bools = values,
        Values::Uint8(values) => contents.uints = widen(values),
        Values::Uint16(values) => contents.uints = widen(values),
        Values::Uint32(values) => contents.uints = values,
        Values::Uint64(values) => contents.ulongs = values,
        Values::Int8(values) => contents.ints = widen(values),
        Values::Int16(values) => contents.ints = widen(values),
        Values::Int32(values) => contents.ints = values,
        Values::Int64(values) => contents.longs = values,
        Values::Fp32(values) => contents.singles = values,
        Values::Fp64(values) => contents.doubles = values,
        Values::Bytes(values) => contents.texts = values,
        Values::Fp16(_) | Values::Bf16(_) => {}
    }
    contents
}

fn widen<N, W: From<N>>(values: Vec<N>) -> Vec<W> {
    values.into_iter().map(W::from).collect()
}

/// The `count` values of a datatype, or what was expected instead.
pub(super) fn values(
    contents: Contents,
    datatype: Datatype,
    count: usize,
) -> Result<Values, String> {
    let all = held(&contents);
    let (field, values) = match datatype {
        Datatype::Bool => ("bool", Values::Bool(contents.bools)),
        Datatype::Uint8 => ("uint", Values::Uint8(narrow(contents.uints, datatype)?)),
        Datatype::Uint16 => ("uint", Values::Uint16(narrow(contents.uints, datatype)?)),
        Datatype::Uint32 => ("uint", Values::Uint32(contents.uints)),
        Datatype::Uint64 => ("uint64", Values::Uint64(contents.ulongs)),
        Datatype::Int8 => ("int", Values::Int8(narrow(contents.ints, datatype)?)),
        Datatype::Int16 => ("int", Values::Int16(narrow(contents.ints, datatype)?)),
        Datatype::Int32 => ("int", Values::Int32(contents.ints)),
        Datatype::Int64 => ("int64", Values::Int64(contents.longs)),
        Datatype::Fp32 => ("fp32", Values::Fp32(contents.singles)),
        Datatype::Fp64 => ("fp64", Values::Fp64(contents.doubles)),
        Datatype::Bytes => ("bytes", Values::Bytes(contents.texts)),
        Datatype::Fp16 | Datatype::Bf16 => {
            return Err("expected in `raw_input_contents`".to_owned());
        }
    };
    let found = values.len();
    if found != count {
        return Err(format!(
            "expected {count} values in `{field}_contents`, got {found}"
        ));
    }
    if all != count {
        return Err(format!("expected values in `{field}_contents` only"));
    }
    Ok(values)
}

/// How many values there are in all fields.
fn held(contents: &Contents) -> usize {
    let Contents {
        bools,
        ints,
        longs,
        uints,
        ulongs,
        singles,
        doubles,
        texts,
    } = contents;
    [
        bools.len(),
        ints.len(),
        longs.len(),
        uints.len(),
        ulongs.len(),
        singles.len(),
        doubles.len(),
        texts.len(),
    ]
    .iter()
    .sum()
}

fn narrow<W: Copy + std::fmt::Display, N: TryFrom<W>>(
    values: Vec<W>,
    datatype: Datatype,
) -> Result<Vec<N>, String> {
    let narrow = |value: W| N::try_from(value).map_err(|_| format!("{value} is no {datatype}"));
    values.into_iter().map(narrow).collect()
}

#[cfg(test)]
mod tests {
    use half::{bf16, f16};

    use super::*;

    #[test]
    fn every_datatype_with_a_field_comes_back() {
        for value in [
            Values::Bool(vec![true, false]),
            Values::Uint8(vec![255]),
            Values::Uint16(vec![u16::MAX]),
            Values::Uint32(vec![u32::MAX]),
            Values::Uint64(vec![u64::MAX]),
            Values::Int8(vec![-128]),
            Values::Int16(vec![i16::MIN]),
            Values::Int32(vec![i32::MIN]),
            Values::Int64(vec![i64::MIN]),
            Values::Fp32(vec![0.5]),
            Values::Fp64(vec![1e300]),
            Values::Bytes(vec![b"cat".to_vec()]),
        ] {
            let (datatype, count) = (value.datatype(), value.len());
            assert_eq!(values(of(value.clone()), datatype, count), Ok(value));
        }
        for value in [Values::Fp16(vec![f16::ONE]), Values::Bf16(vec![bf16::ONE])] {
            let told = Err("expected in `raw_input_contents`".to_owned());
            assert_eq!(values(of(value.clone()), value.datatype(), 1), told);
        }
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let ints = || Contents {
            ints: vec![1, 300],
            ..Contents::default()
        };
        let told = |datatype, count| values(ints(), datatype, count).unwrap_err();
        assert_eq!(told(Datatype::Int8, 2), "300 is no INT8");
        assert_eq!(
            told(Datatype::Int64, 2),
            "expected 2 values in `int64_contents`, got 0"
        );
        assert_eq!(
            told(Datatype::Int32, 3),
            "expected 3 values in `int_contents`, got 2"
        );
        let several = Contents {
            bools: vec![true],
            ..ints()
        };
        assert_eq!(
            values(several, Datatype::Int32, 2).unwrap_err(),
            "expected values in `int_contents` only"
        );
    }
}
