//! A response with a 2xx status: decoded while it arrives, and written completely or not at all.

use std::{
    ffi::{OsStr, OsString},
    io::{self, IsTerminal as _, Read as _, Write},
    path::{Path, PathBuf},
};

use http::{HeaderMap, Response, header};
use ureq::Body;

use super::{
    Call, CallError,
    decode::{GroupDecoder, NotBase64},
    progress::Progress,
};
use crate::cli::{
    destination::{Destination, Outlet, Written},
    exit::write_to_stdout,
    say,
};
use crate::output::STDOUT_NAME;

/// Bytes read from the connection at once.
const PIECE: usize = 64 * 1024;

/// The output of the function, according to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OutputKind {
    File,
    Zip,
    Logs,
    /// The standard output of the function, as it is.
    Stdout,
    /// Another server, which does not label it.
    Unknown,
}

impl OutputKind {
    fn of(headers: &HeaderMap) -> Self {
        match headers.get("x-output-kind").map(|kind| kind.as_bytes().to_ascii_lowercase()).as_deref() {
            Some(b"file") => Self::File,
            Some(b"zip") => Self::Zip,
            Some(b"logs") => Self::Logs,
            Some(b"stdout") => Self::Stdout,
            _ => Self::Unknown,
        }
    }
}

/// Whether the body is base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// Labelled as base64.
    Base64,
    /// Not labelled. It is base64 if all of it is, as for OSCAR's own clients.
    Perhaps,
    /// Not base64.
    Plain,
}

impl Encoding {
    fn of(headers: &HeaderMap, kind: OutputKind) -> Self {
        let is = |name: &str, value: &str| {
            headers.get(name).is_some_and(|found| found.as_bytes().trim_ascii().eq_ignore_ascii_case(value.as_bytes()))
        };
        let media_type = headers.get(header::CONTENT_TYPE).map(|found| found.as_bytes().to_ascii_lowercase());
        let is_text = media_type.is_some_and(|media_type| media_type.starts_with(b"text/plain"));
        match kind {
            _ if is("content-transfer-encoding", "base64") => Self::Base64,
            OutputKind::File | OutputKind::Zip if is_text => Self::Base64,
            OutputKind::File | OutputKind::Zip | OutputKind::Logs | OutputKind::Stdout => Self::Plain,
            OutputKind::Unknown => Self::Perhaps,
        }
    }
}

/// Writes the response to its destination.
pub(super) fn receive(call: &Call, response: Response<Body>) -> Result<(), CallError> {
    let (parts, body) = response.into_parts();
    let kind = OutputKind::of(&parts.headers);
    let encoding = if call.raw { Encoding::Plain } else { Encoding::of(&parts.headers, kind) };
    let mut writer = BodyWriter::new(call.output.as_deref(), &name_in_directory(kind, &parts.headers), encoding)?;
    let mut progress = Progress::new("receiving", body.content_length());
    // The limit of the HTTP client is for bodies in memory; this one is streamed.
    let mut reader = body.into_with_config().limit(u64::MAX).reader();
    let mut piece = vec![0; PIECE];
    loop {
        let count = reader.read(&mut piece).map_err(|error| broken(call, error))?;
        if count == 0 {
            break;
        }
        progress.add(count);
        writer.push(&piece[..count])?;
    }
    progress.end();
    let Received { decoded_by_guess, place } = writer.finish()?;
    if decoded_by_guess {
        say(&"the response was all base64 and has been decoded; --raw keeps it as it is");
    }
    if let (Some(asked), Some((path, bytes))) = (call.output.clone(), place) {
        let is_zip = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip"));
        let is_zip = kind == OutputKind::Zip && !call.raw && !is_zip;
        Written { asked, path, files: None, bytes, is_zip }.tell();
    }
    Ok(())
}

fn broken(call: &Call, error: io::Error) -> CallError {
    call.network(&ureq::Error::from(error))
}

/// The name of the response where PATH is a directory: the one that the server gives, or else the one that `bandog run`
/// gives.
fn name_in_directory(kind: OutputKind, headers: &HeaderMap) -> OsString {
    let usual = match kind {
        OutputKind::File => {
            let told = headers.get("x-output-name").and_then(|name| plain_name(name.as_bytes()));
            return told.unwrap_or_else(|| "output".to_owned()).into();
        }
        OutputKind::Unknown => "output",
        OutputKind::Stdout => STDOUT_NAME,
        OutputKind::Zip => "output.zip",
        OutputKind::Logs => "logs.txt",
    };
    usual.into()
}

