//! An incremental parser for `multipart/form-data` (RFC 7578, RFC 2046 §5.1). It stores nothing: parts go to a
//! [`PartSink`].
//!
//! The parser buffers at most a boundary and, between parts, a block of headers. It ignores the preamble and the
//! epilogue. Lines end with CRLF; if the first boundary line ends with a bare LF, all boundaries are expected after
//! bare LFs. A body without a closing boundary is incomplete.

use memchr::{memchr, memmem, memrchr};

use crate::{
    content_headers::{HeaderError, TransferEncoding, transfer_encoding},
    parameters,
    position::Position,
};

/// Bytes of headers that a part may have; typical ones have about 200. A body with more is refused.
pub const MAX_HEADERS: usize = 16 * 1024;

/// Parts that a form may have, since each becomes a file with an inode. A body with more is refused.
pub const MAX_PARTS: u32 = 10_000;

/// The reason why a body is not a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// The boundary named by `Content-Type` is not in the body.
    #[error("{0}, expected a line with the boundary that Content-Type names")]
    NoBoundaryLine(Position),
    /// The body ends within a part.
    #[error("{0}, expected the closing boundary")]
    Cut(Position),
    /// Unexpected bytes on the line of a boundary.
    #[error("{0}, expected a line break after the boundary")]
    AfterBoundary(Position),
    /// A header line without a colon.
    #[error("the headers of the part at offset {start} have a line without a colon")]
    Header {
        /// Offset at which the part begins.
        start: u64,
    },
    /// More than [`MAX_HEADERS`].
    #[error("the headers of the part at offset {start} are longer than {MAX_HEADERS} bytes")]
    LongHeaders {
        /// Offset at which the part begins.
        start: u64,
    },
    /// More than [`MAX_PARTS`].
    #[error("the form has more than {MAX_PARTS} parts")]
    ManyParts,
    /// The form has no part.
    #[error("the form has no file and no field")]
    Empty,
}

/// The headers of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The name of the field.
    pub name: Option<String>,
    /// The name of the file, as sent. `Some` makes it a file part, even if the name is empty.
    pub file_name: Option<String>,
    /// Whether its content is base64.
    pub base64: bool,
    /// Offset in the body at which its content begins.
    pub offset: u64,
}

/// The receiver of the parts. For each part it gets one [`PartSink::begin`], any number of [`PartSink::data`] and one
/// [`PartSink::end`].
pub trait PartSink {
    /// The error of parsing: an invalid form, an invalid header of a part, or a failure of the sink itself.
    type Error: From<FormError> + From<HeaderError>;

