//! The bodies of requests and responses, and the standard streams that carry them.

use super::{mode::Mode, reader::Reader, report::Origin, setting};
use crate::{input::Forms, invocation::Stdin};

/// How bodies are passed on in the modes that can leave them as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bodies {
    /// `--decode`; see [`Config::decodes`](super::Config::decodes).
    pub decode: bool,
    /// `--forms`: of use only where bodies are decoded.
    pub forms: Forms,
    /// `--encode`; see [`Config::encodes`](super::Config::encodes).
    pub encode: bool,
    /// `--answer-type`: a media type that a header can carry.
    pub answer_type: String,
    /// `--combine-output`: standard error is part of the response.
    pub combine_output: bool,
    /// `--stdin`; always [`Stdin::Input`] in the modes `stdio` and `streaming`.
    pub stdin: Stdin,
}

/// Reads the group.
pub(super) fn read(reader: &mut Reader<'_>, mode: Option<Mode>) -> Option<Bodies> {
    let decode = reader.switch(&setting::DECODE);
    let choices = [("detect", Forms::Detect), ("raw", Forms::Raw), ("json", Forms::Json)];
    let forms = reader.choice(&setting::FORMS, &choices);
    let encode = reader.switch(&setting::ENCODE);
    let answer_type = read_answer_type(reader);
    let combine_output = reader.switch(&setting::COMBINE_OUTPUT);
    let stdin = read_stdin(reader, mode);
    Some(Bodies {
        decode: decode?,
        forms: forms?,
        encode: encode?,
        answer_type: answer_type?,
        combine_output: combine_output?,
        stdin: stdin?,
    })
}

fn read_answer_type(reader: &mut Reader<'_>) -> Option<String> {
    reader.parse(&setting::ANSWER_TYPE, "a media type such as text/plain; charset=utf-8", |text| {
        let mut halves = text.split(';').next().unwrap_or_default().trim_end().split('/');
        let is_token = |half: &str| !half.is_empty() && half.bytes().all(|byte| byte.is_ascii_graphic());
        let is_type = halves.next().is_some_and(is_token) && halves.next().is_some_and(is_token);
        let can_be_sent = http::HeaderValue::from_str(text).is_ok();
        (is_type && halves.next().is_none() && can_be_sent).then(|| text.to_owned())
    })
}

/// In a mode that passes the body to standard input, nothing else can be there.
fn read_stdin(reader: &mut Reader<'_>, mode: Option<Mode>) -> Option<Stdin> {
    let setting = &setting::STDIN;
    let by_mode = matches!(mode, Some(Mode::Stdio | Mode::Streaming));
    let raw = reader.raw(setting);
    if by_mode && raw.is_none() {
        reader.note(setting, "input", Origin::Default);
        return Some(Stdin::Input);
    }
    let stdin = reader.choice(setting, &[("null", Stdin::Null), ("input", Stdin::Input)])?;
    if by_mode && stdin == Stdin::Null {
        reader.wrong(setting, raw, "expected input, as in this mode the body is the standard input");
        return None;
    }
    Some(stdin)
}
