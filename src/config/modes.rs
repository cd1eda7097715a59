//! How the function is talked to, and what follows from that for its streams.

use super::{report::Origin, resolve::Resolver, setting};
use crate::invocation::Stdin;

/// How the function is talked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The request is a file, and so is the answer.
    Files,
    /// The body is standard input, and standard output the answer, once the function has ended.
    Stdio,
    /// The same, but standard output is passed on while the function writes it.
    Streaming,
    /// One process that lives long and speaks HTTP itself.
    Http,
    /// No function at all: the files of a directory.
    Static,
}

impl Mode {
    /// All of them, by name.
    pub const NAMES: [(&str, Self); 5] = [
        ("files", Self::Files),
        ("stdio", Self::Stdio),
        ("streaming", Self::Streaming),
        ("http", Self::Http),
        ("static", Self::Static),
    ];
}

/// What becomes of the bodies of requests and answers in the modes that can pass them on as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bodies {
    /// `--decode`; see [`Config::decodes`](super::Config::decodes).
    pub decode: bool,
    /// `--encode`; see [`Config::encodes`](super::Config::encodes).
    pub encode: bool,
    /// `--answer-type`: a media type that can be sent in a header.
    pub answer_type: String,
    /// `--combine-output`: standard error is part of the answer.
    pub combine_output: bool,
}

impl Resolver<'_> {
    pub(super) fn bodies(&mut self) -> Option<Bodies> {
        let (decode, encode) = (self.switch(&setting::DECODE), self.switch(&setting::ENCODE));
        let (answer_type, combine_output) = (self.answer_type(), self.switch(&setting::COMBINE_OUTPUT));
        Some(Bodies { decode: decode?, encode: encode?, answer_type: answer_type?, combine_output: combine_output? })
    }

    fn answer_type(&mut self) -> Option<String> {
        self.read(&setting::ANSWER_TYPE, "a media type such as text/plain; charset=utf-8", |text| {
            let mut halves = text.split(';').next().unwrap_or_default().trim_end().split('/');
            let is_token = |half: &str| !half.is_empty() && half.bytes().all(|byte| byte.is_ascii_graphic());
            let is_type = halves.next().is_some_and(is_token) && halves.next().is_some_and(is_token);
            let can_be_sent = http::HeaderValue::from_str(text).is_ok();
            (is_type && halves.next().is_none() && can_be_sent).then(|| text.to_owned())
        })
    }

    /// Where the body is standard input, nothing else can be.
    pub(super) fn stdin(&mut self, mode: Option<Mode>) -> Option<Stdin> {
        let setting = &setting::STDIN;
        let by_mode = matches!(mode, Some(Mode::Stdio | Mode::Streaming));
        let given = self.given(setting);
        if by_mode && given.is_none() {
            self.note(setting, "input", Origin::Default);
            return Some(Stdin::Input);
        }
        let stdin = self.choice(setting, &[("null", Stdin::Null), ("input", Stdin::Input)])?;
        if by_mode && stdin == Stdin::Null {
            self.wrong(setting, given, "expected input, as in this mode the body is the standard input");
            return None;
        }
        Some(stdin)
    }
}
