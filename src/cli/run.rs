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

mod once;
mod result;
mod served;

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

Without --output a failure is on stdout as HTTP would send it, a JSON document; why is on stderr too.

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
    /// An argument of the action that is run in place of a script; may be repeated
    #[arg(long, short = 'a', value_name = "NAME=VALUE")]
    pub argument: Vec<String>,
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
    /// Nowhere: there is none.
    Nowhere,
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
    /// The action that is run, if it is one.
    pub action: Option<Arc<Action>>,
    /// What that is given.
    pub texts: Vec<TextArgument>,
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
        Ok(RunArgs { event, output: self.output.clone(), headers, action: None, texts: Vec::new() })
    }

    /// Makes a run of an action of it, if that is what the word in place of a script is. `service` is what the file of
    /// actions has, if there is one.
    pub(super) fn choose(&mut self, io: &mut RunArgs, service: Option<&Service>) -> Result<(), String> {
        let word = self.function.script.as_ref().and_then(|word| word.to_str());
        let word = word.filter(|word| !word.contains('/'));
        io.action = word.zip(service).and_then(|(word, service)| service.action(word)).cloned();
        if io.action.is_none() {
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
            io.event = Event::Nowhere;
        }
        io.texts = self.argument.iter().map(|argument| text(argument)).collect::<Result<_, _>>()?;
        Ok(())
    }
}

/// An argument as typed.
fn text(argument: &str) -> Result<TextArgument, String> {
    let Some((name, value)) = argument.split_once('=').filter(|(name, _)| !name.is_empty()) else {
        return Err(format!("--argument {argument:?}: expected NAME=VALUE"));
    };
    Ok(TextArgument { name: name.to_owned(), value: Some(value.to_owned()), source: TextSource::CommandLine })
}
