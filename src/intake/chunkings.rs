//! The same body in different pieces must come out the same, and as a plain reference says.
//!
//! For tests and fuzz targets alike: each of these takes any bytes at all and panics if a promise is broken. Whoever
//! includes this file has the items of `intake` in scope.

use std::{fs, os::fd::AsFd as _};

use bytes::Bytes;

use super::{
    Envelope, Error, ErrorKind, Input, InputDir, Kind, Labels, Source, SourceError, base64, json,
    multipart::{self, Part, Parts},
    receive,
};

/// Up to this length a body is cut at each place there is.
const EVERY_CUT: usize = 400;

/// Ways to cut a body of `length` bytes, each as the places of the cuts, in order.
fn cuts(length: usize) -> Vec<Vec<usize>> {
    let mut ways = vec![(1..length).collect(), (1..length).step_by(3).collect()];
    if length <= EVERY_CUT {
        ways.extend((1..length).map(|cut| vec![cut]));
    }
    // Long pieces with borders in odd places, the same ones each time.
    let mut state = length as u64 | 1;
    for longest in [100, 10_000] {
        let mut places = Vec::new();
        let mut at = 0;
        while at < length {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            at += 1 + (state >> 33) as usize % longest;
            places.push(at.min(length));
        }
        ways.push(places);
    }
    ways
}

fn pieces<'a>(body: &'a [u8], cuts: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain(std::iter::once(body.len()));
    starts.zip(ends).map(|(start, end)| &body[start..end]).filter(|piece| !piece.is_empty())
}

fn decode_base64(body: &[u8], cuts: &[usize]) -> Result<Vec<u8>, base64::Error> {
    let mut decoder = base64::Decoder::new(0);
    let mut out = Vec::new();
    for piece in pieces(body, cuts) {
        decoder.push(piece, &mut out)?;
    }
    decoder.finish(&mut out)?;
    Ok(out)
}

/// base64 as the `base64` crate has it, on what is left without blanks and with one alphabet. Spare bits pass with
/// padding only.
fn reference_base64(body: &[u8]) -> Option<Vec<u8>> {
    use ::base64::{
        Engine as _, alphabet,
        engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    };
    let plain: Vec<u8> = body
        .iter()
        .filter(|byte| !b" \t\n\x0b\x0c\r".contains(byte))
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        })
        .collect();
    let padding =
        if plain.contains(&b'=') { DecodePaddingMode::RequireCanonical } else { DecodePaddingMode::RequireNone };
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(plain.contains(&b'='))
        .with_decode_padding_mode(padding);
    GeneralPurpose::new(&alphabet::STANDARD, config).decode(plain).ok()
}

/// base64: every cut gives what the reference gives, and the same error at the same offset.
pub fn check_base64(body: &[u8]) {
    let whole = decode_base64(body, &[]);
    assert_eq!(whole.clone().ok(), reference_base64(body), "reference, whole: {whole:?}");
    for cuts in cuts(body.len()) {
        assert_eq!(decode_base64(body, &cuts), whole, "cut at {cuts:?}");
    }
}

fn check_json_in(body: &[u8], cuts: &[usize]) -> Result<(), json::Error> {
    let mut checker = json::Checker::new(0);
    for piece in pieces(body, cuts) {
        checker.push(piece)?;
    }
    checker.finish()
}

/// JSON as serde_json has it, which does not look at UTF-8 in what it ignores and has no limit of depth there.
fn is_json(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_ok()
        && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
        && deepest(body) <= json::DEPTH_LIMIT
}

