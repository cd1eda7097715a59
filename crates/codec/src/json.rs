//! JSON, checked piece by piece and never changed: the function gets the bytes that were sent.
//!
//! The grammar of RFC 8259, any value at the top, nothing after it but blanks. Bytes that are not UTF-8 are refused
//! wherever they stand. A lone surrogate as an escape (`"\ud800"`) is grammatical, so it passes. State between pieces
//! is a few words; the open containers are one bit each.

use crate::spot::Spot;

/// How many containers may be open at once. It bounds what a parser behind us, which may be recursive, has to bear;
/// beyond it the body is refused. It is also the number of bits that remember them.
pub const DEPTH_LIMIT: u32 = 128;

/// Why a body is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{spot}, expected {expected}")]
pub struct Error {
    /// Where.
    pub spot: Spot,
    /// What would have been right there.
    pub expected: &'static str,
}

/// What the next byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
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
    /// After `\u`: how many digits are missing.
    Hex(u8),
    /// The rest of `true`, `false` or `null`.
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
    /// Where the next byte stands in the body, for errors.
    offset: u64,
    state: State,
    /// Whether the string being read is the name of a member.
    in_key: bool,
    /// One bit for each open container, the innermost lowest: 1 for an object.
    containers: u128,
    depth: u32,
    /// The beginning of a character of which the rest is in the next piece.
    cut: [u8; 4],
    cut_len: usize,
}

impl Checker {
    /// A checker whose first byte stands at `offset` in the body.
    #[must_use]
    pub fn new(offset: u64) -> Self {
        Self { offset, state: State::Value, in_key: false, containers: 0, depth: 0, cut: [0; 4], cut_len: 0 }
    }

