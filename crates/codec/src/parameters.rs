//! The `; name=value` parameters that follow the first word of a header field.
//!
//! As lenient as browsers and curl require: RFC 9110 §5.6.6 and RFC 6266, except that a backslash in quotes escapes
//! only a quote or a backslash (`"C:\scan.png"` is a path), and an unquoted value may contain blanks. Bytes that are
//! not UTF-8 are read as ISO 8859-1, in which every byte is a character.

use percent_encoding::percent_decode;

/// The file name in a `Content-Disposition`, as sent; `filename*` (RFC 8187) takes precedence over `filename`. It may
/// be empty.
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

/// Splits `bytes` into the value at its beginning and the rest after the semicolon.
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

/// Decodes a value in the form of RFC 8187 §3.2, `UTF-8'en'na%C3%AFve.txt`. `None` for an unsupported character set.
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

/// Whether `bytes` are a token (RFC 9110 §5.6.2).
#[must_use]
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}
