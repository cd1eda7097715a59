//! `Accept` (RFC 9110 §12.5.1) → the form of the response.
//!
//! The default (base64, or the logs) applies unless another form is *named*: more specifically than by `*/*` or `text/*`,
//! and with at least the weight of those and of `text/plain`. Most clients send `*/*` or a list that ends with it, and
//! must get the default. Invalid ranges are ignored, and no request is refused with 406.

use std::sync::Arc;

use super::{
    style::{AnswerStyle, RequestStyle},
    trailers::Trailers,
};
use crate::output::Output;

/// The forms of a response that a client accepts.
#[derive(Debug, Clone, Default)]
pub struct Accept {
    ranges: Vec<MediaRange>,
    /// The wording of the response; `None` for bandog's own.
    style: Option<RequestStyle>,
    /// The trailers that the client is sent.
    trailers: Trailers,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct MediaRange {
    /// In lower case; `*` for any.
    main: String,
    sub: String,
    /// In thousandths.
    weight: u16,
}

/// The form of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseForm {
    /// The base64 of the file or zip, or the logs.
    Default,
    /// The file or zip as it is, under this type.
    Raw(String),
    /// The JSON document.
    Json,
    /// The file as it is, whatever the client accepts, under this type.
    Bare(String),
}

impl Accept {
    /// Reads the value of the header field. Several fields are joined with a comma (RFC 9110 §5.3).
    #[must_use]
    pub fn parse(value: Option<&[u8]>) -> Self {
        let value = value.unwrap_or_default();
        let ranges = split(value, b',').into_iter().filter_map(MediaRange::parse).collect();
        Self { ranges, ..Self::default() }
    }

    /// Reads the header fields of a request.
    #[must_use]
    pub fn from_headers(headers: &http::HeaderMap) -> Self {
        let fields = headers.get_all(http::header::ACCEPT).iter();
        let ranges = fields.flat_map(|field| Self::parse(Some(field.as_bytes())).ranges).collect();
        Self { ranges, ..Self::default() }
    }

    /// Reads the header fields of a request whose response is worded in `style`; `None` for bandog's own.
    #[must_use]
    pub fn in_style(headers: &http::HeaderMap, style: Option<&Arc<dyn AnswerStyle>>) -> Self {
        let own = Self::from_headers(headers);
        let Some(style) = style else { return own };
        let ranges = if style.reads_accept() { own.ranges } else { Vec::new() };
        Self { ranges, style: Some(RequestStyle::new(style, headers)), ..own }
    }

    /// The wording of the response; `None` for bandog's own.
    pub(super) fn style(&self) -> Option<&RequestStyle> {
        self.style.as_ref()
    }

    /// Whether the response tells where its time went.
    pub(super) fn shows_times(&self) -> bool {
        self.style().is_none_or(RequestStyle::shows_times)
    }

    /// Adds the trailers that the client is sent.
    #[must_use]
    pub fn with_trailers(self, trailers: Trailers) -> Self {
        Self { trailers, ..self }
    }

    /// The trailers that the client is sent.
    #[must_use]
    pub fn trailers(&self) -> Trailers {
        self.trailers
    }

    /// Whether the client chooses `text/event-stream`: it names it with at least the weight of everything else. This must
    /// be known before the function runs.
    #[must_use]
    pub fn events(&self) -> bool {
        let Some(weight) = self.named("text", "event-stream") else { return false };
        self.ranges.iter().all(|range| range.weight <= weight)
    }

    /// The form for this output, unless it is the event stream.
    #[must_use]
    pub fn choose(&self, output: &Output) -> ResponseForm {
        match output {
            Output::None | Output::Streamed(_) if self.is_json() => ResponseForm::Json,
            Output::None | Output::Streamed(_) => ResponseForm::Default,
            Output::File(file) if file.is_bare() => ResponseForm::Bare(file.media_type().to_owned()),
            Output::File(file) => self.choose_for(file.media_type()),
            Output::Tree(_) => self.choose_for("application/zip"),
        }
    }

