//! The best classes of a classifier instead of the scores of all: the classification extension of the Open Inference
//! Protocol V2, as Triton documents it.

use std::cmp::Ordering;
use std::fmt::Display;
use std::num::NonZeroUsize;

use inference::{Datatype, Signature, Tensor, Values};

/// How many classes are asked for.
pub(super) type Top = NonZeroUsize;

/// Refuses classes of outputs that hold no scores.
pub(super) fn check(output: &Signature) -> Result<(), String> {
    let Signature {
        name,
        datatype,
        shape,
        ..
    } = output;
    if *datatype == Datatype::Bytes {
        return Err(format!(
            "output `{name}` is {datatype}; `classification` is offered for scores"
        ));
    }
    if shape.is_empty() {
        return Err(format!(
            "output `{name}` is a single value; `classification` is offered for several scores"
        ));
    }
    Ok(())
}

/// The largest scores of each row, the first of equal ones first, as BYTES `SCORE:INDEX`, and `:LABEL` where the model
/// says what its scores stand for. A row is all that the batch has one of; an output without a batch is one.
pub(super) fn best(scores: &Tensor, top: Top, output: &Signature) -> Tensor {
    let is_batch = scores.shape.len() > 1 || output.shape.first() == Some(&None);
    let rows = match scores.shape.first() {
        Some(rows) if is_batch => *rows,
        _ => 1,
    };
    let columns = scores.values.len().checked_div(rows).unwrap_or_default();
    let form = Form {
        columns,
        top: top.get().min(columns),
        labels: &output.classes,
    };
    let texts = match &scores.values {
        Values::Bool(values) => form.each(values, Ord::cmp),
        Values::Uint8(values) => form.each(values, Ord::cmp),
        Values::Uint16(values) => form.each(values, Ord::cmp),
        Values::Uint32(values) => form.each(values, Ord::cmp),
        Values::Uint64(values) => form.each(values, Ord::cmp),
        Values::Int8(values) => form.each(values, Ord::cmp),
        Values::Int16(values) => form.each(values, Ord::cmp),
        Values::Int32(values) => form.each(values, Ord::cmp),
        Values::Int64(values) => form.each(values, Ord::cmp),
        Values::Fp16(values) => form.each(values, |a, b| numbers(a.to_f64(), b.to_f64())),
        Values::Bf16(values) => form.each(values, |a, b| numbers(a.to_f64(), b.to_f64())),
        Values::Fp32(values) => form.each(values, |a, b| numbers((*a).into(), (*b).into())),
        Values::Fp64(values) => form.each(values, |a, b| numbers(*a, *b)),
        // `check` has refused them.
        Values::Bytes(_) => vec![],
    };
    Tensor {
        name: scores.name.clone(),
        shape: if is_batch {
            vec![rows, form.top]
        } else {
            vec![form.top]
        },
        values: Values::Bytes(texts),
    }
}

/// What is no number is less than any.
fn numbers(a: f64, b: f64) -> Ordering {
    b.is_nan().cmp(&a.is_nan()).then(a.total_cmp(&b))
}

struct Form<'a> {
    columns: usize,
    top: usize,
    labels: &'a [String],
}

impl Form<'_> {
    fn each<T: Display>(&self, values: &[T], compare: impl Fn(&T, &T) -> Ordering) -> Vec<Vec<u8>> {
        let rows = values.chunks(self.columns.max(1));
        rows.flat_map(|row| self.row(row, &compare)).collect()
    }

    fn row<T: Display>(&self, row: &[T], compare: impl Fn(&T, &T) -> Ordering) -> Vec<Vec<u8>> {
        let mut places: Vec<_> = row.iter().enumerate().collect();
        let mut order = |(i, a): &(usize, &T), (j, b): &(usize, &T)| compare(b, a).then(i.cmp(j));
        // Only those that are asked for are put in order.
        if self.top < places.len() {
            places.select_nth_unstable_by(self.top, &mut order);
            places.truncate(self.top);
        }
        places.sort_unstable_by(order);
        let text = |(index, score): (usize, &T)| match self.labels.get(index) {
            Some(label) => format!("{score}:{index}:{label}").into_bytes(),
            None => format!("{score}:{index}").into_bytes(),
        };
        places.into_iter().map(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_best(values: Values, shape: &[usize], top: usize, labels: &[&str], told: &[&str]) {
        let name = "y".to_owned();
        let signature = Signature {
            name: name.clone(),
            datatype: values.datatype(),
            shape: shape.iter().map(|length| Some(*length)).collect(),
            classes: labels.iter().map(|&label| label.to_owned()).collect(),
        };
        let shape = shape.to_vec();
        let scores = Tensor {
            name,
            shape,
            values,
        };
        let best = best(&scores, Top::new(top).unwrap(), &signature);
        let texts = told.iter().map(|text| text.as_bytes().to_vec()).collect();
        assert_eq!(best.values, Values::Bytes(texts));
        assert_eq!(best.values.len(), best.shape.iter().product::<usize>());
    }

    #[test]
    fn the_largest_come_first_with_their_places_and_labels() {
        let scores = || Values::Fp32(vec![0.1, 0.7, 0.2, 0.5, 0.25, 0.25]);
        let labels = ["cat", "dog"];
        check_best(scores(), &[2, 3], 1, &[], &["0.7:1", "0.5:0"]);
        let told = ["0.7:1:dog", "0.2:2", "0.5:0:cat", "0.25:1:dog"];
        check_best(scores(), &[2, 3], 2, &labels, &told);
        // A row is all that the batch has one of.
        check_best(scores(), &[1, 2, 3], 2, &[], &["0.7:1", "0.5:3"]);
        check_best(scores(), &[6], 1, &[], &["0.7:1"]);
    }

    #[test]
    fn no_more_are_named_than_there_are_and_nan_comes_last() {
        let scores = Values::Fp64(vec![f64::NAN, -1.0, f64::INFINITY]);
        check_best(scores, &[1, 3], 9, &[], &["inf:2", "-1:1", "NaN:0"]);
        check_best(Values::Int64(vec![]), &[0, 3], 2, &[], &[]);
        check_best(Values::Int64(vec![]), &[3, 0], 2, &[], &[]);
        check_best(
            Values::Uint64(vec![u64::MAX, 0]),
            &[2, 1],
            1,
            &[],
            &["18446744073709551615:0", "0:0"],
        );
    }

    #[test]
    fn a_score_for_each_of_an_open_batch_is_the_best_of_its_row() {
        let signature = Signature {
            name: "y".to_owned(),
            datatype: Datatype::Int64,
            shape: vec![None],
            classes: vec![],
        };
        let scores = Tensor {
            name: "y".to_owned(),
            shape: vec![2],
            values: Values::Int64(vec![4, 7]),
        };
        let best = best(&scores, Top::MIN, &signature);
        let texts = vec![b"4:0".to_vec(), b"7:0".to_vec()];
        assert_eq!(
            (best.shape, best.values),
            (vec![2, 1], Values::Bytes(texts))
        );
    }

    #[test]
    fn texts_and_single_values_have_no_classes() {
        let told = |datatype, shape| {
            let (name, classes) = ("y".to_owned(), vec![]);
            check(&Signature {
                name,
                datatype,
                shape,
                classes,
            })
            .unwrap_err()
        };
        assert!(told(Datatype::Bytes, vec![Some(3)]).contains("is BYTES"));
        assert!(told(Datatype::Fp32, vec![]).contains("single value"));
    }
}
