//! A node of the tree, and how its keys and scalars are read.

use std::{collections::HashSet, rc::Rc};

use serde_json::{Map, Value};

use super::{
    error::{LineColumn, YamlError},
    scalar::plain_value,
};

/// The greatest depth, with the nodes behind aliases. A deeper document is refused, since walks through the tree
/// recurse.
pub const MAX_DEPTH: usize = 64;

/// The greatest number of nodes, counting those behind aliases each time. A document with more is refused: a few bytes
/// of nested aliases could stand for any number.
pub const MAX_NODES: usize = 250_000;

/// A value and its position.
#[derive(Debug)]
pub struct Node {
    position: LineColumn,
    content: Content,
    /// The number of nodes, this one included.
    nodes: usize,
    /// The depth of the tree below, this node included.
    depth: usize,
}

#[derive(Debug)]
pub(super) enum Content {
    Null,
    /// An unquoted scalar, whose type depends on its text.
    Plain(String),
    /// A quoted or block scalar, which is always a string.
    Text(String),
    Sequence(Vec<Rc<Node>>),
    /// Keys and values in the order of the text.
    Mapping(Vec<(Rc<Node>, Rc<Node>)>),
}

impl Node {
    pub(super) fn leaf(position: LineColumn, content: Content) -> Self {
        Self { position, content, nodes: 1, depth: 1 }
    }

    /// A collection, unless it is too large or too deep.
    pub(super) fn branch(position: LineColumn, content: Content) -> Result<Self, YamlError> {
        let measure = |(nodes, depth): (usize, usize), below: &Node| (nodes + below.nodes, depth.max(below.depth));
        let (nodes, depth) = match &content {
            Content::Null | Content::Plain(_) | Content::Text(_) => (0, 0),
            Content::Sequence(items) => items.iter().fold((0, 0), |sum, item| measure(sum, item)),
            Content::Mapping(entries) => {
                entries.iter().fold((0, 0), |sum, (key, value)| measure(measure(sum, key), value))
            }
        };
        if nodes >= MAX_NODES {
            return Err(YamlError::TooLarge(position));
        }
        if depth >= MAX_DEPTH {
            return Err(YamlError::TooDeep(position));
        }
        Ok(Self { position, content, nodes: nodes + 1, depth: depth + 1 })
    }

    /// The value of a key, in the mapping itself or in one that it merges. Null has no keys. If the node is another
    /// kind of value or has the key twice, the error is the position of the defect.
    pub fn get(&self, key: &str) -> Result<Option<&Self>, LineColumn> {
        let entries = match &self.content {
            Content::Null => return Ok(None),
            Content::Mapping(entries) => entries,
            Content::Plain(_) | Content::Text(_) | Content::Sequence(_) => return Err(self.position),
        };
        let mut own = entries.iter().filter(|(name, _)| name.is(key));
        if let Some((_, value)) = own.next() {
            return own.next().map_or(Ok(Some(&**value)), |(again, _)| Err(again.position));
        }
        for (_, merged) in entries.iter().filter(|(name, _)| name.is("<<")) {
            // The first source that has the key wins (https://yaml.org/type/merge.html).
            for source in sources(merged) {
                if let Some(value) = source.get(key)? {
                    return Ok(Some(value));
                }
            }
        }
        Ok(None)
    }

    /// The text of a scalar as written (also of a number), `None` for null; the error is the position of a collection.
    pub fn text(&self) -> Result<Option<&str>, LineColumn> {
        match &self.content {
            Content::Null => Ok(None),
            Content::Plain(text) | Content::Text(text) => Ok(Some(text)),
            Content::Sequence(_) | Content::Mapping(_) => Err(self.position),
        }
    }

    /// A boolean of YAML's core schema, false for null; the error is the position of any other value.
    pub fn boolean(&self) -> Result<bool, LineColumn> {
        match self.text()? {
            None | Some("false" | "False" | "FALSE") => Ok(false),
            Some("true" | "True" | "TRUE") => Ok(true),
            Some(_) => Err(self.position),
        }
    }

