//! Forwards the output of a function to the container's log, line by line.

use memchr::memchr;

use crate::telemetry;

/// Bytes of one forwarded line. A longer line is forwarded in several pieces, so that memory stays bounded.
const LIMIT: usize = 256 * 1024;

/// Forwards lines. Dropping it forwards the last line, which may lack a line end.
#[derive(Debug)]
pub(crate) struct LineForwarder {
    /// Empty if the lines do not belong to an invocation.
    call_id: String,
    /// The name of the stream; `None` where two are one.
    stream: Option<&'static str>,
    /// The beginning of the last line, whose end has not arrived.
    partial: Vec<u8>,
}

impl LineForwarder {
    pub(crate) fn new(call_id: &str, stream: Option<&'static str>) -> Self {
        Self { call_id: call_id.to_owned(), stream, partial: Vec::new() }
    }

    /// Adds output of the function.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
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
        telemetry::forward(&self.call_id, &String::from_utf8_lossy(&self.partial), self.stream);
        self.partial.clear();
    }
}

impl Drop for LineForwarder {
    fn drop(&mut self) {
        if !self.partial.is_empty() {
            self.forward();
        }
    }
}
