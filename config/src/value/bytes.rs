//! Sizes.

use super::{Malformed, number_and_unit, spelled};
use std::fmt;
use std::str::FromStr;

/// A number of bytes. Written `512`, `64KiB`, `1MiB`, `2GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteCount(pub u64);

spelled!(ByteCount, "A size: `512`, `64KiB`, `1MiB`, `2GiB`.", "^[0-9]+(B|KiB|MiB|GiB)?$", { "type": "integer", "minimum": 0 });

/// From the largest, so that a size is written with the first that divides it.
const UNITS: [(&str, u64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

impl FromStr for ByteCount {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (number, unit) = number_and_unit(text);
        let unit = if unit.is_empty() {
            "B"
        } else {
            unit.trim_start()
        };
        let size = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .map(|(_, size)| size);
        size.zip(number.parse::<u64>().ok())
            .and_then(|(size, number)| number.checked_mul(*size))
            .map(Self)
            .ok_or(Malformed {
                wanted: "a size such as 512, 64KiB or 1MiB",
            })
    }
}

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = UNITS
            .iter()
            .find(|(_, size)| self.0 > 0 && self.0.is_multiple_of(*size));
        let (unit, size) = fits.unwrap_or(&("B", 1));
        write!(f, "{}{unit}", self.0 / size)
    }
}

impl serde::Serialize for ByteCount {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_reads_and_is_written_with_its_largest_unit() {
        for (text, bytes, written) in [
            ("512", 512, "512B"),
            ("64KiB", 65_536, "64KiB"),
            ("1024KiB", 1 << 20, "1MiB"),
            ("2GiB", 2 << 30, "2GiB"),
            ("0", 0, "0B"),
        ] {
            assert_eq!(text.parse(), Ok(ByteCount(bytes)));
            assert_eq!(ByteCount(bytes).to_string(), written);
        }
    }

    #[test]
    fn decimal_units_fractions_and_too_much_are_no_size() {
        for text in ["64KB", "64k", "1.5MiB", "-1", "", "MiB", "99999999999GiB"] {
            assert!(text.parse::<ByteCount>().is_err(), "{text}");
        }
    }
}
