//! Digests, as people write them.

/// A SHA-256 as `sha256sum` prints it: 64 hexadecimal digits, of either case.
#[must_use]
pub fn sha256(hex: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = hex
        .chars()
        .map(|digit| u8::try_from(digit.to_digit(16)?).ok())
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
        .collect();
    bytes.try_into().ok().filter(|_| digits.len() == 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_64_hexadecimal_digits() {
        let digits = "0f".repeat(32);
        assert_eq!(sha256(&digits), Some([0x0f; 32]));
        assert_eq!(sha256(&digits.to_uppercase()), Some([0x0f; 32]));
        for wrong in ["", "0f", &"0g".repeat(32), &"+f".repeat(32)] {
            assert_eq!(sha256(wrong), None, "{wrong}");
        }
        assert_eq!(sha256(&"0f".repeat(33)), None);
    }
}
