//! The names of classes: texts or integers.

use tract_onnx::prelude::tract_ndarray::arr1;
use tract_onnx::prelude::{Datum, DatumType, Tensor, TractResult};
use tract_onnx::tract_core::internal::bail;

use super::attributes::Attributes;

#[derive(Clone, Debug)]
pub(super) enum Labels {
    Texts(Vec<String>),
    Ints(Vec<i64>),
}

impl Labels {
    /// Reads the one of two attributes that is there.
    pub(super) fn read(node: &Attributes<'_>, texts: &str, ints: &str) -> TractResult<Self> {
        let found = (node.strings(texts)?, node.ints(ints));
        match found {
            (labels, []) if !labels.is_empty() => {
                Ok(Self::Texts(labels.into_iter().map(str::to_owned).collect()))
            }
            (none, labels) if none.is_empty() && !labels.is_empty() => {
                Ok(Self::Ints(labels.to_vec()))
            }
            (none, _) if none.is_empty() => bail!("neither {texts} nor {ints} names a class"),
            _ => bail!("both {texts} and {ints} name classes"),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Texts(labels) => labels.len(),
            Self::Ints(labels) => labels.len(),
        }
    }

    pub(super) fn datum_type(&self) -> DatumType {
        match self {
            Self::Texts(_) => String::datum_type(),
            Self::Ints(_) => i64::datum_type(),
        }
    }

    /// The labels of winning classes.
    pub(super) fn of(&self, winners: &[Winner]) -> Tensor {
        match self {
            Self::Texts(labels) => {
                let label = |winner: &Winner| labels.get(winner.class()).cloned();
                let labels: Vec<_> = winners
                    .iter()
                    .map(label)
                    .map(Option::unwrap_or_default)
                    .collect();
                Tensor::from(arr1(&labels))
            }
            Self::Ints(labels) => {
                let label = |winner: &Winner| match winner {
                    Winner::Class(class) => labels.get(*class).copied().unwrap_or_default(),
                    Winner::Sign(positive) => i64::from(*positive),
                };
                let labels: Vec<_> = winners.iter().map(label).collect();
                Tensor::from(arr1(&labels))
            }
        }
    }
}

/// Which class a row belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Winner {
    Class(usize),
    /// ONNX Runtime gives 1 or 0, whatever the labels are, where it cannot tell two classes.
    Sign(bool),
}

impl Winner {
    fn class(self) -> usize {
        match self {
            Self::Class(class) => class,
            Self::Sign(positive) => positive.into(),
        }
    }
}
