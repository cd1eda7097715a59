//! Standard output as the destination of a response.

use std::{
    fs::File,
    io::{self, Write as _},
    os::fd::{AsFd as _, BorrowedFd},
    sync::Arc,
};

use bandog_runtime::call::ResponseWriter;
use bytes::Bytes;
use hyper::header::HeaderMap;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::{
    cli::exit::{cannot_write, check_stdout},
    output::{BodySink, Disconnected},
    process::WakeFd,
    reply::Head,
};

/// Writes the body of a response to standard output, exactly as HTTP would send it. A signal ends the wait for a reader
/// that does not read.
pub(super) struct Stdout {
    file: File,
    signalled: Arc<WakeFd>,
    /// The error of the last write; `None` if the reader has closed its end.
    pub(super) error: Option<io::Error>,
    /// A signal has ended the wait for the reader.
    pub(super) is_interrupted: bool,
}

impl Stdout {
    /// `signalled` becomes readable when a signal arrives.
    ///
    /// # Errors
    /// The message for the user, if there is no descriptor left.
    pub(super) fn new(signalled: &Arc<WakeFd>) -> Result<Self, String> {
        match io::stdout().as_fd().try_clone_to_owned() {
            Ok(fd) => {
                Ok(Self { file: fd.into(), signalled: Arc::clone(signalled), error: None, is_interrupted: false })
            }
            Err(error) => Err(cannot_write(&error)),
        }
    }

    /// Waits until a write does not block.
    fn wait(&mut self) -> io::Result<()> {
        check_stdout()?;
        let mut events = [PollFd::new(&self.file, PollFlags::OUT), PollFd::new(&*self.signalled, PollFlags::IN)];
        poll(&mut events, None)?;
        // After a signal, a reader that still reads gets the problem.
        self.is_interrupted = events[0].revents().is_empty();
        if self.is_interrupted { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }
}

impl BodySink for Stdout {
    fn send(&mut self, piece: Bytes) -> Result<(), Disconnected> {
        // A pipe that poll(2) reports as writable takes this much at once (pipe(7)).
        let mut parts = piece.chunks(rustix::pipe::PIPE_BUF);
        let written = parts.try_for_each(|part| self.wait().and_then(|()| self.file.write_all(part)));
        written.map_err(|error| {
            self.error = Some(error).filter(|error| error.kind() != io::ErrorKind::BrokenPipe);
            Disconnected
        })
    }

    fn room(&self) -> usize {
        let mut events = [PollFd::new(&self.file, PollFlags::OUT)];
        let looked = poll(&mut events, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        // An error of the descriptor is found by the write that follows.
        if looked == Ok(0) { 0 } else { rustix::pipe::PIPE_BUF }
    }
}

impl ResponseWriter for Stdout {
    fn begin(&mut self, _: Head, _: bool) {}

    fn send_trailers(&mut self, _: HeaderMap) {}

    fn writable_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.file.as_fd())
    }
}
