//! The interpretation of the header fields that describe a body, before any of the body is read.

use bandog_codec::{
    content_headers::{HeaderError, TransferEncoding, boundary, content_encoding, media_type, transfer_encoding},
    parameters,
};

use super::{
    Forms, InputError, filename,
    text::TextFormat,
    urlencoded::{AskedBy, is_like_form},
};

/// The label of forms without files.
const FORM: &str = "application/x-www-form-urlencoded";

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
    /// Whether the body has the label of forms, `application/x-www-form-urlencoded`.
    is_labelled_form: bool,
    /// The request it came with, if it came with one.
    asked_by: Option<AskedBy>,
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
    /// The same, to become a JSON object.
    FormObject,
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
        let content_type = labels.content_type.as_deref().unwrap_or_default();
        let (content, extension) = content(content_type, transfer)?;
        let is_labelled_form =
            media_type(content_type)? == FORM && content == BodyFormat::Text(TextFormat::JsonOrBase64);
        Ok(Self { content, gzip, name, extension, is_labelled_form, asked_by: None })
    }

    /// The same, with another treatment of a body that has the label of forms.
    #[must_use]
    pub fn with_forms(self, forms: Forms) -> Self {
        match forms {
            Forms::Raw if self.is_labelled_form => Self { content: BodyFormat::Raw, ..self },
            Forms::Json if self.is_labelled_form => Self { content: BodyFormat::FormObject, ..self },
            Forms::Detect | Forms::Raw | Forms::Json => self,
        }
    }

    /// The same, of a request to this URL with a body of that length, for messages.
    #[must_use]
    pub fn asked_by(self, url: String, length: Option<u64>) -> Self {
        Self { asked_by: Some(AskedBy { url, length }), ..self }
    }

    /// An error with what the body looks like, and the way out. `head` is the beginning of the body.
    pub(super) fn explained(&self, error: InputError, head: &[u8]) -> InputError {
        let shown = match &error {
            InputError::NeitherBegun { base64, .. } | InputError::Neither { base64, .. } => base64.position(),
            _ => return error,
        };
        // Up to the error, so that it says the same however the body arrives in pieces.
        let shown = usize::try_from(shown.offset).unwrap_or(usize::MAX).saturating_add(1);
        let is_form = is_like_form(&head[..head.len().min(shown)]);
        match error {
            InputError::NeitherBegun { base64, .. } if is_form && self.is_labelled_form => {
                let way = "it is a form: start bandog with --forms json for an object of its fields, or with --forms raw \
                           or --mode stdio for the form as it is; or send multipart/form-data";
                InputError::NeitherBegun { base64, way: way.to_owned() }
            }
            InputError::NeitherBegun { base64, .. } => {
                let way = "send other bytes as they are with Content-Type: application/octet-stream";
                let line = self.asked_by.as_ref().map(|asked_by| format!(": {}", asked_by.curl_line(head)));
                InputError::NeitherBegun { base64, way: way.to_owned() + &line.unwrap_or_default() }
            }
            InputError::Neither { json, base64, .. } if is_form => {
                let look = "; it looks like a form: send JSON, or label it as application/x-www-form-urlencoded";
                InputError::Neither { json, base64, look: look.to_owned() }
            }
            other => other,
        }
    }

    /// For a body with the arguments of an action. The label of forms is what curl's `-d` and many clients put on
    /// anything, so that elsewhere it says nothing; here it is a form, unless the body shows that it is something else,
    /// which is found out when the whole is there (see [`super::arguments`]).
    pub fn for_action(labels: &ContentHeaders) -> Result<Self, InputError> {
        let envelope = Self::parse(labels)?;
        Ok(if envelope.is_labelled_form { Self { content: BodyFormat::Fields, ..envelope } } else { envelope })
    }

    /// For a body that was base64, and has been decoded: whatever text it might be is taken as bytes.
    #[must_use]
    pub fn decoded(self) -> Self {
        match self.content {
            BodyFormat::Text(_) => Self { content: BodyFormat::Raw, ..self },
            BodyFormat::Raw | BodyFormat::Fields | BodyFormat::FormObject | BodyFormat::Multipart(_) => self,
        }
    }

    /// For base64 that is in a file already.
    pub(super) fn base64() -> Self {
        Self {
            content: BodyFormat::Text(TextFormat::Base64),
            gzip: false,
            name: None,
            extension: None,
            is_labelled_form: false,
            asked_by: None,
        }
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
            is_labelled_form: false,
            asked_by: None,
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
        "" | FORM | "application/base64" => TextFormat::JsonOrBase64,
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
