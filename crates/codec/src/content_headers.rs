//! The header fields that describe a body or a part of a form: type, boundary, encodings. It interprets values only; it
//! does not find the fields in a request.

use crate::parameters;

/// A header field that makes every body invalid: a malformed type, an unsupported encoding, a form without a boundary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// `Content-Type` is not a media type.
    #[error("Content-Type `{value}` is not a media type, expected `type/subtype`")]
    ContentType {
        /// The value sent, escaped and truncated.
        value: String,
    },
    /// A form without a boundary.
    #[error("Content-Type multipart/form-data has no boundary; let the client that builds the form set the header")]
    NoBoundary,
    /// A boundary that RFC 2046 does not allow.
    #[error("the boundary `{value}` is invalid, expected 1 to 70 visible characters")]
    Boundary {
        /// The value sent, escaped and truncated.
        value: String,
    },
    /// An encoding that bandog cannot decode.
    #[error("{field} `{value}` is not supported; send gzip or base64, or the bytes as they are")]
    UnsupportedEncoding {
        /// The name of the header field.
        field: &'static str,
        /// The value sent, escaped and truncated.
        value: String,
    },
}

/// The transfer encoding of a body or part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferEncoding {
    /// The bytes as they are.
    Identity,
    /// RFC 2045 §6.8.
    Base64,
}

/// `type/subtype` in lower case, without parameters; empty if the field is empty.
pub fn media_type(content_type: &[u8]) -> Result<String, HeaderError> {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if content_type.trim_ascii().is_empty() {
        return Ok(String::new());
    }
    let mut halves = essence.split(|byte| *byte == b'/');
    match (halves.next(), halves.next(), halves.next()) {
        (Some(kind), Some(subtype), None) if parameters::is_token(kind) && parameters::is_token(subtype) => {
            Ok(parameters::text(essence).to_ascii_lowercase())
        }
        _ => Err(HeaderError::ContentType { value: quoted(content_type) }),
    }
}

/// The boundary of a form: 1 to 70 visible characters or spaces, the last not a space (RFC 2046 §5.1.1).
pub fn boundary(content_type: &[u8]) -> Result<Vec<u8>, HeaderError> {
    match parameters::find(content_type, "boundary") {
        None => Err(HeaderError::NoBoundary),
        Some(boundary)
            if (1..=70).contains(&boundary.len())
                && boundary.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ')
                && boundary.last() != Some(&b' ') =>
        {
            Ok(boundary)
        }
        Some(boundary) => Err(HeaderError::Boundary { value: quoted(&boundary) }),
    }
}

/// Whether a body is compressed with gzip. Any other encoding, or more than one, is an error.
pub fn content_encoding(value: Option<&[u8]>) -> Result<bool, HeaderError> {
    let Some(value) = value else { return Ok(false) };
    let mut gzip = false;
    for coding in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|coding| !coding.is_empty()) {
        let is = |name: &str| coding.eq_ignore_ascii_case(name.as_bytes());
        if (is("gzip") || is("x-gzip")) && !gzip {
            gzip = true;
        } else if !is("identity") {
            return Err(HeaderError::UnsupportedEncoding { field: "Content-Encoding", value: quoted(value) });
        }
    }
    Ok(gzip)
}

/// The transfer encoding of a body or part.
pub fn transfer_encoding(value: Option<&[u8]>) -> Result<TransferEncoding, HeaderError> {
    let Some(value) = value else { return Ok(TransferEncoding::Identity) };
    let is = |name: &str| value.trim_ascii().eq_ignore_ascii_case(name.as_bytes());
    if is("base64") {
        Ok(TransferEncoding::Base64)
    } else if ["", "binary", "8bit", "7bit"].into_iter().any(is) {
        Ok(TransferEncoding::Identity)
    } else {
        Err(HeaderError::UnsupportedEncoding { field: "Content-Transfer-Encoding", value: quoted(value) })
    }
}

/// A header value as errors quote it: escaped and at most a line long.
fn quoted(value: &[u8]) -> String {
    value[..value.len().min(80)].escape_ascii().to_string()
}
