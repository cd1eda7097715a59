//! The way through the tree: where one is, what stands there, and what is wrong with it.

use std::{collections::BTreeMap, rc::Rc};

use super::Remark;
use bandog_codec::yaml::Node;

/// Mistakes that are told. More are counted: nobody puts a thousand right at once, and few bytes of aliases can stand
/// for any number of them.
const MAX_REMARKS: usize = 1000;

/// Characters of a key that a path shows.
const SHOWN_KEY: usize = 60;

/// Characters of a value that a remark keeps.
const SHOWN_VALUE: usize = 200;

/// A place in the file, and the way there.
#[derive(Debug, Clone)]
pub(super) struct Spot<'a> {
    node: Option<&'a Node>,
    line: u64,
    path: Rc<str>,
    /// What stands here is not for everybody's eyes.
    secret: bool,
}

impl<'a> Spot<'a> {
    pub(super) fn root(node: &'a Node) -> Self {
        Self { node: Some(node), line: node.place().line, path: "".into(), secret: false }
    }

    /// What stands here; nothing in the place of a key that is not there.
    pub(super) fn node(&self) -> Option<&'a Node> {
        self.node
    }

    pub(super) fn is_null(&self) -> bool {
        self.node.is_none_or(Node::is_null)
    }

    /// The text of a scalar, of a number too.
    pub(super) fn scalar(&self) -> Option<&'a str> {
        self.node?.text().ok().flatten()
    }

    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The place of a key that is not there.
    pub(super) fn below(&self, key: &str) -> Self {
        Self { node: None, line: self.line, path: self.path_of(key), secret: self.secret }
    }

    /// From here on no remark shows a value.
    pub(super) fn veiled(&self) -> Self {
        Self { secret: true, ..self.clone() }
    }

    /// The same place, of which no remark shows a value: where it is about the key.
    pub(super) fn unquoted(&self) -> Self {
        Self { node: None, ..self.clone() }
    }

    fn at(&self, name: &str, key: &Node, value: &'a Node) -> Self {
        Self { node: Some(value), line: key.place().line, path: self.path_of(name), secret: self.secret }
    }

    fn path_of(&self, key: &str) -> Rc<str> {
        let mut letters = key.chars();
        let shown: String = letters.by_ref().take(SHOWN_KEY).flat_map(char::escape_debug).collect();
        let shown = shown + if letters.next().is_some() { "…" } else { "" };
        if self.path.is_empty() { shown.into() } else { format!("{}.{shown}", self.path).into() }
    }

    /// The elements of a list, or a mistake.
    pub(super) fn items(&self, notes: &mut Notes) -> Vec<Self> {
        let Some(items) = self.node.and_then(Node::items) else {
            notes.wrong(self, "expected a list");
            return Vec::new();
        };
        let place = |(number, node): (usize, &'a Node)| Self {
            node: Some(node),
            line: node.place().line,
            path: format!("{}[{number}]", self.path).into(),
            secret: self.secret,
        };
        items.enumerate().map(place).collect()
    }

    /// A text, of a number too, or a mistake.
    pub(super) fn text(&self, notes: &mut Notes) -> Option<&'a str> {
        let text = self.scalar();
        if text.is_none() {
            notes.wrong(self, "expected a text");
        }
        text
    }

    pub(super) fn switch(&self, notes: &mut Notes) -> bool {
        self.node.map_or(Ok(false), Node::switch).unwrap_or_else(|_| {
            notes.wrong(self, "expected true or false");
            false
        })
    }

    pub(super) fn port(&self, notes: &mut Notes) -> Option<u16> {
        let text = self.scalar().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let port = text.and_then(|text| text.parse().ok()).filter(|port| *port != 0);
        if port.is_none() {
            notes.wrong(self, "expected a port number from 1 to 65535");
        }
        port
    }

    /// The words of a command: a list of texts, or one text that is split at blanks. Never none.
    pub(super) fn words(&self, notes: &mut Notes) -> Option<Vec<String>> {
        let (words, spots): (Vec<Option<&str>>, _) = if let Some(text) = self.scalar() {
            (text.split_ascii_whitespace().map(Some).collect(), Vec::new())
        } else if self.node.and_then(Node::items).is_some() {
            let items = self.items(notes);
            (items.iter().map(|item| item.text(notes)).collect(), items)
        } else {
            notes.wrong(self, "expected a command: a list of texts, or a text that is split at blanks");
            return None;
        };
        if words.is_empty() || words[0] == Some("") {
            notes.wrong(self, "the command is empty; expected a program, then its arguments");
            return None;
        }
        for (number, word) in words.iter().enumerate() {
            if word.is_some_and(|word| word.contains('\0')) {
                notes.wrong(spots.get(number).unwrap_or(self), "a word of a command cannot have a NUL in it");
                return None;
            }
        }
        words.into_iter().map(|word| word.map(str::to_owned)).collect()
    }

    /// One of these words, by its name in the file, or a mistake.
    pub(super) fn choice<T>(
        &self,
        choices: impl IntoIterator<Item = (&'static str, T)>,
        notes: &mut Notes,
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
        notes.wrong(self, format!("expected one of {}{near}", names.join(", ")));
        None
    }
}

