//! A good answer: decoded while it arrives, and written whole or not at all.

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
    Call, Error,
    base64::{Decoder, NotBase64},
    progress::Progress,
};

/// Bytes taken from the connection at once.
const PIECE: usize = 64 * 1024;

/// What the function left, by the server's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Zip,
    Logs,
    /// No file, but what it wrote to standard output, as it is.
    Stdout,
    /// Another server, which does not say.
    Unknown,
}

impl Kind {
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
    /// The server says so.
    Base64,
    /// The server says nothing: it is if all of it is, as OSCAR's own clients see it.
    Perhaps,
    /// It is what it is.
    Plain,
}

impl Encoding {
    fn of(headers: &HeaderMap, kind: Kind) -> Self {
        let is = |name: &str, value: &str| {
            headers.get(name).is_some_and(|found| found.as_bytes().trim_ascii().eq_ignore_ascii_case(value.as_bytes()))
        };
        let media_type = headers.get(header::CONTENT_TYPE).map(|found| found.as_bytes().to_ascii_lowercase());
        let is_text = media_type.is_some_and(|media_type| media_type.starts_with(b"text/plain"));
        match kind {
            _ if is("content-transfer-encoding", "base64") => Self::Base64,
            Kind::File | Kind::Zip if is_text => Self::Base64,
            Kind::File | Kind::Zip | Kind::Logs | Kind::Stdout => Self::Plain,
            Kind::Unknown => Self::Perhaps,
        }
    }
}

/// Writes the answer to where it was asked for.
pub(super) fn receive(call: &Call, response: Response<Body>) -> Result<(), Error> {
    let (parts, body) = response.into_parts();
    let kind = Kind::of(&parts.headers);
    let encoding = if call.raw { Encoding::Plain } else { Encoding::of(&parts.headers, kind) };
    let path = call.output.as_deref().map(|path| destination(path, kind, &parts.headers)).transpose()?;
    let target = Target::new(path.as_deref())?;
    let mut writer = Writer::new(target, encoding)?;
    let mut progress = Progress::new("receiving", body.content_length());
    // The client has a limit for bodies held in memory; this one is not.
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
        eprintln!("bandog: the answer was all base64 and has been decoded; --raw keeps such as it is");
    }
    if let Some(path) = path {
        let is_zip = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip"));
        if kind == Kind::Zip && !call.raw && !is_zip {
            eprintln!("bandog: several files came, as a zip: {}", path.display());
        } else if Some(&path) != call.output.as_ref() {
            eprintln!("bandog: written to {}", path.display());
        }
    }
    Ok(())
}

fn broken(call: &Call, error: io::Error) -> Error {
    call.network(&ureq::Error::from(error))
}

/// The file to write: PATH, or one in it under the name the server gives.
fn destination(path: &Path, kind: Kind, headers: &HeaderMap) -> Result<PathBuf, Error> {
    let wants_directory = path.as_os_str().as_encoded_bytes().ends_with(b"/");
    if wants_directory {
        fs::create_dir_all(path).map_err(|source| Error::Output { what: path.display().to_string(), source })?;
    }
    if !wants_directory && !path.is_dir() {
        return Ok(path.to_owned());
    }
    let name = match kind {
        Kind::File => headers.get("x-output-name").and_then(|name| plain_name(name.as_bytes())),
        Kind::Zip | Kind::Logs | Kind::Stdout | Kind::Unknown => None,
    };
    let usual = match kind {
        Kind::File | Kind::Stdout | Kind::Unknown => "output",
        Kind::Zip => "output.zip",
        Kind::Logs => "output.txt",
    };
    Ok(path.join(name.unwrap_or_else(|| usual.to_owned())))
}

/// The last part of a percent-encoded path, if it is fit for a name: the server has no say in the directory.
fn plain_name(encoded: &[u8]) -> Option<String> {
    let decoded = percent_encoding::percent_decode(encoded).decode_utf8().ok()?;
    let name = decoded.rsplit('/').next()?;
    let fits = !name.is_empty() && name.len() <= 255 && !name.starts_with('.') && !name.contains(char::is_control);
    fits.then(|| name.to_owned())
}

