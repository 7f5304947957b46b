//! OpenAI's embeddings: texts in, vectors out, for a model with a tokenizer and an embedding.
//!
//! As their API reference has it: `input` is a text, a list of texts, numbers of tokens or a list of lists of
//! them; `encoding_format` asks for numbers or for base64 of 32-bit floats, little-endian. `model` is an alias that
//! the route matched, and the answer says which model it was.

use std::fmt;
use std::marker::PhantomData;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use inference::{BATCH_MAX, TEXT, TOKENS, Tensor, Values};
use policy::Model;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// Where they are asked for.
pub(super) const PATH: &str = "/v1/embeddings";

/// What is asked.
#[derive(Debug, PartialEq)]
pub(super) struct Question {
    texts: Texts,
    dimensions: Option<usize>,
    pub(super) encoding: Encoding,
}

#[derive(Debug, PartialEq)]
enum Texts {
    Written(Vec<String>),
    /// Numbers of tokens; nothing is added to them.
    Tokens(Vec<Vec<u32>>),
}

/// How a vector is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Encoding {
    #[default]
    Float,
    Base64,
}

/// Other members, `model` and `user` among them, change nothing here.
#[derive(Deserialize)]
struct Written<'a> {
    #[serde(borrow)]
    input: &'a RawValue,
    encoding_format: Option<Encoding>,
    dimensions: Option<usize>,
}

impl Question {
    /// The question in `body`, or what was expected instead.
    pub(super) fn parse(body: &[u8]) -> Result<Self, String> {
        let Written {
            input,
            encoding_format,
            dimensions,
        } = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        Ok(Self {
            texts: Texts::read(input.get())?,
            dimensions,
            encoding: encoding_format.unwrap_or_default(),
        })
    }

    /// What the model runs for it.
    pub(super) fn inputs(self, model: &inference::Model) -> Result<Vec<Tensor>, String> {
        let embedding = model.outputs().first();
        let width = embedding.and_then(|output| *output.shape.last()?);
        match (self.dimensions, width) {
            (Some(asked), Some(width)) if asked != width => {
                return Err(format!(
                    "`dimensions` is {asked}, expected {width}: embeddings of this model are not cut"
                ));
            }
            _ => {}
        }
        match self.texts {
            Texts::Tokens(texts) => model.feed(&texts).map_err(|mismatch| mismatch.to_string()),
            Texts::Written(texts) => Ok(vec![Tensor {
                name: TEXT.to_owned(),
                shape: vec![texts.len()],
                values: Values::Bytes(texts.into_iter().map(String::into_bytes).collect()),
            }]),
        }
    }
}

impl Texts {
    /// The first characters say which of the four kinds it is.
    fn read(input: &str) -> Result<Self, String> {
        let mut begin = input
            .chars()
            .filter(|character| !character.is_ascii_whitespace());
        let texts = match (begin.next(), begin.next()) {
            (Some('"'), _) => of(input).map(|text| Self::Written(vec![text])),
            (Some('['), Some('"' | ']')) => of(input).map(|Few(texts)| Self::Written(texts)),
            (Some('['), Some('[')) => of(input).map(|Few(texts)| Self::Tokens(texts)),
            (Some('['), Some('0'..='9')) => of(input).map(|tokens| Self::Tokens(vec![tokens])),
            _ => Err("expected a text, a list of texts, or numbers of tokens".to_owned()),
        };
        let texts = texts.map_err(|error| format!("`input`: {error}"))?;
        match &texts {
            Self::Written(none) if none.is_empty() => {
                Err("`input` is empty, expected one text at least".to_owned())
            }
            _ => Ok(texts),
        }
    }
}

/// As many texts as a model takes at once; of more, none beyond is read.
struct Few<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Texts<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Texts<T> {
            type Value = Few<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {BATCH_MAX} texts")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    if texts.len() == BATCH_MAX {
                        return Err(A::Error::invalid_length(BATCH_MAX + 1, &self));
                    }
                    texts.push(text);
                }
                Ok(Few(texts))
            }
        }

        from.deserialize_seq(Texts(PhantomData))
    }
}

