//! `multipart/form-data`, taken apart piece by piece (RFC 7578, RFC 2046 §5.1).
//!
//! The parser holds back no more than a boundary and, between parts, a block of headers. Preamble and epilogue are
//! ignored. Lines end with CRLF; if the first boundary line ends with a bare LF, the sender is taken at its word and
//! all boundaries are looked for after bare LFs. A body without its closing boundary was cut, whatever came before.

use memchr::{memchr, memmem, memrchr};

use crate::{
    content_headers::{HeaderError, TransferEncoding, transfer_encoding},
    parameters,
    position::Position,
};

/// Bytes of headers that a part may have; real ones have some two hundred. Beyond it the body is refused.
pub const MAX_HEADERS: usize = 16 * 1024;

/// PartSink that a form may have, for each is a file with an inode. Beyond it the body is refused.
pub const MAX_PARTS: u32 = 10_000;

/// Why a body is not a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// The boundary of the `Content-Type` is nowhere in the body.
    #[error("{0}, expected a line with the boundary that Content-Type names")]
    NoBoundaryLine(Position),
    /// The body ends within a part.
    #[error("{0}, expected the closing boundary")]
    Cut(Position),
    /// Something on the line of a boundary.
    #[error("{0}, expected a line break after the boundary")]
    AfterBoundary(Position),
    /// A header line without a colon.
    #[error("the headers of the part at offset {start} have a line without a colon")]
    Header {
        /// Where the part begins.
        start: u64,
    },
    /// More than [`MAX_HEADERS`].
    #[error("the headers of the part at offset {start} are longer than {MAX_HEADERS} bytes")]
    LongHeaders {
        /// Where the part begins.
        start: u64,
    },
    /// More than [`MAX_PARTS`].
    #[error("the form has more than {MAX_PARTS} parts")]
    ManyParts,
    /// There is nothing in it.
    #[error("the form has no file and no field")]
    Empty,
}

/// The beginning of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The name of the field.
    pub name: Option<String>,
    /// The name of the file, as sent; `Some` makes it a file part, even if it is empty.
    pub file_name: Option<String>,
    /// Whether its content is in base64.
    pub base64: bool,
    /// Where its content begins in the body.
    pub offset: u64,
}

/// Where parts go, each in turn: one [`PartSink::begin`], any number of [`PartSink::data`], one [`PartSink::end`].
pub trait PartSink {
    /// Why a form was not taken: because of the form, of a part's header, or of the place that its parts go to.
    type Error: From<FormError> + From<HeaderError>;

    /// A part begins.
    fn begin(&mut self, part: Part) -> Result<(), Self::Error>;
    /// The next bytes of its content, never none.
    fn data(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
    /// It is whole.
    fn end(&mut self) -> Result<(), Self::Error>;
}

/// Why a form could not be parsed, for [`PartSink`] that cannot fail themselves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The body is not a form.
    #[error("the body is not multipart/form-data: {0}")]
    Form(#[from] FormError),
    /// A header of a part names an encoding that is not supported.
    #[error(transparent)]
    Header(#[from] HeaderError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FormState {
    /// In the preamble or in the content of a part; how many bytes of the delimiter were seen just now.
    Content(usize),
    /// After a whole delimiter, which is one only if the right thing follows.
    Delimiter,
    /// After a delimiter and one `-`.
    Dash,
    /// In the blanks that a gateway may have put after a boundary.
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
    /// Line break, two hyphens, boundary. The line break can't occur again in it, so that a failed match never hides
    /// the beginning of another.
    delimiter: Vec<u8>,
    /// How many bytes at the beginning of the delimiter were not in this content, but end what is before it: a
    /// boundary at the very beginning follows no line break of its own.
    borrowed: usize,
    finder: memmem::Finder<'static>,
    /// Headers of the part so far.
    headers: Vec<u8>,
    /// Where the current line begins in `headers`.
    line: usize,
    /// Where the current part begins.
    start: u64,
    parts: u32,
}

impl Parser {
    /// A parser for parts between `boundary`, before the first byte.
    #[must_use]
    pub fn new(boundary: &[u8]) -> Self {
        // In the preamble either line break will do, and both end in LF.
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

    /// Takes one piece apart.
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
                // A longer word than the boundary: the boundary of a form within a part, say.
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

    /// Passes content on up to the next delimiter; returns how many bytes were used.
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

    /// What looked like a delimiter was content: `matched` bytes of one, and what was seen after it.
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
        // Before the first boundary it is the preamble.
        if self.parts == 0 || bytes.is_empty() { Ok(()) } else { parts.data(bytes) }
    }

    fn end_part<P: PartSink>(&self, parts: &mut P) -> Result<(), P::Error> {
        if self.parts == 0 { Ok(()) } else { parts.end() }
    }

    /// After the line of a boundary, at `start`.
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

    /// Gathers headers up to the empty line, then begins the part; returns how many bytes were used.
    fn headers<P: PartSink>(&mut self, bytes: &[u8], at: u64, parts: &mut P) -> Result<usize, P::Error> {
        let end = memchr(b'\n', bytes).map_or(bytes.len(), |found| found + 1);
        if self.headers.len() + end > MAX_HEADERS {
            return Err(FormError::LongHeaders { start: self.start }.into());
        }
        self.headers.extend_from_slice(&bytes[..end]);
        if self.headers.last() == Some(&b'\n') {
            if matches!(&self.headers[self.line..], b"\n" | b"\r\n") {
                parts.begin(self.part::<P>(self.offset + at + end as u64)?)?;
                // The empty line is also the line break before a boundary, if there is no content.
                self.borrowed = if self.delimiter[0] == b'\r' { 2 } else { 1 };
                self.state = FormState::Content(self.borrowed);
            }
            self.line = self.headers.len();
        }
        Ok(end)
    }

    /// What the gathered headers say of a part with content at `offset`.
    fn part<P: PartSink>(&self, offset: u64) -> Result<Part, P::Error> {
        let (mut disposition, mut transfer) = (None, None);
        let mut fields: Vec<Vec<u8>> = Vec::new();
        for line in self.headers[..self.line].split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end) {
            match (line.first(), fields.last_mut()) {
                (None, _) => {}
                // A long line goes on after a line break and a blank (RFC 5322 §2.2.3).
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