/// What has been found out so far.
#[derive(Debug, Default)]
pub(super) struct Notes {
    mistakes: Vec<Remark>,
    warnings: Vec<Remark>,
    untold: usize,
    lines: BTreeMap<String, u64>,
}

impl Notes {
    pub(super) fn wrong(&mut self, spot: &Spot<'_>, advice: impl Into<String>) {
        if self.mistakes.len() >= MAX_REMARKS {
            self.untold += 1;
            return;
        }
        self.mistakes.push(remark(spot, advice.into()));
    }

    pub(super) fn wrong_at(&mut self, line: u64, path: &str, advice: impl Into<String>) {
        self.mistakes.push(Remark { line, path: path.to_owned(), value: None, advice: advice.into() });
    }

    pub(super) fn warn(&mut self, spot: &Spot<'_>, advice: impl Into<String>) {
        if self.warnings.len() < MAX_REMARKS {
            self.warnings.push(remark(spot, advice.into()));
        }
    }

    /// Keeps the line of what is looked at again later.
    pub(super) fn keep(&mut self, spot: &Spot<'_>) {
        self.lines.insert(spot.path.to_string(), spot.line);
    }

    pub(super) fn finish(mut self) -> (Vec<Remark>, Vec<Remark>, BTreeMap<String, u64>) {
        self.mistakes.sort_by_key(|remark| remark.line);
        self.warnings.sort_by_key(|remark| remark.line);
        if let Some(last) = self.mistakes.last().filter(|_| self.untold > 0) {
            let (line, advice) = (last.line, format!("there are {} mistakes more", self.untold));
            self.wrong_at(line, "", advice);
        }
        (self.mistakes, self.warnings, self.lines)
    }
}

fn remark(spot: &Spot<'_>, advice: String) -> Remark {
    let value = spot.scalar().filter(|_| !spot.secret);
    let value = value.map(|text| text.chars().take(SHOWN_VALUE).collect());
    Remark { line: spot.line, path: spot.path.to_string(), value, advice }
}

