//! The captured logs of one invocation: bandog's own lines at or above the level, and the function's output, in the
//! order written.
//!
//! Memory is bounded: what is over [`MEMORY_LIMIT`] lies in a nameless file. What is over the maximum (`--max-logs`)
//! is left out from the middle and marked, so that both the beginning and the last lines, which say why it failed,
//! are kept; with the mark they are as long as the maximum.
//!
//! This is what the *caller* may see. The container's own log is [`crate::telemetry`].

use std::{
    cell::RefCell,
    fmt,
    fs::File,
    io::{self, Write as _},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::fs::FileExt as _,
    },
    str::FromStr,
    sync::Arc,
};

use jiff::Timestamp;

use crate::workspace;

/// Bytes of logs kept in memory before they go to a file: most functions print less, and then no file is made.
pub const MEMORY_LIMIT: usize = 256 * 1024;

/// Bytes of output that go to the file as they are, once there is one: copying them would cost more than the call.
const LARGE: usize = 32 * 1024;

/// Bytes for the mark of a cut that `--max-logs` asked for, whatever its number.
const MARK: u64 = 80;

/// Bytes kept of the end when the middle is left out; also what a failed run's answer quotes.
pub const TAIL_LIMIT: usize = 64 * 1024;

/// The severity of a line. The names are those of Python's logging.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Sizes and headers at each step.
    Debug,
    /// The milestones of an invocation.
    Info,
    /// Something was left out or ignored.
    Warning,
    /// The invocation failed.
    Error,
    /// As a threshold: none of bandog's own lines.
    Critical,
}

impl Level {
    /// Every level, most talkative first.
    pub const ALL: [Self; 5] = [Self::Debug, Self::Info, Self::Warning, Self::Error, Self::Critical];

    /// The name in a log line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Critical => "CRITICAL",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Level {
    type Err = ();

    /// Any case; `WARN` and `FATAL` are Python's own aliases.
    fn from_str(text: &str) -> Result<Self, ()> {
        match text.to_ascii_uppercase().as_str() {
            "WARN" => Ok(Self::Warning),
            "FATAL" => Ok(Self::Critical),
            upper => Self::ALL.into_iter().find(|level| level.name() == upper).ok_or(()),
        }
    }
}

/// A moment as the log lines write it, in UTC: `2026-11-20 14:49:56,867`.
#[must_use]
pub fn stamp(moment: Timestamp) -> String {
    thread_local! {
        /// The second of the last stamp, and how that is written: most lines of a request are of one second.
        static LAST: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
    }
    LAST.with_borrow_mut(|(second, text)| {
        if *second != moment.as_second() {
            *second = moment.as_second();
            *text = moment.strftime("%Y-%m-%d %H:%M:%S").to_string();
        }
        format!("{text},{:03}", moment.subsec_millisecond())
    })
}

/// The captured logs of one invocation.
#[derive(Debug)]
pub struct Logs {
    level: Level,
    /// The name of the logger in own lines.
    logger: &'static str,
    /// Bytes kept in all, with the mark of a cut; `u64::MAX` for no limit.
    max: u64,
    /// Bytes kept of the beginning.
    max_head: u64,
    /// The directory in which the file is made when memory does not suffice; `None` once that has failed. Held open:
    /// the function may have put something else under its name.
    spill_place: Option<Arc<OwnedFd>>,
    /// The beginning of the logs, once it has left memory.
    spilled: Option<File>,
    /// Bytes in `spilled`.
    spilled_len: u64,
    /// The lines after `spilled`, at most [`MEMORY_LIMIT`] bytes.
    recent: Vec<u8>,
    /// The bytes after the kept beginning: the last ones written, up to twice [`TAIL_LIMIT`].
    tail: Vec<u8>,
    /// Bytes left out between the beginning and the tail.
    cut: u64,
    /// The line that marks the cut, once [`Logs::seal`]ed.
    marker: Vec<u8>,
    sealed: bool,
    ends_mid_line: bool,
    /// A second copy of the own lines, where they are also needed on their own.
    own: Option<Vec<u8>>,
    /// That copy is the only one.
    is_own_apart: bool,
    /// Why the file could not be made or written.
    lost: Option<io::Error>,
}