    /// Whether the client asks for the JSON document.
    fn is_json(&self) -> bool {
        // Together with another type it does not count: many libraries send `application/json` by default.
        let concrete = |range: &&MediaRange| range.sub != "*" && range.weight > 0;
        self.ranges.iter().filter(concrete).all(|range| range.is("application", "json"))
            && self.named("application", "json").is_some()
    }

    /// The form for bytes of this type.
    #[must_use]
    pub fn choose_for(&self, own: &str) -> ResponseForm {
        if self.is_json() {
            return ResponseForm::Json;
        }
        let essence = own.split(';').next().unwrap_or(own).trim_end().to_ascii_lowercase();
        let Some((main, sub)) = essence.split_once('/') else { return ResponseForm::Default };
        // The highest weight wins; at equal weights the more specific range, and the file's own type before all.
        // `text/plain` asks for the default, and `application/json` for the document, whatever the file's type.
        let own_weight =
            if matches!(essence.as_str(), "text/plain" | "application/json") { None } else { self.named(main, sub) };
        let bytes_weight = self.named("application", "octet-stream");
        let any_weight = if main == "text" { None } else { self.named(main, "*") };
        let best = own_weight.max(bytes_weight).max(any_weight);
        if best.is_none() {
            ResponseForm::Default
        } else if best == own_weight || best != bytes_weight {
            ResponseForm::Raw(own.to_owned())
        } else {
            ResponseForm::Raw("application/octet-stream".to_owned())
        }
    }

    /// The weight of a range, if it is named and has at least the weight of the default.
    fn named(&self, main: &str, sub: &str) -> Option<u16> {
        let of =
            |main, sub| self.ranges.iter().filter(move |range| range.is(main, sub)).map(|range| range.weight).max();
        let weight = of(main, sub).filter(|weight| *weight > 0)?;
        let default =
            [("*", "*"), ("text", "*"), ("text", "plain")].into_iter().filter_map(|(main, sub)| of(main, sub));
        (default.max() <= Some(weight)).then_some(weight)
    }
}

impl MediaRange {
    fn parse(text: &[u8]) -> Option<Self> {
        let mut parts = split(text, b';').into_iter();
        let kind = std::str::from_utf8(parts.next()?).ok()?;
        let (main, sub) = kind.trim_matches([' ', '\t']).split_once('/')?;
        let is_valid = |name: &str| !name.is_empty() && name.bytes().all(is_token);
        if !is_valid(main) || !is_valid(sub) || main == "*" && sub != "*" {
            return None;
        }
        let mut weight = 1000;
        for part in parts {
            let part = part.trim_ascii();
            if let [b'q' | b'Q', value @ ..] = part
                && let Some(value) = value.trim_ascii_start().strip_prefix(b"=")
            {
                weight = parse_weight(value.trim_ascii_start())?;
            }
        }
        Some(Self { main: main.to_ascii_lowercase(), sub: sub.to_ascii_lowercase(), weight })
    }

    fn is(&self, main: &str, sub: &str) -> bool {
        self.main == main && self.sub == sub
    }
}

/// `qvalue` of RFC 9110 §12.4.2, in thousandths.
fn parse_weight(text: &[u8]) -> Option<u16> {
    let (whole, fraction) = match text {
        [whole] | [whole, b'.'] => (whole, &[][..]),
        [whole, b'.', fraction @ ..] => (whole, fraction),
        _ => return None,
    };
    if fraction.len() > 3 || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let thousandths = fraction.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    let thousandths = thousandths * [1000, 100, 10, 1].get(fraction.len())?;
    match whole {
        b'0' => Some(thousandths),
        b'1' if thousandths == 0 => Some(1000),
        _ => None,
    }
}

/// `tchar` of RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Splits at a separator that is not in a quoted string.
fn split(text: &[u8], separator: u8) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (index, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            byte if *byte == separator && !quoted => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests;
