//! Finds the `model` that a JSON body names, byte by byte as it arrives, and goes on looking for what would
//! give it a second meaning.
//!
//! It is stricter than most readers of JSON, because a backend may be any of them: whatever two readers
//! could take for different models is refused. Two members `model` (some take the first, some the last), a
//! member that differs in capitals alone (Go's `encoding/json` takes it, too), a name that is no text,
//! control characters in a string, anything that RFC 8259 does not allow. Escapes are decoded first:
//! `"mod\u0065l"` is `model`. A body that is no object names no model.

use std::ops::Range;

/// The deepest nesting: more than any request needs, and what common readers stop at.
const DEPTH_MAX: usize = 128;

/// The longest name of a model.
const NAME_BYTES_MAX: usize = 256;

/// How many bytes of a string are looked at together.
const BLOCK_BYTES: usize = 64;

/// What the member is called.
const MEMBER: &str = "model";

/// Why a body's model cannot be told for sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsound {
    #[error("the body is no valid JSON")]
    NotJson,
    #[error("the body is nested more than {DEPTH_MAX} deep")]
    TooDeep,
    #[error("the body has two members `model`")]
    Twice,
    #[error("the body has a member that differs from `model` in capitals alone")]
    Capitals,
    #[error("the member `model` is no text")]
    NotText,
    #[error("the name of the model has more than {NAME_BYTES_MAX} bytes")]
    TooLong,
}

/// Reads a body in parts.
#[derive(Debug)]
pub(crate) struct Scanner {
    state: State,
    /// The containers that are open, the outermost first.
    open: Vec<Container>,
    /// What a string says, as far as it matters.
    text: Text,
    /// Whether the next value is that of the member.
    is_wanted: bool,
    found: Option<Box<str>>,
    /// How many bytes were read.
    position: usize,
    /// Where the name stands, with its quotation marks.
    place: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Container {
    Object,
    Array,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing but white space yet.
    Start,
    /// No object: it names no model, whatever it is.
    Other,
    /// Behind `{`.
    KeyOrEnd,
    /// Behind a comma of an object.
    Key,
    /// Behind a key.
    Colon,
    /// Behind a colon, or a comma of an array.
    Value,
    /// Behind `[`.
    ValueOrEnd,
    /// Within a number or a word.
    Token,
    /// Within a string.
    Str(Role),
    /// Behind a backslash.
    Escape(Role),
    /// Within `\u`, with so many digits read.
    Unicode(Role, u8),
    /// Behind a value.
    AfterValue,
    /// Behind the whole.
    End,
}

/// What a string is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// A member of the outermost object.
    TopKey,
    Key,
    /// The name of the model.
    Model,
    Value,
}

/// A string as it is decoded, kept only where it matters.
#[derive(Debug, Default)]
struct Text {
    bytes: Vec<u8>,
    is_long: bool,
    /// The digits of `\u` so far.
    unit: u16,
    /// The first half of a pair.
    high: Option<u16>,
}

impl Scanner {
    /// At the beginning of a body.
    pub(crate) fn new() -> Self {
        Self {
            state: State::Start,
            open: Vec::new(),
            text: Text::default(),
            is_wanted: false,
            found: None,
            position: 0,
            place: 0..0,
        }
    }

    /// The model, once it was read.
    pub(crate) fn model(&self) -> Option<&str> {
        self.found.as_deref()
    }

    /// Where the model's name stands in the body, with its quotation marks, once it was read.
    pub(crate) fn place(&self) -> Option<Range<usize>> {
        self.found.is_some().then(|| self.place.clone())
    }