    /// A part begins.
    fn begin(&mut self, part: Part) -> Result<(), Self::Error>;
    /// The next bytes of its content, never empty.
    fn data(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
    /// The part is complete.
    fn end(&mut self) -> Result<(), Self::Error>;
}

/// The error of parsing with a [`PartSink`] that cannot fail.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The body is not a form.
    #[error("the body is not multipart/form-data: {0}")]
    Form(#[from] FormError),
    /// A header of a part names an unsupported encoding.
    #[error(transparent)]
    Header(#[from] HeaderError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FormState {
    /// In the preamble or in the content of a part; the number of bytes of the delimiter matched so far.
    Content(usize),
    /// After a whole delimiter. The next bytes decide whether it is one.
    Delimiter,
    /// After a delimiter and one `-`.
    Dash,
    /// In blanks after a boundary, which gateways may add.
    Padding,
    /// After the CR of a boundary line.
    CarriageReturn,
    Headers,
    Epilogue,
}

/// A push parser.
#[derive(Debug)]
pub struct Parser {
    offset: u64,
    state: FormState,
    /// Line break, two hyphens, boundary. No later byte equals its first one, so a failed match never hides the
    /// beginning of another.
    delimiter: Vec<u8>,
    /// The number of leading bytes of the delimiter that are not content here. A boundary at the very beginning has no
    /// line break of its own before it.
    borrowed: usize,
    finder: memmem::Finder<'static>,
    /// The headers of the current part, as far as read.
    headers: Vec<u8>,
    /// Where the current line begins in `headers`.
    line: usize,
    /// Offset at which the current part begins.
    start: u64,
    parts: u32,
}

impl Parser {
    /// A parser for parts separated by `boundary`, before the first byte.
    #[must_use]
    pub fn new(boundary: &[u8]) -> Self {
        // Either line break may end the preamble, and both end in LF.
        let delimiter = [b"\n--", boundary].concat();
        Self {
            offset: 0,
            state: FormState::Content(1),
            borrowed: 1,
            finder: memmem::Finder::new(&delimiter).into_owned(),
            delimiter,
            headers: Vec::new(),
            line: 0,
            start: 0,
            parts: 0,
        }
    }

    /// Parses one piece.
    pub fn push<P: PartSink>(&mut self, piece: &[u8], parts: &mut P) -> Result<(), P::Error> {
        let mut at = 0;
        while let Some(&byte) = piece.get(at) {
            let position = Position::byte(self.offset + at as u64, byte);
            match (self.state, byte) {
                (FormState::Content(0), _) => at += self.content(&piece[at..], parts)?,
                (FormState::Content(matched), _) if self.delimiter[matched] == byte => {
                    at += 1;
                    let whole = matched + 1 == self.delimiter.len();
                    self.state = if whole { FormState::Delimiter } else { FormState::Content(matched + 1) };
                }
                (FormState::Content(matched), _) => self.was_content(matched, b"", parts)?,
                (FormState::Delimiter, b'-') => {
                    self.state = FormState::Dash;
                    at += 1;
                }
                (FormState::Delimiter | FormState::Padding, b' ' | b'\t') => {
                    self.state = FormState::Padding;
                    at += 1;
                }
                (FormState::Delimiter | FormState::Padding, b'\r') => {
                    self.state = FormState::CarriageReturn;
                    at += 1;
                }
                (FormState::Delimiter | FormState::Padding | FormState::CarriageReturn, b'\n') => {
                    at += 1;
                    self.next_part(self.offset + at as u64, parts)?;
                }
                (FormState::Padding | FormState::CarriageReturn, _) => {
                    return Err(FormError::AfterBoundary(position).into());
                }
                // A longer word than the boundary, such as the boundary of a nested form.
                (FormState::Delimiter, _) => self.was_content(self.delimiter.len(), b"", parts)?,
                (FormState::Dash, b'-') => {
                    at += 1;
                    self.end_part(parts)?;
                    self.state = FormState::Epilogue;
                }
                (FormState::Dash, _) => self.was_content(self.delimiter.len(), b"-", parts)?,
                (FormState::Headers, _) => at += self.headers(&piece[at..], at as u64, parts)?,
                (FormState::Epilogue, _) => at = piece.len(),
            }
        }
        self.offset += piece.len() as u64;
        Ok(())
    }

    /// Ends the body.
    pub fn finish(self) -> Result<(), FormError> {
        let end = Position::end(self.offset);
        match self.state {
            FormState::Epilogue if self.parts == 0 => Err(FormError::Empty),
            FormState::Epilogue => Ok(()),
            FormState::Content(_) | FormState::Delimiter | FormState::Dash if self.parts == 0 => {
                Err(FormError::NoBoundaryLine(end))
            }
            _ => Err(FormError::Cut(end)),
        }
    }

    /// Forwards content up to the next delimiter; returns the number of bytes consumed.
    fn content<P: PartSink>(&mut self, bytes: &[u8], parts: &mut P) -> Result<usize, P::Error> {
        if let Some(found) = self.finder.find(bytes) {
            self.emit(&bytes[..found], parts)?;
            self.state = FormState::Delimiter;
            return Ok(found + self.delimiter.len());
        }
        let begun = memrchr(self.delimiter[0], bytes).filter(|at| self.delimiter.starts_with(&bytes[*at..]));
        let content = begun.unwrap_or(bytes.len());
        self.emit(&bytes[..content], parts)?;
        self.state = FormState::Content(bytes.len() - content);
        Ok(bytes.len())
    }

    /// Forwards `matched` bytes of an apparent delimiter, and the bytes `after` it, as content.
    fn was_content<P: PartSink>(&mut self, matched: usize, after: &[u8], parts: &mut P) -> Result<(), P::Error> {
        let delimiter = std::mem::take(&mut self.delimiter);
        let emitted = self.emit(&delimiter[self.borrowed..matched], parts);
        self.delimiter = delimiter;
        emitted?;
        self.emit(after, parts)?;
        self.borrowed = 0;
        self.state = FormState::Content(0);
        Ok(())
    }

    fn emit<P: PartSink>(&self, bytes: &[u8], parts: &mut P) -> Result<(), P::Error> {
        // Before the first boundary the bytes are the preamble.
        if self.parts == 0 || bytes.is_empty() { Ok(()) } else { parts.data(bytes) }
    }

    fn end_part<P: PartSink>(&self, parts: &mut P) -> Result<(), P::Error> {
        if self.parts == 0 { Ok(()) } else { parts.end() }
    }

    /// Begins a part at `start`, after the line of a boundary.
    fn next_part<P: PartSink>(&mut self, start: u64, parts: &mut P) -> Result<(), P::Error> {
        self.end_part(parts)?;
        if self.parts == 0 && self.state == FormState::CarriageReturn {
            self.delimiter.insert(0, b'\r');
            self.finder = memmem::Finder::new(&self.delimiter).into_owned();
        }
        if self.parts == MAX_PARTS {
            return Err(FormError::ManyParts.into());
        }
        self.parts += 1;
        self.start = start;
        self.headers.clear();
        self.line = 0;
        self.state = FormState::Headers;
        Ok(())
    }

    /// Collects headers up to the empty line, then begins the part; returns the number of bytes consumed.
    fn headers<P: PartSink>(&mut self, bytes: &[u8], at: u64, parts: &mut P) -> Result<usize, P::Error> {
        let end = memchr(b'\n', bytes).map_or(bytes.len(), |found| found + 1);
        if self.headers.len() + end > MAX_HEADERS {
            return Err(FormError::LongHeaders { start: self.start }.into());
        }
        self.headers.extend_from_slice(&bytes[..end]);
        if self.headers.last() == Some(&b'\n') {
            if matches!(&self.headers[self.line..], b"\n" | b"\r\n") {
                parts.begin(self.part::<P>(self.offset + at + end as u64)?)?;
                // If there is no content, the line break of the empty line also begins the delimiter.
                self.borrowed = if self.delimiter[0] == b'\r' { 2 } else { 1 };
                self.state = FormState::Content(self.borrowed);
            }
            self.line = self.headers.len();
        }
        Ok(end)
    }

    /// Interprets the collected headers of a part whose content begins at `offset`.
    fn part<P: PartSink>(&self, offset: u64) -> Result<Part, P::Error> {
        let (mut disposition, mut transfer) = (None, None);
        let mut fields: Vec<Vec<u8>> = Vec::new();
        for line in self.headers[..self.line].split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end) {
            match (line.first(), fields.last_mut()) {
                (None, _) => {}
                // A long line continues after a line break and a blank (RFC 5322 §2.2.3).
                (Some(b' ' | b'\t'), Some(field)) => field.extend_from_slice(line),
                (Some(_), _) => fields.push(line.to_vec()),
            }
        }
        for field in &fields {
            let colon = memchr(b':', field).ok_or(FormError::Header { start: self.start })?;
            let (name, value) = (field[..colon].trim_ascii(), field[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"Content-Disposition") {
                disposition = Some(value);
            } else if name.eq_ignore_ascii_case(b"Content-Transfer-Encoding") {
                transfer = Some(value);
            }
        }
        Ok(Part {
            name: disposition.and_then(|field| parameters::find(field, "name")).map(|name| parameters::text(&name)),
            file_name: disposition.and_then(parameters::file_name),
            base64: transfer_encoding(transfer)? == TransferEncoding::Base64,
            offset,
        })
    }
}

#[cfg(test)]
mod tests;
