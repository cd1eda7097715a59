//! The `; name=value` that follow the first word of a header field.
//!
//! Lenient as browsers and curl make it necessary: RFC 9110 §5.6.6 and RFC 6266, but a backslash in quotes escapes
//! only a quote or a backslash (`"C:\scan.png"` is a path), and a value without quotes may have blanks. Bytes that are
//! not UTF-8 are read as ISO 8859-1, in which each means something.

use percent_encoding::percent_decode;

/// The file name in a `Content-Disposition`, as sent; `filename*` (RFC 8187) before `filename`. An empty one is one.
#[must_use]
pub fn file_name(field: &[u8]) -> Option<String> {
    find(field, "filename*")
        .and_then(|value| extended(&value))
        .or_else(|| find(field, "filename").map(|value| text(&value)))
}

/// The first parameter called `name` (lower case), without its quotes.
#[must_use]
pub fn find(field: &[u8], name: &str) -> Option<Vec<u8>> {
    let start = field.iter().position(|byte| *byte == b';')?;
    let mut rest = &field[start + 1..];
    loop {
        let end = rest.iter().position(|byte| matches!(byte, b'=' | b';'))?;
        let (key, after) = (rest[..end].trim_ascii(), &rest[end + 1..]);
        if rest[end] == b';' {
            rest = after;
            continue;
        }
        let (value, after) = value(after);
        if key.eq_ignore_ascii_case(name.as_bytes()) {
            return Some(value);
        }
        rest = after;
    }
}

/// The value at the beginning of `bytes`, and what follows its semicolon.
fn value(bytes: &[u8]) -> (Vec<u8>, &[u8]) {
    let trimmed = bytes.trim_ascii_start();
    let Some(mut rest) = trimmed.strip_prefix(b"\"") else {
        let end = trimmed.iter().position(|byte| *byte == b';').unwrap_or(trimmed.len());
        return (trimmed[..end].trim_ascii_end().to_vec(), trimmed.get(end + 1..).unwrap_or_default());
    };
    let mut value = Vec::new();
    loop {
        match rest {
            [] => return (value, rest),
            [b'"', after @ ..] => {
                let end = after.iter().position(|byte| *byte == b';').map_or(after.len(), |at| at + 1);
                return (value, &after[end..]);
            }
            [b'\\', escaped @ (b'"' | b'\\'), after @ ..] | [escaped, after @ ..] => {
                value.push(*escaped);
                rest = after;
            }
        }
    }
}

/// A value as RFC 8187 §3.2 writes it: `UTF-8'en'na%C3%AFve.txt`. `None` if its character set is another.
fn extended(value: &[u8]) -> Option<String> {
    let mut parts = value.splitn(3, |byte| *byte == b'\'');
    let (charset, _language, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes: Vec<u8> = percent_decode(encoded).collect();
    if charset.eq_ignore_ascii_case(b"utf-8") {
        String::from_utf8(bytes).ok()
    } else if charset.eq_ignore_ascii_case(b"iso-8859-1") {
        Some(latin_1(&bytes))
    } else {
        None
    }
}

/// Header bytes as text.
#[must_use]
pub fn text(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| latin_1(bytes), ToOwned::to_owned)
}

fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// Whether these bytes are a token (RFC 9110 §5.6.2).
#[must_use]
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}
