//! One vector of what a model gives for each token: Sentence-BERT's pooling (Reimers and Gurevych 2019, §3).

use super::gathered::{Gathered, Unexpected};
use super::misfit::Misfit;
use crate::{Datatype, Signature, Tensor, Values};

/// The output that an embedding model has.
pub(super) const EMBEDDING: &str = "embedding";

/// What a length of zero is divided by, as PyTorch's `normalize` does.
const LENGTH_MIN: f32 = 1e-12;

/// How an embedding is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embedding {
    /// How many vectors become one.
    pub pooling: Pooling,
    /// Whether it gets the length 1.
    pub normalize: bool,
    /// Of which output; none for the first that will do.
    pub output: Option<String>,
}

/// How the vectors of tokens become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean, over the tokens that are read.
    Mean,
    /// The first one's, which BERT calls CLS.
    Cls,
    /// They are one already.
    None,
}

impl Pooling {
    fn wanted(self) -> (usize, &'static str) {
        match self {
            Self::Mean | Self::Cls => (3, "FP32[-1,-1,-1]"),
            Self::None => (2, "FP32[-1,-1]"),
        }
    }
}

impl Embedding {
    /// Which of the model's outputs it is made of, and what it then is.
    pub(super) fn fit(&self, outputs: &[Signature]) -> Result<(usize, Signature), Misfit> {
        let (dimensions, wanted) = self.pooling.wanted();
        let place = find(outputs, self.output.as_deref(), wanted, |output| {
            output.datatype == Datatype::Fp32 && output.shape.len() == dimensions
        })?;
        let width = outputs.get(place).and_then(|output| *output.shape.last()?);
        Ok((
            place,
            Signature {
                name: EMBEDDING.to_owned(),
                datatype: Datatype::Fp32,
                shape: vec![None, width],
                classes: vec![],
            },
        ))
    }

    /// One row for each row of the output. `mask` says which tokens are read; without it all are.
    pub(super) fn rows(
        &self,
        output: &Tensor,
        mask: Option<&[i64]>,
    ) -> Result<Gathered, Unexpected> {
        match (self.pooling, &output.values, &output.shape[..]) {
            (Pooling::None, _, _) => Gathered::of(output),
            (_, Values::Fp32(values), &[rows, length, width]) => {
                let all;
                let mask = match mask {
                    Some(mask) => mask,
                    None => {
                        all = vec![1; rows.saturating_mul(length)];
                        &all
                    }
                };
                if mask.len() != rows.saturating_mul(length) || width == 0 {
                    return Err(Unexpected::of(output, "one vector for each token"));
                }
                let mut pooled = vec![0.0; rows.saturating_mul(width)];
                let tokens = values.chunks_exact(length.saturating_mul(width).max(1));
                let masks = mask.chunks_exact(length.max(1));
                for ((tokens, mask), into) in tokens.zip(masks).zip(pooled.chunks_exact_mut(width))
                {
                    self.pool(tokens, mask, into);
                }
                Ok(Gathered {
                    rows,
                    width,
                    values: pooled,
                })
            }
            _ => Err(Unexpected::of(output, "FP32 of three dimensions")),
        }
    }

    fn pool(&self, tokens: &[f32], mask: &[i64], into: &mut [f32]) {
        let read = tokens.chunks_exact(into.len()).zip(mask);
        let read = read.filter(|(_, mask)| **mask != 0).map(|(token, _)| token);
        // CLS is the first that is read: padding may stand before it.
        let most = match self.pooling {
            Pooling::Cls => 1,
            _ => usize::MAX,
        };
        let mut count = 0.0_f32;
        for token in read.take(most) {
            count += 1.0;
            for (sum, value) in into.iter_mut().zip(token) {
                *sum += value;
            }
        }
        // Where nothing is read there is nothing to divide either.
        let count = count.max(1.0);
        into.iter_mut().for_each(|sum| *sum /= count);
    }

    /// The embeddings.
    pub(super) fn finish(&self, mut rows: Gathered) -> Vec<Tensor> {
        if self.normalize {
            rows.each().for_each(normalize);
        }
        vec![rows.into_tensor(EMBEDDING)]
    }
}

