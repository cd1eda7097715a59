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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Names with all that has a meaning in a parameter.
    fn odd_names() -> impl Strategy<Value = String> {
        let marks = prop::sample::select(vec![
            '"',
            '\\',
            ';',
            '=',
            '\'',
            '*',
            '%',
            '/',
            ' ',
            '\t',
            ',',
            '+',
            '.',
            'a',
            'é',
            'ÿ',
            '\u{202e}',
            '\u{1f600}',
        ]);
        let chars = prop_oneof![3 => marks, 1 => any::<char>()];
        prop::collection::vec(chars, 0..10).prop_map(|chars| chars.into_iter().collect())
    }

    /// A quoted string (RFC 9110 §5.6.4), in which a backslash stands before quotes and backslashes.
    fn quoted(name: &str) -> String {
        format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
    }

    /// An `ext-value` (RFC 8187 §3.2.1): `attr-char` as it is, all else in hexadecimal.
    fn extended(charset: &str, bytes: &[u8]) -> String {
        let encoded = bytes.iter().map(|byte| match byte {
            byte if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(byte) => char::from(*byte).to_string(),
            byte => format!("%{byte:02x}"),
        });
        format!("{charset}'en'{}", encoded.collect::<String>())
    }

    proptest! {
        /// RFC 6266 §4.3: `filename*` takes precedence, wherever it stands.
        #[test]
        fn any_name_comes_out_of_any_form_of_it(
            name in odd_names(), other in odd_names(),
            blank in "[ \t]?", is_first in any::<bool>(), upper in any::<bool>(),
        ) {
            let [plain_name, full_name] =
                if upper { ["FileName", "FILENAME*"] } else { ["filename", "filename*"] };
            let plain = |name: &str| format!("{plain_name}{blank}={blank}{}", quoted(name));
            let field = |parameters: &[String]| format!("attachment{blank};{blank}{}", parameters.join("; "));
            prop_assert_eq!(file_name(field(&[plain(&name)]).as_bytes()), Some(name.clone()));
            let after_another = field(&[format!("size={}", quoted(&other)), plain(&name)]);
            prop_assert_eq!(file_name(after_another.as_bytes()), Some(name.clone()));
            let full = format!("{full_name}={}", extended("UTF-8", name.as_bytes()));
            let both = if is_first { [full, plain(&other)] } else { [plain(&other), full] };
            prop_assert_eq!(file_name(field(&both).as_bytes()), Some(name.clone()));
            let latin_1: Option<Vec<u8>> = name.chars().map(|char| u8::try_from(char).ok()).collect();
            if let Some(latin_1) = latin_1 {
                let full = format!("{full_name}={}", extended("iso-8859-1", &latin_1));
                prop_assert_eq!(file_name(field(&[full]).as_bytes()), Some(name.clone()));
                // Bytes that are no UTF-8 are ISO 8859-1 without a label as well.
                let sent = [b"a; filename=\"", &latin_1[..], b"\""].concat();
                if std::str::from_utf8(&sent).is_err() && !name.contains(['"', '\\']) {
                    prop_assert_eq!(file_name(&sent), Some(name.clone()));
                }
            }
            // A set of characters that is not known is passed over.
            let unknown = format!("{full_name}={}", extended("utf-16", name.as_bytes()));
            prop_assert_eq!(file_name(field(&[unknown, plain(&other)]).as_bytes()), Some(other));
        }

        #[test]
        fn no_field_panics(
            field in prop::collection::vec(
                prop_oneof![prop::sample::select(b"\"\\;=*'%a ".to_vec()), any::<u8>()], 0..40,
            ),
        ) {
            let _ = (file_name(&field), find(&field, "boundary"));
        }
    }
}
