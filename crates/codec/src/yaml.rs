//! A YAML document as a tree, with anchors resolved and merge keys (`<<`) followed.
//!
//! The parser is granit-parser's; this puts its events together. A crate that fills Rust types from YAML brings a
//! second scanner for streams and a renderer of error messages along, which made up a tenth of the binary.

use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput};
use serde_json::{Map, Number, Value};

/// Levels of nesting, those below an alias included. Deeper documents are refused, since walks through them recurse.
pub const MAX_DEPTH: usize = 64;

/// Nodes, those below an alias counted again. Documents with more are refused: few bytes of aliases to aliases would
/// stand for any number.
pub const MAX_NODES: usize = 250_000;

/// Where something is in the text, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1.
    pub line: u64,
    /// The column, from 1.
    pub column: u64,
}

/// Why a text is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It is no YAML from here on.
    NotYaml(Place),
    /// What begins here has more nodes than any document may have.
    TooLarge(Place),
    /// What begins here is nested deeper than any document may be.
    TooDeep(Place),
}

impl Unreadable {
    /// Where.
    #[must_use]
    pub fn place(self) -> Place {
        match self {
            Self::NotYaml(place) | Self::TooLarge(place) | Self::TooDeep(place) => place,
        }
    }
}

/// A value and its place.
#[derive(Debug)]
pub struct Node {
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
    /// Without quotes: what it is depends on what it looks like.
    Plain(String),
    /// In quotes, or as a block: a text whatever it looks like.
    Text(String),
    Sequence(Vec<Rc<Node>>),
    /// Keys and values in the order written.
    Mapping(Vec<(Rc<Node>, Rc<Node>)>),
}

impl Node {
    /// Reads the only document of a text, or says where it cannot be read. An empty text is null.
    pub fn parse(text: &str) -> Result<Rc<Self>, Unreadable> {
        let mut builder = Builder::default();
        let mut parser = Parser::<StrInput>::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| Unreadable::NotYaml(place_of_error(&error)))?;
            builder.take(event, place(&span.start))?;
        }
        Ok(builder.root.unwrap_or_else(|| Rc::new(Self::leaf(Place { line: 1, column: 1 }, Content::Null))))
    }

    fn leaf(place: Place, content: Content) -> Self {
        Self { place, content, nodes: 1, depth: 1 }
    }

    /// A node of others, if that does not get too much.
    fn branch(place: Place, content: Content) -> Result<Self, Unreadable> {
        let measure = |(nodes, depth): (usize, usize), below: &Node| (nodes + below.nodes, depth.max(below.depth));
        let (nodes, depth) = match &content {
            Content::Null | Content::Plain(_) | Content::Text(_) => (0, 0),
            Content::Sequence(items) => items.iter().fold((0, 0), |sum, item| measure(sum, item)),
            Content::Mapping(entries) => {
                entries.iter().fold((0, 0), |sum, (key, value)| measure(measure(sum, key), value))
            }
        };
        if nodes >= MAX_NODES {
            return Err(Unreadable::TooLarge(place));
        }
        if depth >= MAX_DEPTH {
            return Err(Unreadable::TooDeep(place));
        }
        Ok(Self { place, content, nodes: nodes + 1, depth: depth + 1 })
    }

    /// The value of a key, in the mapping itself or in one that it merges. Null has no keys; anything else that is
    /// not a mapping, and a mapping that has the key twice, is a mistake at the place returned.
    pub fn get(&self, key: &str) -> Result<Option<&Self>, Place> {
        let entries = match &self.content {
            Content::Null => return Ok(None),
            Content::Mapping(entries) => entries,
            Content::Plain(_) | Content::Text(_) | Content::Sequence(_) => return Err(self.place),
        };
        let mut own = entries.iter().filter(|(name, _)| name.is(key));
        if let Some((_, value)) = own.next() {
            return own.next().map_or(Ok(Some(&**value)), |(again, _)| Err(again.place));
        }
        for (_, merged) in entries.iter().filter(|(name, _)| name.is("<<")) {
            // The first that has the key wins (https://yaml.org/type/merge.html).
            for source in sources(merged) {
                if let Some(value) = source.get(key)? {
                    return Ok(Some(value));
                }
            }
        }
        Ok(None)
    }

    /// The text of a scalar as written (numbers too), nothing for null, or the place of what is neither.
    pub fn text(&self) -> Result<Option<&str>, Place> {
        match &self.content {
            Content::Null => Ok(None),
            Content::Plain(text) | Content::Text(text) => Ok(Some(text)),
            Content::Sequence(_) | Content::Mapping(_) => Err(self.place),
        }
    }

    /// A truth value of YAML's core schema, false for null, or the place of what is neither.
    pub fn switch(&self) -> Result<bool, Place> {
        match self.text()? {
            None | Some("false" | "False" | "FALSE") => Ok(false),
            Some("true" | "True" | "TRUE") => Ok(true),
            Some(_) => Err(self.place),
        }
    }

    /// Whether it is a sequence with something in it.
    #[must_use]
    pub fn is_filled_list(&self) -> bool {
        matches!(&self.content, Content::Sequence(items) if !items.is_empty())
    }

    /// Where it begins.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// Whether there is nothing.
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

    /// What a mapping has, with what it merges behind what it has itself; `None` for anything else.
    #[must_use]
    pub fn entries(&self) -> Option<Entries<'_>> {
        let Content::Mapping(own) = &self.content else { return None };
        let mut entries = Entries::default();
        let mut seen = HashSet::new();
        for (key, value) in own {
            match key.text() {
                Ok(Some("<<")) => {}
                Ok(Some(name)) if seen.insert(name) => entries.found.push((name, key, value)),
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
                entries.found.extend(below.found.into_iter().filter(|(name, ..)| seen.insert(*name)));
                // What it is an anchor of may be under a key that nobody else reads.
                entries.repeated.extend(below.repeated);
                entries.nameless.extend(below.nameless);
                entries.unmerged.extend(below.unmerged);
            }
        }
        Some(entries)
    }

    /// All of it as JSON, plain scalars by the core schema of YAML 1.2; or the first key that JSON cannot have. `.inf`
    /// and `.nan` are texts, since JSON has no such numbers.
    pub fn value(&self) -> Result<Value, Place> {
        match &self.content {
            Content::Null => Ok(Value::Null),
            Content::Plain(text) => Ok(plain_value(text)),
            Content::Text(text) => Ok(Value::String(text.clone())),
            Content::Sequence(items) => items.iter().map(|item| item.value()).collect(),
            Content::Mapping(_) => {
                let entries = self.entries().unwrap_or_default();
                if let Some(key) = [entries.repeated, entries.nameless, entries.unmerged].concat().first() {
                    return Err(key.place);
                }
                let members = entries.found.into_iter().map(|(name, _, value)| Ok((name.to_owned(), value.value()?)));
                members.collect::<Result<Map<_, _>, _>>().map(Value::Object)
            }
        }
    }

    fn is(&self, key: &str) -> bool {
        matches!(&self.content, Content::Plain(text) | Content::Text(text) if text == key)
    }
}

