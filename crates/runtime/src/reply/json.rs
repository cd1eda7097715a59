//! The response as one JSON document, in one line, written while it is sent:
//!
//! ```json
//! {"files":[{"name":"a.png","type":"image/png","size":3,"data":"YWJj"}],"logs":"","exit_code":0,"duration_seconds":0.012000,"call_id":"…"}
//! ```
//!
//! `data` is base64, and `size` counts the bytes before the encoding. Names and logs are text, with U+FFFD in place of
//! invalid UTF-8. The length is announced, because an HTTP/1.0 client would take a truncated document without a length
//! for a complete one.

use std::{convert::Infallible, path::Path};

use serde_json::Value;

use super::{head::Seconds, text::TextDecoder};
use crate::{
    invocation::Report,
    logs::Logs,
    output::{
        Disconnected, Output, TransferError,
        base64::{Base64Encoder, encoded_len},
        buffer::{ChunkBuf, ChunkWriter},
    },
    process::Exit,
};

const BEGIN: &[u8] = b"{\"files\":[";
const END_FILE: &[u8] = b"\"}";
const BEGIN_LOGS: &[u8] = b"],\"logs\":\"";

/// Bytes of logs read at a time.
const LOG_PIECE: usize = 16 * 1024;

/// The parts of the document.
#[derive(Debug, Clone, Copy)]
pub struct JsonDocument<'a> {
    report: &'a Report,
    output: &'a Output,
    call_id: &'a str,
}

impl<'a> JsonDocument<'a> {
    /// The document about a successful run.
    #[must_use]
    pub fn new(report: &'a Report, output: &'a Output, call_id: &'a str) -> Self {
        Self { report, output, call_id }
    }

    /// An estimate of its length.
    pub(crate) fn expected_len(&self) -> u64 {
        let files = self.output.files() as u64 * 128;
        encoded_len(self.output.bytes()).saturating_add(self.report.logs.len()).saturating_add(files + 1024)
    }

    /// Its length; `None` if the logs cannot be read, which it depends on.
    pub(crate) fn len(&self) -> Option<u64> {
        let file = |path: &Path, kind: &str, size: u64| {
            (begin_file(path, kind, size).len() + END_FILE.len()) as u64 + encoded_len(size)
        };
        let files = match self.output {
            Output::None | Output::Streamed(_) => 0,
            Output::File(output) => file(output.path(), output.media_type(), output.size()),
            Output::Tree(tree) => {
                let commas = (tree.len() as u64).saturating_sub(1);
                tree.iter().map(|entry| file(entry.path(), kind_of(entry.path()), entry.size())).sum::<u64>() + commas
            }
        };
        let mut logs = 0;
        each_log_piece(&self.report.logs, &mut |piece| {
            logs += piece.len() as u64;
            Ok(())
        })
        .ok()?;
        Some((BEGIN.len() + BEGIN_LOGS.len() + self.end().len()) as u64 + files + logs)
    }

    /// Writes the document.
    pub(crate) fn write(&self, writer: &mut ChunkWriter<'_>) -> Result<(), TransferError> {
        writer.write(BEGIN)?;
        match self.output {
            Output::None | Output::Streamed(_) => {}
            Output::File(file) => {
                writer.write(&begin_file(file.path(), file.media_type(), file.size()))?;
                let mut encoder = Base64Encoder::new(writer, file.size());
                file.write_to(&mut encoder)?;
                encoder.finish()?;
                writer.write(END_FILE)?;
            }
            Output::Tree(tree) => {
                let mut opener = tree.opener();
                for (index, entry) in tree.iter().enumerate() {
                    if index > 0 {
                        writer.write(b",")?;
                    }
                    let file = opener.open(entry)?;
                    writer.write(&begin_file(entry.path(), kind_of(entry.path()), entry.size()))?;
                    let mut encoder = Base64Encoder::new(writer, entry.size());
                    file.write_to(&mut encoder, &mut |_| ())?;
                    encoder.finish()?;
                    writer.write(END_FILE)?;
                }
            }
        }
        writer.write(BEGIN_LOGS)?;
        each_log_piece(&self.report.logs, &mut |piece| writer.write(piece))?;
        writer.write(&self.end())?;
        Ok(())
    }

    /// The part after the logs.
    fn end(&self) -> Vec<u8> {
        let exit = match self.report.exit {
            Some(Exit::Code(code)) => code.to_string(),
            Some(Exit::Signal(_)) | None => "null".to_owned(),
        };
        let duration = Seconds(self.report.duration);
        let mut text = format!("\",\"exit_code\":{exit},\"duration_seconds\":{duration},\"call_id\":\"").into_bytes();
        escape(self.call_id, &mut text);
        text.push(b'"');
        if let Some(stored) = self.report.stored() {
            for (name, list) in [("stored", &stored.stored), ("failed", &stored.failed), ("skipped", &stored.skipped)] {
                text.extend_from_slice(format!(",\"{name}\":{}", Value::from(list.as_slice())).as_bytes());
            }
        }
        text.push(b'}');
        text
    }
}

/// The part before the data of a file.
fn begin_file(path: &Path, kind: &str, size: u64) -> Vec<u8> {
    let mut text = b"{\"name\":\"".to_vec();
    escape(&path.to_string_lossy(), &mut text);
    text.extend_from_slice(b"\",\"type\":\"");
    escape(kind, &mut text);
    text.extend_from_slice(format!("\",\"size\":{size},\"data\":\"").as_bytes());
    text
}

/// The media type of a file by its name.
fn kind_of(path: &Path) -> &'static str {
    mime_guess::from_path(path).first_raw().unwrap_or("application/octet-stream")
}

/// Passes the logs to `take`, piece by piece, as the inside of a JSON string.
fn each_log_piece(logs: &Logs, take: &mut dyn FnMut(&[u8]) -> Result<(), Disconnected>) -> Result<(), TransferError> {
    let mut decoder = TextDecoder::default();
    let mut buffer = vec![0; LOG_PIECE.min(usize::try_from(logs.len()).unwrap_or(LOG_PIECE))];
    let mut escaped = Vec::new();
    let mut offset = 0;
    while offset < logs.len() {
        let read = logs.read_at(offset, &mut buffer).map_err(TransferError::Logs)?;
        if read == 0 {
            return Err(TransferError::Logs(std::io::ErrorKind::UnexpectedEof.into()));
        }
        offset += read as u64;
        escaped.clear();
        let Ok(()) = decoder.push(&buffer[..read], &mut |part| {
            escape(part, &mut escaped);
            Ok::<(), Infallible>(())
        });
        take(&escaped)?;
    }
    decoder.finish(&mut |part| take(part.as_bytes()))?;
    Ok(())
}

/// Adds the inside of a JSON string (RFC 8259 §7) to `out`.
pub fn escape(text: &str, out: &mut Vec<u8>) {
    for &byte in text.as_bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=0x1F => {
                let digit = |value: u8| b"0123456789abcdef"[usize::from(value)];
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
            }
            _ => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests;