/// The last part of a percent-encoded path, if it can be a file name: the server must not choose the directory.
fn plain_name(encoded: &[u8]) -> Option<String> {
    let decoded = percent_encoding::percent_decode(encoded).decode_utf8().ok()?;
    let name = decoded.rsplit('/').next()?;
    let fits = !name.is_empty() && name.len() <= 255 && !name.starts_with('.') && !name.contains(char::is_control);
    fits.then(|| name.to_owned())
}

/// Where the response is written to.
enum Place {
    Stdout { checked: bool },
    File { file: Destination, path: PathBuf, bytes: u64 },
}

impl Place {
    fn write(&mut self, piece: &[u8]) -> Result<(), CallError> {
        match self {
            Self::Stdout { checked } => {
                if !std::mem::replace(checked, true) && piece.contains(&0) && io::stdout().is_terminal() {
                    say(&"this is not text; --output PATH writes it to a file");
                }
                write_to_stdout(piece).map_err(CallError::Stdout)
            }
            Self::File { file, path, bytes } => {
                *bytes += piece.len() as u64;
                file.file().write_all(piece).map_err(|source| cannot_write(path, source))
            }
        }
    }

    /// Gives the complete file its name. Returns that, and its size.
    fn finish(self) -> Result<Option<(PathBuf, u64)>, CallError> {
        match self {
            Self::Stdout { .. } => io::stdout().lock().flush().map(|()| None).map_err(CallError::Stdout),
            Self::File { file, path, bytes } => {
                let place = file.finish().map_err(|source| cannot_write(&path, source))?;
                Ok(Some((place, bytes)))
            }
        }
    }
}

fn cannot_write(path: &Path, source: io::Error) -> CallError {
    CallError::Output { what: path.display().to_string(), source }
}

/// What has become of a response.
struct Received {
    /// An unlabelled response has been decoded.
    decoded_by_guess: bool,
    /// The file, and its size.
    place: Option<(PathBuf, u64)>,
}

/// Decodes the body, or keeps both forms until it is known which one is right.
struct BodyWriter {
    raw: Option<Place>,
    decoded: Option<(GroupDecoder, Place)>,
    buffer: Vec<u8>,
    is_empty: bool,
}

impl BodyWriter {
    /// Writes to standard output, or to `path`: that file, or the file `name` in that directory.
    fn new(path: Option<&Path>, name: &OsStr, encoding: Encoding) -> Result<Self, CallError> {
        let Some(path) = path else { return Ok(Self::of(None, Place::Stdout { checked: false }, encoding)) };
        let failed = |source| cannot_write(path, source);
        let mut outlet = Outlet::open(path).map_err(failed)?;
        let mut open = || {
            let file = outlet.create(name).map_err(failed)?;
            Ok(Place::File { file, path: path.to_owned(), bytes: 0 })
        };
        let target = open()?;
        // Bytes that have been written to a pipe cannot be taken back, so that the encoding is not guessed.
        let is_hidden = matches!(&target, Place::File { file, .. } if file.is_hidden());
        let second = if encoding == Encoding::Perhaps && is_hidden { Some(open()?) } else { None };
        Ok(Self::of(second, target, encoding))
    }

    /// With a second target, both forms are kept.
    fn of(second: Option<Place>, target: Place, encoding: Encoding) -> Self {
        let (raw, decoded) = match second {
            Some(second) => (Some(second), Some(target)),
            None if encoding == Encoding::Base64 => (None, Some(target)),
            None => (Some(target), None),
        };
        Self { raw, decoded: decoded.map(|target| (GroupDecoder::new(), target)), buffer: Vec::new(), is_empty: true }
    }

    fn push(&mut self, piece: &[u8]) -> Result<(), CallError> {
        self.is_empty = false;
        if let Some((decoder, sink)) = &mut self.decoded {
            self.buffer.clear();
            match decoder.push(piece, &mut self.buffer) {
                Ok(()) => sink.write(&self.buffer)?,
                Err(NotBase64) if self.raw.is_some() => self.decoded = None,
                Err(NotBase64) => return Err(CallError::NotBase64),
            }
        }
        match &mut self.raw {
            Some(sink) => sink.write(piece),
            None => Ok(()),
        }
    }

    /// Ends the response in the form that is right.
    fn finish(self) -> Result<Received, CallError> {
        let Self { raw, decoded, mut buffer, is_empty } = self;
        if let Some((decoder, mut target)) = decoded {
            buffer.clear();
            if decoder.finish(&mut buffer).is_ok() {
                target.write(&buffer)?;
                let place = target.finish()?;
                return Ok(Received { decoded_by_guess: raw.is_some() && !is_empty, place });
            }
        }
        let raw = raw.ok_or(CallError::NotBase64)?;
        Ok(Received { decoded_by_guess: false, place: raw.finish()? })
    }
}
