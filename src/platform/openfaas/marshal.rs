//! `marshal_request` of classic-watchdog: the function reads one JSON document that holds the header fields and, in
//! base64, the body of the request.

use std::collections::BTreeMap;

use http::{HeaderMap, header::HOST};

use crate::input::{DocumentFrame, InputDocument};

/// The document of `marshal_request`.
#[derive(Debug, Clone, Copy)]
pub(super) struct MarshalledRequest;

impl InputDocument for MarshalledRequest {
    /// Writes the fields by their names in Go's spelling, each with all of its values.
    fn frame(&self, headers: &HeaderMap, hides: &dyn Fn(&str) -> bool) -> DocumentFrame {
        let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in headers {
            if *name != HOST && !hides(name.as_str()) {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                fields.entry(canonical(name.as_str())).or_default().push(value);
            }
        }
        let mut text = serde_json::to_string(&fields).unwrap_or_default();
        // As Go writes them, for documents that stand in HTML.
        for (sign, escaped) in [("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")] {
            text = text.replace(sign, escaped);
        }
        let before = format!("{{\"header\":{text},\"body\":{{\"raw\":\"").into_bytes();
        DocumentFrame { before, after: "\"}}" }
    }
}

/// `X-Forwarded-For` for `x-forwarded-for`.
fn canonical(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    });
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(headers: &HeaderMap) -> String {
        let DocumentFrame { before, after } = MarshalledRequest.frame(headers, &|name| name == "authorization");
        format!("{}BODY{after}", String::from_utf8(before).expect("text"))
    }

    #[test]
    fn names_and_values_are_spelled_as_go_spells_them() {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("user-agent", "curl/8"), ("accept", "*/*"), ("accept", "<a&b>"), ("host", "x"), ("authorization", "s")]
        {
            headers.append(name, value.parse().expect("a value"));
        }
        assert_eq!(
            document(&headers),
            r#"{"header":{"Accept":["*/*","\u003ca\u0026b\u003e"],"User-Agent":["curl/8"]},"body":{"raw":"BODY"}}"#
        );
        assert_eq!(document(&HeaderMap::new()), r#"{"header":{},"body":{"raw":"BODY"}}"#);
    }
}
