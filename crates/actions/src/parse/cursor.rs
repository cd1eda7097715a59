//! Cursors into the YAML tree. Nothing here knows the specification.

use std::rc::Rc;

use bandog_codec::yaml::Node;

use super::report::{Position, Report};

/// Characters of a key that a path shows.
const SHOWN_KEY: usize = 60;

/// A position in the tree, and the path that leads there.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    node: Option<&'a Node>,
    line: u64,
    path: Rc<str>,
    /// Whether the value must not be shown.
    is_secret: bool,
}

impl Position for Cursor<'_> {
    fn line(&self) -> u64 {
        self.line
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn shown(&self) -> Option<&str> {
        self.scalar().filter(|_| !self.is_secret)
    }
}

impl<'a> Cursor<'a> {
    pub(super) fn root(node: &'a Node) -> Self {
        Self { node: Some(node), line: node.position().line, path: "".into(), is_secret: false }
    }

    /// The node; `None` at a missing key.
    pub(super) fn node(&self) -> Option<&'a Node> {
        self.node
    }

    pub(super) fn is_null(&self) -> bool {
        self.node.is_none_or(Node::is_null)
    }

    /// The text of a scalar, also of a number.
    pub(super) fn scalar(&self) -> Option<&'a str> {
        self.node?.text().ok().flatten()
    }

    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The position of a missing key.
    pub(super) fn below(&self, key: &str) -> Self {
        Self { node: None, line: self.line, path: self.path_of(key), is_secret: self.is_secret }
    }

    /// The same position, with its value hidden, also below it.
    pub(super) fn redacted(&self) -> Self {
        Self { is_secret: true, ..self.clone() }
    }

    /// The same position without its value, for a diagnostic about the key.
    pub(super) fn without_value(&self) -> Self {
        Self { node: None, ..self.clone() }
    }

    fn at(&self, name: &str, key: &Node, value: &'a Node) -> Self {
        Self { node: Some(value), line: key.position().line, path: self.path_of(name), is_secret: self.is_secret }
    }

    fn path_of(&self, key: &str) -> Rc<str> {
        let mut letters = key.chars();
        let shown: String = letters.by_ref().take(SHOWN_KEY).flat_map(char::escape_debug).collect();
        let shown = shown + if letters.next().is_some() { "…" } else { "" };
        if self.path.is_empty() { shown.into() } else { format!("{}.{shown}", self.path).into() }
    }

    /// The elements of a list; any other value is a mistake.
    pub(super) fn items(&self, report: &mut Report) -> Vec<Self> {
        let Some(items) = self.node.and_then(Node::items) else {
            report.error(self, "expected a list");
            return Vec::new();
        };
        let place = |(number, node): (usize, &'a Node)| Self {
            node: Some(node),
            line: node.position().line,
            path: format!("{}[{number}]", self.path).into(),
            is_secret: self.is_secret,
        };
        items.enumerate().map(place).collect()
    }

    /// The text of a string or a number; any other value is a mistake.
    pub(super) fn text(&self, report: &mut Report) -> Option<&'a str> {
        let text = self.scalar();
        if text.is_none() {
            report.error(self, "expected a string");
        }
        text
    }

    pub(super) fn boolean(&self, report: &mut Report) -> bool {
        self.node.map_or(Ok(false), Node::boolean).unwrap_or_else(|_| {
            report.error(self, "expected true or false");
            false
        })
    }

    pub(super) fn port(&self, report: &mut Report) -> Option<u16> {
        let text = self.scalar().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let port = text.and_then(|text| text.parse().ok()).filter(|port| *port != 0);
        if port.is_none() {
            report.error(self, "expected a port number from 1 to 65535");
        }
        port
    }

    /// Whether a command here has no words, or an empty one alone, which names no program.
    pub(super) fn is_empty_command(&self) -> bool {
        let is_blank =
            |node: &Node| matches!(node.text(), Ok(text) if text.unwrap_or_default().trim_ascii().is_empty());
        let Some(node) = self.node else { return true };
        match node.items() {
            Some(mut items) => items.all(is_blank),
            None => is_blank(node),
        }
    }

    /// The words of a command, at least one: a list of strings, or a string that is split at blanks.
    pub(super) fn words(&self, report: &mut Report) -> Option<Vec<String>> {
        let (words, cursors): (Vec<Option<&str>>, _) = if let Some(text) = self.scalar() {
            (text.split_ascii_whitespace().map(Some).collect(), Vec::new())
        } else if self.node.and_then(Node::items).is_some() {
            let items = self.items(report);
            (items.iter().map(|item| item.text(report)).collect(), items)
        } else {
            report.error(self, "expected a command: a list of strings, or a string that is split at blanks");
            return None;
        };
        if words.is_empty() || words[0] == Some("") {
            report.error(self, "the command is empty; expected a program, then its arguments");
            return None;
        }
        for (number, word) in words.iter().enumerate() {
            if word.is_some_and(|word| word.contains('\0')) {
                report.error(cursors.get(number).unwrap_or(self), "a word of a command cannot contain a NUL byte");
                return None;
            }
        }
        words.into_iter().map(|word| word.map(str::to_owned)).collect()
    }

    /// The choice whose name stands here; any other value is a mistake.
    pub(super) fn choice<T>(
        &self,
        choices: impl IntoIterator<Item = (&'static str, T)>,
        report: &mut Report,
    ) -> Option<T> {
        let text = self.scalar();
        let mut names = Vec::new();
        for (name, choice) in choices {
            if text.is_some_and(|text| text == name) {
                return Some(choice);
            }
            names.push(name);
        }
        let near = text.and_then(|text| nearest(text, names.iter().copied()));
        let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        report.error(self, format!("expected one of {}{near}", names.join(", ")));
        None
    }
}

