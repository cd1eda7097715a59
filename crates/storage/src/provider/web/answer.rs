//! A short answer of a server, and its status as an error.

use std::time::{Duration, SystemTime};

use http::{
    HeaderMap, HeaderName, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use jiff::fmt::rfc2822;

use crate::error::{Again, Error, ErrorKind};

/// Characters of the server's own words that a message holds, at most.
const WORDS: usize = 200;

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: StatusCode,
    /// The header fields.
    pub(crate) headers: HeaderMap,
    /// The body, or its first part.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header field, if it is there and text.
    pub(crate) fn header(&self, name: impl Into<HeaderName>) -> Option<&str> {
        self.headers.get(name.into())?.to_str().ok()
    }

    /// Fails unless the status is one of success.
    ///
    /// # Errors
    /// The error of [`Self::failure`].
    pub(crate) fn succeeded(self, action: &str) -> Result<Self, Error> {
        if self.status.is_success() { Ok(self) } else { Err(self.failure(action)) }
    }

    /// The status as an error.
    pub(crate) fn failure(&self, action: &str) -> Error {
        let reason = self.status.canonical_reason().unwrap_or_default();
        let mut detail = format!("{action} gave {} {reason}", self.status.as_u16()).trim_end().to_owned();
        if let Some(words) = self.words() {
            detail.push_str(": ");
            detail.push_str(&words);
        }
        let again = if is_passing(self.status) { self.pause() } else { Again::Never };
        Error { again, ..Error::new(kind(self.status), detail) }
    }

    /// The words of a server that answers in plain text.
    fn words(&self) -> Option<String> {
        self.header(CONTENT_TYPE).filter(|media| media.starts_with("text/plain"))?;
        let text = std::str::from_utf8(&self.body).ok()?;
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(words.chars().filter(|sign| !sign.is_control()).take(WORDS).collect::<String>())
            .filter(|words| !words.is_empty())
    }

    /// The pause that the server asks for, in seconds or as a date.
    fn pause(&self) -> Again {
        let asked = self.header(RETRY_AFTER).map(str::trim).and_then(|value| {
            let seconds = value.parse().map(Duration::from_secs).ok();
            seconds.or_else(|| until(value))
        });
        asked.map_or(Again::Later, Again::After)
    }
}

/// The time until a date of HTTP; zero if it is over.
fn until(date: &str) -> Option<Duration> {
    let date: SystemTime = rfc2822::parse(date).ok()?.timestamp().into();
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

/// The kind of error that a status is.
fn kind(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        401 | 407 => ErrorKind::Credentials,
        403 => ErrorKind::Denied,
        404 | 409 | 410 => ErrorKind::NotFound,
        412 => ErrorKind::Changed,
        408 | 425 | 429 | 501 | 505 => ErrorKind::Unreachable,
        400..=499 | 507 | 508 => ErrorKind::Rejected,
        _ => ErrorKind::Unreachable,
    }
}

/// Whether the same request may succeed later.
fn is_passing(status: StatusCode) -> bool {
    match status.as_u16() {
        // 423 Locked: some servers lock a file until they have seen that its upload broke.
        408 | 423 | 425 | 429 => true,
        501 | 505 | 507 | 508 => false,
        _ => status.is_server_error(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, fields: &[(&'static str, &str)], body: &str) -> Answer {
        let headers =
            fields.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().expect("a value")));
        let status = StatusCode::from_u16(status).expect("a status");
        Answer { status, headers: headers.collect(), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn a_status_is_an_error_with_a_name() {
        for (status, kind, passes) in [
            (401, ErrorKind::Credentials, false),
            (403, ErrorKind::Denied, false),
            (404, ErrorKind::NotFound, false),
            (409, ErrorKind::NotFound, false),
            (412, ErrorKind::Changed, false),
            (400, ErrorKind::Rejected, false),
            (413, ErrorKind::Rejected, false),
            (415, ErrorKind::Rejected, false),
            (422, ErrorKind::Rejected, false),
            (423, ErrorKind::Rejected, true),
            (507, ErrorKind::Rejected, false),
            (301, ErrorKind::Unreachable, false),
            (501, ErrorKind::Unreachable, false),
            (408, ErrorKind::Unreachable, true),
            (429, ErrorKind::Unreachable, true),
            (500, ErrorKind::Unreachable, true),
            (503, ErrorKind::Unreachable, true),
        ] {
            let error = answer(status, &[], "").failure("PUT");
            assert_eq!((error.kind, error.again != Again::Never), (kind, passes), "{status}");
            assert!(error.detail.contains(&format!("PUT gave {status}")), "{error}");
            assert!(answer(status, &[], "").succeeded("PUT").is_err());
        }
        assert!(answer(204, &[], "").succeeded("PUT").is_ok());
    }

    #[test]
    fn the_pause_is_the_one_that_the_server_asks_for() {
        let again = |value: &str| answer(503, &[("retry-after", value)], "").failure("GET").again;
        assert_eq!(again("7"), Again::After(Duration::from_secs(7)));
        assert_eq!(again("Wed, 21 Oct 2015 07:28:00 GMT"), Again::After(Duration::ZERO));
        assert!(
            matches!(again("Wed, 21 Oct 2099 07:28:00 GMT"), Again::After(pause) if pause > Duration::from_hours(24))
        );
        assert_eq!(again("soon"), Again::Later);
        assert_eq!(answer(404, &[("retry-after", "7")], "").failure("GET").again, Again::Never);
    }

    #[test]
    fn the_words_of_a_server_are_shown_if_they_are_plain() {
        let long = format!(" quota\n\u{7}is  used up {}", "x".repeat(500));
        let plain = answer(507, &[("content-type", "text/plain; charset=utf-8")], &long).failure("PUT").detail;
        assert!(plain.starts_with("PUT gave 507 Insufficient Storage: quota is used up xxx"), "{plain}");
        assert!(plain.len() < 300);
        let page = answer(507, &[("content-type", "text/html")], "<h1>quota</h1>").failure("PUT").detail;
        assert_eq!(page, "PUT gave 507 Insufficient Storage");
    }
}
