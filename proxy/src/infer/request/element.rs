//! Reads numbers, truth values and texts, nested in arrays or not, into one flat vector.

use std::fmt;

use half::{bf16, f16};
use inference::{Datatype, Values};
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

/// One value of a datatype, as JSON may write it. What JSON writes but the datatype cannot hold is none.
trait Element: Sized {
    const NAME: &'static str;

    fn from_unsigned(_: u64) -> Option<Self> {
        None
    }

    fn from_signed(_: i64) -> Option<Self> {
        None
    }

    fn from_float(_: f64) -> Option<Self> {
        None
    }

    fn from_bool(_: bool) -> Option<Self> {
        None
    }

    fn from_text(_: &str) -> Option<Self> {
        None
    }

    /// What stands for nothing.
    fn from_null() -> Option<Self> {
        None
    }
}

/// At most `count` values of this datatype from pieces of JSON, one after the other.
pub(in crate::infer) fn read(
    datatype: Datatype,
    json: &[&str],
    count: usize,
) -> Result<Values, serde_json::Error> {
    match datatype {
        Datatype::Bool => flat(json, count).map(Values::Bool),
        Datatype::Uint8 => flat(json, count).map(Values::Uint8),
        Datatype::Uint16 => flat(json, count).map(Values::Uint16),
        Datatype::Uint32 => flat(json, count).map(Values::Uint32),
        Datatype::Uint64 => flat(json, count).map(Values::Uint64),
        Datatype::Int8 => flat(json, count).map(Values::Int8),
        Datatype::Int16 => flat(json, count).map(Values::Int16),
        Datatype::Int32 => flat(json, count).map(Values::Int32),
        Datatype::Int64 => flat(json, count).map(Values::Int64),
        Datatype::Fp16 => flat(json, count).map(Values::Fp16),
        Datatype::Bf16 => flat(json, count).map(Values::Bf16),
        Datatype::Fp32 => flat(json, count).map(Values::Fp32),
        Datatype::Fp64 => flat(json, count).map(Values::Fp64),
        Datatype::Bytes => flat(json, count).map(Values::Bytes),
    }
}

fn flat<T: Element>(json: &[&str], count: usize) -> Result<Vec<T>, serde_json::Error> {
    // A value takes two bytes of JSON, a digit and a comma, whatever the shape promises.
    let most: usize = json.iter().map(|piece| piece.len() / 2 + 1).sum();
    let mut values = Vec::with_capacity(count.min(most));
    for piece in json {
        let flat = Flat {
            values: &mut values,
            count,
        };
        flat.deserialize(&mut serde_json::Deserializer::from_str(piece))?;
    }
    Ok(values)
}

struct Flat<'a, T> {
    values: &'a mut Vec<T>,
    count: usize,
}

impl<T: Element> Flat<'_, T> {
    fn push<E: Error>(self, value: Option<T>, written: fmt::Arguments<'_>) -> Result<(), E> {
        let value =
            value.ok_or_else(|| E::custom(format_args!("expected {}, got {written}", T::NAME)))?;
        if self.values.len() == self.count {
            return Err(E::custom(format_args!(
                "more than the {} values of the shape",
                self.count
            )));
        }
        self.values.push(value);
        Ok(())
    }
}

impl<'de, T: Element> DeserializeSeed<'de> for Flat<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Element> Visitor<'de> for Flat<'_, T> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(T::NAME)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items
            .next_element_seed(Flat {
                values: &mut *self.values,
                count: self.count,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.push(T::from_unsigned(value), format_args!("{value}"))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.push(T::from_signed(value), format_args!("{value}"))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.push(T::from_float(value), format_args!("{value}"))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.push(T::from_bool(value), format_args!("{value}"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.push(T::from_text(value), format_args!("a text"))
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.push(T::from_null(), format_args!("null"))
    }
}

macro_rules! integers {
    ($($integer:ty = $name:literal),+) => {$(
        impl Element for $integer {
            const NAME: &'static str = $name;

            fn from_unsigned(value: u64) -> Option<Self> {
                value.try_into().ok()
            }

            fn from_signed(value: i64) -> Option<Self> {
                value.try_into().ok()
            }
        }
    )+};
}

integers! {
    u8 = "UINT8", u16 = "UINT16", u32 = "UINT32", u64 = "UINT64",
    i8 = "INT8", i16 = "INT16", i32 = "INT32", i64 = "INT64"
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a float is the nearest one to what was written, as everywhere in JSON"
)]
impl Element for f64 {
    const NAME: &'static str = "FP64";

    fn from_unsigned(value: u64) -> Option<Self> {
        Some(value as Self)
    }

    fn from_signed(value: i64) -> Option<Self> {
        Some(value as Self)
    }

    fn from_float(value: f64) -> Option<Self> {
        Some(value)
    }

    fn from_null() -> Option<Self> {
        Some(Self::NAN)
    }
}

/// Rounding is meant; what becomes infinite is refused. `null` is what answers have for NaN, and what tables have
/// for a missing value.
macro_rules! narrow_floats {
    ($($float:ty = $name:literal by $round:expr),+) => {$(
        impl Element for $float {
            const NAME: &'static str = $name;

            fn from_unsigned(value: u64) -> Option<Self> {
                f64::from_unsigned(value).and_then(Self::from_float)
            }

            fn from_signed(value: i64) -> Option<Self> {
                f64::from_signed(value).and_then(Self::from_float)
            }

            fn from_float(value: f64) -> Option<Self> {
                Some($round(value)).filter(|value| value.is_finite())
            }

            fn from_null() -> Option<Self> {
                Some(Self::NAN)
            }
        }
    )+};
}

narrow_floats! {
    f16 = "FP16" by f16::from_f64, bf16 = "BF16" by bf16::from_f64, f32 = "FP32" by single
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the nearest single is what is asked for"
)]
fn single(value: f64) -> f32 {
    value as f32
}

impl Element for bool {
    const NAME: &'static str = "BOOL";

    fn from_bool(value: bool) -> Option<Self> {
        Some(value)
    }
}

impl Element for Vec<u8> {
    const NAME: &'static str = "BYTES";

    fn from_text(value: &str) -> Option<Self> {
        Some(value.as_bytes().to_vec())
    }
}
