//! The input of a call, encoded while it is sent.

use std::{
    fmt,
    fs::File,
    io::{self, Cursor, Read},
    path::PathBuf,
};

use super::{CallError, early::StopFlag, progress::Progress};

/// Bytes read at once; a multiple of 3, so that no piece but the last needs padding.
const PIECE: usize = 48 * 1024;

/// The source of the input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CallInput {
    /// An empty body.
    None,
    /// A text of the command line.
    Text(String),
    /// The standard input.
    Stdin,
    /// A file.
    File(PathBuf),
    /// The JSON object of the arguments, which is sent as it is.
    Arguments(String),
}

impl fmt::Display for CallInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("nothing"),
            Self::Text(_) => f.write_str("--text-input"),
            Self::Stdin => f.write_str("stdin"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Arguments(_) => f.write_str("--argument"),
        }
    }
}

impl CallInput {
    pub(super) fn new(text: Option<String>, file: Option<PathBuf>) -> Self {
        match (text, file) {
            (Some(text), _) => Self::Text(text),
            (None, Some(path)) if path.as_os_str() == "-" => Self::Stdin,
            (None, Some(path)) => Self::File(path),
            (None, None) => Self::None,
        }
    }

    /// The bytes, and their number if it is known; `None` for an empty body.
    #[expect(clippy::type_complexity, reason = "a reader and its length")]
    pub(super) fn open(&self) -> Result<Option<(Box<dyn Read + '_>, Option<u64>)>, CallError> {
        let failed = |source| CallError::Input { what: self.to_string(), source };
        match self {
            Self::None => Ok(None),
            Self::Text(text) | Self::Arguments(text) => {
                Ok(Some((Box::new(Cursor::new(text)), Some(text.len() as u64))))
            }
            Self::Stdin => Ok(Some((Box::new(io::stdin().lock()), None))),
            Self::File(path) => {
                let file = File::open(path).map_err(failed)?;
                let metadata = file.metadata().map_err(failed)?;
                if metadata.is_dir() {
                    return Err(failed(io::ErrorKind::IsADirectory.into()));
                }
                // Files of /proc claim to be empty; devices and pipes have no length.
                let len = metadata.is_file().then_some(metadata.len()).filter(|len| *len > 0);
                Ok(Some((Box::new(file), len)))
            }
        }
    }
}

/// A reader of the input in base64.
pub(super) struct Base64Upload<'a> {
    source: Box<dyn Read + 'a>,
    /// Bytes of the source that are still to come, if their number has been announced.
    raw_left: Option<u64>,
    len: Option<u64>,
    sent: u64,
    encoded: Vec<u8>,
    given: usize,
    stop: StopFlag,
    progress: Progress,
    /// The error of reading the input, which the HTTP client does not pass on.
    pub(super) error: Option<io::Error>,
}

impl<'a> Base64Upload<'a> {
    pub(super) fn new(source: Box<dyn Read + 'a>, raw_len: Option<u64>, stop: StopFlag) -> Self {
        let len = raw_len.map(|len| len.div_ceil(3) * 4);
        Self {
            source,
            raw_left: raw_len,
            len,
            sent: 0,
            encoded: Vec::with_capacity(PIECE / 3 * 4),
            given: 0,
            stop,
            progress: Progress::new("sending", len),
            error: None,
        }
    }

    /// Bytes that will be sent, if their number is known.
    pub(super) fn len(&self) -> Option<u64> {
        self.len
    }

    /// Encodes the next piece; empty at the end.
    fn refill(&mut self) -> io::Result<()> {
        self.encoded.clear();
        self.given = 0;
        // A file that grows meanwhile is sent at its announced length.
        let wanted = self.raw_left.unwrap_or(u64::MAX).min(PIECE as u64);
        let mut piece = Vec::with_capacity(PIECE);
        self.source.by_ref().take(wanted).read_to_end(&mut piece)?;
        if let Some(left) = &mut self.raw_left {
            if (piece.len() as u64) < wanted {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter while it was sent"));
            }
            *left -= piece.len() as u64;
        }
        base64_simd::STANDARD.encode_append(&piece, &mut self.encoded);
        Ok(())
    }
}

impl Read for Base64Upload<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_set() {
            // The server reads no more. The rest of the announced length is discarded, so it need not be read.
            let left = self.len.map_or(0, |len| len - self.sent);
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            buffer[..count].fill(b'A');
            self.sent += count as u64;
            return Ok(count);
        }
        if self.given == self.encoded.len()
            && let Err(error) = self.refill()
        {
            let kind = error.kind();
            self.error = Some(error);
            return Err(kind.into());
        }
        let rest = &self.encoded[self.given..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        self.sent += count as u64;
        self.progress.add(count);
        if count == 0 || self.len == Some(self.sent) {
            self.progress.end();
        }
        Ok(count)
    }
}