/// What a merge key names: one mapping, or several.
fn sources(merged: &Rc<Node>) -> &[Rc<Node>] {
    match &merged.content {
        Content::Sequence(items) => items.as_slice(),
        Content::Null | Content::Plain(_) | Content::Text(_) | Content::Mapping(_) => std::slice::from_ref(merged),
    }
}

/// What is in a mapping.
#[derive(Debug, Default)]
pub struct Entries<'a> {
    /// Names, keys and values; no name twice.
    pub found: Vec<(&'a str, &'a Node, &'a Node)>,
    /// Keys that the mapping has already.
    pub repeated: Vec<&'a Node>,
    /// Keys that are no scalars, or null.
    pub nameless: Vec<&'a Node>,
    /// What a merge key names and is no mapping.
    pub unmerged: Vec<&'a Node>,
}

/// What a scalar without quotes is by the core schema (YAML 1.2.2 §10.3.2).
fn plain_value(text: &str) -> Value {
    match text {
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

fn number(text: &str) -> Option<Number> {
    for (prefix, radix) in [("0o", 8), ("0x", 16)] {
        if let Some(digits) = text.strip_prefix(prefix).filter(|digits| !digits.starts_with(['+', '-'])) {
            return u64::from_str_radix(digits, radix).ok().map(Number::from);
        }
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !unsigned.is_empty() && digits(unsigned) {
        let positive = text.strip_prefix('+').unwrap_or(text);
        if let Ok(integer) = positive.parse::<i64>() {
            return Some(integer.into());
        }
        if let Ok(integer) = positive.parse::<u64>() {
            return Some(integer.into());
        }
    }
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let is_float = digits(whole) && digits(fraction) && whole.len() + fraction.len() > 0;
    let is_float = is_float && !exponent.is_empty() && digits(exponent);
    // One beyond the range of floats is none in JSON.
    if is_float { Number::from_f64(text.parse().ok()?) } else { None }
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
    fn take(&mut self, event: Event<'_>, place: Place) -> Result<(), Unreadable> {
        match event {
            Event::DocumentStart(..) if self.root.is_some() => Err(Unreadable::NotYaml(place)),
            Event::SequenceStart(_, anchor, _) => self.enter(place, anchor, false),
            Event::MappingStart(_, anchor, _) => self.enter(place, anchor, true),
            Event::SequenceEnd | Event::MappingEnd => self.leave(place),
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
                self.place(Rc::new(Node::leaf(place, content)), anchor)
            }
            // One that is still open would hold itself.
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned().ok_or(Unreadable::NotYaml(place))?;
                self.place(node, 0)
            }
            _ => Ok(()),
        }
    }

    fn enter(&mut self, place: Place, anchor: usize, mapping: bool) -> Result<(), Unreadable> {
        if self.open.len() >= MAX_DEPTH {
            return Err(Unreadable::TooDeep(place));
        }
        self.open.push(Open { place, anchor, mapping, nodes: Vec::new() });
        Ok(())
    }

    fn leave(&mut self, end: Place) -> Result<(), Unreadable> {
        let Open { place, anchor, mapping, nodes } = self.open.pop().ok_or(Unreadable::NotYaml(end))?;
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
    fn place(&mut self, node: Rc<Node>, anchor: usize) -> Result<(), Unreadable> {
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        match self.open.last_mut() {
            Some(open) => open.nodes.push(node),
            None if self.root.is_some() => return Err(Unreadable::NotYaml(node.place)),
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(text: &str) -> Value {
        Node::parse(text).expect("YAML").value().expect("JSON")
    }

    #[test]
    fn plain_scalars_are_what_the_core_schema_says_and_quoted_ones_are_texts() {
        for (text, wanted) in [
            ("0", json!(0)),
            ("-12", json!(-12)),
            ("+7", json!(7)),
            ("007", json!(7)),
            ("0o17", json!(15)),
            ("0xFf", json!(255)),
            ("18446744073709551615", json!(u64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("18446744073709551616", json!(18_446_744_073_709_551_616_f64)),
            ("1.50", json!(1.5)),
            (".5", json!(0.5)),
            ("-2.", json!(-2.0)),
            ("1e3", json!(1000.0)),
            ("1E-2", json!(0.01)),
            ("True", json!(true)),
            ("FALSE", json!(false)),
            ("~", json!(null)),
            ("", json!(null)),
            ("yes", json!("yes")),
            ("1e999", json!("1e999")),
            (".inf", json!(".inf")),
            (".nan", json!(".nan")),
            ("0x", json!("0x")),
            ("0x+1", json!("0x+1")),
            ("e5", json!("e5")),
            ("1e", json!("1e")),
            (".", json!(".")),
            ("1_000", json!("1_000")),
            ("+", json!("+")),
            ("2019-01-01", json!("2019-01-01")),
            ("'1'", json!("1")),
            ("\"true\"", json!("true")),
            ("'~'", json!("~")),
            ("|\n  5\n", json!("5\n")),
            ("!!str 5", json!("5")),
            ("!!int '5'", json!(5)),
            ("!other 5", json!("5")),
        ] {
            assert_eq!(value(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn a_mapping_has_its_own_entries_then_those_it_merges_the_first_of_a_name() {
        let text = "a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4, <<: {w: 5}}\nc: {<<: [*b, *a], z: 6}\n";
        let root = Node::parse(text).expect("YAML");
        let merged = root.get("c").expect("a mapping").expect("there");
        let entries = merged.entries().expect("a mapping");
        let names: Vec<_> = entries.found.iter().map(|(name, key, _)| (*name, key.place().line)).collect();
        assert_eq!(names, [("z", 3), ("y", 2), ("w", 2), ("x", 1)]);
        assert_eq!(merged.value(), Ok(json!({"z": 6, "y": 3, "w": 5, "x": 1})));
    }

    #[test]
    fn keys_that_come_twice_or_have_no_name_and_merges_of_other_things_are_told_apart() {
        let root = Node::parse("a: 1\nb: 2\n'a': 3\n[x]: 4\n~: 5\n<<: 6\n").expect("YAML");
        let entries = root.entries().expect("a mapping");
        let lines = |nodes: &[&Node]| nodes.iter().map(|node| node.place().line).collect::<Vec<_>>();
        assert_eq!(entries.found.len(), 2);
        assert_eq!(lines(&entries.repeated), [3]);
        assert_eq!(lines(&entries.nameless), [4, 5]);
        assert_eq!(lines(&entries.unmerged), [6]);
        assert_eq!(root.value(), Err(Place { line: 3, column: 1 }));
        assert!(Node::parse("[1]").expect("YAML").entries().is_none());
    }
}
