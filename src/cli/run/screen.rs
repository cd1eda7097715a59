//! A terminal as the place of logs and results: text only, and never a wait that holds up the function.

use std::{
    fs::File,
    io::{self, Write as _},
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::fs::OpenOptionsExt as _,
    },
    sync::Arc,
};

use bytes::Bytes;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::OFlags,
};

use crate::{
    output::{BodySink, Disconnected},
    process::WakeFd,
};

/// Bytes written at once.
const PIECE: usize = 4096;

/// Bytes written at once if a write may wait: what a terminal that poll(2) reports as writable usually has room for.
const CAUTIOUS_PIECE: usize = 256;

/// The terminal that standard output is.
pub(super) struct Screen {
    file: File,
    piece: usize,
    stop_signal: Arc<WakeFd>,
    /// The beginning of a character whose end has not come.
    cut: Vec<u8>,
    /// Text that has not been written.
    pending: Vec<u8>,
    is_mid_line: bool,
    is_gone: bool,
}

impl Screen {
    /// `stop_signal` becomes readable when a signal arrives.
    ///
    /// # Errors
    /// There is no descriptor left.
    pub(super) fn new(stop_signal: &Arc<WakeFd>) -> io::Result<Self> {
        // Opened again, so that writes do not wait and other programs at the terminal do not notice.
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let reopened = File::options()
            .write(true)
            .custom_flags(i32::try_from(flags.bits()).unwrap_or_default())
            .open("/proc/self/fd/1");
        let (file, piece) = match reopened {
            Ok(file) => (file, PIECE),
            Err(_) => (io::stdout().as_fd().try_clone_to_owned()?.into(), CAUTIOUS_PIECE),
        };
        let (cut, pending) = (Vec::new(), Vec::new());
        Ok(Self { file, piece, stop_signal: Arc::clone(stop_signal), cut, pending, is_mid_line: false, is_gone: false })
    }

    /// Adds text. What is none, and what would do more to a terminal than colour it or move on a line, is replaced.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.cut.extend_from_slice(bytes);
        let bytes = std::mem::take(&mut self.cut);
        let end = bytes.as_ptr_range().end;
        for chunk in bytes.utf8_chunks() {
            for letter in chunk.valid().chars() {
                let letter = if is_plain(letter) { letter } else { char::REPLACEMENT_CHARACTER };
                self.pending.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            }
            let invalid = chunk.invalid();
            let is_cut = std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if is_cut && invalid.as_ptr_range().end == end {
                self.cut = invalid.to_vec();
            } else if !invalid.is_empty() {
                self.replace();
            }
        }
        self.is_mid_line = self.pending.last().map_or(self.is_mid_line, |last| *last != b'\n');
    }

    fn replace(&mut self) {
        let mut buffer = [0; 4];
        self.pending.extend_from_slice(char::REPLACEMENT_CHARACTER.encode_utf8(&mut buffer).as_bytes());
    }

    /// Writes what can be written without waiting. Returns whether that is all.
    pub(super) fn write_on(&mut self) -> bool {
        while !self.pending.is_empty() && !self.is_gone {
            let mut events = [PollFd::new(&self.file, PollFlags::OUT)];
            if poll(&mut events, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(0) || !self.write_piece() {
                return false;
            }
        }
        true
    }

    /// Writes everything, and waits where it must. A signal ends the wait.
    pub(super) fn flush(&mut self) {
        while !self.write_on() {
            let mut events = [PollFd::new(&self.file, PollFlags::OUT), PollFd::new(&*self.stop_signal, PollFlags::IN)];
            let polled = poll(&mut events, None);
            self.is_gone |= polled.is_err() || events[0].revents().is_empty();
        }
    }

    /// Ends a line that has begun, and writes everything.
    pub(super) fn end_line(&mut self) {
        if !std::mem::take(&mut self.cut).is_empty() {
            self.replace();
        }
        if std::mem::take(&mut self.is_mid_line) {
            self.pending.push(b'\n');
        }
        self.flush();
    }

    /// Whether nothing can be written any more.
    pub(super) fn is_gone(&self) -> bool {
        self.is_gone
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Writes the next piece. Returns whether there was room.
    fn write_piece(&mut self) -> bool {
        let piece = &self.pending[..self.pending.len().min(self.piece)];
        match self.file.write(piece) {
            Ok(written) => drop(self.pending.drain(..written)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.is_gone = true,
        }
        true
    }
}

impl BodySink for Screen {
    fn send(&mut self, piece: Bytes) -> Result<(), Disconnected> {
        self.push(&piece);
        self.flush();
        if self.is_gone { Err(Disconnected) } else { Ok(()) }
    }
}

/// Whether a terminal shows the character, or it is one that text is laid out or coloured with.
fn is_plain(letter: char) -> bool {
    !letter.is_control() || matches!(letter, '\t' | '\n' | '\r' | '\u{8}' | '\u{c}' | '\u{1b}')
}

/// Whether the beginning of a file looks like text. The last character may be cut.
pub(super) fn is_text(beginning: &[u8]) -> bool {
    let text = match std::str::from_utf8(beginning) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&beginning[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    text.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen() -> Screen {
        let stop_signal = Arc::new(WakeFd::new().expect("a descriptor"));
        let file = File::options().write(true).open("/dev/null").expect("open");
        let (cut, pending) = (Vec::new(), Vec::new());
        Screen { file, piece: PIECE, stop_signal, cut, pending, is_mid_line: false, is_gone: false }
    }

    #[test]
    fn what_is_no_text_is_replaced_and_a_cut_character_is_put_together() {
        let mut screen = screen();
        for piece in [&b"a\xc3"[..], b"\xa9\x1b[1m\tb\r\n", b"\xff\0\x9b", "\u{9b}".as_bytes(), b"\xe2\x82"] {
            screen.push(piece);
        }
        let text = "a\u{e9}\u{1b}[1m\tb\r\n\u{fffd}\u{fffd}\u{fffd}\u{fffd}";
        assert_eq!(String::from_utf8_lossy(&screen.pending), text);
        screen.end_line();
        assert!(screen.pending.is_empty() && screen.cut.is_empty() && !screen.is_gone);
    }

    #[test]
    fn text_is_told_from_other_bytes_by_its_beginning() {
        for text in ["", "plain\n", "\u{1b}[31mred", "caf\u{e9}", "{\"a\": 1}"] {
            assert!(is_text(text.as_bytes()), "{text:?}");
        }
        assert!(is_text(&"\u{e9}".as_bytes()[..1]), "the rest may follow");
        for bytes in [&b"\x89PNG\r\n\x1a\n"[..], b"a\0b", b"\xff\xd8\xff", b"\x1f\x8b", b"PK\x03\x04"] {
            assert!(!is_text(bytes), "{bytes:?}");
        }
    }
}
