//! The thread that writes to a stream of the container, so that a slow or stopped reader blocks no other thread.
//!
//! `tracing-appender` 0.2 is not used: its queue is bounded in lines and not in bytes, it is woken for each line that
//! finds it idle and writes that line at once (five wake-ups and writes for an invocation, where this thread has less
//! than one under load), and write errors go unreported.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};

/// Bytes of lines that wait for a slow reader. Beyond it lines are dropped, counted, and the count is written once
/// the reader goes on. A single longer line is still accepted while nothing waits.
const BUFFER_LIMIT: usize = 1024 * 1024;

/// How long the thread rests after it has written, unless many lines wait by then. The lines of an invocation come one
/// by one, and each would wake it again; no line waits longer than this.
const REST: Duration = Duration::from_millis(5);

/// Bytes of waiting lines that end the rest early. A small part of the queue: lines that arrive until the thread has
/// woken up must still fit, or they are lost.
const PRESSING: usize = BUFFER_LIMIT / 16;

/// A bounded queue of lines and the thread that empties it to its stream.
#[derive(Debug, Clone)]
pub(super) struct LogWriter(Arc<Shared>);

/// A stream of the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogStream {
    Stdout,
    Stderr,
}

#[derive(Debug)]
struct Shared {
    stream: LogStream,
    queue: Mutex<Queue>,
    /// Told when there is a line for a thread that sleeps, or something pressing for one that rests.
    filled: Condvar,
    /// Notified when everything has been written, if a thread waits for that.
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    lines: Vec<u8>,
    dropped: u64,
    /// Lines have been taken and are not written yet.
    writing: bool,
    /// The thread waits for a line.
    asleep: bool,
    /// How many wait for everything to be written.
    waiting: usize,
}

impl Queue {
    /// Whether what is queued must not wait for the thread's rest to be over.
    fn is_pressing(&self) -> bool {
        self.waiting > 0 || self.lines.len() > PRESSING
    }

    fn is_done(&self) -> bool {
        self.lines.is_empty() && !self.writing
    }
}

impl LogWriter {
    pub(super) fn new(stream: LogStream) -> Self {
        Self(Arc::new(Shared { stream, queue: Mutex::default(), filled: Condvar::new(), emptied: Condvar::new() }))
    }

    /// Starts the thread.
    pub(super) fn start(&self) -> io::Result<()> {
        let shared = Arc::clone(&self.0);
        thread::Builder::new().name("log".to_owned()).stack_size(128 * 1024).spawn(move || shared.run())?;
        Ok(())
    }

    /// Queues a line, which ends with a line break. Never blocks on the reader.
    pub(super) fn write(&self, line: &[u8]) {
        let mut queue = self.0.lock();
        if !queue.lines.is_empty() && queue.lines.len() + line.len() > BUFFER_LIMIT {
            queue.dropped += 1;
            return;
        }
        let was_pressing = queue.is_pressing();
        queue.lines.extend_from_slice(line);
        let wakes = queue.asleep || queue.is_pressing() && !was_pressing;
        // One call is enough.
        queue.asleep = false;
        drop(queue);
        if wakes {
            self.0.filled.notify_one();
        }
    }

    /// Waits until everything is written, at most `limit`.
    pub(super) fn flush(&self, limit: Duration) {
        let mut queue = self.0.lock();
        queue.waiting += 1;
        self.0.filled.notify_one();
        let waited = self.0.emptied.wait_timeout_while(queue, limit, |queue| !queue.is_done());
        waited.unwrap_or_else(PoisonError::into_inner).0.waiting -= 1;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut lines = Vec::new();
        loop {
            let dropped = self.take(&mut lines);
            if dropped > 0 {
                let notice = format!("[bandog: {dropped} lines of this log left out: its reader was too slow]\n");
                lines.extend_from_slice(notice.as_bytes());
            }
            match self.stream {
                LogStream::Stdout => write_all(io::stdout().as_fd(), &lines),
                LogStream::Stderr => write_all(io::stderr().as_fd(), &lines),
            }
            lines.clear();
            // A burst does not keep its memory.
            lines.shrink_to(64 * 1024);
        }
    }

    /// Rests, waits for lines, and puts them into `lines`, which is empty. Returns how many were dropped after them.
    fn take(&self, lines: &mut Vec<u8>) -> u64 {
        let mut queue = self.lock();
        queue.writing = false;
        if queue.waiting > 0 && queue.is_done() {
            self.emptied.notify_all();
        }
        let rested =
            self.filled.wait_timeout_while(queue, REST, |queue| queue.lines.is_empty() || !queue.is_pressing());
        queue = rested.unwrap_or_else(PoisonError::into_inner).0;
        while queue.lines.is_empty() {
            queue.asleep = true;
            queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.asleep = false;
        queue.writing = true;
        std::mem::swap(lines, &mut queue.lines);
        std::mem::take(&mut queue.dropped)
    }
}

/// Writes to a stream, and waits where it is non-blocking. Errors are ignored: there is no other place to report them.
fn write_all(stream: BorrowedFd<'_>, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match rustix::io::write(stream, bytes) {
            Ok(0) => return,
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::new(&stream, PollFlags::OUT)], None);
            }
            Err(_) => return,
        }
    }
}
