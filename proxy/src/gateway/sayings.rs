//! What an answer says at the places that metrics ask for, kept as it passes and read once it has.

use serde_json::Value;

use crate::shadow::Form;

/// How much of an answer is kept. Scores and the answers of small models are far below; a longer answer says
/// nothing.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// An answer of JSON, or of tensors, on its way.
#[derive(Debug)]
pub(super) struct Sayings {
    form: Form,
    answer: Vec<u8>,
    is_too_long: bool,
}

impl Sayings {
    /// Nothing has come yet.
    pub(super) fn new(form: Form) -> Self {
        Self {
            form,
            answer: Vec::new(),
            is_too_long: false,
        }
    }

    /// The next part has come.
    pub(super) fn part(&mut self, bytes: &[u8]) {
        self.is_too_long |= self.answer.len() + bytes.len() > ANSWER_BYTES_MAX;
        if self.is_too_long {
            self.answer = Vec::new();
        } else {
            self.answer.extend_from_slice(bytes);
        }
    }

    /// The numbers at these JSON pointers (RFC 6901; tensors that came in binary are where JSON has them, flat), true as 1 and false as 0; none where there is something else.
    pub(super) fn at(self, pointers: &[Box<str>]) -> Vec<Option<f64>> {
        let Some(answer) = self.form.values(self.answer, ANSWER_BYTES_MAX as u64) else {
            return Vec::new();
        };
        let number = |pointer: &str| match answer.pointer(pointer)? {
            Value::Number(number) => number.as_f64(),
            Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
            _ => None,
        };
        pointers.iter().map(|pointer| number(pointer)).collect()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::infer::BINARY;

    fn said(parts: &[&str], pointers: &[&str]) -> Vec<Option<f64>> {
        let mut sayings = Sayings::new(Form::of(&HeaderMap::new(), "/"));
        parts.iter().for_each(|part| sayings.part(part.as_bytes()));
        let pointers: Vec<Box<str>> = pointers.iter().map(|&it| it.into()).collect();
        sayings.at(&pointers)
    }

    #[test]
    fn numbers_and_truth_are_read_and_nothing_else() {
        let answer = [
            r#"{"outputs":[{"data":[0.25,1e3]}],"a/b":true,"no":fal"#,
            r#"se,"text":"7","null":null,"deep":{}}"#,
        ];
        let pointers = [
            "/outputs/0/data/0",
            "/outputs/0/data/1",
            "/a~1b",
            "/no",
            "/text",
            "/null",
            "/deep",
            "/outputs/1",
        ];
        let expected = [Some(0.25), Some(1000.0), Some(1.0), Some(0.0)];
        let mut expected = expected.to_vec();
        expected.resize(pointers.len(), None);
        assert_eq!(said(&answer, &pointers), expected);
    }

    #[test]
    fn numbers_of_tensors_in_binary_are_read() {
        let json =
            br#"{"outputs":[{"datatype":"FP32","shape":[2],"parameters":{"binary_data_size":8}}]}"#;
        let headers = HeaderMap::from_iter([(BINARY, json.len().into())]);
        let mut sayings = Sayings::new(Form::of(&headers, "/"));
        sayings.part(json);
        sayings.part(&0.25_f32.to_le_bytes());
        sayings.part(&8_f32.to_le_bytes());
        assert_eq!(sayings.at(&["/outputs/0/data/1".into()]), [Some(8.0)]);
    }

    #[test]
    fn what_is_no_json_or_too_long_says_nothing() {
        assert!(said(&["{"], &["/a"]).is_empty());
        let fits = format!(
            "{{\"a\":1,\"b\":\"{}\"}}",
            "x".repeat(ANSWER_BYTES_MAX - 14)
        );
        assert_eq!(fits.len(), ANSWER_BYTES_MAX);
        assert_eq!(said(&[&fits], &["/a"]), [Some(1.0)]);
        let (begin, end) = fits.split_at(100);
        assert_eq!(said(&[begin, end], &["/a"]), [Some(1.0)]);
        assert!(said(&[begin, end, " "], &["/a"]).is_empty());
        assert!(said(&[begin, end, " ", "{\"a\":1}"], &["/a"]).is_empty());
    }
}
