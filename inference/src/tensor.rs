//! What goes into a model and what comes out.

use half::{bf16, f16};

use crate::Datatype;

/// A named tensor: its shape, and its values in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The name of the model's input or output.
    pub name: String,
    /// The length of each dimension; empty for a single value.
    pub shape: Vec<usize>,
    /// As many values as the lengths of the shape multiply to.
    pub values: Values,
}

impl Tensor {
    /// What each value is.
    pub fn datatype(&self) -> Datatype {
        self.values.datatype()
    }
}

/// The values of a tensor, one variant for each [`Datatype`].
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each is named as its datatype")]
pub enum Values {
    Bool(Vec<bool>),
    Uint8(Vec<u8>),
    Uint16(Vec<u16>),
    Uint32(Vec<u32>),
    Uint64(Vec<u64>),
    Int8(Vec<i8>),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Fp16(Vec<f16>),
    Bf16(Vec<bf16>),
    Fp32(Vec<f32>),
    Fp64(Vec<f64>),
    Bytes(Vec<Vec<u8>>),
}

impl Values {
    /// What each value is.
    pub fn datatype(&self) -> Datatype {
        match self {
            Self::Bool(_) => Datatype::Bool,
            Self::Uint8(_) => Datatype::Uint8,
            Self::Uint16(_) => Datatype::Uint16,
            Self::Uint32(_) => Datatype::Uint32,
            Self::Uint64(_) => Datatype::Uint64,
            Self::Int8(_) => Datatype::Int8,
            Self::Int16(_) => Datatype::Int16,
            Self::Int32(_) => Datatype::Int32,
            Self::Int64(_) => Datatype::Int64,
            Self::Fp16(_) => Datatype::Fp16,
            Self::Bf16(_) => Datatype::Bf16,
            Self::Fp32(_) => Datatype::Fp32,
            Self::Fp64(_) => Datatype::Fp64,
            Self::Bytes(_) => Datatype::Bytes,
        }
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Bool(values) => values.len(),
            Self::Uint8(values) => values.len(),
            Self::Uint16(values) => values.len(),
            Self::Uint32(values) => values.len(),
            Self::Uint64(values) => values.len(),
            Self::Int8(values) => values.len(),
            Self::Int16(values) => values.len(),
            Self::Int32(values) => values.len(),
            Self::Int64(values) => values.len(),
            Self::Fp16(values) => values.len(),
            Self::Bf16(values) => values.len(),
            Self::Fp32(values) => values.len(),
            Self::Fp64(values) => values.len(),
            Self::Bytes(values) => values.len(),
        }
    }

    /// The value at this place as a number, 1 for true and 0 for false; none for texts, and where there is none.
    pub fn number(&self, place: usize) -> Option<f64> {
        match self {
            Self::Bool(values) => values.get(place).map(|it| f64::from(u8::from(*it))),
            Self::Uint8(values) => values.get(place).copied().map(f64::from),
            Self::Uint16(values) => values.get(place).copied().map(f64::from),
            Self::Uint32(values) => values.get(place).copied().map(f64::from),
            Self::Uint64(values) => values.get(place).map(|it| *it as f64),
            Self::Int8(values) => values.get(place).copied().map(f64::from),
            Self::Int16(values) => values.get(place).copied().map(f64::from),
            Self::Int32(values) => values.get(place).copied().map(f64::from),
            Self::Int64(values) => values.get(place).map(|it| *it as f64),
            Self::Fp16(values) => values.get(place).copied().map(f64::from),
            Self::Bf16(values) => values.get(place).copied().map(f64::from),
            Self::Fp32(values) => values.get(place).copied().map(f64::from),
            Self::Fp64(values) => values.get(place).copied(),
            Self::Bytes(_) => None,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
