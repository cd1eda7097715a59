//! The report of mistakes and warnings in a file.

use std::collections::BTreeMap;

/// The number of mistakes that are listed; further ones are counted. A few bytes of aliases can stand for any number of
/// mistakes.
const MAX_DIAGNOSTICS: usize = 1000;

/// Characters of a value that a diagnostic shows.
const SHOWN_VALUE: usize = 200;

/// A mistake or a warning at a position in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The line, from 1.
    pub line: u64,
    /// The keys that lead there: `actions.count.arguments.word.type`.
    pub path: String,
    /// The value there, if it is a scalar that may be shown.
    pub value: Option<String>,
    /// The expected value, or what to do.
    pub advice: String,
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        if let Some(value) = &self.value {
            write!(f, "{value:?}: ")?;
        }
        f.write_str(&self.advice)
    }
}

/// A position in the file, for a diagnostic.
pub(super) trait Position {
    /// The line, from 1.
    fn line(&self) -> u64;
    /// The keys that lead there.
    fn path(&self) -> &str;
    /// The text of a scalar that may be shown.
    fn shown(&self) -> Option<&str>;
}

/// The mistakes and warnings so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    mistakes: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    omitted: usize,
    lines: BTreeMap<String, u64>,
    /// Whether an action with a mistake is left out, instead of being a mistake of the file.
    leaves_out: bool,
    has_left_out: bool,
}

/// A number of mistakes.
#[derive(Debug)]
pub(super) struct Mark {
    listed: usize,
    omitted: usize,
}

impl Report {
    pub(super) fn new(leaves_out: bool) -> Self {
        Self { leaves_out, ..Self::default() }
    }

    pub(super) fn error(&mut self, at: &impl Position, advice: impl Into<String>) {
        if self.mistakes.len() >= MAX_DIAGNOSTICS {
            self.omitted += 1;
            return;
        }
        self.mistakes.push(diagnostic(at, advice.into()));
    }

    pub(super) fn error_at(&mut self, line: u64, path: &str, advice: impl Into<String>) {
        self.mistakes.push(Diagnostic { line, path: path.to_owned(), value: None, advice: advice.into() });
    }

    pub(super) fn has_left_out(&self) -> bool {
        self.has_left_out
    }

    pub(super) fn has_mistakes(&self) -> bool {
        !self.mistakes.is_empty()
    }

    /// How many mistakes there are so far.
    pub(super) fn mark(&self) -> Mark {
        Mark { listed: self.mistakes.len(), omitted: self.omitted }
    }

    /// Makes warnings of the mistakes since `mark`, if bad actions are left out; `consequence` says what follows.
    /// Returns whether there were any.
    pub(super) fn forgive(&mut self, mark: &Mark, consequence: &str) -> bool {
        let is_bad = self.mistakes.len() > mark.listed || self.omitted > mark.omitted;
        if !self.leaves_out || !is_bad {
            return false;
        }
        self.has_left_out = true;
        self.omitted = mark.omitted;
        let forgiven = self.mistakes.drain(mark.listed..).map(|mistake| {
            let advice = format!("{}; {consequence}", mistake.advice);
            Diagnostic { advice, ..mistake }
        });
        self.warnings.extend(forgiven);
        true
    }

    pub(super) fn warn(&mut self, at: &impl Position, advice: impl Into<String>) {
        if self.warnings.len() < MAX_DIAGNOSTICS {
            self.warnings.push(diagnostic(at, advice.into()));
        }
    }

    /// Remembers the line of a position, for later diagnostics.
    pub(super) fn record_line(&mut self, at: &impl Position) {
        self.lines.insert(at.path().to_owned(), at.line());
    }

    pub(super) fn finish(mut self) -> (Vec<Diagnostic>, Vec<Diagnostic>, BTreeMap<String, u64>) {
        self.mistakes.sort_by_key(|diagnostic| diagnostic.line);
        self.warnings.sort_by_key(|diagnostic| diagnostic.line);
        if let Some(last) = self.mistakes.last().filter(|_| self.omitted > 0) {
            let (line, advice) = (last.line, format!("there are {} more mistakes", self.omitted));
            self.error_at(line, "", advice);
        }
        (self.mistakes, self.warnings, self.lines)
    }
}

fn diagnostic(at: &impl Position, advice: String) -> Diagnostic {
    let value = at.shown().map(|text| text.chars().take(SHOWN_VALUE).collect());
    Diagnostic { line: at.line(), path: at.path().to_owned(), value, advice }
}
