//! The shape of what JSON nests, and the shape that a model takes it in.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Dimensions that nobody needs more of; the reader of JSON would go as deep as 128.
const RANK_MAX: usize = 32;

/// The shape of nested lists, whose members must be alike.
pub(super) fn measure(written: &RawValue) -> Result<Vec<usize>, String> {
    let mut json = serde_json::Deserializer::from_str(written.get());
    let mut found = Found::default();
    let place = Place {
        found: &mut found,
        depth: 0,
    };
    let measured = place.deserialize(&mut json);
    measured.map_err(|error| error.to_string())?;
    Ok(found.shape)
}

/// How many values a tensor of this shape has, if that is a number.
pub(super) fn count(shape: &[usize]) -> Option<usize> {
    let mut lengths = shape.iter();
    lengths.try_fold(1_usize, |count, length| count.checked_mul(*length))
}

/// The same values in the shape that is expected, where they only differ by a last dimension of one: a table has a
/// value where a column of one is expected.
pub(super) fn fit(mut shape: Vec<usize>, expected: &[Option<usize>]) -> Vec<usize> {
    if shape.len() + 1 == expected.len() && expected.last() == Some(&Some(1)) {
        shape.push(1);
    } else if shape.len() == expected.len() + 1 && shape.last() == Some(&1) {
        shape.pop();
    }
    shape
}

/// What is known of the shape so far.
#[derive(Default)]
struct Found {
    shape: Vec<usize>,
    /// How deep values stand, once one was seen.
    rank: Option<usize>,
}

/// What stands at a depth: the first to be there says how long it is, and the others are held against it.
struct Place<'a> {
    found: &'a mut Found,
    depth: usize,
}

/// The length of a list that has not ended yet.
const OPEN: usize = usize::MAX;

impl Place<'_> {
    fn value<E: Error>(self) -> Result<(), E> {
        match self.found.rank {
            Some(rank) if rank != self.depth => Err(E::custom("a value stands among lists")),
            _ => {
                self.found.rank = Some(self.depth);
                Ok(())
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value or lists of values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self { found, depth } = self;
        if found.rank.is_some_and(|rank| rank <= depth) {
            return Err(A::Error::custom("a list stands among values"));
        }
        if depth == RANK_MAX {
            return Err(A::Error::custom("lists are nested too deeply"));
        }
        if found.shape.len() == depth {
            found.shape.push(OPEN);
        }
        let mut length = 0;
        while items
            .next_element_seed(Place {
                found: &mut *found,
                depth: depth + 1,
            })?
            .is_some()
        {
            length += 1;
        }
        // In an empty list there is no value to say how deep values stand.
        found.rank.get_or_insert(depth + 1);
        match found.shape.get_mut(depth) {
            Some(known) if *known == OPEN => *known = length,
            Some(known) if *known != length => {
                let told = format!("lists of {known} and of {length} stand side by side");
                return Err(A::Error::custom(told));
            }
            _ => {}
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(A::Error::custom(
            "an object stands where a value is expected",
        ))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.value()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.value()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.value()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.value()
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.value()
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Result<Vec<usize>, String> {
        measure(serde_json::from_str::<&RawValue>(json).unwrap())
    }

    #[test]
    fn lists_are_measured_from_the_outside() {
        for (json, shape) in [
            ("7", vec![]),
            ("\"a\"", vec![]),
            ("null", vec![]),
            ("[]", vec![0]),
            ("[1,2,3]", vec![3]),
            ("[[1,2],[3,null]]", vec![2, 2]),
            ("[[[true],[false]]]", vec![1, 2, 1]),
            ("[[],[]]", vec![2, 0]),
        ] {
            assert_eq!(of(json), Ok(shape), "{json}");
        }
    }

    #[test]
    fn members_that_are_not_alike_have_no_shape() {
        for (json, says) in [
            ("[1,[2]]", "a list stands among values"),
            ("[[1],2]", "a value stands among lists"),
            ("[[],2]", "a value stands among lists"),
            ("[[1],[2,3]]", "lists of 1 and of 2"),
            ("[[1],[]]", "lists of 1 and of 0"),
            ("[{}]", "an object"),
        ] {
            let told = of(json).unwrap_err();
            assert!(told.contains(says), "{json}: {told}");
        }
        let deep = format!("{}1{}", "[".repeat(RANK_MAX + 1), "]".repeat(RANK_MAX + 1));
        assert!(of(&deep).unwrap_err().contains("too deeply"));
    }

    #[test]
    fn a_last_dimension_of_one_may_be_left_out_or_added() {
        let fitted = |shape: &[usize], expected: &[Option<usize>]| fit(shape.to_vec(), expected);
        assert_eq!(fitted(&[], &[Some(1)]), [1]);
        assert_eq!(fitted(&[3], &[None, Some(1)]), [3, 1]);
        assert_eq!(fitted(&[3, 1], &[None]), [3]);
        assert_eq!(fitted(&[1], &[]), [0; 0]);
        for kept in [&[3][..], &[3, 2], &[3, 2, 2]] {
            assert_eq!(fitted(kept, &[None, Some(2)]), kept);
        }
    }
}
