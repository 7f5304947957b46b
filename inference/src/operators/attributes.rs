//! What a node says about itself, by name.
//!
//! Exporters leave out what is the default, so an absent list is an empty one here; whoever needs
//! a length asks for it with [`sized`].

use tract_onnx::model::ParsingContext;
use tract_onnx::pb::{AttributeProto, NodeProto};
use tract_onnx::prelude::{Tensor, TractResult};
use tract_onnx::tract_core::internal::bail;

pub(super) struct Attributes<'a> {
    pub(super) context: &'a ParsingContext<'a>,
    pub(super) node: &'a NodeProto,
}

impl<'a> Attributes<'a> {
    fn find(&self, name: &str) -> Option<&'a AttributeProto> {
        self.node
            .attribute
            .iter()
            .find(|attribute| attribute.name == name)
    }

    pub(super) fn int(&self, name: &str) -> Option<i64> {
        self.find(name).map(|attribute| attribute.i)
    }

    /// How many targets or columns a node gives, one unless it says otherwise.
    pub(super) fn width(&self, name: &str) -> TractResult<usize> {
        width(name, self.int(name).unwrap_or(1))
    }

    pub(super) fn float(&self, name: &str) -> Option<f32> {
        self.find(name).map(|attribute| attribute.f)
    }

    pub(super) fn text(&self, name: &str) -> TractResult<Option<&'a str>> {
        self.find(name)
            .map(|attribute| utf8(name, &attribute.s))
            .transpose()
    }

    pub(super) fn ints(&self, name: &str) -> &'a [i64] {
        self.find(name)
            .map_or(&[], |attribute| attribute.ints.as_slice())
    }

    pub(super) fn floats(&self, name: &str) -> &'a [f32] {
        self.find(name)
            .map_or(&[], |attribute| attribute.floats.as_slice())
    }

    pub(super) fn strings(&self, name: &str) -> TractResult<Vec<&'a str>> {
        let values = self
            .find(name)
            .map_or(&[][..], |attribute| &attribute.strings);
        values.iter().map(|value| utf8(name, value)).collect()
    }

    pub(super) fn tensor(&self, name: &str) -> TractResult<Option<Tensor>> {
        let tensor = self.find(name).and_then(|attribute| attribute.t.as_ref());
        tensor
            .map(|tensor| self.context.load_tensor(tensor))
            .transpose()
    }

    /// A list of numbers, which is given with 64 bits under another name.
    pub(super) fn numbers(&self, name: &str) -> TractResult<Vec<f64>> {
        match self.tensor(&format!("{name}_as_tensor"))? {
            Some(tensor) => wide(&tensor),
            None => Ok(self.floats(name).iter().copied().map(f64::from).collect()),
        }
    }

    /// Integers of which there are none, or as many as `count`.
    pub(super) fn ints_or_none(&self, name: &str, count: usize) -> TractResult<Option<&'a [i64]>> {
        match self.ints(name) {
            [] => Ok(None),
            values => sized(name, values, count).map(|()| Some(values)),
        }
    }

    /// Integers of which there are as many as `count`.
    pub(super) fn ints_of(&self, name: &str, count: usize) -> TractResult<&'a [i64]> {
        sized(name, self.ints(name), count).map(|()| self.ints(name))
    }
}

/// The most columns that a node gives, which a file may claim in a few bytes.
const WIDTH_MAX: usize = 16_384;

/// A number of columns; more would take memory that nobody has.
pub(super) fn width(name: &str, value: i64) -> TractResult<usize> {
    match usize::try_from(value) {
        Ok(width) if width <= WIDTH_MAX => Ok(width),
        _ => bail!("{name} is {value}, expected 0 to {WIDTH_MAX}"),
    }
}

/// Refuses a list of another length.
pub(super) fn sized<T>(name: &str, values: &[T], count: usize) -> TractResult<()> {
    match values.len() {
        found if found == count => Ok(()),
        found => bail!("{name} has {found} values, expected {count}"),
    }
}

/// The numbers of a tensor with 64 bits each.
pub(super) fn wide(tensor: &Tensor) -> TractResult<Vec<f64>> {
    let tensor = tensor.cast_to::<f64>()?;
    Ok(tensor.try_as_plain_ram()?.as_slice::<f64>()?.to_vec())
}

fn utf8<'a>(name: &str, bytes: &'a [u8]) -> TractResult<&'a str> {
    match str::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(_) => bail!("{name} is not text"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_another_length_is_told_with_both() {
        let error = sized("ids", &[1, 2], 3).unwrap_err();
        assert_eq!(error.to_string(), "ids has 2 values, expected 3");
    }
}
