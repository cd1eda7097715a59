//! The command of an action: its arguments, and the meaning of its exit codes.

use std::{ffi::CString, sync::Arc};

use crate::{
    actions::{
        Action, ArgumentError, ArgumentErrorKind, ArgumentErrors, Arguments, BoundArgument, Interface, Piece, Template,
    },
    process::{End, Ended, Exit},
};

use super::outcome::Failure;

/// Bytes of one word of a command: Linux' `MAX_ARG_STRLEN`, less the NUL at its end. A longer word makes execve(2) fail
/// with E2BIG.
const WORD_LIMIT: usize = 128 * 1024 - 1;

/// Bytes of all words together that contain arguments: half of what execve(2) accepts with the default stack limit of
/// 8 MiB. The other half is for the environment.
const WORDS_LIMIT: usize = 1024 * 1024;

/// The exit code of an action that failed permanently.
const FAILED: i32 = 1;

/// The exit code of an action that may succeed at another attempt.
const UNAVAILABLE: i32 = 2;

/// An action that is carried out by a command.
#[derive(Debug)]
pub(super) struct ActionCommand {
    /// The description of its arguments and its result.
    pub(super) action: Arc<Action>,
    /// How often it is run again after it has exited with [`UNAVAILABLE`].
    pub(super) retries: usize,
}

/// The arguments of an action, in the form in which its process receives them.
#[derive(Debug)]
pub(super) struct ActionArguments {
    /// The words after the program's own name.
    pub(super) words: Vec<CString>,
    /// The arguments as JSON, if that is too long for a word.
    pub(super) json: Option<String>,
}

impl ActionCommand {
    /// The words of the command after the first one, which is the program.
    fn templates(&self) -> &[Template] {
        match &self.action.interface {
            Interface::Command(words) => words.get(1..).unwrap_or_default(),
            Interface::Http(_) | Interface::Rpc | Interface::Events => &[],
        }
    }

    /// Fills the arguments into the words of the command. A command that names none of its arguments gets all of them
    /// as JSON.
    pub(super) fn fill(&self, arguments: &Arguments) -> Result<ActionArguments, ArgumentErrors> {
        let templates = self.templates();
        let (mut words, mut flaws) = (Vec::with_capacity(templates.len() + 1), ArgumentErrors::default());
        let mut room = WORDS_LIMIT;
        for template in templates {
            match fill_word(template, arguments, &mut room) {
                Ok(word) => words.push(word),
                Err(flaw) => flaws.push(|| *flaw),
            }
        }
        if !flaws.is_empty() {
            return Err(flaws);
        }
        let takes_any = !self.action.arguments.is_empty() || self.action.variadic;
        if !takes_any || templates.iter().any(|template| !template.is_plain()) {
            return Ok(ActionArguments { words, json: None });
        }
        let json = arguments.to_json();
        if json.len() > WORD_LIMIT {
            return Ok(ActionArguments { words, json: Some(json) });
        }
        // JSON contains no NUL: it is escaped.
        words.extend(CString::new(json));
        Ok(ActionArguments { words, json: None })
    }

    /// Returns the failure that an exit code reports by the convention of actions; `None` if it has no such meaning.
    pub(super) fn failure(exit: Exit, attempts: u32) -> Option<Failure> {
        match exit {
            Exit::Code(FAILED) => Some(Failure::ActionFailed),
            Exit::Code(UNAVAILABLE) => Some(Failure::ActionUnavailable { attempts }),
            Exit::Code(_) | Exit::Signal(_) => None,
        }
    }

    /// Whether another attempt may succeed.
    pub(super) fn may_retry(ended: &Ended) -> bool {
        (ended.end, ended.exit) == (End::Itself, Exit::Code(UNAVAILABLE))
    }
}

/// Fills a word with the values of its placeholders. An argument that was not given is empty.
fn fill_word(template: &Template, arguments: &Arguments, room: &mut usize) -> Result<CString, Box<ArgumentError>> {
    let mut word = String::new();
    for piece in &template.pieces {
        match piece {
            Piece::Text(text) => word.push_str(text),
            Piece::Placeholder(name) => {
                let Some(bound) = arguments.iter().find(|bound| bound.name == *name) else { continue };
                let text = bound.text();
                let flaw = |expected: String| Err(Box::new(flawed(bound, expected)));
                if text.contains('\0') {
                    return flaw("a value without a NUL, as it is a part of a command".to_owned());
                }
                if word.len() + text.len() > WORD_LIMIT {
                    return flaw(format!("one that makes a word of the command of at most {WORD_LIMIT} bytes"));
                }
                let Some(left) = room.checked_sub(text.len()) else {
                    return flaw(format!("values that make a command of at most {WORDS_LIMIT} bytes together"));
                };
                *room = left;
                word.push_str(&text);
            }
        }
    }
    if word.len() > WORD_LIMIT {
        let name = template.names().last().unwrap_or_default();
        let bound = arguments.iter().find(|bound| bound.name == name);
        let expected = format!("one that makes a word of the command of at most {WORD_LIMIT} bytes");
        let flaw = bound.map_or_else(
            || ArgumentError::new(name, ArgumentErrorKind::Invalid, None, &*expected),
            |it| flawed(it, expected.clone()),
        );
        return Err(Box::new(flaw));
    }
    // The template contains no NUL either: the file was checked.
    Ok(CString::new(word).unwrap_or_default())
}

fn flawed(bound: &BoundArgument, expected: String) -> ArgumentError {
    ArgumentError {
        location: Some(bound.location),
        ..ArgumentError::new(&bound.name, ArgumentErrorKind::Invalid, Some(&bound.value), expected)
    }
}
