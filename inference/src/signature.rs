//! What a model takes or gives under one name.

use std::fmt;

use crate::Datatype;

/// One input or output of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The name that a request uses.
    pub name: String,
    /// What each value is.
    pub datatype: Datatype,
    /// The length of each dimension; `None` where a request may choose, the batch for example.
    pub shape: Vec<Option<usize>>,
    /// What the columns of a classifier's scores stand for, in their order; empty where the model
    /// does not say.
    pub classes: Vec<String>,
}

/// As the protocol's metadata has it, `pixels FP32[-1,64]`: an open dimension is -1.
impl fmt::Display for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} {}{}",
            self.name,
            self.datatype,
            Shape(&self.shape)
        )
    }
}

pub(crate) struct Shape<'a>(pub(crate) &'a [Option<usize>]);

impl fmt::Display for Shape<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lengths: Vec<_> = self
            .0
            .iter()
            .map(|length| length.map_or("-1".into(), |length| length.to_string()))
            .collect();
        write!(formatter, "[{}]", lengths.join(","))
    }
}
