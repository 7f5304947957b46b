//! What a classifier's numbers mean: scores between 0 and 1, and the label of the highest.

use super::embedding::find;
use super::gathered::Gathered;
use super::misfit::Misfit;
use crate::{Datatype, Signature, Tensor, Values};

/// The outputs that a classifier has.
const LABEL: &str = "label";
const SCORES: &str = "scores";

/// How a classifier's output is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classes {
    /// What the columns stand for, in their order; empty where they have no names, and then are called by their
    /// position.
    pub labels: Vec<String>,
    /// What makes scores of the columns.
    pub scores: Scores,
}

/// What makes scores of a classifier's columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scores {
    /// One of the labels is right: the scores add up to 1.
    Softmax,
    /// Each label is right or not, whatever the others are.
    Sigmoid,
    /// They are scores already.
    AsGiven,
}

impl Classes {
    /// Which of the model's outputs it reads, and what is given in their place.
    pub(super) fn fit(&self, outputs: &[Signature]) -> Result<(usize, Vec<Signature>), Misfit> {
        let place = find(outputs, None, "FP32[-1,N]", |output| {
            output.datatype == Datatype::Fp32 && matches!(output.shape[..], [_, Some(_)])
        })?;
        let output = outputs.get(place);
        let columns = output.and_then(|output| *output.shape.last()?);
        let columns = columns.unwrap_or_default();
        let labels = if self.labels.is_empty() {
            (0..columns).map(|column| column.to_string()).collect()
        } else {
            self.labels.clone()
        };
        if labels.len() != columns {
            return Err(Misfit::Labels {
                labels: labels.len(),
                columns,
                output: output.map(|output| output.name.clone()).unwrap_or_default(),
            });
        }
        let given = vec![
            Signature {
                name: LABEL.to_owned(),
                datatype: Datatype::Bytes,
                shape: vec![None],
                classes: vec![],
            },
            Signature {
                name: SCORES.to_owned(),
                datatype: Datatype::Fp32,
                shape: vec![None, Some(columns)],
                classes: labels,
            },
        ];
        Ok((place, given))
    }

    /// The labels, and the scores.
    pub(super) fn finish(&self, mut rows: Gathered) -> Vec<Tensor> {
        let labels: Vec<_> = rows.each().map(|row| self.label(row)).collect();
        let label = Tensor {
            name: LABEL.to_owned(),
            shape: vec![labels.len()],
            values: Values::Bytes(labels),
        };
        vec![label, rows.into_tensor(SCORES)]
    }

    /// Makes scores of a row, and finds the label of the highest, the first where several are.
    fn label(&self, row: &mut [f32]) -> Vec<u8> {
        match self.scores {
            Scores::Softmax => softmax(row),
            Scores::Sigmoid => row
                .iter_mut()
                .for_each(|value| *value = 1.0 / (1.0 + (-*value).exp())),
            Scores::AsGiven => {}
        }
        let best = row
            .iter()
            .enumerate()
            .rev()
            .max_by(|(_, one), (_, other)| one.total_cmp(other));
        let best = best.map_or(0, |(column, _)| column);
        match self.labels.get(best) {
            Some(label) => label.clone().into_bytes(),
            None => best.to_string().into_bytes(),
        }
    }
}

/// From the highest down, so that nothing overflows.
fn softmax(row: &mut [f32]) {
    let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    row.iter_mut()
        .for_each(|value| *value = (*value - highest).exp());
    let sum: f32 = row.iter().sum();
    row.iter_mut().for_each(|value| *value /= sum);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(scores: Scores, labels: &[&str], row: &[f32], label: &str, expected: &[f32]) {
        let classes = Classes {
            labels: labels.iter().map(|&label| label.to_owned()).collect(),
            scores,
        };
        let rows = Gathered {
            rows: 1,
            width: row.len(),
            values: row.to_vec(),
        };
        let [told, given] = &classes.finish(rows)[..] else {
            panic!("two outputs")
        };
        assert_eq!(told.values, Values::Bytes(vec![label.as_bytes().to_vec()]));
        let Values::Fp32(given) = &given.values else {
            panic!("{given:?}")
        };
        let differs = |(one, other): (&f32, &f32)| (one - other).abs() > 1e-6;
        assert!(!given.iter().zip(expected).any(differs), "{given:?}");
    }

    #[test]
    fn a_softmax_adds_up_to_one_however_large_the_numbers_are() {
        // e^0.5 / (1 + e^0.5)
        check(
            Scores::Softmax,
            &["no", "yes"],
            &[1000.0, 1000.5],
            "yes",
            &[0.377_540_7, 0.622_459_3],
        );
    }

    #[test]
    fn sigmoids_stand_each_for_themselves() {
        check(
            Scores::Sigmoid,
            &["a", "b"],
            &[0.0, -1.0],
            "a",
            &[0.5, 0.268_941_4],
        );
    }

    #[test]
    fn the_first_of_equals_wins_and_columns_without_names_are_numbers() {
        check(
            Scores::AsGiven,
            &[],
            &[0.2, 0.4, 0.4],
            "1",
            &[0.2, 0.4, 0.4],
        );
    }

    #[test]
    fn there_is_a_label_for_each_column() {
        let output = Signature {
            name: "logits".to_owned(),
            datatype: Datatype::Fp32,
            shape: vec![None, Some(3)],
            classes: vec![],
        };
        let classes = |labels: &[&str]| Classes {
            labels: labels.iter().map(|&label| label.to_owned()).collect(),
            scores: Scores::Softmax,
        };
        let outputs = [output];
        assert_eq!(
            classes(&["a", "b"]).fit(&outputs).unwrap_err().to_string(),
            "there are 2 labels for the 3 columns of output `logits`"
        );
        let (place, given) = classes(&[]).fit(&outputs).unwrap();
        assert_eq!(
            (place, &given[1].classes[..]),
            (0, &["0", "1", "2"].map(str::to_owned)[..])
        );
    }
}
