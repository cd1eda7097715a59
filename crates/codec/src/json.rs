//! An incremental JSON checker. It builds no values and changes nothing: the function receives the bytes that were
//! sent.
//!
//! It accepts the grammar of RFC 8259 with any value at the top, followed by nothing but blanks. Invalid UTF-8 is an
//! error anywhere. An escaped lone surrogate (`"\ud800"`) matches the grammar, so it is valid. The state between two
//! pieces is a few words; each open container takes one bit.

use crate::position::Position;

/// The greatest number of containers that may be open at once; a body with more is refused. It protects recursive
/// parsers in the functions, and equals the number of bits that hold the open containers.
pub const DEPTH_LIMIT: u32 = 128;

/// The reason why a body is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{position}, expected {expected}")]
pub struct JsonError {
    /// Where.
    pub position: Position,
    /// The expected input, in words.
    pub expected: &'static str,
}

/// The grammar position of the next byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JsonState {
    Value,
    /// After `[`.
    ValueOrClose,
    /// After `{`.
    KeyOrClose,
    /// After `,` in an object.
    Key,
    Colon,
    /// After a value inside a container.
    CommaOrClose,
    /// After the value at the top.
    Done,
    String,
    /// After a backslash.
    Escape,
    /// After `\u`; the number of digits still missing.
    Hex(u8),
    /// Inside `true`, `false` or `null`; the rest of the word.
    Word(&'static [u8]),
    Minus,
    /// After a leading zero.
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
}

/// A push checker.
#[derive(Debug)]
pub struct Checker {
    /// Offset of the next byte in the body, for errors.
    offset: u64,
    state: JsonState,
    /// Whether the string being read is the name of a member.
    in_key: bool,
    /// One bit for each open container, the innermost lowest: 1 for an object.
    containers: u128,
    depth: u32,
    /// The first bytes of a character that continues in the next piece.
    cut: [u8; 4],
    cut_len: usize,
}

impl Checker {
    /// A checker whose first byte is at `offset` in the body.
    #[must_use]
    pub fn new(offset: u64) -> Self {
        Self { offset, state: JsonState::Value, in_key: false, containers: 0, depth: 0, cut: [0; 4], cut_len: 0 }
    }

