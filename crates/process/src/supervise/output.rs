//! What a process writes, and who is given it: logs, which never hold it up, and the answer, which waits for its
//! reader.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    time::Instant,
};

use rustix::io::Errno;

/// Bytes read from a pipe at once: the capacity of a pipe, so that one read empties it.
pub(crate) const READ_SIZE: usize = 64 * 1024;

/// The read ends of the pipes that a process writes to.
///
/// The caller keeps the write ends open too, so that a child which closes its end early (a daemon's habit) does not
/// make poll(2) return over and over.
#[derive(Debug, Clone, Copy)]
pub struct Outputs<'a> {
    /// What is for the logs. Always read, so that it never holds the process up.
    pub logs: Option<&'a OwnedFd>,
    /// What is the answer. Read when the observer has room for it.
    pub response: Option<&'a OwnedFd>,
}

/// Who is given what a process writes.
pub trait Observer {
    /// What it wrote for the logs, in order; nothing (an empty slice) when this asked to be called again.
    fn observe(&mut self, written: &[u8]) -> Progress;

    /// How much of the answer is taken now.
    fn capacity(&mut self) -> Capacity<'_> {
        Capacity::Bytes(usize::MAX)
    }

    /// What it wrote of the answer, in order, and not more at once than there was room for. Must not block while the
    /// process runs; what it has left is given without a question for room ([`drain`]), and may wait for its reader.
    fn take(&mut self, written: &[u8]) -> Result<(), Stop>;
}

/// Whether the observer of the output has seen all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Call again when there is more.
    UpToDate,
    /// Its reader is slow: call again soon even if nothing new was written. The function is never held up for it.
    Behind,
    /// Nothing to do before this moment (a heartbeat is due then).
    Until(Instant),
}

/// How much of the answer is taken without waiting.
#[derive(Debug)]
pub enum Capacity<'a> {
    /// So many bytes, one at least.
    Bytes(usize),
    /// None until something can be written to `outlet`, or the order's bell rings
    /// ([`wake`](super::cancel::Cancel::wake)). The process waits meanwhile, once its pipe is full. To be asked again at
    /// `deadline`.
    Full {
        /// Where it goes, if that can be polled.
        outlet: Option<BorrowedFd<'a>>,
        /// When the wait is over, whatever happens.
        deadline: Option<Instant>,
    },
    /// None any more.
    Closed,
}

/// No more of the answer is taken: the process is to be terminated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop;

/// One of them.
pub(crate) struct OutputPipe<'a> {
    pub(crate) pipe: &'a OwnedFd,
    /// The function may read what it wrote (`/dev/stdout` can be reopened): then there is nothing where poll(2) saw
    /// some.
    nonblocking: bool,
}

impl<'a> OutputPipe<'a> {
    pub(crate) fn new(pipe: &'a OwnedFd) -> Self {
        Self { pipe, nonblocking: false }
    }

    /// Takes what the process left in the pipe. No more than is there at this moment: a process that left the group and
    /// goes on writing does not hold up the answer.
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

    /// Reads what is there; 0 if nothing is.
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

/// Takes what a process that has ended left in a pipe. Nobody is held up any more: `take` may wait.
pub fn drain(pipe: &OwnedFd, take: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    OutputPipe::new(pipe).drain(take)
}

/// What of its output is the answer.
pub(crate) struct ResponsePipe<'a> {
    output: OutputPipe<'a>,
    /// Nobody wants it any more. It is read all the same and forgotten, so that the process can get to its end.
    pub(crate) is_unwanted: bool,
}

impl<'a> ResponsePipe<'a> {
    pub(crate) fn new(pipe: &'a OwnedFd) -> Self {
        Self { output: OutputPipe::new(pipe), is_unwanted: false }
    }

    pub(crate) fn pipe(&self) -> &'a OwnedFd {
        self.output.pipe
    }

    /// How much of it is read now.
    pub(crate) fn room<'o>(&mut self, observer: &'o mut dyn Observer) -> Capacity<'o> {
        if self.is_unwanted {
            return Capacity::Bytes(usize::MAX);
        }
        let room = observer.capacity();
        self.is_unwanted = matches!(room, Capacity::Closed);
        room
    }

    /// Gives the observer what is there, up to `room` bytes.
    pub(crate) fn pass_on(&mut self, room: usize, buffer: &mut [u8], observer: &mut dyn Observer) -> io::Result<()> {
        let room = room.min(buffer.len());
        let read = self.output.read(&mut buffer[..room])?;
        if read > 0 && !self.is_unwanted {
            self.is_unwanted = observer.take(&buffer[..read]).is_err();
        }
        Ok(())
    }
}
