//! The form of an object's key in an event.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The form of an object's key in an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyForm {
    /// Encoded as in a form: a blank is `+`, other characters are percent-encoded, and a slash may be.
    Encoded,
    /// As the object is named. A `+` or `%` is part of the name.
    Verbatim,
}

impl KeyForm {
    /// The key as the object is named. A `%` without two digits stays, and so does a key that does not decode to UTF-8: it
    /// was not encoded.
    pub(super) fn decode(self, key: &str) -> String {
        if self == Self::Verbatim {
            return key.to_owned();
        }
        let spaced = key.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8().map_or_else(|_| key.to_owned(), Cow::into_owned)
    }
}
