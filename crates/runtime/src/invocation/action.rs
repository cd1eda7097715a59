//! An action as an invocation: what its process is started with, when it is tried once more, and what of its end is
//! meant by it.

use std::{ffi::CString, sync::Arc, time::Instant};

use crate::{
    actions::{
        Action, ArgumentError, ArgumentErrorKind, ArgumentErrors, Arguments, BoundArgument, Interface, Piece, Template,
    },
    input::{self, Input},
    logs::Level,
    process::{End, Ended, Exit, Rules},
};

use super::{Failure, Run, Watch, backoff::Backoff, start::Start, stdout::Stdout, take_in};

/// Bytes that one word of a command can have: Linux' `MAX_ARG_STRLEN`, less the NUL at its end. What is longer makes
/// execve(2) fail with E2BIG.
const WORD_LIMIT: usize = 128 * 1024 - 1;

/// Bytes that all words together may have in which there are arguments: half of what execve(2) takes where the stack
/// may have 8 MiB, the default; the rest is for the environment.
const WORDS_LIMIT: usize = 1024 * 1024;

/// How an action says that it failed for good.
const FAILED: i32 = 1;

/// How an action says that another try may help.
const UNAVAILABLE: i32 = 2;

/// What a function does that is an action's command.
#[derive(Debug)]
pub(super) struct Task {
    /// What it takes and gives.
    pub(super) action: Arc<Action>,
    /// How often it is tried once more if it says that this may help.
    pub(super) retries: usize,
}

/// What an action is told.
#[derive(Debug)]
pub(super) struct Words {
    /// What follows the program's own name.
    pub(super) arguments: Vec<CString>,
    /// The arguments as JSON, where that is too long for a word.
    pub(super) json: Option<String>,
}

impl Task {
    /// The words of the command behind the first one, which is the program.
    fn templates(&self) -> &[Template] {
        match &self.action.interface {
            Interface::Command(words) => words.get(1..).unwrap_or_default(),
            Interface::Http(_) | Interface::Rpc | Interface::Events => &[],
        }
    }

    /// What the process is told of its arguments.
    pub(super) fn words(&self, arguments: &Arguments) -> Result<Words, ArgumentErrors> {
        let templates = self.templates();
        let (mut words, mut flaws) = (Vec::with_capacity(templates.len() + 1), ArgumentErrors::default());
        let mut room = WORDS_LIMIT;
        for template in templates {
            match filled(template, arguments, &mut room) {
                Ok(word) => words.push(word),
                Err(flaw) => flaws.push(|| *flaw),
            }
        }
        if !flaws.is_empty() {
            return Err(flaws);
        }
        let takes_any = !self.action.arguments.is_empty() || self.action.variadic;
        if !takes_any || templates.iter().any(|template| !template.is_plain()) {
            return Ok(Words { arguments: words, json: None });
        }
        let json = arguments.to_json();
        if json.len() > WORD_LIMIT {
            return Ok(Words { arguments: words, json: Some(json) });
        }
        // JSON has no NUL in it: that is escaped.
        words.extend(CString::new(json));
        Ok(Words { arguments: words, json: None })
    }

    /// What an end by itself means that was no success; `None` if that is what it means for every function.
    pub(super) fn failure(exit: Exit, attempts: u32) -> Option<Failure> {
        match exit {
            Exit::Code(FAILED) => Some(Failure::Refused),
            Exit::Code(UNAVAILABLE) => Some(Failure::Unavailable { attempts }),
            Exit::Code(_) | Exit::Signal(_) => None,
        }
    }

    /// Whether this was an end after which another try may help.
    fn may_help(ended: &Ended) -> bool {
        (ended.end, ended.exit) == (End::Itself, Exit::Code(UNAVAILABLE))
    }
}

/// A word with its arguments in their places. One that was not given is nothing.
fn filled(template: &Template, arguments: &Arguments, room: &mut usize) -> Result<CString, Box<ArgumentError>> {
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
    // What the file has is without one too.
    Ok(CString::new(word).unwrap_or_default())
}

fn flawed(bound: &BoundArgument, expected: String) -> ArgumentError {
    ArgumentError {
        location: Some(bound.location),
        ..ArgumentError::new(&bound.name, ArgumentErrorKind::Invalid, Some(&bound.value), expected)
    }
}

impl Run<'_> {
    /// What an action is told, once all that it was given fits; `None` of a function that is none.
    pub(super) fn bind(&mut self, input: &Input) -> Result<Option<Words>, input::InputError> {
        let Some(task) = &self.function.task else { return Ok(None) };
        let call = self.call;
        let action = (&*task.action, call.way, &*call.texts);
        let (arguments, _) = take_in::bind(self.workspace, &call.envelope, input, action)?;
        task.words(&arguments).map(Some).map_err(input::InputError::Arguments)
    }

    /// Starts the process and follows it to its end; again if it is an action that asks for that, as often as it may
    /// and as long as there is time, unless it is called off.
    pub(super) fn try_out(&mut self, start: &Start, watch: &mut dyn Watch) -> Result<Ended, Failure> {
        let rules = self.function.rules;
        let Some(task) = &self.function.task else { return self.supervise(start, rules, watch) };
        let deadline = rules.timeout.and_then(|limit| Instant::now().checked_add(limit));
        let mut backoff = Backoff::default();
        let mut left = task.retries;
        loop {
            let timeout = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let ended = self.supervise(start, Rules { timeout, ..rules }, watch)?;
            let pause = backoff.pause();
            let is_in_time = deadline.is_none_or(|deadline| Instant::now() + pause < deadline);
            if left == 0 || !is_in_time || !Task::may_help(&ended) {
                return Ok(ended);
            }
            left -= 1;
            let note =
                format!("the action says that another try may help ({}); the next one is in {pause:?}", ended.exit);
            self.journal.note(Level::Warning, &note);
            // What it has said so far is not the answer to the next one.
            self.stdout = self.function.stdout.as_ref().map(Stdout::new);
            self.workspace.remove_headers().map_err(Failure::Workspace)?;
            if let Some(stdin) = &start.stdin {
                let begun = rustix::fs::seek(stdin, rustix::fs::SeekFrom::Start(0));
                begun.map_err(|error| Failure::Supervise(error.into()))?;
            }
            if let Some(cause) = self.cancel.wait(pause).map_err(Failure::Supervise)? {
                return Ok(Ended { end: End::Cancelled(cause), ..ended });
            }
        }
    }
}
