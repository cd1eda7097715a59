//! The interpretation of the header fields that describe a body, before any of the body is read.

use bandog_codec::{
    content_headers::{HeaderError, TransferEncoding, boundary, content_encoding, media_type, transfer_encoding},
    parameters,
};

use super::{InputError, filename, text::TextFormat};

/// The header fields with which the sender describes a body: their raw values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContentHeaders {
    /// `Content-Type`.
    pub content_type: Option<Vec<u8>>,
    /// `Content-Encoding`; several fields are joined with a comma.
    pub content_encoding: Option<Vec<u8>>,
    /// `Content-Transfer-Encoding`.
    pub content_transfer_encoding: Option<Vec<u8>>,
    /// `Content-Disposition`.
    pub content_disposition: Option<Vec<u8>>,
}

/// How a body is to be decoded and named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    pub(super) content: BodyFormat,
    /// Whether the body is compressed with gzip.
    pub(super) gzip: bool,
    /// The name the sender gave the file, sanitised.
    pub(super) name: Option<String>,
    /// Extension of a generated name, without its dot.
    pub(super) extension: Option<&'static str>,
}

/// The format of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BodyFormat {
    /// Something to find out about.
    Text(TextFormat),
    /// The bytes of the file.
    Raw,
    /// `application/x-www-form-urlencoded` that is taken for what it says it is; the bytes as they are.
    Fields,
    /// A form, with its boundary.
    Multipart(Vec<u8>),
}

impl Envelope {
    /// Reads the labels. Errors are the mistakes that no body can make good: a type that is none, an encoding that is
    /// not supported, a form without a boundary.
    pub fn parse(labels: &ContentHeaders) -> Result<Self, InputError> {
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
    pub fn for_action(labels: &ContentHeaders) -> Result<Self, InputError> {
        let envelope = Self::parse(labels)?;
        let media_type = media_type(labels.content_type.as_deref().unwrap_or_default())?;
        Ok(match (media_type.as_str(), &envelope.content) {
            ("application/x-www-form-urlencoded", BodyFormat::Text(TextFormat::JsonOrBase64)) => {
                Self { content: BodyFormat::Fields, ..envelope }
            }
            _ => envelope,
        })
    }

    /// For a body that was base64, and has been decoded: whatever text it might be is taken as bytes.
    #[must_use]
    pub fn decoded(self) -> Self {
        match self.content {
            BodyFormat::Text(_) => Self { content: BodyFormat::Raw, ..self },
            BodyFormat::Raw | BodyFormat::Fields | BodyFormat::Multipart(_) => self,
        }
    }

    /// For base64 that is in a file already.
    pub(super) fn base64() -> Self {
        Self { content: BodyFormat::Text(TextFormat::Base64), gzip: false, name: None, extension: None }
    }

    /// For a body that is stored as it was sent: the header fields only name the file. Mistakes in them are left to the
    /// function.
    #[must_use]
    pub fn as_sent(labels: &ContentHeaders) -> Self {
        let name = labels.content_disposition.as_deref().and_then(parameters::file_name);
        let media_type = labels.content_type.as_deref().and_then(|value| media_type(value).ok());
        Self {
            content: BodyFormat::Raw,
            gzip: false,
            name: name.as_deref().and_then(filename::sanitised),
            extension: media_type.as_deref().and_then(filename::extension),
        }
    }

    /// Whether it is a form, which may hold several files.
    #[must_use]
    pub fn is_form(&self) -> bool {
        matches!(self.content, BodyFormat::Multipart(_))
    }
}

/// The decision table of docs/requests.md ("How the body becomes the input file"), by type.
fn content(content_type: &[u8], transfer: TransferEncoding) -> Result<(BodyFormat, Option<&'static str>), InputError> {
    let media_type = media_type(content_type)?;
    let choice = match media_type.as_str() {
        "multipart/form-data" if transfer == TransferEncoding::Base64 => {
            // RFC 2045 §6.4 forbids it, and its parts have encodings of their own.
            return Err(HeaderError::UnsupportedEncoding {
                field: "Content-Transfer-Encoding",
                value: "base64 of a whole form".to_owned(),
            }
            .into());
        }
        "multipart/form-data" => return Ok((BodyFormat::Multipart(boundary(content_type)?), None)),
        "" | "application/x-www-form-urlencoded" | "application/base64" => TextFormat::JsonOrBase64,
        "text/plain" => TextFormat::JsonBase64OrText,
        "application/json" => TextFormat::AnyJsonOrBase64,
        suffixed if suffixed.ends_with("+json") => TextFormat::Json,
        other => {
            let content = match transfer {
                TransferEncoding::Identity => BodyFormat::Raw,
                TransferEncoding::Base64 => BodyFormat::Text(TextFormat::Base64),
            };
            return Ok((content, filename::extension(other)));
        }
    };
    Ok((BodyFormat::Text(if transfer == TransferEncoding::Base64 { TextFormat::Base64 } else { choice }), None))
}
