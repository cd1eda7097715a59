//! Conditional requests and ranges (RFC 9110 §13, §14).

use std::time::{Duration, SystemTime};

use hyper::{
    HeaderMap,
    header::{HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, RANGE},
};

/// One state of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Version {
    pub(super) size: u64,
    pub(super) modified: Option<SystemTime>,
}

impl Version {
    /// The name of this state: size and time of the last change, in hexadecimal.
    pub(super) fn tag(&self) -> String {
        let since = self.modified.and_then(|modified| modified.duration_since(SystemTime::UNIX_EPOCH).ok());
        format!("\"{:x}-{:x}\"", self.size, since.unwrap_or_default().as_nanos())
    }

    /// The time of the last change as HTTP writes it, to the second.
    pub(super) fn date(&self) -> Option<String> {
        // Later ones cannot be written (httpdate).
        let last = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799);
        self.modified.filter(|modified| *modified <= last).map(httpdate::fmt_http_date)
    }
}

/// The part of a file to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileRange {
    Whole,
    /// Both ends included.
    Range {
        first: u64,
        last: u64,
    },
    /// Something that is not there.
    Beyond,
}

/// The conditions of a request.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    none_match: Option<String>,
    modified_since: Option<SystemTime>,
    range: Option<String>,
    if_range: Option<String>,
}

impl Conditions {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| {
            let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
            (!values.is_empty()).then(|| values.join(", "))
        };
        Self {
            none_match: text(IF_NONE_MATCH),
            modified_since: text(IF_MODIFIED_SINCE).and_then(|date| httpdate::parse_http_date(&date).ok()),
            range: text(RANGE),
            if_range: text(IF_RANGE),
        }
    }

    /// Whether the client has this state already. Where it names states, its clock does not count (§13.2.2).
    pub(super) fn is_unchanged(&self, version: &Version) -> bool {
        if let Some(known) = &self.none_match {
            let tag = version.tag();
            return known.split(',').map(str::trim).any(|known| {
                // The weak comparison of §8.8.3.2. No tag of ours holds a comma.
                known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag
            });
        }
        matches!((self.modified_since, to_the_second(version)), (Some(since), Some(modified)) if modified <= since)
    }

    /// The part that is wanted. Several at once, and what is no range of bytes, are answered with the whole (§14.2).
    pub(super) fn part(&self, version: &Version) -> FileRange {
        let Some(range) = &self.range else { return FileRange::Whole };
        let is_of_this = match &self.if_range {
            None => true,
            Some(tag) if tag.starts_with('"') => *tag == version.tag(),
            Some(date) => httpdate::parse_http_date(date).is_ok_and(|date| to_the_second(version) == Some(date)),
        };
        if !is_of_this {
            return FileRange::Whole;
        }
        range
            .strip_prefix("bytes=")
            .map(str::trim)
            .and_then(|range| parse(range, version.size))
            .unwrap_or(FileRange::Whole)
    }
}

/// As the client was told it.
fn to_the_second(version: &Version) -> Option<SystemTime> {
    let since = version.modified?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs()))
}

/// One range (§14.1.2); `None` if it is none.
fn parse(range: &str, size: u64) -> Option<FileRange> {
    let (first, last) = range.split_once('-')?;
    let number = |text: &str| -> Option<u64> {
        // A number that is too large is beyond every file.
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let part = match (first, last) {
        ("", suffix) => match number(suffix)? {
            0 => FileRange::Beyond,
            _ if size == 0 => FileRange::Beyond,
            suffix => FileRange::Range { first: size.saturating_sub(suffix), last: size - 1 },
        },
        (first, "") => match number(first)? {
            first if first < size => FileRange::Range { first, last: size - 1 },
            _ => FileRange::Beyond,
        },
        (first, last) => match (number(first)?, number(last)?) {
            (first, last) if last < first => return None,
            (first, last) if first < size => FileRange::Range { first, last: last.min(size - 1) },
            _ => FileRange::Beyond,
        },
    };
    Some(part)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn conditions(fields: &[(&'static str, &str)]) -> Conditions {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().expect("a value"));
        }
        Conditions::of(&headers)
    }

    fn version() -> Version {
        Version { size: 10, modified: Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1_500_000_000_500)) }
    }

    #[test]
    fn a_range_is_read_as_the_standard_says() {
        for (range, wanted) in [
            ("bytes=0-0", FileRange::Range { first: 0, last: 0 }),
            ("bytes=2-5", FileRange::Range { first: 2, last: 5 }),
            ("bytes=2-", FileRange::Range { first: 2, last: 9 }),
            ("bytes=-3", FileRange::Range { first: 7, last: 9 }),
            ("bytes=-30", FileRange::Range { first: 0, last: 9 }),
            ("bytes=9-99999999999999999999999", FileRange::Range { first: 9, last: 9 }),
            ("bytes=10-", FileRange::Beyond),
            ("bytes=99999999999999999999999-", FileRange::Beyond),
            ("bytes=-0", FileRange::Beyond),
            ("bytes=5-2", FileRange::Whole),
            ("bytes=0-1,4-5", FileRange::Whole),
            ("bytes=a-b", FileRange::Whole),
            ("bytes=-", FileRange::Whole),
            ("lines=1-2", FileRange::Whole),
        ] {
            assert_eq!(conditions(&[("range", range)]).part(&version()), wanted, "{range}");
        }
        assert_eq!(conditions(&[("range", "bytes=-1")]).part(&Version { size: 0, ..version() }), FileRange::Beyond);
    }

    #[test]
    fn a_range_of_another_state_is_the_whole() {
        let of = |if_range: &str| conditions(&[("range", "bytes=0-0"), ("if-range", if_range)]).part(&version());
        let part = FileRange::Range { first: 0, last: 0 };
        assert_eq!(of(&version().tag()), part);
        assert_eq!(of(&version().date().expect("a date")), part);
        for other in ["\"x\"", "W/\"x\"", "Fri, 14 Jul 2017 02:40:01 GMT", "x"] {
            assert_eq!(of(other), FileRange::Whole, "{other}");
        }
    }

    #[test]
    fn who_has_it_already_is_not_sent_it_again() {
        let tag = version().tag();
        let is = |fields: &[(&'static str, &str)]| conditions(fields).is_unchanged(&version());
        assert!(is(&[("if-none-match", &tag)]));
        assert!(is(&[("if-none-match", &format!("\"x\", W/{tag}"))]));
        assert!(is(&[("if-none-match", "*")]));
        assert!(is(&[("if-modified-since", &version().date().expect("a date"))]));
        assert!(!is(&[("if-none-match", "\"x\""), ("if-modified-since", &version().date().expect("a date"))]));
        assert!(!is(&[("if-modified-since", "Fri, 14 Jul 2017 02:39:59 GMT")]));
        assert!(!is(&[]));
    }

    proptest! {
        #[test]
        fn a_part_lies_in_the_file(range in "bytes=[0-9]{0,3}-[0-9]{0,3}", size in 0_u64..200) {
            if let FileRange::Range { first, last } = conditions(&[("range", &range)]).part(&Version { size, modified: None }) {
                prop_assert!(first <= last && last < size, "{first}-{last} of {size}");
            }
        }
    }
}
