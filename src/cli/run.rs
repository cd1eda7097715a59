//! `bandog run`: one invocation without HTTP.

use std::path::PathBuf;

use clap::ValueHint;
use http::{HeaderName, HeaderValue};

use super::{FunctionFlags, header};
pub use once::run;

mod job;
mod once;
mod result;

pub(super) const EXAMPLES: &str = "Examples:
  bandog run ./ocr.sh -f page.png -o page.txt     a file is the input, as with `bandog call`
  bandog run ./say.sh -i 'Hello' -o hello.wav     so is a text
  bandog run ./thumbs.sh -f photo.jpg -o thumbs/  several output files into a directory
  base64 page.png | bandog run ./ocr.sh           stdin is a request's body: JSON or base64
  bandog run -f form.txt --content-type 'multipart/form-data; boundary=x' -- ls
                                                  with a type, a file is a body of that type

The exit code is the function's own (128+n for signal n); 65 for bad input, 70 for an internal failure, 78 for a bad
configuration.";

/// The flags of `bandog run`.
#[derive(Debug, clap::Args)]
pub struct Flags {
    /// The input file (with --content-type: a body of that type); without it, and with -, the event is read from stdin
    /// as a request's body
    #[arg(long, short = 'f', visible_alias = "file-input", value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(conflicts_with = "text_input")]
    pub input: Option<PathBuf>,
    /// The input itself
    #[arg(long, short = 'i', value_name = "TEXT", allow_hyphen_values = true)]
    pub text_input: Option<String>,
    /// Where the decoded result goes: a file, a directory for several files, or PATH.zip; without it the body goes to
    /// stdout as HTTP would send it
    #[arg(long, short = 'o', value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub output: Option<PathBuf>,
    /// The media type of the body, as in a request's Content-Type
    #[arg(long, value_name = "TYPE")]
    pub content_type: Option<String>,
    /// A header of the request, such as "Accept: application/json"; may be repeated
    #[arg(long, value_name = "NAME:VALUE")]
    pub header: Vec<String>,
    /// The settings and the function.
    #[command(flatten)]
    pub function: FunctionFlags,
}

/// Where the event comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The standard input.
    Stdin,
    /// A file.
    File(PathBuf),
    /// The command line.
    Text(String),
}

/// What a run reads and writes.
#[derive(Debug, Clone)]
pub struct RunArgs {
    /// Where the event comes from.
    pub event: Event,
    /// `--output`; without it the body goes to stdout as HTTP would send it.
    pub output: Option<PathBuf>,
    /// The headers of the request that is imitated, `Content-Type` among them.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Flags {
    /// What they mean.
    pub(super) fn io(&self) -> Result<RunArgs, String> {
        let event = match (&self.text_input, &self.input) {
            (Some(text), _) => Event::Text(text.clone()),
            (None, Some(path)) if path.as_os_str() != "-" => Event::File(path.clone()),
            (None, _) => Event::Stdin,
        };
        let mut headers = header::parse_all(&self.header)?;
        if let Some(kind) = &self.content_type {
            let value = kind.parse().map_err(|_| format!("--content-type: {kind:?} cannot be sent in a header"))?;
            headers.retain(|(name, _)| name != http::header::CONTENT_TYPE);
            headers.push((http::header::CONTENT_TYPE, value));
        }
        Ok(RunArgs { event, output: self.output.clone(), headers })
    }
}
