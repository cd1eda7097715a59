//! Decodes the pairs of a query or an urlencoded form (`application/x-www-form-urlencoded`).
//!
//! Browsers replace invalid UTF-8 by U+FFFD. This decoder reports it: an action never gets a text that differs from the
//! one sent.

use percent_encoding::percent_decode;

/// The decoded pairs of `text`. A value is `None` if it, or its name, is not UTF-8; such a name is fit for messages
/// only.
pub fn decode_pairs(text: &[u8]) -> impl Iterator<Item = (String, Option<String>)> {
    text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let end = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = end.map_or((pair, &[][..]), |end| (&pair[..end], &pair[end + 1..]));
        match (decoded(name), decoded(value)) {
            (Ok(name), value) => (name, value.ok()),
            (Err(name), _) => (String::from_utf8_lossy(name.as_bytes()).into_owned(), None),
        }
    })
}

/// Decodes `+` and `%XX`.
fn decoded(text: &[u8]) -> Result<String, std::string::FromUtf8Error> {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    String::from_utf8(percent_decode(&spaced).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_utf8_has_no_value() {
        for (text, name, value) in [
            (&b"s=%ff"[..], "s", None),
            (b"s=a\xffb", "s", None),
            (b"s=%c3", "s", None),
            (b"s=%ed%a0%80", "s", None),
            (b"s=%c3%a9", "s", Some("\u{e9}")),
            (b"s=%ef%bf%bd", "s", Some("\u{fffd}")),
            (b"s=%zz%4", "s", Some("%zz%4")),
            (b"s%ff=a", "s\u{fffd}", None),
        ] {
            assert_eq!(
                decode_pairs(text).collect::<Vec<_>>(),
                [(name.to_owned(), value.map(str::to_owned))],
                "{text:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn all_else_is_read_as_browsers_do(text in prop_oneof!["[a%&=+ 2f]*", "\\PC*"]) {
            let wanted = form_urlencoded::parse(text.as_bytes()).map(|(name, value)| (name.into_owned(), value.into_owned()));
            let wanted: Vec<_> = wanted.collect();
            let read: Vec<_> = decode_pairs(text.as_bytes()).collect();
            prop_assert_eq!(read.len(), wanted.len());
            for ((name, value), wanted) in read.into_iter().zip(wanted) {
                prop_assert_eq!(&name, &wanted.0);
                prop_assert!(value.is_none_or(|value| value == wanted.1));
            }
        }
    }
}
