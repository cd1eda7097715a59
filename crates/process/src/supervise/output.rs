//! The output of a process and its observer. Logs are always read, so that they never block the process; the response
//! is read only when its reader has capacity.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    time::Instant,
};

use rustix::io::Errno;

/// Bytes read at once: the capacity of a pipe, so that one read empties it.
pub(crate) const READ_SIZE: usize = 64 * 1024;

/// The read ends of the pipes that a process writes to.
///
/// The caller must keep the write ends open too. Otherwise a child that closes its end early (as daemons do) would make
/// poll(2) return over and over.
#[derive(Debug, Clone, Copy)]
pub struct Outputs<'a> {
    /// Output for the logs. Always read, so that it never blocks the process.
    pub logs: Option<&'a OwnedFd>,
    /// Output that is the response. Read when the observer has capacity for it.
    pub response: Option<&'a OwnedFd>,
}

/// Receives the output of a process.
pub trait Observer {
    /// Receives what was written to the logs, in order. The slice is empty if the call is one that the last result
    /// asked for.
    fn observe(&mut self, written: &[u8]) -> Progress;

    /// Returns how much of the response the observer takes now.
    fn capacity(&mut self) -> Capacity<'_> {
        Capacity::Bytes(usize::MAX)
    }

    /// Receives the next bytes of the response, in order, and never more than the reported capacity. Must not block
    /// while the process runs. Output left after its end is passed on without asking for the capacity ([`drain`]);
    /// that call may block.
    fn take(&mut self, written: &[u8]) -> Result<(), Stop>;
}

/// Whether the observer has processed all output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Call again when there is more.
    UpToDate,
    /// Its reader is slow: call again soon even if nothing new was written. The function never waits for it.
    Behind,
    /// Call again at this time at the latest, for example because a heartbeat is due.
    Until(Instant),
}

/// How much of the response can be taken without blocking.
#[derive(Debug)]
pub enum Capacity<'a> {
    /// This number of bytes, at least one.
    Bytes(usize),
    /// None until `outlet` becomes writable or [`Cancel::wake`](super::cancel::Cancel::wake) is called. Meanwhile the
    /// process blocks once its pipe is full. Ask again at `deadline`.
    Full {
        /// The destination of the response, if it can be polled.
        outlet: Option<BorrowedFd<'a>>,
        /// The end of the wait in any case.
        deadline: Option<Instant>,
    },
    /// None, for good.
    Closed,
}

/// The observer takes no more of the response: the process is to be terminated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop;

/// One output pipe of a process.
pub(crate) struct OutputPipe<'a> {
    pub(crate) pipe: &'a OwnedFd,
    /// Set once the pipe does not block. The function may read what it wrote (`/dev/stdout` can be opened again), so
    /// that a read can find the pipe empty after poll(2) has reported data.
    nonblocking: bool,
}

impl<'a> OutputPipe<'a> {
    pub(crate) fn new(pipe: &'a OwnedFd) -> Self {
        Self { pipe, nonblocking: false }
    }

    /// Takes what the process left in the pipe, and no more than is in it now: a process that has left the group and
    /// goes on writing must not delay the response.
    pub(crate) fn drain(mut self, take: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        let mut left = usize::try_from(rustix::io::ioctl_fionread(self.pipe)?).unwrap_or(usize::MAX);
        let mut buffer = vec![0; left.min(READ_SIZE)];
        while left > 0 {
            let size = buffer.len().min(left);
            match self.read(&mut buffer[..size])? {
                0 => return Ok(()),
                read => {
                    take(&buffer[..read]);
                    left -= read;
                }
            }
        }
        Ok(())
    }

    /// Reads what is in the pipe; 0 if it is empty.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.nonblocking {
            rustix::io::ioctl_fionbio(self.pipe, true)?;
            self.nonblocking = true;
        }
        match rustix::io::read(self.pipe.as_fd(), buffer) {
            Ok(read) => Ok(read),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}

/// Takes what an ended process left in a pipe. `take` may block: no process waits for it.
pub fn drain(pipe: &OwnedFd, take: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    OutputPipe::new(pipe).drain(take)
}

/// The pipe with the response.
pub(crate) struct ResponsePipe<'a> {
    output: OutputPipe<'a>,
    /// The response has no reader any more. It is still read, and discarded, so that the process can end.
    pub(crate) is_unwanted: bool,
}

impl<'a> ResponsePipe<'a> {
    pub(crate) fn new(pipe: &'a OwnedFd) -> Self {
        Self { output: OutputPipe::new(pipe), is_unwanted: false }
    }

    pub(crate) fn pipe(&self) -> &'a OwnedFd {
        self.output.pipe
    }

    /// Returns how much to read now.
    pub(crate) fn room<'o>(&mut self, observer: &'o mut dyn Observer) -> Capacity<'o> {
        if self.is_unwanted {
            return Capacity::Bytes(usize::MAX);
        }
        let room = observer.capacity();
        self.is_unwanted = matches!(room, Capacity::Closed);
        room
    }

    /// Reads at most `room` bytes and passes them to the observer.
    pub(crate) fn pass_on(&mut self, room: usize, buffer: &mut [u8], observer: &mut dyn Observer) -> io::Result<()> {
        let room = room.min(buffer.len());
        let read = self.output.read(&mut buffer[..room])?;
        if read > 0 && !self.is_unwanted {
            self.is_unwanted = observer.take(&buffer[..read]).is_err();
        }
        Ok(())
    }
}
