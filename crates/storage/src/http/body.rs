//! The body of a request: bytes in memory, or a part of a file, which is read while it is sent.

use std::{
    fs::File,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use rustix::{
    buffer::spare_capacity,
    io::{Errno, pread},
};

use crate::source::Source;

/// Bytes of a file that are read at once.
const PIECE: usize = 64 * 1024;

/// The body of a request. Its length is always announced.
#[derive(Debug, Clone, Default)]
pub enum Payload {
    /// None.
    #[default]
    Empty,
    /// These bytes.
    Bytes(Bytes),
    /// A part of a file.
    File(FilePart),
    /// A whole file. It breaks off before its last piece if the file was written to meanwhile, so that the server has not
    /// the bytes of two versions.
    Whole(Source),
}

/// A part of a file.
#[derive(Debug, Clone)]
pub struct FilePart {
    /// The file; its position is not used.
    pub file: Arc<File>,
    /// Where the part begins.
    pub offset: u64,
    /// Its bytes.
    pub length: u64,
}

impl Payload {
    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(part) => part.length,
            Self::Whole(source) => source.size(),
        }
    }

    /// Whether it has no byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A payload on its way, which counts the pieces that were taken from it.
#[derive(Debug)]
pub(super) struct SentBody {
    left: Payload,
    /// The file that must not be written to.
    whole: Option<Source>,
    progress: Arc<AtomicU64>,
}

impl SentBody {
    pub(super) fn new(payload: Payload, progress: Arc<AtomicU64>) -> Self {
        let (left, whole) = match payload {
            Payload::Whole(source) => {
                let part = FilePart { file: Arc::clone(source.file()), offset: 0, length: source.size() };
                (Payload::File(part), Some(source))
            }
            payload => (payload, None),
        };
        Self { left, whole, progress }
    }

    fn next(&mut self) -> Option<io::Result<Bytes>> {
        match &mut self.left {
            Payload::Empty | Payload::Whole(_) | Payload::File(FilePart { length: 0, .. }) => None,
            Payload::Bytes(bytes) => Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty()).map(Ok),
            Payload::File(part) => {
                let piece = part.next();
                let is_last = part.length == 0;
                Some(piece.and_then(|piece| self.check(is_last).map(|()| piece)))
            }
        }
    }

    fn check(&self, is_last: bool) -> io::Result<()> {
        let whole = self.whole.as_ref().filter(|_| is_last);
        whole.map_or(Ok(()), |whole| whole.check_unchanged().map_err(io::Error::other))
    }
}

impl FilePart {
    fn next(&mut self) -> io::Result<Bytes> {
        let mut piece = Vec::with_capacity(usize::try_from(self.length).unwrap_or(PIECE).min(PIECE));
        let count = loop {
            match pread(&self.file, spare_capacity(&mut piece), self.offset) {
                Err(Errno::INTR) => {}
                result => break result?,
            }
        };
        if count == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was sent"));
        }
        // The allocator may have given more room than was asked for.
        let count = (count as u64).min(self.length);
        piece.truncate(usize::try_from(count).unwrap_or(PIECE));
        self.offset += count;
        self.length -= count;
        Ok(piece.into())
    }
}

impl Body for SentBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.progress.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(self.next().map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len())
    }
}
