//! The form of TensorFlow Serving's `:predict`: rows of values, or of objects with a value for each input, or whole
//! columns. Tables go in by the names of their columns.
//!
//! Source: TensorFlow Serving's "RESTful API", Predict API. `rows` is another word for its `instances`.

mod shape;

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use inference::{Signature, Tensor};
use serde::Deserialize;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::value::RawValue;

use super::request::element;
use super::response::{Nested, text};
use shape::{fit, measure};

/// How an answer is written: as the question was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// So many.
    Rows(usize),
    Columns,
}

#[derive(Deserialize)]
struct Written<'a> {
    #[serde(borrow)]
    instances: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    rows: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    inputs: Option<&'a RawValue>,
}

/// The values that an object has by the names of inputs.
type Named<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// What goes into a model with these inputs, or what was expected instead.
pub(super) fn read(known: &[Signature], body: &[u8]) -> Result<(Vec<Tensor>, Form), String> {
    let written: Written<'_> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    match written {
        Written {
            instances: Some(rows),
            rows: None,
            inputs: None,
        }
        | Written {
            instances: None,
            rows: Some(rows),
            inputs: None,
        } => read_rows(known, &rows),
        Written {
            instances: None,
            rows: None,
            inputs: Some(columns),
        } => read_columns(known, columns),
        _ => Err("expected one of `instances`, `rows` and `inputs`".to_owned()),
    }
}

fn read_rows(known: &[Signature], rows: &[&RawValue]) -> Result<(Vec<Tensor>, Form), String> {
    if rows.is_empty() {
        return Err("expected at least one row".to_owned());
    }
    let mut columns = vec![Vec::with_capacity(rows.len()); known.len()];
    for (number, row) in rows.iter().enumerate() {
        let values = values(known, row).map_err(|why| format!("row {number}: {why}"))?;
        for (column, value) in columns.iter_mut().zip(values) {
            column.push(value);
        }
    }
    let tensors = known.iter().zip(&columns);
    let tensors = tensors
        .map(|(input, column)| stack(input, column))
        .collect::<Result<_, _>>()?;
    Ok((tensors, Form::Rows(rows.len())))
}

/// A value for each input, in their order: those of an object, or the one that there is.
fn values<'a>(known: &[Signature], written: &'a RawValue) -> Result<Vec<&'a RawValue>, String> {
    let is_object = written.get().starts_with('{');
    if !is_object && known.len() == 1 {
        return Ok(vec![written]);
    }
    let names = || {
        let names: Vec<_> = known.iter().map(|it| format!("`{}`", it.name)).collect();
        names.join(", ")
    };
    if !is_object {
        return Err(format!("expected an object with {}", names()));
    }
    let mut named: Named<'_> =
        serde_json::from_str(written.get()).map_err(|error| error.to_string())?;
    let values = known.iter().map(|input| {
        let value = named.remove(input.name.as_str());
        value.ok_or_else(|| format!("`{}` is missing, expected {}", input.name, names()))
    });
    let values = values.collect::<Result<Vec<_>, _>>()?;
    match named.first_key_value() {
        Some((stranger, _)) => Err(format!("`{stranger}` is unknown, expected {}", names())),
        None => Ok(values),
    }
}

/// The tensor of an input from its value in each row.
fn stack(input: &Signature, column: &[&RawValue]) -> Result<Tensor, String> {
    let told = |why: String| format!("input `{}`: {why}", input.name);
    let Some((_, expected)) = input.shape.split_first() else {
        return Err(told("it has no rows, ask with `inputs`".to_owned()));
    };
    let mut shapes = column.iter().map(|value| measure(value));
    let first = shapes
        .next()
        .unwrap_or_else(|| Ok(Vec::new()))
        .map_err(told)?;
    for (number, shape) in (1..).zip(shapes) {
        let shape = shape.map_err(told)?;
        if shape != first {
            return Err(told(format!(
                "row {number} has shape {shape:?}, and row 0 has {first:?}"
            )));
        }
    }
    let mut shape = fit(first, expected);
    shape.insert(0, column.len());
    let count = shape::count(&shape).ok_or_else(|| told("it is too large".to_owned()))?;
    let pieces: Vec<_> = column.iter().map(|value| value.get()).collect();
    let values = element::read(input.datatype, &pieces, count);
    Ok(Tensor {
        name: input.name.clone(),
        shape,
        values: values.map_err(|error| told(error.to_string()))?,
    })
}

fn read_columns(known: &[Signature], columns: &RawValue) -> Result<(Vec<Tensor>, Form), String> {
    let columns = values(known, columns)?;
    let tensors = known.iter().zip(columns).map(|(input, column)| {
        let told = |why: String| format!("input `{}`: {why}", input.name);
        let shape = fit(measure(column).map_err(told)?, &input.shape);
        let count = shape::count(&shape).ok_or_else(|| told("it is too large".to_owned()))?;
        let values = element::read(input.datatype, &[column.get()], count);
        Ok::<_, String>(Tensor {
            name: input.name.clone(),
            shape,
            values: values.map_err(|error| told(error.to_string()))?,
        })
    });
    Ok((tensors.collect::<Result<_, _>>()?, Form::Columns))
}

impl Form {
    /// `predictions`, one for each row, or `outputs`, whole; each a value where the model has one output, and else an
    /// object.
    pub(super) fn write(self, given: &[Tensor]) -> Result<Bytes, String> {
        let body = match self {
            Self::Columns => text(&Outputs {
                outputs: Told::Whole(given),
            }),
            Self::Rows(count) => {
                if let Some(uneven) = given.iter().find(|it| it.shape.first() != Some(&count)) {
                    let Tensor { name, shape, .. } = uneven;
                    return Err(format!(
                        "output `{name}` has shape {shape:?}, not one value for each of {count} rows; ask with `inputs`"
                    ));
                }
                let predictions = (0..count).map(|row| Told::Row(given, row)).collect();
                text(&Predictions { predictions })
            }
        };
        Ok(body.into())
    }
}

#[derive(serde::Serialize)]
struct Outputs<'a> {
    outputs: Told<'a>,
}

#[derive(serde::Serialize)]
struct Predictions<'a> {
    predictions: Vec<Told<'a>>,
}

/// What outputs say, wholly or in one row.
enum Told<'a> {
    Whole(&'a [Tensor]),
    Row(&'a [Tensor], usize),
}

impl Told<'_> {
    fn of<'a>(&self, Tensor { values, shape, .. }: &'a Tensor) -> Nested<'a> {
        match *self {
            Self::Whole(_) => Nested {
                values,
                shape,
                first: 0,
            },
            Self::Row(_, row) => {
                let shape = shape.split_first().map_or(&[][..], |(_, rest)| rest);
                let first = row * shape.iter().product::<usize>();
                Nested {
                    values,
                    shape,
                    first,
                }
            }
        }
    }
}

impl Serialize for Told<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let (Self::Whole(given) | Self::Row(given, _)) = self;
        if let [only] = given {
            return self.of(only).serialize(to);
        }
        let mut named = to.serialize_map(Some(given.len()))?;
        for output in *given {
            named.serialize_entry(&output.name, &self.of(output))?;
        }
        named.end()
    }
}

#[cfg(test)]
mod tests;
