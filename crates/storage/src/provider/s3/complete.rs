//! The end of an upload in parts, which may succeed without a response that says so.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderName, Method, header};
use jiff::Timestamp;

use super::{
    api::{Api, Call},
    digest::{Digests, etag, md5_of},
    document::{Document, LIMIT},
    get::{content_length, head},
    refusal::{Refusal, http_date},
    sign::hex,
};
use crate::{
    control::Control,
    error::{Error, ErrorKind},
    http::Payload,
    object::ObjectPath,
    retry::attempts,
};

/// A part that was sent.
#[derive(Debug)]
pub(super) struct SentPart {
    /// Its number; the first is 1.
    pub(super) number: u64,
    /// The ETag that the store gave it.
    pub(super) etag: String,
    pub(super) md5: [u8; 16],
}

/// Makes the parts of an upload an object of `size` bytes. `begun` is when the upload began, by the clock of the store.
pub(super) fn complete(
    api: &Api,
    to: &ObjectPath,
    id: &str,
    parts: &[SentPart],
    (size, begun): (u64, Option<Timestamp>),
    control: &Control<'_>,
) -> Result<(), Error> {
    let list = Bytes::from(list(parts));
    let digests = Digests::of_bytes(&list, true);
    let query = [("uploadId", id)];
    attempts(control, |_| {
        let call = Call {
            query: &query,
            headers: vec![
                (HeaderName::from_static("content-md5"), digests.content_md5()),
                (header::CONTENT_TYPE, "application/xml".to_owned()),
            ],
            payload: Payload::Bytes(list.clone()),
            sha256: digests.sha256.as_deref(),
            ..Call::new(Method::POST, to)
        };
        let answer = api.send(&call, control, |response| Ok(response.read(LIMIT, control)?));
        match answer {
            Ok(document) => match Document::parse(&document) {
                // S3 sends the head before it knows how it ends.
                Some(document) if document.root == "Error" => Err(Refusal::of_document(&document).into()),
                Some(document) if document.text("ETag").is_some() => Ok(()),
                _ => confirm(api, to, parts, (size, begun), control),
            },
            // The response to an earlier attempt was lost.
            Err(failure) if failure.code() == "NoSuchUpload" => confirm(api, to, parts, (size, begun), control)
                .map_err(|error| Error {
                    detail: format!("{}; {}", Error::from(failure).detail, error.detail),
                    ..error
                }),
            Err(failure) => Err(failure.into()),
        }
    })
}

/// Fails unless the object is the one that was sent: by its size, and by its ETag or its time.
fn confirm(
    api: &Api,
    to: &ObjectPath,
    parts: &[SentPart],
    (size, begun): (u64, Option<Timestamp>),
    control: &Control<'_>,
) -> Result<(), Error> {
    let headers = head(api, to, control).map_err(|error| match error.kind {
        ErrorKind::NotFound => Error::new(ErrorKind::Unverified, "the object is not there after its upload"),
        _ => error,
    })?;
    let unverified = |detail: String| Err(Error::new(ErrorKind::Unverified, detail));
    let found = content_length(&headers);
    if found != Some(size) {
        return unverified(format!("the object has {found:?} bytes after an upload of {size}"));
    }
    let etag = etag(&headers).unwrap_or_default().trim_matches('"');
    let end = format!("-{}", parts.len());
    if etag.eq_ignore_ascii_case(&composite(parts)) {
        return Ok(());
    }
    let modified = headers.get(header::LAST_MODIFIED).and_then(|value| http_date(value.to_str().ok()?));
    let is_new = modified.zip(begun).is_some_and(|(modified, begun)| modified >= begun);
    // An ETag of the same form is of other parts.
    if is_new && !(etag.len() == 32 + end.len() && etag.ends_with(&end)) {
        return Ok(());
    }
    unverified(format!("the object has the ETag {etag:?} after the upload, as if it were another"))
}

/// The ETag that most stores give an object in parts.
fn composite(parts: &[SentPart]) -> String {
    let all: Vec<u8> = parts.iter().flat_map(|part| part.md5).collect();
    format!("{}-{}", hex(&md5_of(&all)), parts.len())
}

fn list(parts: &[SentPart]) -> String {
    let mut text = String::from("<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for SentPart { number, etag, .. } in parts {
        let etag = quick_xml::escape::partial_escape(etag.as_str());
        let _ = write!(text, "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
    }
    text.push_str("</CompleteMultipartUpload>");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(number: u64, content: &[u8]) -> SentPart {
        SentPart { number, etag: format!("\"{}\"", hex(&md5_of(content))), md5: md5_of(content) }
    }

    #[test]
    fn the_etag_of_parts_is_that_of_their_digests() {
        // md5sum of the two digests in binary.
        assert_eq!(composite(&[part(1, b"a"), part(2, b"b")]), "96e024ba2074fe77e8e965ba43a704be-2");
    }

    #[test]
    fn the_list_has_every_part_with_its_etag() {
        let parts = [part(1, b"a"), SentPart { etag: "<&\"".to_owned(), ..part(2, b"b") }];
        let text = list(&parts);
        let document = Document::parse(text.as_bytes()).expect("a document");
        assert_eq!(document.root, "CompleteMultipartUpload");
        assert!(text.contains("<ETag>\"0cc175b9c0f1b6a831c399e269772661\"</ETag>"), "{text}");
        assert!(text.contains("<PartNumber>2</PartNumber><ETag>&lt;&amp;\"</ETag>"), "{text}");
    }
}
