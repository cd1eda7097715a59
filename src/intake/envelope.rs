//! What the sender says about a body, made sense of before any of it is read.

use super::{Error, Labels, filename, parameters, text::Choice};

/// How a body is to be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    pub(super) content: Content,
    /// Whether the body is compressed with gzip.
    pub(super) gzip: bool,
    /// The name the sender gave the file, sanitised.
    pub(super) name: Option<String>,
    /// Extension of a generated name, without its dot.
    pub(super) extension: Option<&'static str>,
}

/// What a body is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// Something to find out about.
    Text(Choice),
    /// The bytes of the file.
    Raw,
    /// `application/x-www-form-urlencoded` that is taken for what it says it is; the bytes as they are.
    Fields,
    /// A form, with its boundary.
    Multipart(Vec<u8>),
}

/// How the bytes of a body or part were made fit for mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transfer {
    /// Not at all.
    Identity,
    /// RFC 2045 §6.8.
    Base64,
}

impl Envelope {
    /// Reads the labels. Errors are the mistakes that no body can make good: a type that is none, an encoding that is
    /// not supported, a form without a boundary.
    pub fn parse(labels: &Labels) -> Result<Self, Error> {
        let transfer = transfer_encoding(labels.content_transfer_encoding.as_deref())?;
        let gzip = content_encoding(labels.content_encoding.as_deref())?;
        let name = labels.content_disposition.as_deref().and_then(parameters::file_name);
        let name = name.as_deref().and_then(filename::sanitised);
        let (content, extension) = content(labels.content_type.as_deref().unwrap_or_default(), transfer)?;
        Ok(Self { content, gzip, name, extension })
    }

    /// For a body with the arguments of an action. The label of forms is what curl's `-d` and many clients put on
    /// anything, so that elsewhere it says nothing; here it is a form, unless the body shows that it is something else,
    /// which is found out when the whole is there (see [`super::arguments`]).
    pub fn for_action(labels: &Labels) -> Result<Self, Error> {
        let envelope = Self::parse(labels)?;
        let media_type = media_type(labels.content_type.as_deref().unwrap_or_default())?;
        Ok(match (media_type.as_str(), &envelope.content) {
            ("application/x-www-form-urlencoded", Content::Text(Choice::JsonOrBase64)) => {
                Self { content: Content::Fields, ..envelope }
            }
            _ => envelope,
        })
    }

    /// For base64 that is in a file already.
    pub(super) fn base64() -> Self {
        Self { content: Content::Text(Choice::Base64), gzip: false, name: None, extension: None }
    }

    /// For a body that is stored as it was sent, whatever the labels say; only the file is named by them. What is wrong
    /// with them is for the function to find.
    #[must_use]
    pub fn as_sent(labels: &Labels) -> Self {
        let name = labels.content_disposition.as_deref().and_then(parameters::file_name);
        let media_type = labels.content_type.as_deref().and_then(|value| media_type(value).ok());
        Self {
            content: Content::Raw,
            gzip: false,
            name: name.as_deref().and_then(filename::sanitised),
            extension: media_type.as_deref().and_then(filename::extension),
        }
    }

    /// Whether it is a form, which may hold several files.
    #[must_use]
    pub fn is_form(&self) -> bool {
        matches!(self.content, Content::Multipart(_))
    }
}

/// The decision table ("The request" in the README), by type.
fn content(content_type: &[u8], transfer: Transfer) -> Result<(Content, Option<&'static str>), Error> {
    let media_type = media_type(content_type)?;
    let choice = match media_type.as_str() {
        "multipart/form-data" if transfer == Transfer::Base64 => {
            // RFC 2045 §6.4 forbids it, and its parts have encodings of their own.
            return Err(Error::UnsupportedEncoding {
                field: "Content-Transfer-Encoding",
                value: "base64 of a whole form".to_owned(),
            });
        }
        "multipart/form-data" => return Ok((Content::Multipart(boundary(content_type)?), None)),
        "" | "application/x-www-form-urlencoded" | "application/base64" => Choice::JsonOrBase64,
        "text/plain" => Choice::JsonBase64OrText,
        "application/json" => Choice::AnyJsonOrBase64,
        suffixed if suffixed.ends_with("+json") => Choice::Json,
        other => {
            let content = match transfer {
                Transfer::Identity => Content::Raw,
                Transfer::Base64 => Content::Text(Choice::Base64),
            };
            return Ok((content, filename::extension(other)));
        }
    };
    Ok((Content::Text(if transfer == Transfer::Base64 { Choice::Base64 } else { choice }), None))
}

/// `type/subtype` in lower case, without parameters; empty if there is none.
fn media_type(content_type: &[u8]) -> Result<String, Error> {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if content_type.trim_ascii().is_empty() {
        return Ok(String::new());
    }
    let mut halves = essence.split(|byte| *byte == b'/');
    match (halves.next(), halves.next(), halves.next()) {
        (Some(kind), Some(subtype), None) if parameters::is_token(kind) && parameters::is_token(subtype) => {
            Ok(parameters::text(essence).to_ascii_lowercase())
        }
        _ => Err(Error::ContentType { value: quoted(content_type) }),
    }
}

/// The boundary that a content type names, if it is one.
pub(crate) fn named_boundary(content_type: &[u8]) -> Option<Vec<u8>> {
    boundary(content_type).ok()
}

/// The boundary of a form: 1 to 70 visible characters, or blanks that are not the last (RFC 2046 §5.1.1).
fn boundary(content_type: &[u8]) -> Result<Vec<u8>, Error> {
    match parameters::find(content_type, "boundary") {
        None => Err(Error::NoBoundary),
        Some(boundary)
            if (1..=70).contains(&boundary.len())
                && boundary.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ')
                && boundary.last() != Some(&b' ') =>
        {
            Ok(boundary)
        }
        Some(boundary) => Err(Error::Boundary { value: quoted(&boundary) }),
    }
}

/// Whether a body is compressed with gzip; every other encoding, and more than one, is an error.
fn content_encoding(value: Option<&[u8]>) -> Result<bool, Error> {
    let Some(value) = value else { return Ok(false) };
    let mut gzip = false;
    for coding in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|coding| !coding.is_empty()) {
        let is = |name: &str| coding.eq_ignore_ascii_case(name.as_bytes());
        if (is("gzip") || is("x-gzip")) && !gzip {
            gzip = true;
        } else if !is("identity") {
            return Err(Error::UnsupportedEncoding { field: "Content-Encoding", value: quoted(value) });
        }
    }
    Ok(gzip)
}

/// The transfer encoding of a body or part.
pub(super) fn transfer_encoding(value: Option<&[u8]>) -> Result<Transfer, Error> {
    let Some(value) = value else { return Ok(Transfer::Identity) };
    let is = |name: &str| value.trim_ascii().eq_ignore_ascii_case(name.as_bytes());
    if is("base64") {
        Ok(Transfer::Base64)
    } else if ["", "binary", "8bit", "7bit"].into_iter().any(is) {
        Ok(Transfer::Identity)
    } else {
        Err(Error::UnsupportedEncoding { field: "Content-Transfer-Encoding", value: quoted(value) })
    }
}

/// A header value as an error quotes it: escaped, and not longer than a line.
fn quoted(value: &[u8]) -> String {
    value[..value.len().min(80)].escape_ascii().to_string()
}
