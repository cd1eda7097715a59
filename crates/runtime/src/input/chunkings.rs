//! The same request body in different pieces leaves the same files, or the same error.
//!
//! For tests and the fuzz target alike: each check takes any bytes at all and panics if a promise is broken.

#![expect(clippy::missing_panics_doc, reason = "panicking is how each of these reports; see above")]

use std::{fs, os::fd::AsFd as _};

use bandog_codec::chunkings::{cuts, pieces};
use bytes::Bytes;

use super::{
    BodyError, BodySource, ContentHeaders, Envelope, Input, InputDir, InputError, InputErrorKind, InputKind, receive,
};

/// A body in pieces.
pub struct ChunkedBody(std::vec::IntoIter<Bytes>);

impl ChunkedBody {
    /// `body`, cut at these places.
    #[must_use]
    pub fn new(body: &[u8], cuts: &[usize]) -> Self {
        Self(pieces(body, cuts).map(Bytes::copy_from_slice).collect::<Vec<_>>().into_iter())
    }
}

impl BodySource for ChunkedBody {
    fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        Ok(self.0.next())
    }
}

/// The input that a function finds: its kind, the bytes counted, its name, every file, and the storage event's key.
#[derive(Debug, PartialEq, Eq)]
pub struct ReceivedInput {
    /// [`Input::kind`].
    pub kind: InputKind,
    /// [`Input::bytes`].
    pub bytes: u64,
    /// The input file within the input directory; empty for the directory itself.
    pub input: String,
    /// Name and content of every file, sorted, generated names without what is random in them.
    pub files: Vec<(String, Vec<u8>)>,
    /// [`Input::event`].
    pub object_key: Option<String>,
}

/// An empty directory, in memory where there is such a place: thousands are made.
fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory")
}

/// Receives a body in an empty directory, and checks that an error leaves it empty.
pub fn received(
    labels: &ContentHeaders,
    body: &[u8],
    cuts: &[usize],
) -> Result<ReceivedInput, (InputErrorKind, String)> {
    let described = |error: InputError| (error.kind(), error.to_string());
    let envelope = Envelope::parse(labels).map_err(described)?;
    let directory = directory();
    let fd = fs::File::open(directory.path()).expect("a directory");
    let dir = InputDir { fd: fd.as_fd(), path: directory.path() };
    let result = receive(&envelope, &mut ChunkedBody::new(body, cuts), dir, 0);
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(directory.path())
        .expect("a directory")
        .map(|entry| {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("names are UTF-8");
            (without_id(&name), fs::read(entry.path()).expect("a file"))
        })
        .collect();
    files.sort();
    match result {
        Err(error) => {
            assert!(files.is_empty(), "an error leaves nothing behind: {files:?}");
            Err(described(error))
        }
        Ok(Input { path, kind, bytes, event, .. }) => {
            let path = path.expect("a file");
            let input = path.strip_prefix(directory.path()).expect("it is in the directory");
            assert_eq!(bytes, files.iter().map(|file| file.1.len() as u64).sum::<u64>(), "bytes on disk");
            Ok(ReceivedInput {
                kind,
                bytes,
                input: without_id(input.to_str().expect("names are UTF-8")),
                files,
                object_key: event.map(|event| event.object_key),
            })
        }
    }
}

/// A generated name without its random part, any other as it is.
fn without_id(name: &str) -> String {
    match name.strip_prefix("event-file-") {
        Some(id) if id.len() >= 36 && id.is_char_boundary(36) => format!("event-file-ID{}", &id[36..]),
        _ => name.to_owned(),
    }
}

/// Whole bodies with their labels: four lines of header values (`Content-Type`, `Content-Encoding`,
/// `Content-Transfer-Encoding`, `Content-Disposition`; empty for none), then the body. Every cut gives the same files
/// or the same error (for a compressed body: an error).
pub fn check_envelope(input: &[u8]) {
    let mut lines = input.splitn(5, |byte| *byte == b'\n');
    let mut label = || lines.next().filter(|line| !line.is_empty()).map(<[u8]>::to_vec);
    let labels = ContentHeaders {
        content_type: label(),
        content_encoding: label(),
        content_transfer_encoding: label(),
        content_disposition: label(),
    };
    let body = lines.next().unwrap_or_default();
    let whole = received(&labels, body, &[]);
    // Each takes a directory and files: a few ways will do.
    let ways = cuts(body.len());
    let step = ways.len().div_ceil(8);
    for cuts in ways.into_iter().step_by(step) {
        let again = received(&labels, body, &cuts);
        if labels.content_encoding.is_some() && whole.is_err() && again.is_err() {
            // Damaged, and bad inside: how much comes out before the damage is found depends on the pieces.
            continue;
        }
        assert_eq!(again, whole, "cut at {cuts:?}");
    }
    if let Ok(found) = whole
        && found.kind == InputKind::Raw
        && labels.content_encoding.is_none()
    {
        assert_eq!(found.files[0].1, body, "raw bytes are the bytes as sent");
    }
}
