//! A YAML document as a tree, with anchors resolved and merge keys (`<<`) followed.
//!
//! The parser is granit-parser's; this puts its events together. A crate that fills Rust types from YAML brings a
//! second scanner for streams and a renderer of error messages along, which made up a tenth of the binary.

use std::{collections::HashMap, rc::Rc};

use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput};

/// Levels of nesting, those below an alias included. Deeper documents are refused, since walks through them recurse.
const MAX_DEPTH: usize = 64;

/// Nodes, those below an alias counted again. Documents with more are refused: few bytes of aliases to aliases would
/// stand for any number.
const MAX_NODES: usize = 250_000;

/// Where something is in the text, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

/// A value and its place.
#[derive(Debug)]
pub(crate) struct Node {
    place: Place,
    content: Content,
    /// Itself and all below.
    nodes: usize,
    /// The longest way down, itself included.
    depth: usize,
}

#[derive(Debug)]
enum Content {
    Null,
    Text(String),
    Sequence(Vec<Rc<Node>>),
    /// Keys and values in the order written.
    Mapping(Vec<(Rc<Node>, Rc<Node>)>),
}

impl Node {
    /// Reads the only document of a text, or says where it cannot be read. An empty text is null.
    pub(crate) fn parse(text: &str) -> Result<Rc<Self>, Place> {
        let mut builder = Builder::default();
        let mut parser = Parser::<StrInput>::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| place_of_error(&error))?;
            builder.take(event, place(&span.start))?;
        }
        Ok(builder.root.unwrap_or_else(|| Rc::new(Self::leaf(Place { line: 1, column: 1 }, Content::Null))))
    }

    fn leaf(place: Place, content: Content) -> Self {
        Self { place, content, nodes: 1, depth: 1 }
    }

    /// A node of others, if that does not get too much.
    fn branch(place: Place, content: Content) -> Result<Self, Place> {
        let measure = |(nodes, depth): (usize, usize), below: &Node| (nodes + below.nodes, depth.max(below.depth));
        let (nodes, depth) = match &content {
            Content::Null | Content::Text(_) => (0, 0),
            Content::Sequence(items) => items.iter().fold((0, 0), |sum, item| measure(sum, item)),
            Content::Mapping(entries) => {
                entries.iter().fold((0, 0), |sum, (key, value)| measure(measure(sum, key), value))
            }
        };
        if nodes >= MAX_NODES || depth >= MAX_DEPTH {
            return Err(place);
        }
        Ok(Self { place, content, nodes: nodes + 1, depth: depth + 1 })
    }

    /// The value of a key, in the mapping itself or in one that it merges. Null has no keys; anything else that is
    /// not a mapping, and a mapping that has the key twice, is a mistake at the place returned.
    pub(crate) fn get(&self, key: &str) -> Result<Option<&Self>, Place> {
        let entries = match &self.content {
            Content::Null => return Ok(None),
            Content::Mapping(entries) => entries,
            Content::Text(_) | Content::Sequence(_) => return Err(self.place),
        };
        let mut own = entries.iter().filter(|(name, _)| name.is(key));
        if let Some((_, value)) = own.next() {
            return own.next().map_or(Ok(Some(&**value)), |(again, _)| Err(again.place));
        }
        for (_, merged) in entries.iter().filter(|(name, _)| name.is("<<")) {
            let sources = match &merged.content {
                Content::Sequence(items) => items.as_slice(),
                _ => std::slice::from_ref(merged),
            };
            // The first that has the key wins (https://yaml.org/type/merge.html).
            for source in sources {
                if let Some(value) = source.get(key)? {
                    return Ok(Some(value));
                }
            }
        }
        Ok(None)
    }

    /// The text of a scalar as written (numbers too), nothing for null, or the place of what is neither.
    pub(crate) fn text(&self) -> Result<Option<&str>, Place> {
        match &self.content {
            Content::Null => Ok(None),
            Content::Text(text) => Ok(Some(text)),
            Content::Sequence(_) | Content::Mapping(_) => Err(self.place),
        }
    }

    /// A truth value of YAML's core schema, false for null, or the place of what is neither.
    pub(crate) fn switch(&self) -> Result<bool, Place> {
        match self.text()? {
            None | Some("false" | "False" | "FALSE") => Ok(false),
            Some("true" | "True" | "TRUE") => Ok(true),
            Some(_) => Err(self.place),
        }
    }

    /// Whether it is a sequence with something in it.
    pub(crate) fn is_filled_list(&self) -> bool {
        matches!(&self.content, Content::Sequence(items) if !items.is_empty())
    }

    fn is(&self, key: &str) -> bool {
        matches!(&self.content, Content::Text(text) if text == key)
    }
}

/// What has been put together so far.
#[derive(Debug, Default)]
struct Builder {
    root: Option<Rc<Node>>,
    /// Outermost first.
    open: Vec<Open>,
    /// By the number that the parser gives them.
    anchors: HashMap<usize, Rc<Node>>,
}

/// A sequence or mapping whose end has not come yet.
#[derive(Debug)]
struct Open {
    place: Place,
    anchor: usize,
    mapping: bool,
    /// Of a mapping, keys and values in turn.
    nodes: Vec<Rc<Node>>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, place: Place) -> Result<(), Place> {
        match event {
            Event::DocumentStart(..) if self.root.is_some() => Err(place),
            Event::SequenceStart(_, anchor, _) => self.enter(place, anchor, false),
            Event::MappingStart(_, anchor, _) => self.enter(place, anchor, true),
            Event::SequenceEnd | Event::MappingEnd => self.leave(place),
            Event::Scalar(text, style, anchor, tag) => {
                let plain = match &tag {
                    None => style == ScalarStyle::Plain,
                    Some(tag) => tag.is_yaml_core_schema_tag("null"),
                };
                let null = plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let content = if null { Content::Null } else { Content::Text(text.into_owned()) };
                self.place(Rc::new(Node::leaf(place, content)), anchor)
            }
            // One that is still open would hold itself.
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned().ok_or(place)?;
                self.place(node, 0)
            }
            _ => Ok(()),
        }
    }

    fn enter(&mut self, place: Place, anchor: usize, mapping: bool) -> Result<(), Place> {
        if self.open.len() >= MAX_DEPTH {
            return Err(place);
        }
        self.open.push(Open { place, anchor, mapping, nodes: Vec::new() });
        Ok(())
    }

    fn leave(&mut self, end: Place) -> Result<(), Place> {
        let Open { place, anchor, mapping, nodes } = self.open.pop().ok_or(end)?;
        let content = if mapping {
            let mut nodes = nodes.into_iter();
            let pairs = std::iter::from_fn(|| nodes.next().zip(nodes.next()));
            Content::Mapping(pairs.collect())
        } else {
            Content::Sequence(nodes)
        };
        self.place(Rc::new(Node::branch(place, content)?), anchor)
    }

    /// Puts a whole node where it belongs.
    fn place(&mut self, node: Rc<Node>, anchor: usize) -> Result<(), Place> {
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        match self.open.last_mut() {
            Some(open) => open.nodes.push(node),
            None if self.root.is_some() => return Err(node.place),
            None => self.root = Some(node),
        }
        Ok(())
    }
}

fn place(marker: &Marker) -> Place {
    // The parser counts columns from 0.
    Place { line: marker.line() as u64, column: marker.col() as u64 + 1 }
}

fn place_of_error(error: &ScanError) -> Place {
    place(error.marker())
}
