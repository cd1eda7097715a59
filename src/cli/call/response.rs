//! A response with a 2xx status: decoded while it arrives, and written completely or not at all.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, IsTerminal as _, Read as _, Write},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use http::{HeaderMap, Response, header};
use tempfile::NamedTempFile;
use ureq::Body;

use super::{
    Call, CallError,
    decode::{GroupDecoder, NotBase64},
    progress::Progress,
};
use crate::cli::{exit::write_to_stdout, say};

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
    let path = call.output.as_deref().map(|path| destination(path, kind, &parts.headers)).transpose()?;
    let target = WriteTarget::new(path.as_deref())?;
    let mut writer = BodyWriter::new(target, encoding)?;
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
    let decoded_by_guess = writer.finish()?;
    if decoded_by_guess {
        say(&"the response was all base64 and has been decoded; --raw keeps it as it is");
    }
    if let Some(path) = path {
        let is_zip = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip"));
        if kind == OutputKind::Zip && !call.raw && !is_zip {
            say(&format_args!("several files came, as a zip: {}", path.display()));
        } else if Some(&path) != call.output.as_ref() {
            say(&format_args!("written to {}", path.display()));
        }
    }
    Ok(())
}

fn broken(call: &Call, error: io::Error) -> CallError {
    call.network(&ureq::Error::from(error))
}

/// The file to write: PATH, or a file in that directory with the name that the server gives.
fn destination(path: &Path, kind: OutputKind, headers: &HeaderMap) -> Result<PathBuf, CallError> {
    let wants_directory = path.as_os_str().as_encoded_bytes().ends_with(b"/");
    if wants_directory {
        fs::create_dir_all(path).map_err(|source| CallError::Output { what: path.display().to_string(), source })?;
    }
    if !wants_directory && !path.is_dir() {
        return Ok(path.to_owned());
    }
    let name = match kind {
        OutputKind::File => headers.get("x-output-name").and_then(|name| plain_name(name.as_bytes())),
        OutputKind::Zip | OutputKind::Logs | OutputKind::Stdout | OutputKind::Unknown => None,
    };
    let usual = match kind {
        OutputKind::File | OutputKind::Stdout | OutputKind::Unknown => "output",
        OutputKind::Zip => "output.zip",
        OutputKind::Logs => "output.txt",
    };
    Ok(path.join(name.unwrap_or_else(|| usual.to_owned())))
}

/// The last part of a percent-encoded path, if it can be a file name: the server must not choose the directory.
fn plain_name(encoded: &[u8]) -> Option<String> {
    let decoded = percent_encoding::percent_decode(encoded).decode_utf8().ok()?;
    let name = decoded.rsplit('/').next()?;
    let fits = !name.is_empty() && name.len() <= 255 && !name.starts_with('.') && !name.contains(char::is_control);
    fits.then(|| name.to_owned())
}

/// Where the response is written to.
enum WriteTarget {
    Stdout,
    /// A device or a pipe, written as the response arrives.
    Direct(PathBuf, File),
    /// A file, which appears when it is complete.
    Whole(PathBuf),
}

impl WriteTarget {
    fn new(path: Option<&Path>) -> Result<Self, CallError> {
        let Some(path) = path else { return Ok(Self::Stdout) };
        let failed = |source| CallError::Output { what: path.display().to_string(), source };
        match fs::metadata(path) {
            // A symbolic link stays one; its target is replaced.
            Ok(metadata) if metadata.is_file() => Ok(Self::Whole(path.canonicalize().map_err(failed)?)),
            Ok(_) => OpenOptions::new()
                .write(true)
                .open(path)
                .map(|file| Self::Direct(path.to_owned(), file))
                .map_err(failed),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::Whole(path.to_owned())),
            Err(error) => Err(failed(error)),
        }
    }
}

/// An open [`WriteTarget`].
enum OpenTarget {
    Stdout { checked: bool },
    Direct(PathBuf, File),
    Temporary(PathBuf, NamedTempFile),
}

impl OpenTarget {
    fn temporary(path: &Path) -> Result<Self, CallError> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // The mode of a new file, less the umask.
        let made = tempfile::Builder::new()
            .prefix(".bandog-call-")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(directory);
        made.map(|file| Self::Temporary(path.to_owned(), file))
            .map_err(|source| CallError::Output { what: path.display().to_string(), source })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), CallError> {
        match self {
            Self::Stdout { checked } => {
                if !std::mem::replace(checked, true) && bytes.contains(&0) && io::stdout().is_terminal() {
                    say(&"this is not text; --output PATH writes it to a file");
                }
                write_to_stdout(bytes).map_err(CallError::Stdout)
            }
            Self::Direct(path, file) => {
                file.write_all(bytes).map_err(|source| CallError::Output { what: path.display().to_string(), source })
            }
            Self::Temporary(path, file) => {
                file.write_all(bytes).map_err(|source| CallError::Output { what: path.display().to_string(), source })
            }
        }
    }

    /// Gives the complete file its name.
    fn finish(self) -> Result<(), CallError> {
        match self {
            Self::Stdout { .. } => io::stdout().lock().flush().map_err(CallError::Stdout),
            Self::Direct(..) => Ok(()),
            Self::Temporary(path, file) => match file.persist(&path) {
                Ok(_) => Ok(()),
                Err(error) => Err(CallError::Output { what: path.display().to_string(), source: error.error }),
            },
        }
    }
}

/// Decodes the body, or keeps both forms until it is known which one is right.
struct BodyWriter {
    raw: Option<OpenTarget>,
    decoded: Option<(GroupDecoder, OpenTarget)>,
    buffer: Vec<u8>,
    is_empty: bool,
}

impl BodyWriter {
    fn new(target: WriteTarget, encoding: Encoding) -> Result<Self, CallError> {
        let (raw, decoded) = match (target, encoding) {
            (WriteTarget::Whole(path), Encoding::Perhaps) => {
                (Some(OpenTarget::temporary(&path)?), Some(OpenTarget::temporary(&path)?))
            }
            (target, encoding) => {
                let sink = match target {
                    WriteTarget::Stdout => OpenTarget::Stdout { checked: false },
                    WriteTarget::Direct(path, file) => OpenTarget::Direct(path, file),
                    WriteTarget::Whole(path) => OpenTarget::temporary(&path)?,
                };
                // Bytes that have been written to a pipe cannot be taken back, so the encoding is not guessed.
                if encoding == Encoding::Base64 { (None, Some(sink)) } else { (Some(sink), None) }
            }
        };
        Ok(Self { raw, decoded: decoded.map(|sink| (GroupDecoder::new(), sink)), buffer: Vec::new(), is_empty: true })
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

    /// Returns whether an unlabelled response has been decoded.
    fn finish(self) -> Result<bool, CallError> {
        let Self { raw, decoded, mut buffer, is_empty } = self;
        if let Some((decoder, mut target)) = decoded {
            buffer.clear();
            if decoder.finish(&mut buffer).is_ok() {
                target.write(&buffer)?;
                return target.finish().map(|()| raw.is_some() && !is_empty);
            }
        }
        match raw {
            Some(target) => target.finish().map(|()| false),
            None => Err(CallError::NotBase64),
        }
    }
}
