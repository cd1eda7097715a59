//! A response that is no success: the error document of S3, and what its header says where there is none.

use std::time::Duration;

use http::{StatusCode, header};
use jiff::Timestamp;

use super::document::{Document, LIMIT};
use crate::{
    control::Control,
    error::{Again, Error, ErrorKind},
    http::Response,
};

/// The difference between two clocks from which on S3 refuses a signature.
const SKEW: i64 = 15 * 60;

/// A response that is no success.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// `Code` of the error document; empty without one.
    pub(super) code: String,
    message: String,
    /// The region that the bucket is in, if the store says so.
    pub(super) region: Option<String>,
    /// The time of the store.
    pub(super) date: Option<Timestamp>,
    retry_after: Option<Duration>,
    pub(super) content_range: Option<String>,
}

impl Refusal {
    /// Reads the rest of a response.
    pub(super) fn read(response: &mut Response<'_>, control: &Control<'_>) -> Self {
        let text = |name: &str| response.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let date = text("date").and_then(|date| http_date(&date));
        let mut refusal = Self {
            status: response.status,
            region: text("x-amz-bucket-region"),
            retry_after: text("retry-after").and_then(|value| pause(&value, date)),
            content_range: text(header::CONTENT_RANGE.as_str()),
            date,
            ..Self::default()
        };
        // The status is known, whatever becomes of the body.
        if let Some(document) = response.read(LIMIT, control).ok().and_then(|bytes| Document::parse(&bytes)) {
            refusal.take(&document);
        }
        refusal
    }

    /// The refusal in a document that came with the status of a success.
    pub(super) fn of_document(document: &Document) -> Self {
        let mut refusal = Self { status: StatusCode::INTERNAL_SERVER_ERROR, ..Self::default() };
        refusal.take(document);
        refusal
    }

    fn take(&mut self, document: &Document) {
        let text = |name| document.text(name).map(str::to_owned);
        self.code = text("Code").unwrap_or_default();
        self.message = text("Message").unwrap_or_default();
        self.region = self.region.take().or_else(|| text("Region"));
    }

    /// Whether the store's clock and ours differ too much. A response to HEAD has no document, but a date.
    pub(super) fn is_skewed(&self, now: Timestamp) -> bool {
        let differs = || self.date.is_some_and(|date| (date.as_second() - now.as_second()).abs() >= SKEW);
        self.code == "RequestTimeTooSkewed" || (self.code.is_empty() && self.status == 403 && differs())
    }

    /// Whether the session token is over.
    pub(super) fn is_expired(&self) -> bool {
        matches!(self.code.as_str(), "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired")
    }

    /// Whether the request is one for another region.
    pub(super) fn is_elsewhere(&self) -> bool {
        let codes = [
            "PermanentRedirect",
            "TemporaryRedirect",
            "AuthorizationHeaderMalformed",
            "IllegalLocationConstraintException",
        ];
        self.status.is_redirection()
            || codes.contains(&self.code.as_str())
            || self.status == 400 && self.code.is_empty()
    }

    /// The reason.
    pub(super) fn kind(&self) -> ErrorKind {
        match self.code.as_str() {
            "NoSuchKey" | "NoSuchVersion" => ErrorKind::NotFound,
            "NoSuchBucket" => ErrorKind::NoBucket,
            "AccessDenied" | "AllAccessDisabled" | "AccountProblem" | "InvalidObjectState" => ErrorKind::Denied,
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "InvalidToken"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "TokenRefreshRequired"
            | "InvalidSecurity"
            | "NotSignedUp" => ErrorKind::Credentials,
            "RequestTimeTooSkewed" => ErrorKind::Clock,
            "BadDigest" | "XAmzContentSHA256Mismatch" | "XAmzContentChecksumMismatch" => ErrorKind::Unverified,
            "PreconditionFailed" => ErrorKind::Changed,
            _ if self.is_passing() => ErrorKind::Unreachable,
            _ => match self.status.as_u16() {
                401 => ErrorKind::Credentials,
                403 => ErrorKind::Denied,
                404 => ErrorKind::NotFound,
                412 => ErrorKind::Changed,
                500..=599 => ErrorKind::Unreachable,
                _ => ErrorKind::Rejected,
            },
        }
    }

    fn is_passing(&self) -> bool {
        let codes = [
            "SlowDown",
            "InternalError",
            "RequestTimeout",
            "RequestTimeoutException",
            "ServiceUnavailable",
            "Throttling",
            "ThrottlingException",
            "RequestLimitExceeded",
            "TooManyRequests",
            "OperationAborted",
            "IncompleteBody",
            "BadDigest",
            "XAmzContentSHA256Mismatch",
            "XAmzContentChecksumMismatch",
        ];
        // 501 and 505 say that the request is never understood.
        codes.contains(&self.code.as_str()) || matches!(self.status.as_u16(), 408 | 429 | 500 | 502..=504 | 506..=599)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let Refusal { status, code, message, region, .. } = &refusal;
        let mut detail = match (code.as_str(), message.as_str()) {
            ("", _) => format!("the store answered {status}"),
            (code, "") => format!("the store answered {} {code}", status.as_u16()),
            (code, message) => format!("the store answered {} {code}: {message}", status.as_u16()),
        };
        if refusal.is_elsewhere() && status.is_redirection() {
            detail.push_str(match region {
                Some(_) => "; the region that it names was tried",
                None => "; redirects are not followed: check 'endpoint' and 'region'",
            });
        }
        let again = match refusal.retry_after {
            _ if !refusal.is_passing() => Again::Never,
            Some(pause) => Again::After(pause),
            None => Again::Later,
        };
        Self { again, ..Self::new(refusal.kind(), detail) }
    }
}

/// A date as HTTP writes it.
pub(super) fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()
}

/// The pause that `Retry-After` asks for: seconds, or a time.
fn pause(value: &str, now: Option<Timestamp>) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let left = http_date(value)?.as_second() - now.unwrap_or_else(Timestamp::now).as_second();
    Some(Duration::from_secs(left.try_into().unwrap_or_default()))
}

#[cfg(test)]
mod tests;
