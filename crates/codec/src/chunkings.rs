//! Checks that a decoder gives the same result for every way to split a body, and the result of a plain reference.
//!
//! For tests and fuzz targets: each check accepts any bytes and panics if the decoder breaks its contract.

#![expect(clippy::missing_panics_doc, reason = "panicking is how each of these reports; see above")]

use crate::{
    base64, json,
    multipart::{self, ParseError, Part, PartSink},
};

/// Bodies up to this length are cut at every position.
const EVERY_CUT: usize = 400;

/// Ways to cut a body of `length` bytes. Each is a sorted list of positions.
#[must_use]
pub fn cuts(length: usize) -> Vec<Vec<usize>> {
    let mut ways = vec![(1..length).collect(), (1..length).step_by(3).collect()];
    if length <= EVERY_CUT {
        ways.extend((1..length).map(|cut| vec![cut]));
    }
    // Long pieces with irregular borders, from a fixed seed.
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

/// The pieces of `body` between `cuts`, without the empty ones.
pub fn pieces<'a>(body: &'a [u8], cuts: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain(std::iter::once(body.len()));
    starts.zip(ends).map(|(start, end)| &body[start..end]).filter(|piece| !piece.is_empty())
}

fn decode_base64(body: &[u8], cuts: &[usize]) -> Result<Vec<u8>, base64::Base64Error> {
    let mut decoder = base64::Decoder::new(0);
    let mut out = Vec::new();
    for piece in pieces(body, cuts) {
        decoder.push(piece, &mut out)?;
    }
    decoder.finish(&mut out)?;
    Ok(out)
}

/// Decodes with the `base64` crate, in either alphabet, after removing blanks.
fn reference_base64(body: &[u8]) -> Option<Vec<u8>> {
    use ::base64::{
        Engine as _, alphabet,
        engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    };
    let plain: Vec<u8> = body.iter().filter(|byte| !b" \t\n\x0b\x0c\r".contains(byte)).copied().collect();
    let padding =
        if plain.contains(&b'=') { DecodePaddingMode::RequireCanonical } else { DecodePaddingMode::RequireNone };
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(padding);
    let decode = |alphabet| GeneralPurpose::new(alphabet, config).decode(&plain).ok();
    decode(&alphabet::STANDARD).or_else(|| decode(&alphabet::URL_SAFE))
}

/// base64: every split gives the result of the reference, and the same error at the same offset.
pub fn check_base64(body: &[u8]) {
    let whole = decode_base64(body, &[]);
    assert_eq!(whole.clone().ok(), reference_base64(body), "reference, whole: {whole:?}");
    for cuts in cuts(body.len()) {
        assert_eq!(decode_base64(body, &cuts), whole, "cut at {cuts:?}");
    }
}

fn check_json_in(body: &[u8], cuts: &[usize]) -> Result<(), json::JsonError> {
    let mut checker = json::Checker::new(0);
    for piece in pieces(body, cuts) {
        checker.push(piece)?;
    }
    checker.finish()
}

/// Validates with serde_json, which neither checks the UTF-8 of values that it ignores nor limits their depth.
fn is_json(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_ok()
        && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
        && deepest(body) <= json::DEPTH_LIMIT
}

/// The greatest number of containers that are open at once in valid JSON.
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

/// JSON: every split gives the verdict of the reference, and the same error at the same offset.
pub fn check_json(body: &[u8]) {
    let whole = check_json_in(body, &[]);
    assert_eq!(whole.is_ok(), is_json(body), "reference, whole: {whole:?}");
    for cuts in cuts(body.len()) {
        assert_eq!(check_json_in(body, &cuts), whole, "cut at {cuts:?}");
    }
}

/// The boundary of the forms in [`check_multipart`].
pub const BOUNDARY: &[u8] = b"b";

/// Collects the parts in memory.
#[derive(Default)]
struct CollectedParts {
    parts: Vec<(Part, Vec<u8>)>,
    open: bool,
}

impl PartSink for CollectedParts {
    type Error = ParseError;

    fn begin(&mut self, part: Part) -> Result<(), ParseError> {
        assert!(!std::mem::replace(&mut self.open, true), "each part ends before the next begins");
        self.parts.push((part, Vec::new()));
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), ParseError> {
        assert!(self.open && !bytes.is_empty(), "content is in a part, and never nothing");
        self.parts.last_mut().expect("open").1.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&mut self) -> Result<(), ParseError> {
        assert!(std::mem::replace(&mut self.open, false), "only an open part can end");
        Ok(())
    }
}

fn parse_multipart(body: &[u8], cuts: &[usize]) -> Result<Vec<(Part, Vec<u8>)>, String> {
    let mut parser = multipart::Parser::new(BOUNDARY);
    let mut gathered = CollectedParts::default();
    for piece in pieces(body, cuts) {
        parser.push(piece, &mut gathered).map_err(|error| error.to_string())?;
    }
    parser.finish().map_err(|error| error.to_string())?;
    assert!(!gathered.open, "the last part has ended");
    Ok(gathered.parts)
}

/// The bytes that follow a boundary.
enum AfterBoundary {
    /// A part, which begins at this offset.
    Part(usize),
    Close,
    /// Content: it was not a boundary.
    Content,
    Wrong,
}

fn after_boundary(body: &[u8], at: usize) -> AfterBoundary {
    let rest = &body[at..];
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    match &rest[blanks..] {
        [b'-', b'-', ..] if blanks == 0 => AfterBoundary::Close,
        [b'\n', ..] => AfterBoundary::Part(at + blanks + 1),
        [b'\r', b'\n', ..] => AfterBoundary::Part(at + blanks + 2),
        [b'\r', ..] => AfterBoundary::Wrong,
        _ if blanks > 0 => AfterBoundary::Wrong,
        _ => AfterBoundary::Content,
    }
}

/// The contents of the parts of a complete form, found by trying every position.
fn reference_multipart(body: &[u8]) -> Option<Vec<&[u8]>> {
    let dashes = [b"--", BOUNDARY].concat();
    let starts = |at: usize| body[at..].starts_with(&dashes) && (at == 0 || body[at - 1] == b'\n');
    let mut found = (0..body.len()).filter(|at| starts(*at)).map(|at| after_boundary(body, at + dashes.len()));
    let mut at = loop {
        match found.next()? {
            AfterBoundary::Part(start) => break start,
            AfterBoundary::Close | AfterBoundary::Wrong => return None,
            AfterBoundary::Content => {}
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
        let (end, after) = ends.into_iter().find(|(_, after)| !matches!(after, AfterBoundary::Content))?;
        parts.push(&body[begin..end]);
        match after {
            AfterBoundary::Part(start) => at = start,
            AfterBoundary::Close => return Some(parts),
            AfterBoundary::Wrong | AfterBoundary::Content => return None,
        }
    }
}

/// Forms with the boundary [`BOUNDARY`]: every split gives the parts that the reference finds.
pub fn check_multipart(body: &[u8]) {
    let whole = parse_multipart(body, &[]);
    // The reference does not look at transfer encodings.
    if !matches!(&whole, Err(error) if error.starts_with("Content-Transfer-Encoding")) {
        let contents = whole.as_ref().ok().map(|parts| parts.iter().map(|part| &part.1[..]).collect::<Vec<_>>());
        assert_eq!(contents, reference_multipart(body), "reference, whole: {whole:?}");
    }
    for cuts in cuts(body.len()) {
        assert_eq!(parse_multipart(body, &cuts), whole, "cut at {cuts:?}");
    }
}