/// Where decoded or raw bytes end up.
enum Target {
    Stdout,
    /// A device, a pipe: written as it comes.
    Direct(PathBuf, File),
    /// A file that is not there, or complete, at any moment.
    Whole(PathBuf),
}

impl Target {
    fn new(path: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = path else { return Ok(Self::Stdout) };
        let failed = |source| Error::Output { what: path.display().to_string(), source };
        match fs::metadata(path) {
            // A link stays one: what it leads to is replaced.
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

/// One of the forms an answer is written in.
enum Sink {
    Stdout { checked: bool },
    Direct(PathBuf, File),
    Temporary(PathBuf, NamedTempFile),
}

impl Sink {
    fn temporary(path: &Path) -> Result<Self, Error> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // The mode that any new file has: the umask takes away from it.
        let made = tempfile::Builder::new()
            .prefix(".bandog-call-")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(directory);
        made.map(|file| Self::Temporary(path.to_owned(), file))
            .map_err(|source| Error::Output { what: path.display().to_string(), source })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match self {
            Self::Stdout { checked } => {
                if !std::mem::replace(checked, true) && bytes.contains(&0) && io::stdout().is_terminal() {
                    eprintln!("bandog: this is not text; --output PATH writes it to a file");
                }
                io::stdout()
                    .lock()
                    .write_all(bytes)
                    .map_err(|source| Error::Output { what: "stdout".to_owned(), source })
            }
            Self::Direct(path, file) => {
                file.write_all(bytes).map_err(|source| Error::Output { what: path.display().to_string(), source })
            }
            Self::Temporary(path, file) => {
                file.write_all(bytes).map_err(|source| Error::Output { what: path.display().to_string(), source })
            }
        }
    }

    /// Only now the file has its name.
    fn finish(self) -> Result<(), Error> {
        match self {
            Self::Stdout { .. } => {
                io::stdout().lock().flush().map_err(|source| Error::Output { what: "stdout".to_owned(), source })
            }
            Self::Direct(..) => Ok(()),
            Self::Temporary(path, file) => match file.persist(&path) {
                Ok(_) => Ok(()),
                Err(error) => Err(Error::Output { what: path.display().to_string(), source: error.error }),
            },
        }
    }
}

/// Decodes, or keeps both forms until it is known which one is right.
struct Writer {
    raw: Option<Sink>,
    decoded: Option<(Decoder, Sink)>,
    buffer: Vec<u8>,
    is_empty: bool,
}

impl Writer {
    fn new(target: Target, encoding: Encoding) -> Result<Self, Error> {
        let (raw, decoded) = match (target, encoding) {
            (Target::Whole(path), Encoding::Perhaps) => (Some(Sink::temporary(&path)?), Some(Sink::temporary(&path)?)),
            (target, encoding) => {
                let sink = match target {
                    Target::Stdout => Sink::Stdout { checked: false },
                    Target::Direct(path, file) => Sink::Direct(path, file),
                    Target::Whole(path) => Sink::temporary(&path)?,
                };
                // What has been written to a pipe cannot be taken back, so nothing is guessed there.
                if encoding == Encoding::Base64 { (None, Some(sink)) } else { (Some(sink), None) }
            }
        };
        Ok(Self { raw, decoded: decoded.map(|sink| (Decoder::default(), sink)), buffer: Vec::new(), is_empty: true })
    }

    fn push(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.is_empty = false;
        if let Some((decoder, sink)) = &mut self.decoded {
            self.buffer.clear();
            match decoder.push(piece, &mut self.buffer) {
                Ok(()) => sink.write(&self.buffer)?,
                Err(NotBase64) if self.raw.is_some() => self.decoded = None,
                Err(NotBase64) => return Err(Error::NotBase64),
            }
        }
        match &mut self.raw {
            Some(sink) => sink.write(piece),
            None => Ok(()),
        }
    }

    /// Whether the answer was decoded though nobody had said that it could be.
    fn finish(self) -> Result<bool, Error> {
        let is_whole = self.decoded.as_ref().is_some_and(|(decoder, _)| decoder.finish().is_ok());
        match (self.decoded, self.raw) {
            (Some((_, sink)), raw) if is_whole => sink.finish().map(|()| raw.is_some() && !self.is_empty),
            (_, Some(raw)) => raw.finish().map(|()| false),
            (_, None) => Err(Error::NotBase64),
        }
    }
}