fn of<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[derive(Serialize)]
struct Answer<'a> {
    object: &'static str,
    data: Vec<Item<'a>>,
    model: &'a str,
    usage: Usage,
}

#[derive(Serialize)]
struct Item<'a> {
    object: &'static str,
    index: usize,
    embedding: Vector<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector<'a> {
    Float(&'a [f32]),
    Base64(String),
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: u64,
    total_tokens: u64,
}

/// The answer with what the model gave.
pub(super) fn answer(served: &Model, encoding: Encoding, given: &[Tensor]) -> Bytes {
    let (mut vectors, mut tokens) = (&[][..], 0);
    let mut width = 0;
    for tensor in given {
        match &tensor.values {
            Values::Fp32(values) => {
                vectors = values;
                width = tensor.shape.last().copied().unwrap_or_default();
            }
            Values::Int64(counts) if tensor.name == TOKENS => {
                tokens = counts
                    .iter()
                    .filter_map(|count| u64::try_from(*count).ok())
                    .sum();
            }
            _ => {}
        }
    }
    let vectors = vectors.chunks_exact(width.max(1)).enumerate();
    let answer = Answer {
        object: "list",
        data: vectors
            .map(|(index, vector)| Item {
                object: "embedding",
                index,
                embedding: encoding.write(vector),
            })
            .collect(),
        model: &served.name,
        usage: Usage {
            prompt_tokens: tokens,
            total_tokens: tokens,
        },
    };
    // Keys are texts and values are plain, so writing cannot fail.
    serde_json::to_vec(&answer)
        .map(Bytes::from)
        .unwrap_or_default()
}

impl Encoding {
    fn write(self, vector: &[f32]) -> Vector<'_> {
        match self {
            Self::Float => Vector::Float(vector),
            Self::Base64 => {
                let bytes: Vec<u8> = vector
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect();
                Vector::Base64(BASE64_STANDARD.encode(bytes))
            }
        }
    }
}

/// The models that a client may name: the one that serves.
pub(super) fn models(served: &Model) -> Bytes {
    let model = serde_json::json!({
        "id": served.name, "object": "model", "created": 0, "owned_by": "wald",
    });
    let list = serde_json::json!({ "object": "list", "data": [model] });
    Bytes::from(list.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, texts: &Texts) {
        let body = format!(r#"{{"model":"m","input":{input}}}"#);
        let question = Question::parse(body.as_bytes()).unwrap();
        assert_eq!(question.texts, *texts);
    }

    #[track_caller]
    fn refused(body: &str, says: &str) {
        let refused = Question::parse(body.as_bytes()).unwrap_err();
        assert!(refused.contains(says), "{refused}");
    }

    #[test]
    fn each_kind_of_input_is_read() {
        let written = |texts: &[&str]| Texts::Written(texts.iter().map(|&it| it.into()).collect());
        check(r#""a \"b\"""#, &written(&["a \"b\""]));
        check(r#" [ "a", "" ] "#, &written(&["a", ""]));
        check("[1, 2]", &Texts::Tokens(vec![vec![1, 2]]));
        check("[[1], [2,3]]", &Texts::Tokens(vec![vec![1], vec![2, 3]]));
    }

    #[test]
    fn what_is_no_question_is_told_what_was_expected() {
        refused(r#"{"model":"m"}"#, "missing field `input`");
        refused(r#"{"input":[]}"#, "one text at least");
        refused(r#"{"input":{"a":1}}"#, "a list of texts");
        refused(r#"{"input":null}"#, "a list of texts");
        refused(r#"{"input":["a",1]}"#, "expected a string");
        refused(r#"{"input":[1,-2]}"#, "expected u32");
        refused(r#"{"input":[[1],"a"]}"#, "expected a sequence");
        refused(
            r#"{"input":"a","encoding_format":"int8"}"#,
            "expected `float` or `base64`",
        );
    }

    #[test]
    fn base64_holds_the_floats_little_endian() {
        let Vector::Base64(text) = Encoding::Base64.write(&[1.0, -2.0]) else {
            panic!("text")
        };
        assert_eq!(text, "AACAPwAAAMA=");
    }
}