    /// Whether no more of the body can matter.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Other
    }

    /// Reads the next part.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), Unsound> {
        if self.is_done() {
            return Ok(());
        }
        let start = self.position;
        let mut rest = bytes;
        while let Some((&byte, behind)) = rest.split_at(self.passed_over(rest)).1.split_first() {
            self.position = start + bytes.len() - behind.len();
            self.step(byte)?;
            rest = behind;
        }
        self.position = start + bytes.len();
        Ok(())
    }

    /// How many bytes of a string that does not matter come before anything that does: most of a prompt. And of the
    /// numbers of an array: most of a tensor.
    fn passed_over(&self, bytes: &[u8]) -> usize {
        match self.state {
            State::Str(role) if !role.matters() => plain(bytes),
            State::Token if self.open.last() == Some(&Container::Array) => listed(bytes),
            _ => 0,
        }
    }

    /// Says that there is no more.
    pub(crate) fn finish(&self) -> Result<(), Unsound> {
        match self.state {
            State::Start | State::Other | State::End => Ok(()),
            _ => Err(Unsound::NotJson),
        }
    }

    fn step(&mut self, byte: u8) -> Result<(), Unsound> {
        match self.state {
            State::Str(role) => return self.within(role, byte),
            State::Escape(role) => return self.escape(role, byte),
            State::Unicode(role, digits) => return self.unicode(role, digits, byte),
            State::Token if is_of_token(byte) => return Ok(()),
            State::Token => self.state = State::AfterValue,
            _ => {}
        }
        if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            return Ok(());
        }
        match self.state {
            State::Other => {}
            State::Start if byte == b'{' => self.enter(Container::Object)?,
            State::Start => self.state = State::Other,
            State::KeyOrEnd if byte == b'}' => self.leave(),
            State::KeyOrEnd | State::Key if byte == b'"' => self.begin(self.key()),
            State::Colon if byte == b':' => self.state = State::Value,
            State::ValueOrEnd if byte == b']' => self.leave(),
            State::Value | State::ValueOrEnd => self.value(byte)?,
            State::AfterValue => self.after_value(byte)?,
            _ => return Err(Unsound::NotJson),
        }
        Ok(())
    }

    fn key(&self) -> Role {
        if self.open.len() == 1 {
            Role::TopKey
        } else {
            Role::Key
        }
    }

    fn value(&mut self, byte: u8) -> Result<(), Unsound> {
        if self.is_wanted && byte != b'"' {
            return Err(Unsound::NotText);
        }
        match byte {
            b'{' => self.enter(Container::Object)?,
            b'[' => self.enter(Container::Array)?,
            b'"' if std::mem::take(&mut self.is_wanted) => {
                self.place.start = self.position - 1;
                self.begin(Role::Model);
            }
            b'"' => self.begin(Role::Value),
            _ if is_of_token(byte) => self.state = State::Token,
            _ => return Err(Unsound::NotJson),
        }
        Ok(())
    }

    fn after_value(&mut self, byte: u8) -> Result<(), Unsound> {
        match (byte, self.open.last()) {
            (b',', Some(Container::Object)) => self.state = State::Key,
            (b',', Some(Container::Array)) => self.state = State::Value,
            (b'}', Some(Container::Object)) | (b']', Some(Container::Array)) => self.leave(),
            _ => return Err(Unsound::NotJson),
        }
        Ok(())
    }

    fn enter(&mut self, container: Container) -> Result<(), Unsound> {
        if self.open.len() == DEPTH_MAX {
            return Err(Unsound::TooDeep);
        }
        self.open.push(container);
        self.state = match container {
            Container::Object => State::KeyOrEnd,
            Container::Array => State::ValueOrEnd,
        };
        Ok(())
    }

    fn leave(&mut self) {
        self.open.pop();
        self.state = if self.open.is_empty() {
            State::End
        } else {
            State::AfterValue
        };
    }

    fn begin(&mut self, role: Role) {
        self.text.clear();
        self.state = State::Str(role);
    }

    fn within(&mut self, role: Role, byte: u8) -> Result<(), Unsound> {
        match byte {
            b'"' => return self.end(role),
            b'\\' => self.state = State::Escape(role),
            0..=0x1f => return Err(Unsound::NotJson),
            _ if role.matters() => self.text.push(&[byte]),
            _ => {}
        }
        Ok(())
    }

    fn escape(&mut self, role: Role, byte: u8) -> Result<(), Unsound> {
        let plain = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                self.text.unit = 0;
                self.state = State::Unicode(role, 0);
                return Ok(());
            }
            _ => return Err(Unsound::NotJson),
        };
        self.text.push(&[plain]);
        self.state = State::Str(role);
        Ok(())
    }

    fn unicode(&mut self, role: Role, digits: u8, byte: u8) -> Result<(), Unsound> {
        let digit = char::from(byte).to_digit(16).ok_or(Unsound::NotJson)?;
        let digit = u16::try_from(digit).map_err(|_| Unsound::NotJson)?;
        self.text.unit = self.text.unit << 4 | digit;
        if digits < 3 {
            self.state = State::Unicode(role, digits + 1);
        } else {
            self.text.push_unit();
            self.state = State::Str(role);
        }
        Ok(())
    }

    fn end(&mut self, role: Role) -> Result<(), Unsound> {
        self.text.settle();
        self.state = match role {
            Role::TopKey | Role::Key => State::Colon,
            Role::Model | Role::Value => State::AfterValue,
        };
        match role {
            Role::TopKey if self.text.is(MEMBER) && self.found.is_some() => Err(Unsound::Twice),
            Role::TopKey if self.text.is(MEMBER) => {
                self.is_wanted = true;
                Ok(())
            }
            Role::TopKey if self.text.is_nearly(MEMBER) => Err(Unsound::Capitals),
            Role::Model if self.text.is_long => Err(Unsound::TooLong),
            Role::Model => {
                let name = std::str::from_utf8(&self.text.bytes);
                self.found = Some(name.map_err(|_| Unsound::NotJson)?.into());
                self.place.end = self.position;
                Ok(())
            }
            Role::TopKey | Role::Key | Role::Value => Ok(()),
        }
    }
}

