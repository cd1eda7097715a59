//! The thread that writes the container log, so that a reader who is slow, or has stopped, holds up nobody.

use std::{
    io::{self, Write as _},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, poll};

/// Bytes of lines that wait for a slow reader. Beyond it lines are dropped, counted, and the count is written once
/// the reader goes on. A line that alone is longer is still taken when nothing waits.
const BUFFER_LIMIT: usize = 1024 * 1024;

/// A bounded queue of lines and the thread that empties it to standard error.
#[derive(Debug, Clone)]
pub(super) struct Writer(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// Told when the queue is no longer empty.
    filled: Condvar,
    /// Told when everything has been written.
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    lines: Vec<u8>,
    dropped: u64,
    /// Lines have been taken and are not written yet.
    writing: bool,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self(Arc::default())
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
        let was_empty = queue.lines.is_empty();
        queue.lines.extend_from_slice(line);
        drop(queue);
        if was_empty {
            self.0.filled.notify_one();
        }
    }

    /// Waits until everything is written, at most `limit`.
    pub(super) fn flush(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let mut queue = self.0.lock();
        while !queue.lines.is_empty() || queue.writing {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            queue = self.0.emptied.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut lines = Vec::new();
        loop {
            let mut queue = self.lock();
            queue.writing = false;
            while queue.lines.is_empty() {
                self.emptied.notify_all();
                queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
            std::mem::swap(&mut lines, &mut queue.lines);
            queue.writing = true;
            let dropped = std::mem::take(&mut queue.dropped);
            drop(queue);
            if dropped > 0 {
                let notice = format!("[bandog: {dropped} lines of this log left out: its reader was too slow]\n");
                lines.extend_from_slice(notice.as_bytes());
            }
            write_all(&lines);
            lines.clear();
            // A burst does not keep its memory.
            lines.shrink_to(64 * 1024);
        }
    }
}

/// Writes to standard error, waiting where it is not blocking. If nobody can read it there is nobody to tell.
fn write_all(mut bytes: &[u8]) {
    let mut stderr = io::stderr();
    while !bytes.is_empty() {
        match stderr.write(bytes) {
            Ok(0) => return,
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let _ = poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], None);
            }
            Err(_) => return,
        }
    }
}
