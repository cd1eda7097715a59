//! The body of a request that does an action: made once, and sent as often as the action is tried.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use hyper::header::HeaderValue;
use tokio::{runtime::Handle, sync::oneshot};

use crate::{
    actions::MediaType,
    body::{RequestBody, RequestFrame},
    ids,
    workers::Workers,
};

/// Bytes of a piece.
const PIECE: usize = 64 * 1024;

/// A body.
#[derive(Debug)]
pub(super) enum Payload {
    /// None.
    Nothing,
    /// All of it.
    Bytes(Bytes),
    /// One after the other.
    Stream(Vec<Part>),
    /// The same, with this boundary.
    Form(String, Vec<Part>),
}

/// A part of a body.
#[derive(Debug, Clone)]
pub(super) enum Part {
    Bytes(Bytes),
    /// The content of a file.
    File(PathBuf),
}

impl Payload {
    /// A form of these fields (RFC 7578).
    pub(super) fn form<'a>(fields: impl Iterator<Item = (&'a str, Part)>) -> Self {
        let boundary = ids::random().simple().to_string();
        let mut parts = Vec::new();
        for (name, content) in fields {
            // A name is letters and digits, or what the caller has sent: quoted as browsers do.
            let name = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
            let file = match &content {
                Part::Bytes(_) => String::new(),
                // Names of stored files are portable.
                Part::File(path) => {
                    let file = path.file_name().unwrap_or_default().to_string_lossy().replace('"', "%22");
                    let kind = mime_guess::from_path(path).first_raw().unwrap_or("application/octet-stream");
                    format!("; filename=\"{file}\"\r\nContent-Type: {kind}")
                }
            };
            let head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
            parts.extend([Part::Bytes(head.into()), content, Part::Bytes(Bytes::from_static(b"\r\n"))]);
        }
        parts.push(Part::Bytes(format!("--{boundary}--\r\n").into()));
        Self::Form(boundary, parts)
    }

    /// The `Content-Type` of the payload.
    pub(super) fn content_type(&self, kind: MediaType) -> Option<HeaderValue> {
        match self {
            Self::Nothing => None,
            Self::Bytes(_) | Self::Stream(_) => Some(HeaderValue::from_static(kind.as_str())),
            Self::Form(boundary, _) => HeaderValue::from_str(&format!("{}; boundary={boundary}", kind.as_str())).ok(),
        }
    }

    /// Begins to send it. Files are read on a thread of their own.
    pub(super) fn send(&self, workers: &Workers) -> io::Result<(RequestBody, Option<Sending>)> {
        let parts = match self {
            Self::Nothing => return Ok((RequestBody::whole(None), None)),
            Self::Bytes(bytes) => return Ok((RequestBody::whole(Some(bytes.clone())), None)),
            Self::Stream(parts) | Self::Form(_, parts) => parts.clone(),
        };
        let opened = parts.into_iter().map(Opened::new).collect::<io::Result<Vec<_>>>()?;
        let length = opened.iter().map(Opened::length).sum();
        let (body, pieces) = RequestBody::begun(Bytes::new());
        let (is_wanted, mut given_up) = oneshot::channel();
        let runtime = Handle::current();
        workers.submit(move || {
            let mut send = |piece| {
                runtime.block_on(async {
                    tokio::select! {
                        biased;
                        sent = pieces.send(piece) => sent.is_ok(),
                        _ = &mut given_up => false,
                    }
                })
            };
            // An error ends the body early, which the server cannot take for a complete one.
            if let Err(error) = pour(opened, &mut send) {
                tracing::error!("cannot read back an argument: {error}");
            }
        })?;
        Ok((body.announced(Some(length)), Some(Sending { _is_wanted: is_wanted })))
    }
}

/// A body that is being sent. Dropped, it is given up: a server that has answered need not read the rest, and may keep
/// the connection all the same.
#[derive(Debug)]
pub(crate) struct Sending {
    _is_wanted: oneshot::Sender<()>,
}

/// A part that is about to be sent.
enum Opened {
    Bytes(Bytes),
    File(File, u64),
}

impl Opened {
    fn new(part: Part) -> io::Result<Self> {
        match part {
            Part::Bytes(bytes) => Ok(Self::Bytes(bytes)),
            Part::File(path) => Self::open(&path),
        }
    }

    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self::File(file, length))
    }

    fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(_, length) => *length,
        }
    }
}

/// Sends the parts, for as long as they are taken.
fn pour(parts: Vec<Opened>, send: &mut dyn FnMut(RequestFrame) -> bool) -> io::Result<()> {
    for part in parts {
        match part {
            Opened::Bytes(bytes) if bytes.is_empty() => {}
            Opened::Bytes(bytes) => {
                if !send(RequestFrame::Data(bytes)) {
                    return Ok(());
                }
            }
            Opened::File(file, length) => {
                let mut rest = file.take(length);
                loop {
                    let mut buffer = vec![0; PIECE];
                    let count = rest.read(&mut buffer)?;
                    if count == 0 {
                        break;
                    }
                    buffer.truncate(count);
                    if !send(RequestFrame::Data(buffer.into())) {
                        return Ok(());
                    }
                }
                if rest.limit() > 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        }
    }
    send(RequestFrame::End);
    Ok(())
}
