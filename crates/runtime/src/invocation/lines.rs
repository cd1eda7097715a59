//! What a function writes, line by line on its way to the container's log.

use memchr::memchr;

use crate::telemetry;

/// Bytes of one forwarded line. A longer one is written in pieces, so that memory stays bounded.
const LIMIT: usize = 256 * 1024;

/// Forwards lines. Dropped, it forwards the last one, which may have no end.
#[derive(Debug)]
pub(super) struct Lines {
    /// Empty if they are of no invocation.
    call_id: String,
    /// The last, unfinished one.
    partial: Vec<u8>,
}

impl Lines {
    pub(super) fn new(call_id: &str) -> Self {
        Self { call_id: call_id.to_owned(), partial: Vec::new() }
    }

    /// Adds what the function wrote.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (line, ended) = match memchr(b'\n', bytes) {
                Some(end) => (&bytes[..end], true),
                None => (bytes, false),
            };
            let room = LIMIT - self.partial.len();
            if line.len() > room {
                self.partial.extend_from_slice(&line[..room]);
                bytes = &bytes[room..];
            } else {
                self.partial.extend_from_slice(line);
                bytes = &bytes[line.len() + usize::from(ended)..];
                if !ended {
                    return;
                }
            }
            self.forward();
        }
    }

    fn forward(&mut self) {
        telemetry::forward(&self.call_id, &String::from_utf8_lossy(&self.partial));
        self.partial.clear();
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if !self.partial.is_empty() {
            self.forward();
        }
    }
}