    /// Checks one piece. The checker must not be used after an error.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), JsonError> {
        let mut rest = piece;
        while let (1.., Some((&first, after))) = (self.cut_len, rest.split_first()) {
            rest = after;
            self.cut[self.cut_len] = first;
            self.cut_len += 1;
            let (character, len) = (self.cut, self.cut_len);
            match std::str::from_utf8(&character[..len]) {
                Ok(_) => {
                    self.cut_len = 0;
                    self.characters(&character[..len])?;
                }
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(self.not_utf8(character[0])),
            }
        }
        match std::str::from_utf8(rest) {
            Ok(_) => self.characters(rest),
            Err(error) => {
                let (valid, bad) = rest.split_at(error.valid_up_to());
                self.characters(valid)?;
                if error.error_len().is_some() {
                    return Err(self.not_utf8(bad[0]));
                }
                // At most three bytes: with a fourth the character would be complete or invalid.
                self.cut[..bad.len()].copy_from_slice(bad);
                self.cut_len = bad.len();
                Ok(())
            }
        }
    }

    /// Ends the body.
    pub fn finish(self) -> Result<(), JsonError> {
        if self.cut_len > 0 {
            return Err(self.not_utf8(self.cut[0]));
        }
        match self.state {
            JsonState::Done => Ok(()),
            JsonState::Zero | JsonState::Integer | JsonState::Fraction | JsonState::ExponentDigits
                if self.depth == 0 =>
            {
                Ok(())
            }
            state => Err(JsonError { position: Position::end(self.offset), expected: expected(state) }),
        }
    }

    fn not_utf8(&self, first: u8) -> JsonError {
        JsonError { position: Position::byte(self.offset, first), expected: "UTF-8" }
    }

    /// Checks bytes that are whole characters.
    fn characters(&mut self, bytes: &[u8]) -> Result<(), JsonError> {
        // A local copy, so that the loop keeps the state in a register.
        let mut state = self.state;
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match state {
                JsonState::String => {
                    at += plain_run(&bytes[at..]);
                    state = match bytes.get(at) {
                        None => break,
                        Some(b'"') if self.in_key => JsonState::Colon,
                        Some(b'"') => self.valued(),
                        Some(b'\\') => JsonState::Escape,
                        Some(&control) => return Err(self.unexpected(at, control, "no control character in a string")),
                    };
                    at += 1;
                }
                JsonState::Integer | JsonState::Fraction | JsonState::ExponentDigits if byte.is_ascii_digit() => {
                    at += 1;
                }
                JsonState::Zero | JsonState::Integer | JsonState::Fraction | JsonState::ExponentDigits => {
                    // Any other byte ends the number and is examined again as the byte after a value.
                    state = match (state, byte) {
                        (JsonState::Zero | JsonState::Integer, b'.') => JsonState::Point,
                        (JsonState::Zero | JsonState::Integer | JsonState::Fraction, b'e' | b'E') => {
                            JsonState::Exponent
                        }
                        (JsonState::Zero, b'0'..=b'9') => {
                            return Err(self.unexpected(at, byte, "no digit after a leading zero"));
                        }
                        _ => {
                            state = self.valued();
                            continue;
                        }
                    };
                    at += 1;
                }
                JsonState::Value
                | JsonState::ValueOrClose
                | JsonState::KeyOrClose
                | JsonState::Key
                | JsonState::Colon
                | JsonState::CommaOrClose
                | JsonState::Done
                    if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') =>
                {
                    at += 1;
                }
                _ => {
                    state = self.step(state, byte).map_err(|expected| self.unexpected(at, byte, expected))?;
                    at += 1;
                }
            }
        }
        self.state = state;
        self.offset += bytes.len() as u64;
        Ok(())
    }

    fn unexpected(&self, at: usize, byte: u8, expected: &'static str) -> JsonError {
        JsonError { position: Position::byte(self.offset + at as u64, byte), expected }
    }

    /// Consumes one structural byte; the error is the expected input.
    #[expect(clippy::match_same_arms, reason = "one line for each production of the grammar")]
    fn step(&mut self, state: JsonState, byte: u8) -> Result<JsonState, &'static str> {
        Ok(match (state, byte) {
            (JsonState::Value | JsonState::ValueOrClose, b'{') => self.open(true)?,
            (JsonState::Value | JsonState::ValueOrClose, b'[') => self.open(false)?,
            (JsonState::Value | JsonState::ValueOrClose, b'"') => {
                self.in_key = false;
                JsonState::String
            }
            (JsonState::Value | JsonState::ValueOrClose, b'-') => JsonState::Minus,
            (JsonState::Value | JsonState::ValueOrClose | JsonState::Minus, b'0') => JsonState::Zero,
            (JsonState::Value | JsonState::ValueOrClose | JsonState::Minus, b'1'..=b'9') => JsonState::Integer,
            (JsonState::Value | JsonState::ValueOrClose, b't') => JsonState::Word(b"rue"),
            (JsonState::Value | JsonState::ValueOrClose, b'f') => JsonState::Word(b"alse"),
            (JsonState::Value | JsonState::ValueOrClose, b'n') => JsonState::Word(b"ull"),
            (JsonState::ValueOrClose, b']') | (JsonState::KeyOrClose, b'}') => self.close(),
            (JsonState::KeyOrClose | JsonState::Key, b'"') => {
                self.in_key = true;
                JsonState::String
            }
            (JsonState::Colon, b':') => JsonState::Value,
            (JsonState::CommaOrClose, b',') if self.in_object() => JsonState::Key,
            (JsonState::CommaOrClose, b',') => JsonState::Value,
            (JsonState::CommaOrClose, b'}') if self.in_object() => self.close(),
            (JsonState::CommaOrClose, b']') if !self.in_object() => self.close(),
            (JsonState::Escape, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => JsonState::String,
            (JsonState::Escape, b'u') => JsonState::Hex(4),
            (JsonState::Hex(1), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => JsonState::String,
            (JsonState::Hex(missing), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => JsonState::Hex(missing - 1),
            (JsonState::Word([last]), _) if byte == *last => self.valued(),
            (JsonState::Word([next, rest @ ..]), _) if byte == *next => JsonState::Word(rest),
            (JsonState::Point, b'0'..=b'9') => JsonState::Fraction,
            (JsonState::Exponent, b'+' | b'-') => JsonState::ExponentSign,
            (JsonState::Exponent | JsonState::ExponentSign, b'0'..=b'9') => JsonState::ExponentDigits,
            (JsonState::CommaOrClose, _) if self.in_object() => return Err("',' or '}'"),
            (JsonState::CommaOrClose, _) => return Err("',' or ']'"),
            (state, _) => return Err(expected(state)),
        })
    }

    fn in_object(&self) -> bool {
        self.containers & 1 == 1
    }

    fn open(&mut self, object: bool) -> Result<JsonState, &'static str> {
        if self.depth == DEPTH_LIMIT {
            return Err("at most 128 nested arrays and objects");
        }
        self.depth += 1;
        self.containers = self.containers << 1 | u128::from(object);
        Ok(if object { JsonState::KeyOrClose } else { JsonState::ValueOrClose })
    }

    fn close(&mut self) -> JsonState {
        self.depth -= 1;
        self.containers >>= 1;
        self.valued()
    }

    /// The state after a value.
    fn valued(&self) -> JsonState {
        if self.depth == 0 { JsonState::Done } else { JsonState::CommaOrClose }
    }
}