    /// Whether it is a sequence that is not empty.
    #[must_use]
    pub fn is_filled_list(&self) -> bool {
        matches!(&self.content, Content::Sequence(items) if !items.is_empty())
    }

    /// The position at which it begins.
    #[must_use]
    pub fn position(&self) -> LineColumn {
        self.position
    }

    /// Whether it is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.content, Content::Null)
    }

    /// The elements of a sequence.
    #[must_use]
    pub fn items(&self) -> Option<impl Iterator<Item = &Self>> {
        match &self.content {
            Content::Sequence(items) => Some(items.iter().map(|item| &**item)),
            Content::Null | Content::Plain(_) | Content::Text(_) | Content::Mapping(_) => None,
        }
    }

    /// The entries of a mapping, its own first, then those that it merges; `None` for any other value.
    #[must_use]
    pub fn entries(&self) -> Option<MappingEntries<'_>> {
        let Content::Mapping(own) = &self.content else { return None };
        let mut entries = MappingEntries::default();
        let mut seen = HashSet::new();
        for (key, value) in own {
            match key.text() {
                Ok(Some("<<")) => {}
                Ok(Some(name)) if seen.insert(name) => entries.members.push((name, key, value)),
                Ok(Some(_)) => entries.repeated.push(key),
                Ok(None) | Err(_) => entries.nameless.push(key),
            }
        }
        for (_, merged) in own.iter().filter(|(key, _)| key.is("<<")) {
            for source in sources(merged).iter().filter(|source| !source.is_null()) {
                let Some(below) = source.entries() else {
                    entries.unmerged.push(source);
                    continue;
                };
                entries.members.extend(below.members.into_iter().filter(|(name, ..)| seen.insert(*name)));
                // The defects of a merged mapping may be under a key that no caller reads, so report them here as well.
                entries.repeated.extend(below.repeated);
                entries.nameless.extend(below.nameless);
                entries.unmerged.extend(below.unmerged);
            }
        }
        Some(entries)
    }

    /// The whole node as JSON, with plain scalars interpreted by the core schema of YAML 1.2; the error is the position
    /// of the first key that JSON cannot represent. `.inf` and `.nan` become strings, since JSON has no such numbers.
    pub fn value(&self) -> Result<Value, LineColumn> {
        match &self.content {
            Content::Null => Ok(Value::Null),
            Content::Plain(text) => Ok(plain_value(text)),
            Content::Text(text) => Ok(Value::String(text.clone())),
            Content::Sequence(items) => items.iter().map(|item| item.value()).collect(),
            Content::Mapping(_) => {
                let entries = self.entries().unwrap_or_default();
                if let Some(key) = [entries.repeated, entries.nameless, entries.unmerged].concat().first() {
                    return Err(key.position);
                }
                let members = entries.members.into_iter().map(|(name, _, value)| Ok((name.to_owned(), value.value()?)));
                members.collect::<Result<Map<_, _>, _>>().map(Value::Object)
            }
        }
    }

    fn is(&self, key: &str) -> bool {
        matches!(&self.content, Content::Plain(text) | Content::Text(text) if text == key)
    }
}

/// The mappings that a merge key names: one, or several.
fn sources(merged: &Rc<Node>) -> &[Rc<Node>] {
    match &merged.content {
        Content::Sequence(items) => items.as_slice(),
        Content::Null | Content::Plain(_) | Content::Text(_) | Content::Mapping(_) => std::slice::from_ref(merged),
    }
}

/// The entries of a mapping.
#[derive(Debug, Default)]
pub struct MappingEntries<'a> {
    /// Names, keys and values; names are unique.
    pub members: Vec<(&'a str, &'a Node, &'a Node)>,
    /// Keys that stand in the mapping before.
    pub repeated: Vec<&'a Node>,
    /// Keys that are null or not scalars.
    pub nameless: Vec<&'a Node>,
    /// Values of merge keys that are not mappings.
    pub unmerged: Vec<&'a Node>,
}
