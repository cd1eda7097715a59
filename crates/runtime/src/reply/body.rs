//! The body of a response, and its transmission.

use bytes::Bytes;

use super::{
    events::EventStream,
    head::{CallFacts, Head},
    json::JsonDocument,
    problem::Problem,
};
use crate::{
    invocation::Outcome,
    logs::Logs,
    output::{
        BodySink, Disconnected, FileTree, OutputFile, TransferError,
        base64::Base64Encoder,
        buffer::{ChunkBuf, ChunkWriter},
    },
};

/// A response: its head, and the body still to be sent.
#[derive(Debug)]
pub struct Reply<'a> {
    pub(super) head: Head,
    pub(super) body: Body<'a>,
}

/// The source of a body.
#[derive(Debug)]
pub(super) enum Body<'a> {
    Empty,
    Bytes(Bytes),
    File(&'a OutputFile, BodyEncoding),
    Zip(&'a FileTree, BodyEncoding),
    Logs(&'a Logs),
    Json(JsonDocument<'a>),
    Events(&'a Outcome, CallFacts<'a>),
    /// Several bodies, one after the other.
    Joined(Vec<Body<'a>>),
}

/// The encoding of a file or zip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyEncoding {
    Raw,
    Base64,
}

impl Reply<'_> {
    /// The status and the header fields.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Sends the body. After an error the caller must break the connection, because the bytes already sent are not the
    /// whole response.
    pub fn write_to(self, sink: &mut dyn BodySink) -> Result<(), TransferError> {
        let announced = self.head.length;
        let Some(sent) = self.body.write_to(announced, sink)? else { return Ok(()) };
        match announced {
            Some(announced) if announced != sent => Err(TransferError::Length { announced, sent }),
            _ => Ok(()),
        }
    }
}

impl Problem {
    /// Returns the problem as a response.
    #[must_use]
    pub fn into_reply(self) -> Reply<'static> {
        let (head, body) = self.into_parts();
        Reply { head, body: Body::Bytes(body) }
    }
}

impl Body<'_> {
    /// Sends the body; `expected` is its length, if it is known. Returns the number of bytes sent; `None` if they were
    /// not counted.
    fn write_to(self, expected: Option<u64>, sink: &mut dyn BodySink) -> Result<Option<u64>, TransferError> {
        Ok(Some(match self {
            Body::Empty => 0,
            Body::Bytes(bytes) => send(bytes, sink)?,
            Body::File(file, encoding) => pour(sink, expected, encoding, &mut |into| file.write_to(into))?,
            Body::Zip(tree, encoding) => pour(sink, expected, encoding, &mut |into| tree.write_zip(into))?,
            Body::Logs(logs) => pour(sink, expected, BodyEncoding::Raw, &mut |into| pour_logs(logs, into))?,
            Body::Json(document) => {
                let mut writer = ChunkWriter::new(sink, document.expected_len());
                document.write(&mut writer)?;
                writer.finish()?
            }
            Body::Events(outcome, call) => {
                EventStream::new(sink).finish(outcome, &call)?;
                return Ok(None);
            }
            Body::Joined(parts) => {
                let mut sum = 0;
                for part in parts {
                    sum += part.write_to(None, sink)?.unwrap_or(0);
                }
                sum
            }
        }))
    }
}

fn send(bytes: Bytes, sink: &mut dyn BodySink) -> Result<u64, Disconnected> {
    let len = bytes.len() as u64;
    if len > 0 {
        sink.send(bytes)?;
    }
    Ok(len)
}

fn pour(
    sink: &mut dyn BodySink,
    announced: Option<u64>,
    encoding: BodyEncoding,
    source: &mut dyn FnMut(&mut dyn ChunkBuf) -> Result<(), TransferError>,
) -> Result<u64, TransferError> {
    let expected = announced.unwrap_or(u64::MAX);
    let mut writer = ChunkWriter::new(sink, expected);
    match encoding {
        BodyEncoding::Raw => source(&mut writer)?,
        BodyEncoding::Base64 => {
            let mut encoder = Base64Encoder::new(&mut writer, expected / 4 * 3);
            source(&mut encoder)?;
            encoder.finish()?;
        }
    }
    Ok(writer.finish()?)
}

fn pour_logs(logs: &Logs, into: &mut dyn ChunkBuf) -> Result<(), TransferError> {
    let mut offset = 0;
    while offset < logs.len() {
        let buffer = into.room()?;
        let before = buffer.len();
        let room = (buffer.capacity() - before).min(usize::try_from(logs.len() - offset).unwrap_or(usize::MAX));
        buffer.resize(before + room, 0);
        let read = logs.read_at(offset, &mut buffer[before..]).map_err(TransferError::Logs)?;
        buffer.truncate(before + read);
        if read == 0 {
            return Err(TransferError::Logs(std::io::ErrorKind::UnexpectedEof.into()));
        }
        offset += read as u64;
    }
    Ok(())
}
