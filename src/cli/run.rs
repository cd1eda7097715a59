//! `bandog run`: one invocation without HTTP.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::ValueHint;
use http::{HeaderName, HeaderValue};

use super::{FunctionFlags, header};
use crate::actions::{Action, Service, TextArgument, TextSource};
pub use once::run;

mod imitated;
mod input;
mod input_fault;
#[cfg(feature = "storage")]
mod object;
mod once;
mod perform;
mod place;
mod process;
mod result;
mod screen;
mod served;
mod stdout;
mod terminal;

pub(super) const EXAMPLES: &str = "Examples:
  bandog run ./ocr.sh -f page.png -o page.txt     a file is the input, as with `bandog call`
  bandog run ./say.sh -i 'Hello' -o hello.wav     so is a text
  bandog run ./thumbs.sh -f photo.jpg -o thumbs/  several output files into a directory
  base64 page.png | bandog run ./ocr.sh           stdin is a request's body: JSON or base64
  bandog run -f form.txt --content-type 'multipart/form-data; boundary=x' -- ls
                                                  with a type, a file is a body of that type
  bandog run count -a text='to be or not' -a unit=word
                                                  an action of oms.yml, with its arguments
  bandog run resize -a image=photo.jpg -a width=80 -o small.jpg
                                                  an argument of type path is the name of a file
  bandog run resize -f photo.jpg -a width=80      so is the input, where one argument is a file
  bandog run count -i '{\"text\": \"to be\"}'       else the input is the arguments, as in a request's body

For an action stdin is read only with -f -. The word is an action if the file has one of that name; a script of the same
name is run as ./NAME.

Without --output a failure is on stdout as HTTP would send it, a JSON document; why is on stderr too. If stdout is a
terminal, logs appear while the function runs, and a failure and a summary are sentences on stderr.

The exit code is the function's own (128+n for signal n); 65 for bad input, 70 for an internal failure, 74 for a result
that cannot be written, 78 for a bad configuration.";

/// The flags of `bandog run`.
#[derive(Debug, clap::Args)]
pub struct RunFlags {
    /// The input file (with --content-type: a body of that type), or an object of a store of the configuration file, as in
    /// s3://default/BUCKET/KEY; without it, and with -, the event is read from stdin as a request's body
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
    /// An argument of the action that is run in place of a script; may be repeated
    #[arg(long, short = 'a', value_name = "NAME=VALUE")]
    pub argument: Vec<String>,
    /// The settings and the function.
    #[command(flatten)]
    pub function: FunctionFlags,
}

/// The source of the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The standard input.
    Stdin,
    /// A file.
    File(PathBuf),
    /// The command line.
    Text(String),
    /// There is no event.
    Nowhere,
}

/// The input and the output of a run.
#[derive(Debug, Clone)]
pub struct RunArgs {
    /// The source of the event.
    pub event: Event,
    /// `--output`; without it the body goes to standard output as HTTP would send it.
    pub output: Option<PathBuf>,
    /// The headers of the imitated request, with its `Content-Type`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The action that is run; `None` for a function.
    pub action: Option<Arc<Action>>,
    /// The arguments of the action.
    pub texts: Vec<TextArgument>,
}

impl RunFlags {
    /// Interprets the flags.
    pub(super) fn run_arguments(&self) -> Result<RunArgs, String> {
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
        Ok(RunArgs { event, output: self.output.clone(), headers, action: None, texts: Vec::new() })
    }

    /// Selects the action, if SCRIPT is the name of one. `service` is the content of the actions file, if there is one.
    pub(super) fn select_action(&mut self, arguments: &mut RunArgs, service: Option<&Service>) -> Result<(), String> {
        let word = self.function.script.as_ref().and_then(|word| word.to_str());
        let word = word.filter(|word| !word.contains('/'));
        arguments.action = word.zip(service).and_then(|(word, service)| service.action(word)).cloned();
        if arguments.action.is_none() {
            return match (word, service, self.argument.first()) {
                (Some(word), Some(service), _) if !Path::new(word).exists() => {
                    let names: Vec<&str> = service.actions.iter().map(|action| action.name.as_str()).collect();
                    Err(format!(
                        "{word} is neither a file nor an action; the actions of {} are {}",
                        service.file.display(),
                        names.join(", ")
                    ))
                }
                (_, _, Some(argument)) => Err(format!(
                    "--argument {argument} is for an action; name one of a file (--actions FILE): bandog run ACTION -a \
                     NAME=VALUE"
                )),
                (_, _, None) => Ok(()),
            };
        }
        self.function.script = None;
        if self.input.is_none() && self.text_input.is_none() {
            arguments.event = Event::Nowhere;
        }
        arguments.texts = self.argument.iter().map(|argument| parse_argument(argument)).collect::<Result<_, _>>()?;
        Ok(())
    }
}

/// Splits `NAME=VALUE`.
pub(super) fn split_argument(argument: &str) -> Result<(&str, &str), String> {
    let parts = argument.split_once('=').filter(|(name, _)| !name.is_empty());
    parts.ok_or_else(|| format!("--argument {argument:?}: expected NAME=VALUE"))
}

fn parse_argument(argument: &str) -> Result<TextArgument, String> {
    let (name, value) = split_argument(argument)?;
    Ok(TextArgument { name: name.to_owned(), value: Some(value.to_owned()), source: TextSource::CommandLine })
}
