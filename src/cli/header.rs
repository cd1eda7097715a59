//! `--header NAME:VALUE` of `run` and `call`.

use http::{HeaderName, HeaderValue};

/// Parses `Name: value`. The blank after the colon is optional.
///
/// # Errors
/// The mistake. It never quotes the value, which may be a secret.
pub fn parse(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let Some((name, value)) = text.split_once(':') else {
        return Err("--header: expected NAME:VALUE, such as \"Accept: application/json\"".to_owned());
    };
    let parsed_name = name.trim().parse().map_err(|_| format!("--header: {name:?} is no name of a header"))?;
    let value = value.trim().parse().map_err(|_| format!("--header: the value of {name:?} cannot be sent"))?;
    Ok((parsed_name, value))
}

/// Parses all headers.
///
/// # Errors
/// Every mistake, each on a line.
pub fn parse_all(texts: &[String]) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let (good, bad): (Vec<_>, Vec<_>) = texts.iter().map(|text| parse(text)).partition(Result::is_ok);
    if bad.is_empty() {
        return Ok(good.into_iter().flatten().collect());
    }
    Err(bad.into_iter().filter_map(Result::err).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_a_name_a_colon_and_a_value() {
        let (name, value) = parse("Accept: text/plain; q=0.5").expect("valid");
        assert_eq!((name.as_str(), value.to_str().expect("text")), ("accept", "text/plain; q=0.5"));
        assert_eq!(parse("X-Url:http://a:1/").expect("valid").1, "http://a:1/");
        assert_eq!(parse("X-Empty:").expect("valid").1, "");
    }

    #[test]
    fn every_bad_header_is_named_and_no_value_is_shown() {
        let texts = ["none", "b d: s3cr3t", "Good: x", "Bad: s3c\nr3t"].map(str::to_owned);
        let error = parse_all(&texts).expect_err("three are bad");
        assert_eq!(error.lines().count(), 3, "{error}");
        assert!(!error.contains("s3c"), "{error}");
    }
}