/// The keys of a mapping. Parsing takes them one by one; the rest is unknown.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    at: Cursor<'a>,
    entries: Vec<(&'a str, Cursor<'a>)>,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Null has no keys; any other value that is not a mapping is a mistake.
    pub(super) fn of(cursor: &Cursor<'a>, report: &mut Report) -> Option<Self> {
        let Some(found) = cursor.node.and_then(Node::entries) else {
            if cursor.is_null() {
                return Some(Self { at: cursor.clone(), entries: Vec::new(), known: Vec::new() });
            }
            report.error(cursor, "expected a mapping of keys to values");
            return None;
        };
        for key in found.repeated {
            let name = key.text().ok().flatten().unwrap_or_default();
            report.error(&Cursor { node: None, ..cursor.at(name, key, key) }, "given twice; keep one of them");
        }
        for key in found.nameless {
            report.error(&Cursor { node: None, line: key.position().line, ..cursor.clone() }, "expected string keys");
        }
        for merged in found.unmerged {
            let advice = "expected a mapping, or a list of mappings, to merge";
            report.error(&Cursor { node: Some(merged), line: merged.position().line, ..cursor.below("<<") }, advice);
        }
        let entries = found.members.into_iter().map(|(name, key, value)| (name, cursor.at(name, key, value))).collect();
        Some(Self { at: cursor.clone(), entries, known: Vec::new() })
    }

    pub(super) fn at(&self) -> &Cursor<'a> {
        &self.at
    }

    /// Whether a key is there and has not been taken, with whatever value.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|(found, _)| *found == name)
    }

    /// The keys that have not been taken.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.entries.iter().map(|(name, _)| *name)
    }

    /// Takes the value of a key, even null.
    pub(super) fn known(&mut self, name: &'static str) -> Option<Cursor<'a>> {
        self.known.push(name);
        let at = self.entries.iter().position(|(found, _)| *found == name)?;
        Some(self.entries.remove(at).1)
    }

    /// Takes the value of a key that has several names, the newest first. Null counts as absent.
    pub(super) fn take(&mut self, report: &mut Report, names: &[&'static str]) -> Option<Cursor<'a>> {
        let mut taken: Option<(&str, Cursor<'a>)> = None;
        for name in names {
            let Some(cursor) = self.known(name).filter(|cursor| !cursor.is_null()) else { continue };
            if let Some((first, _)) = &taken {
                report.error(&cursor.without_value(), format!("means the same as {first}; keep one of them"));
            } else {
                taken = Some((name, cursor));
            }
        }
        taken.map(|(_, cursor)| cursor)
    }

    pub(super) fn text(&mut self, report: &mut Report, name: &'static str) -> Option<String> {
        self.take(report, &[name])?.text(report).map(str::to_owned)
    }

    pub(super) fn boolean(&mut self, report: &mut Report, name: &'static str) -> bool {
        self.take(report, &[name]).is_some_and(|cursor| cursor.boolean(report))
    }

    /// All keys, where the file chooses the names.
    pub(super) fn members(self) -> Vec<(&'a str, Cursor<'a>)> {
        self.entries
    }

    /// Reports the remaining keys as mistakes.
    pub(super) fn end(mut self, report: &mut Report) {
        for (_, cursor, advice) in self.unknown() {
            report.error(&cursor, advice);
        }
    }

    /// Reports the remaining keys as warnings.
    pub(super) fn end_lenient(mut self, report: &mut Report) {
        for (_, cursor, advice) in self.unknown() {
            report.warn(&cursor, advice);
        }
    }

    /// Warns of remaining keys that look like typing errors; all others belong to other programs.
    pub(super) fn end_at_root(mut self, report: &mut Report) {
        let known = self.known.clone();
        for (name, cursor, advice) in self.unknown() {
            if nearest(name, known.iter().copied()).is_some() {
                report.warn(&cursor, advice);
            }
        }
    }

    fn unknown(&mut self) -> Vec<(&'a str, Cursor<'a>, String)> {
        let entries = std::mem::take(&mut self.entries);
        let advise = |(name, cursor): (&'a str, Cursor<'a>)| {
            let advice = match nearest(name, self.known.iter().copied()) {
                Some(near) => format!("unknown key; did you mean {near}?"),
                None => format!("unknown key; expected one of {}", self.known.join(", ")),
            };
            (name, Cursor { node: None, ..cursor }, advice)
        };
        entries.into_iter().map(advise).collect()
    }
}

/// The known word closest to `word`. One letter in four may differ, and one in a shorter word.
pub(super) fn nearest<'n>(word: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    // The comparison takes time proportional to the product of both lengths.
    let limit = word.len().min(64) / 4 + 1;
    let near = known.filter(|known| known.len().abs_diff(word.len()) <= limit);
    let lower = |text: &str| text.to_ascii_lowercase();
    let measured = near.map(|known| (strsim::osa_distance(&lower(known), &lower(word)), known));
    measured.filter(|(steps, _)| *steps <= limit).min_by_key(|(steps, _)| *steps).map(|(_, known)| known)
}
