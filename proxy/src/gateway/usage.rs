//! How many tokens an answer says it took: OpenAI's `usage`, in a JSON body or in an event of a stream, read as
//! the answer passes.
//!
//! Nothing is held but the object itself. Whatever a model says cannot be taken for it: within a text, the
//! quotation marks of `"usage"` are escaped.

use serde::Deserialize;

/// What begins the member.
const KEY: &[u8] = br#""usage""#;

/// More than any `usage` has.
const OBJECT_BYTES_MAX: usize = 4 << 10;

/// Tokens of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Those that were asked with.
    pub(crate) input: u64,
    /// Those that were answered with.
    pub(crate) output: u64,
}

/// Reads an answer in parts.
#[derive(Debug, Default)]
pub(super) struct UsageScanner {
    state: State,
    object: Vec<u8>,
    found: Option<Usage>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// So many bytes of the key were just read.
    Key(usize),
    /// Behind the key.
    Colon,
    /// Behind the colon.
    Value,
    /// In the object, so deep.
    Object(u32),
    /// In a text of the object; behind a backslash or not.
    Text(u32, bool),
}

impl Default for State {
    fn default() -> Self {
        Self::Key(0)
    }
}

/// Chat, completions and embeddings, and by their other names responses.
#[derive(Deserialize)]
struct Written {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
}

impl UsageScanner {
    /// The last that was said.
    pub(super) fn found(&self) -> Option<Usage> {
        self.found
    }

    /// Reads the next part.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        loop {
            // Most of an answer is passed over from one quotation mark to the next.
            if self.state == State::Key(0) {
                let Some(mark) = memchr::memchr(b'"', rest) else {
                    return;
                };
                rest = rest.get(mark..).unwrap_or_default();
            }
            let Some((&byte, behind)) = rest.split_first() else {
                return;
            };
            self.step(byte);
            rest = behind;
        }
    }

    fn step(&mut self, byte: u8) {
        self.state = match self.state {
            State::Key(matched) => match (KEY.get(matched), matched + 1) {
                (Some(expected), next) if *expected == byte => {
                    if next == KEY.len() {
                        State::Colon
                    } else {
                        State::Key(next)
                    }
                }
                _ => State::Key(usize::from(byte == b'"')),
            },
            State::Colon | State::Value if byte.is_ascii_whitespace() => self.state,
            State::Colon if byte == b':' => State::Value,
            State::Value if byte == b'{' => {
                self.object.clear();
                self.object.push(byte);
                State::Object(1)
            }
            State::Colon | State::Value => State::Key(usize::from(byte == b'"')),
            State::Object(depth) => self.within(depth, byte),
            State::Text(depth, is_escaped) => {
                self.object.push(byte);
                match byte {
                    b'"' if !is_escaped => State::Object(depth),
                    _ => State::Text(depth, byte == b'\\' && !is_escaped),
                }
            }
        };
        if self.object.len() > OBJECT_BYTES_MAX {
            self.object = Vec::new();
            self.state = State::default();
        }
    }

    fn within(&mut self, depth: u32, byte: u8) -> State {
        self.object.push(byte);
        match byte {
            b'"' => State::Text(depth, false),
            b'{' => State::Object(depth + 1),
            b'}' if depth == 1 => {
                self.read();
                State::default()
            }
            b'}' => State::Object(depth - 1),
            _ => State::Object(depth),
        }
    }

    fn read(&mut self) {
        if let Ok(written) = serde_json::from_slice::<Written>(&self.object) {
            let input = written.prompt_tokens.or(written.input_tokens);
            let output = written.completion_tokens.or(written.output_tokens);
            if input.is_some() || output.is_some() {
                self.found = Some(Usage {
                    input: input.unwrap_or_default(),
                    output: output.unwrap_or_default(),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scan(parts: &[&[u8]]) -> Option<(u64, u64)> {
        let mut scanner = UsageScanner::default();
        parts.iter().for_each(|part| scanner.feed(part));
        scanner.found().map(|usage| (usage.input, usage.output))
    }

    #[track_caller]
    fn check(answer: &str, expected: Option<(u64, u64)>) {
        assert_eq!(scan(&[answer.as_bytes()]), expected, "{answer}");
    }

    const CHAT: &str = r#"{"choices":[{"message":{"content":"\"usage\":{\"prompt_tokens\":9}"}}],"usage" : {"prompt_tokens":12,"completion_tokens":3,"details":{"a":"}"}}}"#;

    #[test]
    fn the_usage_of_each_kind_of_answer_is_read() {
        check(CHAT, Some((12, 3)));
        check(
            r#"{"usage":{"prompt_tokens":8,"total_tokens":8}}"#,
            Some((8, 0)),
        );
        check(
            "data: {\"usage\":null}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n",
            Some((1, 2)),
        );
        check(
            "event: response.completed\ndata: {\"response\":{\"usage\":{\"input_tokens\":5,\"output_tokens\":6}}}\n\n",
            Some((5, 6)),
        );
    }

    #[test]
    fn what_is_no_usage_is_none() {
        for answer in [
            r#"{"usage":null}"#,
            r#"{"usage":"much"}"#,
            r#"{"usage":{}}"#,
            r#"{"a":"usage"}"#,
            r#"{"content":"\"usage\":{\"prompt_tokens\":9}"}"#,
            r#"{"usage":{"prompt_tokens":-1}}"#,
        ] {
            check(answer, None);
        }
        let endless = format!(
            "{{\"usage\":{{\"prompt_tokens\":1,\"a\":\"{}\"}}}}",
            "x".repeat(5_000)
        );
        check(&endless, None);
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_an_answer_is_cut(cuts in prop::collection::vec(0..CHAT.len(), 0..6)) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            let mut parts = Vec::new();
            let mut from = 0;
            for cut in cuts {
                parts.push(CHAT.as_bytes().get(from..cut).unwrap());
                from = cut;
            }
            parts.push(CHAT.as_bytes().get(from..).unwrap());
            prop_assert_eq!(scan(&parts), Some((12, 3)));
        }
    }
}