/// The expected input in a state, as errors name it.
fn expected(state: JsonState) -> &'static str {
    match state {
        JsonState::Value => "a JSON value",
        JsonState::ValueOrClose => "a JSON value or ']'",
        JsonState::KeyOrClose => "a name in quotes or '}'",
        JsonState::Key => "a name in quotes",
        JsonState::Colon => "':'",
        JsonState::CommaOrClose => "',' or the end of the array or object",
        JsonState::Done => "nothing after the JSON value",
        JsonState::String => "'\"' at the end of the string",
        JsonState::Escape => "one of \"\\/bfnrtu after a backslash",
        JsonState::Hex(_) => "a hexadecimal digit",
        JsonState::Word(_) => "true, false or null",
        JsonState::Minus | JsonState::Point | JsonState::ExponentSign => "a digit",
        JsonState::Exponent => "a sign or a digit",
        JsonState::Zero | JsonState::Integer | JsonState::Fraction | JsonState::ExponentDigits => {
            "the rest of the array or object after the number"
        }
    }
}

/// Returns the number of leading bytes that are plain string content: not a quote, a backslash or a control character.
fn plain_run(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Marks the bytes below 128 for which `byte - n` borrows, in eight lanes at once. A lane above a hit may be marked
    // falsely, so only the lowest mark counts.
    let below = |word: u64, n: u64| word.wrapping_sub(ONES * n) & !word & HIGH;
    let (words, rest) = bytes.as_chunks();
    let mut run = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let special =
            below(word, 0x20) | below(word ^ (ONES * u64::from(b'"')), 1) | below(word ^ (ONES * u64::from(b'\\')), 1);
        if special != 0 {
            return run + special.trailing_zeros() as usize / 8;
        }
        run += 8;
    }
    run + rest.iter().take_while(|byte| !matches!(byte, 0..0x20 | b'"' | b'\\')).count()
}

#[cfg(test)]
mod tests;
