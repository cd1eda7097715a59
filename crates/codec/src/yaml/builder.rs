//! Builds the tree from the parser's events.

use std::{collections::HashMap, rc::Rc};

use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput};

use super::{
    error::{LineColumn, YamlError},
    node::{Content, MAX_DEPTH, Node},
};

impl Node {
    /// Parses a text of a single document, or returns the position at which it fails. An empty text is null.
    pub fn parse(text: &str) -> Result<Rc<Self>, YamlError> {
        let mut builder = Builder::default();
        let mut parser = Parser::<StrInput>::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| YamlError::NotYaml(position_of_error(&error)))?;
            builder.take(event, position(&span.start))?;
        }
        Ok(builder.root.unwrap_or_else(|| Rc::new(Self::leaf(LineColumn { line: 1, column: 1 }, Content::Null))))
    }
}

/// The part of the tree that is complete, and the open collections.
#[derive(Debug, Default)]
struct Builder {
    root: Option<Rc<Node>>,
    /// Outermost first.
    open: Vec<OpenCollection>,
    /// By the numbers that the parser assigns.
    anchors: HashMap<usize, Rc<Node>>,
}

/// A sequence or mapping whose end has not been read.
#[derive(Debug)]
struct OpenCollection {
    position: LineColumn,
    anchor: usize,
    mapping: bool,
    /// For a mapping, keys and values alternate.
    nodes: Vec<Rc<Node>>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, position: LineColumn) -> Result<(), YamlError> {
        match event {
            Event::DocumentStart(..) if self.root.is_some() => Err(YamlError::NotYaml(position)),
            Event::SequenceStart(_, anchor, _) => self.enter(position, anchor, false),
            Event::MappingStart(_, anchor, _) => self.enter(position, anchor, true),
            Event::SequenceEnd | Event::MappingEnd => self.leave(position),
            Event::Scalar(text, style, anchor, tag) => {
                let is_tagged = |names: &[&str]| {
                    tag.as_ref().is_some_and(|tag| names.iter().any(|name| tag.is_yaml_core_schema_tag(name)))
                };
                let untagged = tag.is_none() && style == ScalarStyle::Plain;
                let looks_null = matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let content = if looks_null && (untagged || is_tagged(&["null"])) {
                    Content::Null
                } else if untagged || is_tagged(&["int", "float", "bool"]) {
                    Content::Plain(text.into_owned())
                } else {
                    Content::Text(text.into_owned())
                };
                self.attach(Rc::new(Node::leaf(position, content)), anchor)
            }
            // An anchor whose node is still open is not known here: the node would contain itself.
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned().ok_or(YamlError::NotYaml(position))?;
                self.attach(node, 0)
            }
            _ => Ok(()),
        }
    }

    fn enter(&mut self, position: LineColumn, anchor: usize, mapping: bool) -> Result<(), YamlError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(YamlError::TooDeep(position));
        }
        self.open.push(OpenCollection { position, anchor, mapping, nodes: Vec::new() });
        Ok(())
    }

    fn leave(&mut self, end: LineColumn) -> Result<(), YamlError> {
        let OpenCollection { position, anchor, mapping, nodes } = self.open.pop().ok_or(YamlError::NotYaml(end))?;
        let content = if mapping {
            let mut nodes = nodes.into_iter();
            let pairs = std::iter::from_fn(|| nodes.next().zip(nodes.next()));
            Content::Mapping(pairs.collect())
        } else {
            Content::Sequence(nodes)
        };
        self.attach(Rc::new(Node::branch(position, content)?), anchor)
    }

    /// Adds a complete node to the innermost open collection, or makes it the root.
    fn attach(&mut self, node: Rc<Node>, anchor: usize) -> Result<(), YamlError> {
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        match self.open.last_mut() {
            Some(open) => open.nodes.push(node),
            None if self.root.is_some() => return Err(YamlError::NotYaml(node.position())),
            None => self.root = Some(node),
        }
        Ok(())
    }
}

fn position(marker: &Marker) -> LineColumn {
    // The parser counts columns from 0.
    LineColumn { line: marker.line() as u64, column: marker.col() as u64 + 1 }
}

fn position_of_error(error: &ScanError) -> LineColumn {
    position(error.marker())
}