/// The keys of a mapping, which are taken one by one; what is left at the end is unknown.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    at: Spot<'a>,
    entries: Vec<(&'a str, Spot<'a>)>,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Null has no keys; anything else that is not a mapping is a mistake.
    pub(super) fn of(spot: &Spot<'a>, notes: &mut Notes) -> Option<Self> {
        let Some(found) = spot.node.and_then(Node::entries) else {
            if spot.is_null() {
                return Some(Self { at: spot.clone(), entries: Vec::new(), known: Vec::new() });
            }
            notes.wrong(spot, "expected keys with values");
            return None;
        };
        for key in found.repeated {
            let name = key.text().ok().flatten().unwrap_or_default();
            notes.wrong(&Spot { node: None, ..spot.at(name, key, key) }, "given twice; keep one of them");
        }
        for key in found.nameless {
            notes.wrong(&Spot { node: None, line: key.place().line, ..spot.clone() }, "expected keys that are texts");
        }
        for merged in found.unmerged {
            let advice = "expected what has keys and values, or a list of such, to be merged";
            notes.wrong(&Spot { node: Some(merged), line: merged.place().line, ..spot.below("<<") }, advice);
        }
        let entries = found.found.into_iter().map(|(name, key, value)| (name, spot.at(name, key, value))).collect();
        Some(Self { at: spot.clone(), entries, known: Vec::new() })
    }

    pub(super) fn at(&self) -> &Spot<'a> {
        &self.at
    }

    /// The keys that are there and were not taken.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.entries.iter().map(|(name, _)| *name)
    }

    /// Takes what the key has, also if that is null.
    pub(super) fn known(&mut self, name: &'static str) -> Option<Spot<'a>> {
        self.known.push(name);
        let at = self.entries.iter().position(|(found, _)| *found == name)?;
        Some(self.entries.remove(at).1)
    }

    /// Takes what a key has that goes by any of these names, the newest first. Null is nothing.
    pub(super) fn take(&mut self, notes: &mut Notes, names: &[&'static str]) -> Option<Spot<'a>> {
        let mut taken: Option<(&str, Spot<'a>)> = None;
        for name in names {
            let Some(spot) = self.known(name).filter(|spot| !spot.is_null()) else { continue };
            if let Some((first, _)) = &taken {
                notes.wrong(&spot.unquoted(), format!("means the same as {first}; keep one of them"));
            } else {
                taken = Some((name, spot));
            }
        }
        taken.map(|(_, spot)| spot)
    }

    pub(super) fn text(&mut self, notes: &mut Notes, name: &'static str) -> Option<String> {
        self.take(notes, &[name])?.text(notes).map(str::to_owned)
    }

    pub(super) fn switch(&mut self, notes: &mut Notes, name: &'static str) -> bool {
        self.take(notes, &[name]).is_some_and(|spot| spot.switch(notes))
    }

    /// All keys, where they are names that the file gives.
    pub(super) fn members(self) -> Vec<(&'a str, Spot<'a>)> {
        self.entries
    }

    /// Whatever has not been taken is a mistake.
    pub(super) fn end(mut self, notes: &mut Notes) {
        for (_, spot, advice) in self.unknown() {
            notes.wrong(&spot, advice);
        }
    }

    /// Whatever has not been taken is odd.
    pub(super) fn end_lenient(mut self, notes: &mut Notes) {
        for (_, spot, advice) in self.unknown() {
            notes.warn(&spot, advice);
        }
    }

    /// Whatever has not been taken is somebody else's, unless it looks like a slip.
    pub(super) fn end_at_root(mut self, notes: &mut Notes) {
        let known = self.known.clone();
        for (name, spot, advice) in self.unknown() {
            if nearest(name, known.iter().copied()).is_some() {
                notes.warn(&spot, advice);
            }
        }
    }

    fn unknown(&mut self) -> Vec<(&'a str, Spot<'a>, String)> {
        let entries = std::mem::take(&mut self.entries);
        let advise = |(name, spot): (&'a str, Spot<'a>)| {
            let advice = match nearest(name, self.known.iter().copied()) {
                Some(near) => format!("unknown key; did you mean {near}?"),
                None => format!("unknown key; known here are {}", self.known.join(", ")),
            };
            (name, Spot { node: None, ..spot }, advice)
        };
        entries.into_iter().map(advise).collect()
    }
}

/// What was probably meant: one letter in four may be wrong, and one of a shorter word.
pub(super) fn nearest<'n>(word: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    // Comparing takes the product of both lengths.
    let limit = word.len().min(64) / 4 + 1;
    let near = known.filter(|known| known.len().abs_diff(word.len()) <= limit);
    let lower = |text: &str| text.to_ascii_lowercase();
    let measured = near.map(|known| (strsim::osa_distance(&lower(known), &lower(word)), known));
    measured.filter(|(steps, _)| *steps <= limit).min_by_key(|(steps, _)| *steps).map(|(_, known)| known)
}