    /// Checks one piece. After an error the checker must not be used again.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Error> {
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
                // At most three bytes: a fourth would have decided it.
                self.cut[..bad.len()].copy_from_slice(bad);
                self.cut_len = bad.len();
                Ok(())
            }
        }
    }

    /// Ends the body.
    pub fn finish(self) -> Result<(), Error> {
        if self.cut_len > 0 {
            return Err(self.not_utf8(self.cut[0]));
        }
        match self.state {
            State::Done => Ok(()),
            State::Zero | State::Integer | State::Fraction | State::ExponentDigits if self.depth == 0 => Ok(()),
            state => Err(Error { spot: Spot::end(self.offset), expected: expected(state) }),
        }
    }

    fn not_utf8(&self, first: u8) -> Error {
        Error { spot: Spot::byte(self.offset, first), expected: "UTF-8" }
    }

    /// Checks bytes that are whole characters.
    fn characters(&mut self, bytes: &[u8]) -> Result<(), Error> {
        // Kept out of memory in the loop.
        let mut state = self.state;
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match state {
                State::String => {
                    at += plain_run(&bytes[at..]);
                    state = match bytes.get(at) {
                        None => break,
                        Some(b'"') if self.in_key => State::Colon,
                        Some(b'"') => self.valued(),
                        Some(b'\\') => State::Escape,
                        Some(&control) => return Err(self.unexpected(at, control, "no control character in a string")),
                    };
                    at += 1;
                }
                State::Integer | State::Fraction | State::ExponentDigits if byte.is_ascii_digit() => at += 1,
                State::Zero | State::Integer | State::Fraction | State::ExponentDigits => {
                    // The byte after a number ends it, unless it goes on with a point or an exponent.
                    state = match (state, byte) {
                        (State::Zero | State::Integer, b'.') => State::Point,
                        (State::Zero | State::Integer | State::Fraction, b'e' | b'E') => State::Exponent,
                        (State::Zero, b'0'..=b'9') => {
                            return Err(self.unexpected(at, byte, "no digit after a leading zero"));
                        }
                        _ => {
                            state = self.valued();
                            continue;
                        }
                    };
                    at += 1;
                }
                State::Value
                | State::ValueOrClose
                | State::KeyOrClose
                | State::Key
                | State::Colon
                | State::CommaOrClose
                | State::Done
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

    fn unexpected(&self, at: usize, byte: u8, expected: &'static str) -> Error {
        Error { spot: Spot::byte(self.offset + at as u64, byte), expected }
    }

    /// One byte of structure; an error is what was expected instead.
    #[expect(clippy::match_same_arms, reason = "one line for each production of the grammar")]
    fn step(&mut self, state: State, byte: u8) -> Result<State, &'static str> {
        Ok(match (state, byte) {
            (State::Value | State::ValueOrClose, b'{') => self.open(true)?,
            (State::Value | State::ValueOrClose, b'[') => self.open(false)?,
            (State::Value | State::ValueOrClose, b'"') => {
                self.in_key = false;
                State::String
            }
            (State::Value | State::ValueOrClose, b'-') => State::Minus,
            (State::Value | State::ValueOrClose | State::Minus, b'0') => State::Zero,
            (State::Value | State::ValueOrClose | State::Minus, b'1'..=b'9') => State::Integer,
            (State::Value | State::ValueOrClose, b't') => State::Word(b"rue"),
            (State::Value | State::ValueOrClose, b'f') => State::Word(b"alse"),
            (State::Value | State::ValueOrClose, b'n') => State::Word(b"ull"),
            (State::ValueOrClose, b']') | (State::KeyOrClose, b'}') => self.close(),
            (State::KeyOrClose | State::Key, b'"') => {
                self.in_key = true;
                State::String
            }
            (State::Colon, b':') => State::Value,
            (State::CommaOrClose, b',') if self.in_object() => State::Key,
            (State::CommaOrClose, b',') => State::Value,
            (State::CommaOrClose, b'}') if self.in_object() => self.close(),
            (State::CommaOrClose, b']') if !self.in_object() => self.close(),
            (State::Escape, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => State::String,
            (State::Escape, b'u') => State::Hex(4),
            (State::Hex(1), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => State::String,
            (State::Hex(missing), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => State::Hex(missing - 1),
            (State::Word([last]), _) if byte == *last => self.valued(),
            (State::Word([next, rest @ ..]), _) if byte == *next => State::Word(rest),
            (State::Point, b'0'..=b'9') => State::Fraction,
            (State::Exponent, b'+' | b'-') => State::ExponentSign,
            (State::Exponent | State::ExponentSign, b'0'..=b'9') => State::ExponentDigits,
            (State::CommaOrClose, _) if self.in_object() => return Err("',' or '}'"),
            (State::CommaOrClose, _) => return Err("',' or ']'"),
            (state, _) => return Err(expected(state)),
        })
    }

    fn in_object(&self) -> bool {
        self.containers & 1 == 1
    }

    fn open(&mut self, object: bool) -> Result<State, &'static str> {
        if self.depth == DEPTH_LIMIT {
            return Err("no more than 128 containers in each other");
        }
        self.depth += 1;
        self.containers = self.containers << 1 | u128::from(object);
        Ok(if object { State::KeyOrClose } else { State::ValueOrClose })
    }

    fn close(&mut self) -> State {
        self.depth -= 1;
        self.containers >>= 1;
        self.valued()
    }

    /// The state after a value.
    fn valued(&self) -> State {
        if self.depth == 0 { State::Done } else { State::CommaOrClose }
    }
}

/// What would be right in a state, in the words of the error.
fn expected(state: State) -> &'static str {
    match state {
        State::Value => "a JSON value",
        State::ValueOrClose => "a JSON value or ']'",
        State::KeyOrClose => "a name in quotes or '}'",
        State::Key => "a name in quotes",
        State::Colon => "':'",
        State::CommaOrClose => "',' or the end of the array or object",
        State::Done => "nothing after the JSON value",
        State::String => "'\"' at the end of the string",
        State::Escape => "one of \"\\/bfnrtu after a backslash",
        State::Hex(_) => "a hexadecimal digit",
        State::Word(_) => "true, false or null",
        State::Minus | State::Point | State::ExponentSign => "a digit",
        State::Exponent => "a sign or a digit",
        State::Zero | State::Integer | State::Fraction | State::ExponentDigits => {
            "the rest of the array or object after the number"
        }
    }
}

/// How many bytes at the beginning of `bytes` are plain inside a string: neither quote, backslash nor control.
fn plain_run(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Bytes below 128 for which `byte - n` borrows, in eight lanes at once. A lane above a hit may report a false one,
    // so only the lowest counts.
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