/// The most containers open at once in what is JSON.
fn deepest(body: &[u8]) -> u32 {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_u32, 0, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth -= 1,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// JSON: every cut gives what the reference gives, and the same error at the same offset.
pub fn check_json(body: &[u8]) {
    let whole = check_json_in(body, &[]);
    assert_eq!(whole.is_ok(), is_json(body), "reference, whole: {whole:?}");
    for cuts in cuts(body.len()) {
        assert_eq!(check_json_in(body, &cuts), whole, "cut at {cuts:?}");
    }
}

/// The boundary of the forms in [`check_multipart`].
pub const BOUNDARY: &[u8] = b"b";

/// Gathers parts in memory.
#[derive(Default)]
struct Gathered {
    parts: Vec<(Part, Vec<u8>)>,
    open: bool,
}

impl Parts for Gathered {
    fn begin(&mut self, part: Part) -> Result<(), Error> {
        assert!(!std::mem::replace(&mut self.open, true), "each part ends before the next begins");
        self.parts.push((part, Vec::new()));
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), Error> {
        assert!(self.open && !bytes.is_empty(), "content is in a part, and never nothing");
        self.parts.last_mut().expect("open").1.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        assert!(std::mem::replace(&mut self.open, false), "only an open part can end");
        Ok(())
    }
}

fn parse_multipart(body: &[u8], cuts: &[usize]) -> Result<Vec<(Part, Vec<u8>)>, String> {
    let mut parser = multipart::Parser::new(BOUNDARY);
    let mut gathered = Gathered::default();
    for piece in pieces(body, cuts) {
        parser.push(piece, &mut gathered).map_err(|error| error.to_string())?;
    }
    parser.finish().map_err(|error| error.to_string())?;
    assert!(!gathered.open, "the last part has ended");
    Ok(gathered.parts)
}

/// What follows a boundary.
enum After {
    /// A part, which begins here.
    Part(usize),
    Close,
    /// It was none.
    Content,
    Wrong,
}

fn after_boundary(body: &[u8], at: usize) -> After {
    let rest = &body[at..];
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    match &rest[blanks..] {
        [b'-', b'-', ..] if blanks == 0 => After::Close,
        [b'\n', ..] => After::Part(at + blanks + 1),
        [b'\r', b'\n', ..] => After::Part(at + blanks + 2),
        [b'\r', ..] => After::Wrong,
        _ if blanks > 0 => After::Wrong,
        _ => After::Content,
    }
}

/// The contents of the parts of a form that is all there, found by looking everywhere.
fn reference_multipart(body: &[u8]) -> Option<Vec<&[u8]>> {
    let dashes = [b"--", BOUNDARY].concat();
    let starts = |at: usize| body[at..].starts_with(&dashes) && (at == 0 || body[at - 1] == b'\n');
    let mut found = (0..body.len()).filter(|at| starts(*at)).map(|at| after_boundary(body, at + dashes.len()));
    let mut at = loop {
        match found.next()? {
            After::Part(start) => break start,
            After::Close | After::Wrong => return None,
            After::Content => {}
        }
    };
    let line_break: &[u8] = if body[..at].ends_with(b"\r\n") { b"\r\n" } else { b"\n" };
    let delimiter = [line_break, &dashes].concat();
    let mut parts = Vec::new();
    loop {
        let headers = at;
        let mut fields: Vec<Vec<u8>> = Vec::new();
        loop {
            let line = &body[at..][..=body[at..].iter().position(|byte| *byte == b'\n')?];
            at += line.len();
            match (line, fields.last_mut()) {
                (b"\n" | b"\r\n", _) => break,
                (line, _) if line.trim_ascii().is_empty() => {}
                ([b' ' | b'\t', ..], Some(field)) => field.extend_from_slice(line),
                _ => fields.push(line.to_vec()),
            }
        }
        if at - headers > multipart::MAX_HEADERS || fields.iter().any(|field| !field.contains(&b':')) {
            return None;
        }
        let begin = at;
        let ends = (begin..=body.len()).filter_map(|end| {
            if end == begin && body[end..].starts_with(&dashes) {
                Some((end, after_boundary(body, end + dashes.len())))
            } else if body[end..].starts_with(&delimiter) {
                Some((end, after_boundary(body, end + delimiter.len())))
            } else {
                None
            }
        });
        let (end, after) = ends.into_iter().find(|(_, after)| !matches!(after, After::Content))?;
        parts.push(&body[begin..end]);
        match after {
            After::Part(start) => at = start,
            After::Close => return Some(parts),
            After::Wrong | After::Content => return None,
        }
    }
}

/// Forms with the boundary [`BOUNDARY`]: every cut gives the parts that the reference finds.
pub fn check_multipart(body: &[u8]) {
    let whole = parse_multipart(body, &[]);
    // An encoding that is not supported is nothing that the reference looks for.
    if !matches!(&whole, Err(error) if error.starts_with("Content-Transfer-Encoding")) {
        let contents = whole.as_ref().ok().map(|parts| parts.iter().map(|part| &part.1[..]).collect::<Vec<_>>());
        assert_eq!(contents, reference_multipart(body), "reference, whole: {whole:?}");
    }
    for cuts in cuts(body.len()) {
        assert_eq!(parse_multipart(body, &cuts), whole, "cut at {cuts:?}");
    }
}

/// A body in pieces.
pub struct Pieces(std::vec::IntoIter<Bytes>);

impl Pieces {
    /// `body`, cut at these places.
    #[must_use]
    pub fn new(body: &[u8], cuts: &[usize]) -> Self {
        Self(pieces(body, cuts).map(Bytes::copy_from_slice).collect::<Vec<_>>().into_iter())
    }
}

impl Source for Pieces {
    fn next(&mut self) -> Result<Option<Bytes>, SourceError> {
        Ok(self.0.next())
    }
}

/// What a function finds: the kind, the bytes counted, the name of its input, every file, and the storage event's key.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// [`Input::kind`].
    pub kind: Kind,
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
pub fn received(labels: &Labels, body: &[u8], cuts: &[usize]) -> Result<Found, (ErrorKind, String)> {
    let described = |error: Error| (error.kind(), error.to_string());
    let envelope = Envelope::parse(labels).map_err(described)?;
    let directory = directory();
    let fd = fs::File::open(directory.path()).expect("a directory");
    let dir = InputDir { fd: fd.as_fd(), path: directory.path() };
    let result = receive(&envelope, &mut Pieces::new(body, cuts), dir, 0);
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
            Ok(Found {
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
    let labels = Labels {
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
        && found.kind == Kind::Raw
        && labels.content_encoding.is_none()
    {
        assert_eq!(found.files[0].1, body, "raw bytes are the bytes as sent");
    }
}