/// How many bytes come before the first that means something in a string. Block by block, which compiles to
/// instructions that look at many bytes at once.
fn plain(bytes: &[u8]) -> usize {
    let means = |byte: &u8| (*byte == b'"') | (*byte == b'\\') | (*byte < 0x20);
    let (blocks, _) = bytes.as_chunks::<BLOCK_BYTES>();
    let is_plain =
        |block: &&[u8; BLOCK_BYTES]| !block.iter().fold(false, |any, it| any | means(it));
    let passed = blocks.iter().take_while(is_plain).count() * BLOCK_BYTES;
    let rest = bytes.get(passed..).unwrap_or_default();
    passed + rest.iter().position(means).unwrap_or(rest.len())
}

/// How many bytes of an array come behind one of a number or a word that are of such, or commas between them. The
/// last of them is no comma: what comes behind that is looked at.
fn listed(bytes: &[u8]) -> usize {
    let is_strange = |byte: &u8| !is_of_token(*byte) & (*byte != b',');
    let mut before = b'0';
    let (blocks, _) = bytes.as_chunks::<BLOCK_BYTES>();
    let is_list = |block: &&[u8; BLOCK_BYTES]| {
        let gap = |(this, next): (&u8, &u8)| (*this == b',') & (*next == b',');
        let pairs = block.iter().zip(block.iter().skip(1));
        let has_gap = gap((&before, &block[0])) | pairs.fold(false, |any, it| any | gap(it));
        before = block[BLOCK_BYTES - 1];
        !has_gap & !block.iter().fold(false, |any, it| any | is_strange(it))
    };
    let mut passed = blocks.iter().take_while(is_list).count() * BLOCK_BYTES;
    before = passed.checked_sub(1).map_or(b'0', |last| bytes[last]);
    while let Some(byte) = bytes.get(passed) {
        if is_strange(byte) || (*byte == b',' && before == b',') {
            break;
        }
        before = *byte;
        passed += 1;
    }
    passed - usize::from(before == b',')
}

impl Role {
    /// Whether it matters what such a string says.
    fn matters(self) -> bool {
        matches!(self, Self::TopKey | Self::Model)
    }
}

impl Text {
    fn clear(&mut self) {
        self.bytes.clear();
        (self.is_long, self.high) = (false, None);
    }

    fn push(&mut self, bytes: &[u8]) {
        self.settle();
        if self.bytes.len() + bytes.len() > NAME_BYTES_MAX {
            self.is_long = true;
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// A unit of UTF-16, of which two may make one character.
    fn push_unit(&mut self) {
        let unit = self.unit;
        let Some(high) = self.high.take() else {
            if (0xd800..0xdc00).contains(&unit) {
                self.high = Some(unit);
            } else {
                self.push_char(char::from_u32(unit.into()));
            }
            return;
        };
        let pair = char::decode_utf16([high, unit]).next().and_then(Result::ok);
        if pair.is_some() {
            self.push_char(pair);
        } else {
            self.push_char(None);
            self.push_unit();
        }
    }

    /// What is no character is one that no name has.
    fn push_char(&mut self, character: Option<char>) {
        let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
        self.push(character.encode_utf8(&mut [0; 4]).as_bytes());
    }

    /// A first half without a second is no character.
    fn settle(&mut self) {
        if self.high.take().is_some() {
            self.push_char(None);
        }
    }

    fn is(&self, name: &str) -> bool {
        !self.is_long && self.bytes == name.as_bytes()
    }

    fn is_nearly(&self, name: &str) -> bool {
        !self.is_long && self.bytes.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// Digits, signs and letters of numbers, `true`, `false`, `null`; and of what some readers take besides, which
/// gives no body another model.
fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() | (byte == b'-') | (byte == b'+') | (byte == b'.')
}

#[cfg(test)]
mod tests;