impl Logs {
    /// Empty logs that keep own lines from `level` up and at most `max` bytes (0 for no limit); `spill_place` is
    /// the directory where a file may be made for what does not fit in memory (it has a name for an instant only).
    #[must_use]
    pub fn new(level: Level, max: u64, spill_place: Option<Arc<OwnedFd>>) -> Self {
        let max = if max == 0 { u64::MAX } else { max };
        // The other half is for the end, which says why it failed, and for the mark of a cut.
        let max_tail = (TAIL_LIMIT as u64).min((max / 2).max(MARK).min(max));
        Self {
            level,
            logger: "bandog",
            max,
            max_head: if max == u64::MAX { max } else { max - max_tail },
            spill_place,
            spilled: None,
            spilled_len: 0,
            recent: Vec::new(),
            tail: Vec::new(),
            cut: 0,
            marker: Vec::new(),
            sealed: false,
            ends_mid_line: false,
            own: None,
            is_own_apart: false,
            lost: None,
        }
    }

    /// Gives the own lines another name of their logger than `bandog`.
    #[must_use]
    pub fn with_logger(self, logger: &'static str) -> Self {
        Self { logger, ..self }
    }

    /// Keeps the first [`TAIL_LIMIT`] bytes of the own lines apart as well.
    #[must_use]
    pub fn keeping_own_lines(self) -> Self {
        Self { own: Some(Vec::new()), ..self }
    }

    /// Keeps the first [`TAIL_LIMIT`] bytes of the own lines apart, and none of them among the others.
    #[must_use]
    pub fn parting_own_lines(self) -> Self {
        Self { is_own_apart: true, ..self.keeping_own_lines() }
    }

    /// The own lines, if they are kept apart.
    #[must_use]
    pub fn own_lines(&self) -> Option<&[u8]> {
        self.own.as_deref()
    }

    /// Whether an own line of this level would be kept.
    #[must_use]
    pub fn keeps(&self, level: Level) -> bool {
        level >= self.level && self.level != Level::Critical
    }

    /// Adds one of bandog's own lines, on a line of its own.
    pub fn note(&mut self, level: Level, moment: Timestamp, message: &str) {
        if !self.keeps(level) {
            return;
        }
        let newline = if self.ends_mid_line && !self.is_own_apart {
            "
"
        } else {
            ""
        };
        let line = format!(
            "{newline}{} - {} - {level} - {message}
",
            stamp(moment),
            self.logger
        );
        if let Some(own) = self.own.as_mut().filter(|own| own.len() + line.len() <= TAIL_LIMIT) {
            own.extend_from_slice(line.trim_start_matches('\n').as_bytes());
        }
        if !self.is_own_apart {
            self.append(line.as_bytes());
        }
    }

    /// Adds what the function wrote, untouched.
    pub fn output(&mut self, bytes: &[u8]) {
        self.append(bytes);
    }

    fn append(&mut self, bytes: &[u8]) {
        debug_assert!(!self.sealed, "nothing is written after the end");
        let Some(last) = bytes.last() else { return };
        self.ends_mid_line = *last != b'\n';
        let room = usize::try_from(self.max_head - self.head_len()).unwrap_or(usize::MAX);
        let room = if self.tail.is_empty() { room.min(bytes.len()) } else { 0 };
        let (head, rest) = bytes.split_at(room);
        let kept = self.append_head(head);
        self.append_tail(&head[kept..]);
        self.append_tail(rest);
    }

    /// Adds to the beginning; returns how many bytes found a place (fewer only if the workspace is full).
    fn append_head(&mut self, bytes: &[u8]) -> usize {
        let is_large = self.spilled.is_some() && bytes.len() >= LARGE;
        if !is_large && self.recent.len() + bytes.len() <= MEMORY_LIMIT {
            self.recent.extend_from_slice(bytes);
            return bytes.len();
        }
        match self.spill(bytes) {
            Ok(()) => return bytes.len(),
            Err(error) => self.lost = self.lost.take().or(Some(error)),
        }
        // No place on disk: what is in memory stays the beginning, and of the rest only the end is kept.
        let kept = MEMORY_LIMIT.saturating_sub(self.recent.len()).min(bytes.len());
        self.recent.extend_from_slice(&bytes[..kept]);
        self.max_head = self.head_len();
        kept
    }