fn normalize(row: &mut [f32]) {
    let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
    let length = length.max(LENGTH_MIN);
    row.iter_mut().for_each(|value| *value /= length);
}

/// The output with this name, or else the first that will do.
pub(super) fn find(
    outputs: &[Signature],
    name: Option<&str>,
    wanted: &'static str,
    will_do: impl Fn(&Signature) -> bool,
) -> Result<usize, Misfit> {
    let found = || outputs.to_vec();
    let candidates = outputs.iter().enumerate();
    let named = |output: &Signature| name.is_none_or(|name| output.name == name);
    if let Some(name) = name
        && !outputs.iter().any(named)
    {
        return Err(Misfit::UnknownOutput {
            output: name.to_owned(),
            found: found(),
        });
    }
    candidates
        .filter(|(_, output)| named(output))
        .find(|(_, output)| will_do(output))
        .map(|(place, _)| place)
        .ok_or_else(|| Misfit::NoOutput {
            wanted,
            found: found(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedding(pooling: Pooling) -> Embedding {
        Embedding {
            pooling,
            normalize: false,
            output: None,
        }
    }

    /// Two texts of two tokens, of which the second of the second is padding.
    fn hidden() -> Tensor {
        Tensor {
            name: "hidden".to_owned(),
            shape: vec![2, 2, 2],
            values: Values::Fp32(vec![1.0, 2.0, 3.0, 6.0, 5.0, 7.0, 100.0, 100.0]),
        }
    }

    #[track_caller]
    fn check(pooling: Pooling, mask: &[i64], expected: &[f32]) {
        let rows = embedding(pooling).rows(&hidden(), Some(mask)).unwrap();
        assert_eq!(rows.values, expected);
    }

    #[test]
    fn padding_is_no_part_of_a_mean() {
        check(Pooling::Mean, &[1, 1, 1, 0], &[2.0, 4.0, 5.0, 7.0]);
    }

    #[test]
    fn the_first_token_is_the_first_that_is_read() {
        check(Pooling::Cls, &[1, 1, 0, 1], &[1.0, 2.0, 100.0, 100.0]);
    }

    #[test]
    fn where_nothing_is_read_there_is_nothing() {
        check(Pooling::Mean, &[0, 0, 1, 0], &[0.0, 0.0, 5.0, 7.0]);
    }

    #[test]
    fn a_mask_of_another_length_is_refused() {
        let refused = embedding(Pooling::Mean).rows(&hidden(), Some(&[1, 1]));
        assert!(refused.is_err());
    }

    #[test]
    fn a_normalised_embedding_has_the_length_one_and_nothing_stays_nothing() {
        let embedding = Embedding {
            normalize: true,
            ..embedding(Pooling::None)
        };
        let rows = Gathered {
            rows: 2,
            width: 2,
            values: vec![3.0, 4.0, 0.0, 0.0],
        };
        let given = embedding.finish(rows);
        assert_eq!(given[0].values, Values::Fp32(vec![0.6, 0.8, 0.0, 0.0]));
    }

    #[test]
    fn the_output_is_found_by_its_dimensions_or_its_name() {
        let output = |name: &str, shape: &[Option<usize>]| Signature {
            name: name.to_owned(),
            datatype: Datatype::Fp32,
            shape: shape.to_vec(),
            classes: vec![],
        };
        let outputs = [
            output("pooled", &[None, Some(4)]),
            output("hidden", &[None, None, Some(4)]),
        ];
        let fit = |pooling, name: Option<&str>| {
            let embedding = Embedding {
                output: name.map(str::to_owned),
                ..embedding(pooling)
            };
            embedding.fit(&outputs).map(|(place, _)| place)
        };
        assert_eq!(fit(Pooling::Mean, None), Ok(1));
        assert_eq!(fit(Pooling::None, None), Ok(0));
        assert!(matches!(
            fit(Pooling::Mean, Some("pooled")),
            Err(Misfit::NoOutput { .. })
        ));
        assert!(matches!(
            fit(Pooling::Mean, Some("none")),
            Err(Misfit::UnknownOutput { .. })
        ));
        assert_eq!(
            embedding(Pooling::Mean).fit(&outputs).unwrap().1.shape,
            [None, Some(4)]
        );
    }
}
