//! `--argument NAME=VALUE`: the arguments of an action, as the JSON object that the body is. Beside another input they
//! are the query.

use std::path::Path;

use http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::IgnoredAny;

use super::CallError;
use crate::cli::run::split_argument;

/// The characters to encode in a query: all but the unreserved ones (RFC 3986 §2.3).
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The JSON object of the arguments. A value that is JSON stands for itself, and every digit of it is kept; any other is a
/// string; `@FILE` is the content of the file, in base64. A name that is repeated has a list of values.
pub(super) fn document(arguments: &[String]) -> Result<String, CallError> {
    let mut members: Vec<(&str, Vec<String>)> = Vec::new();
    for argument in arguments {
        let (name, value) = split_argument(argument).map_err(CallError::Usage)?;
        let value = json(value)?;
        match members.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => members.push((name, vec![value])),
        }
    }
    let members = members.into_iter().map(|(name, values)| match &*values {
        [value] => format!("{}:{value}", quoted(name)),
        values => format!("{}:[{}]", quoted(name), values.join(",")),
    });
    Ok(format!("{{{}}}", members.collect::<Vec<_>>().join(",")))
}

/// The address with the arguments in its query.
pub(super) fn in_query(uri: Uri, arguments: &[String]) -> Result<Uri, CallError> {
    let encode = |text| utf8_percent_encode(text, QUERY).to_string();
    let mut pairs = Vec::new();
    for argument in arguments {
        let (name, value) = split_argument(argument).map_err(CallError::Usage)?;
        pairs.push(format!("{}={}", encode(name), encode(value)));
    }
    if pairs.is_empty() {
        return Ok(uri);
    }
    let known = uri.path_and_query().map_or("/", |known| known.as_str());
    let separator = if known.contains('?') { '&' } else { '?' };
    let query = format!("{known}{separator}{}", pairs.join("&"));
    let mut parts = uri.into_parts();
    let wrong = |error: String| CallError::Usage(format!("--argument: the address cannot hold that: {error}"));
    parts.path_and_query = Some(query.parse().map_err(|error: http::uri::InvalidUri| wrong(error.to_string()))?);
    Uri::from_parts(parts).map_err(|error| wrong(error.to_string()))
}

/// A value in JSON.
fn json(value: &str) -> Result<String, CallError> {
    if let Some(path) = value.strip_prefix('@') {
        let content =
            std::fs::read(Path::new(path)).map_err(|source| CallError::Input { what: path.to_owned(), source })?;
        return Ok(quoted(&base64_simd::STANDARD.encode_to_string(content)));
    }
    let is_json = serde_json::from_str::<IgnoredAny>(value).is_ok();
    Ok(if is_json { value.to_owned() } else { quoted(value) })
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(arguments: &[&str]) -> Result<String, String> {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        document(&arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn a_value_is_json_or_else_a_string() {
        for (argument, wanted) in [
            ("a=1", r#"{"a":1}"#),
            ("a=340282366920938463463374607431768211455", r#"{"a":340282366920938463463374607431768211455}"#),
            ("a=\"1\"", r#"{"a":"1"}"#),
            ("a=to be", r#"{"a":"to be"}"#),
            ("a=", r#"{"a":""}"#),
            ("a=b=\"c\"", r#"{"a":"b=\"c\""}"#),
            ("a=[1, {\"b\": null}]", r#"{"a":[1, {"b": null}]}"#),
            ("\"=true", r#"{"\"":true}"#),
        ] {
            assert_eq!(object(&[argument]).as_deref(), Ok(wanted));
        }
        assert_eq!(object(&["a=1", "b=x", "a=2"]).as_deref(), Ok(r#"{"a":[1,2],"b":"x"}"#));
        assert!(object(&["=1"]).expect_err("no name").contains("NAME=VALUE"));
        assert!(object(&["a=@/no/such/file"]).expect_err("no file").contains("/no/such/file"));
    }

    #[test]
    fn beside_an_input_arguments_are_the_query() {
        let arguments = ["a=x y&z".to_owned(), "b=1".to_owned()];
        for (url, wanted) in [
            ("http://host/run/x", "http://host/run/x?a=x%20y%26z&b=1"),
            ("http://host", "http://host/?a=x%20y%26z&b=1"),
            ("http://host/?c=d", "http://host/?c=d&a=x%20y%26z&b=1"),
        ] {
            let uri = in_query(url.parse().expect("an address"), &arguments).expect("fits");
            assert_eq!(uri.to_string(), wanted);
        }
    }
}