    fn spill(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.spilled.is_none() {
            let place = self.spill_place.take().ok_or(io::ErrorKind::StorageFull)?;
            self.spilled = Some(workspace::unnamed_file(place.as_fd())?);
        }
        let Some(file) = self.spilled.as_mut() else { return Err(io::ErrorKind::NotFound.into()) };
        let before = self.spilled_len;
        for part in [self.recent.as_slice(), bytes] {
            if let Err(error) = file.write_all(part) {
                file.set_len(before)?;
                return Err(error);
            }
        }
        self.spilled_len += (self.recent.len() + bytes.len()) as u64;
        self.recent.clear();
        Ok(())
    }

    fn append_tail(&mut self, bytes: &[u8]) {
        let newest = &bytes[bytes.len().saturating_sub(TAIL_LIMIT)..];
        self.cut += (bytes.len() - newest.len()) as u64;
        if bytes.len() > newest.len() {
            self.cut += self.tail.len() as u64;
            self.tail.clear();
        }
        self.tail.extend_from_slice(newest);
        // Dropped in halves, so that a long run of small writes does not move the whole tail each time.
        if self.tail.len() > 2 * TAIL_LIMIT {
            let excess = self.tail.len() - TAIL_LIMIT;
            self.tail.drain(..excess);
            self.cut += excess as u64;
        }
    }

    /// Ends the logs: after this the length is known and nothing is added.
    pub fn seal(&mut self) {
        if self.sealed {
            return;
        }
        self.sealed = true;
        self.spill_place = None;
        let room = usize::try_from(self.max - self.head_len()).unwrap_or(usize::MAX);
        if self.cut == 0 && self.tail.len() <= room {
            return;
        }
        let why = match &self.lost {
            None => "see --max-logs".to_owned(),
            Some(error) => error.to_string(),
        };
        let mark = |cut: u64| format!("\n[bandog: {cut} bytes of logs left out here; {why}]\n").into_bytes();
        let (before, length) = (self.cut, self.tail.len());
        let cut_for = |kept: usize| before + (length - kept) as u64;
        // What the mark takes is left out as well, which may make its number a digit longer, once.
        let mut kept = length.min(TAIL_LIMIT).min(room);
        for _ in 0..2 {
            kept = kept.min(room.saturating_sub(mark(cut_for(kept)).len()));
        }
        self.cut = cut_for(kept);
        self.tail.drain(..length - kept);
        self.marker = mark(self.cut);
        // A limit that is shorter than the mark has the beginning of it.
        self.marker.truncate(room - kept);
    }

    /// The error that lost lines which should have been kept, such as a full workspace. Lines beyond the maximum do not
    /// count.
    pub fn take_loss(&mut self) -> Option<io::Error> {
        if self.cut > 0 { self.lost.take() } else { None }
    }

    fn head_len(&self) -> u64 {
        self.spilled_len + self.recent.len() as u64
    }

    /// Bytes that can be read now. Before [`Logs::seal`] that is the beginning only: what may yet be left out is not
    /// shown.
    #[must_use]
    pub fn len(&self) -> u64 {
        if self.sealed { self.head_len() + (self.marker.len() + self.tail.len()) as u64 } else { self.head_len() }
    }

    /// Whether there is nothing to read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads at `offset` into `buffer`; 0 at the end. May return fewer bytes than asked for.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if let (Some(file), true) = (&self.spilled, offset < self.spilled_len) {
            return match file.read_at(buffer, offset)? {
                0 if !buffer.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
                read => Ok(read),
            };
        }
        let mut offset = usize::try_from(offset - self.spilled_len).unwrap_or(usize::MAX);
        let after: [&[u8]; 2] = if self.sealed { [&self.marker, &self.tail] } else { [&[], &[]] };
        for part in [self.recent.as_slice()].into_iter().chain(after) {
            if let Some(rest) = part.get(offset..).filter(|rest| !rest.is_empty()) {
                let count = rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                return Ok(count);
            }
            offset = offset.saturating_sub(part.len());
        }
        Ok(0)
    }

    /// The last `limit` bytes, as text (what is not UTF-8 is replaced).
    pub fn tail(&self, limit: usize) -> io::Result<String> {
        let mut offset = self.len().saturating_sub(limit as u64);
        let mut bytes = Vec::with_capacity(limit.min(MEMORY_LIMIT));
        let mut buffer = [0; 8 * 1024];
        loop {
            match self.read_at(offset, &mut buffer)? {
                0 => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
                read => {
                    bytes.extend_from_slice(&buffer[..read]);
                    offset += read as u64;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
