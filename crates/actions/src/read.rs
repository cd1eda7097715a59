//! The text of a file → a [`Service`], or everything that is wrong with it at once.
//!
//! Both generations of the specification are read, and what they call differently. Nothing here knows whether a
//! program is there or a variable is set: that is found out where the configuration is made.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use super::{Generation, Service};
use bandog_codec::yaml::{MAX_DEPTH, MAX_NODES, Node, Place, Unreadable};

mod action;
mod environment;
mod interface;
mod routes;
mod schema;
mod service;
#[cfg(test)]
mod tests;
mod walk;

use walk::{Fields, Notes, Spot};

/// Bytes of a file. One that is larger is some other file, and is refused.
pub const MAX_BYTES: u64 = 1024 * 1024;

/// The keys at the root that are the platform's business. All others that are not read are let through there too.
const PLATFORM: [&str; 7] = ["auth", "fromOpenAPIVersion", "hostedExternally", "scale", "source", "system", "volumes"];

/// What is said of a place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The line, from 1.
    pub line: u64,
    /// The keys on the way there: `actions.count.arguments.word.type`.
    pub path: String,
    /// What stands there, if it is a scalar that may be shown.
    pub value: Option<String>,
    /// What would have been right.
    pub advice: String,
}

impl std::fmt::Display for Remark {
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

/// What comes of reading a file.
#[derive(Debug, Default)]
pub struct Reading {
    /// The service; `None` if there is a mistake.
    pub service: Option<Service>,
    /// Everything that is wrong, in the order of the lines.
    pub mistakes: Vec<Remark>,
    /// What is odd but stops nothing.
    pub warnings: Vec<Remark>,
    /// The lines of actions, commands and variables, by their paths, for what is found out about them later.
    pub lines: BTreeMap<String, u64>,
}

impl Service {
    /// Reads the bytes of `file`.
    #[must_use]
    pub fn read(file: &Path, bytes: &[u8]) -> Reading {
        let mut notes = Notes::default();
        let service = text(bytes, &mut notes).and_then(|text| root(file, text, &mut notes));
        let (mistakes, warnings, lines) = notes.finish();
        Reading { service: service.filter(|_| mistakes.is_empty()), mistakes, warnings, lines }
    }
}

fn text<'a>(bytes: &'a [u8], notes: &mut Notes) -> Option<&'a str> {
    if bytes.len() as u64 > MAX_BYTES {
        notes.wrong_at(1, "", "expected a file of at most 1 MiB");
        return None;
    }
    str::from_utf8(bytes)
        .map_err(|error| {
            let before = &bytes[..error.valid_up_to()];
            let lines = before.split(|byte| *byte == b'\n').count() as u64;
            notes.wrong_at(lines, "", format!("expected YAML in UTF-8; byte {} of the file is not", before.len()));
        })
        .ok()
}

/// What is known of the whole file before its actions are read.
struct Setting {
    /// In 2018 an action without an interface is run by its name.
    generation: Generation,
    /// There is an `rpc` at the root, which is the interface of actions without one.
    rpc: bool,
    /// Where the service's own process listens, if a place names no port.
    port: Option<u16>,
}

fn root(file: &Path, text: &str, notes: &mut Notes) -> Option<Service> {
    let tree = Node::parse(text)
        .map_err(|error| {
            let (line, advice) = match error {
                Unreadable::NotYaml(place) => unreadable(text, place),
                Unreadable::TooLarge(Place { line, .. }) => (
                    line,
                    format!("what begins here has too many values, expected fewer than {MAX_NODES} with aliases"),
                ),
                Unreadable::TooDeep(Place { line, .. }) => {
                    (line, format!("what begins here is nested too deep, expected at most {MAX_DEPTH} levels"))
                }
            };
            notes.wrong_at(line, "", advice);
        })
        .ok()?;
    let root = Spot::root(&tree);
    if root.is_null() {
        notes.wrong(&root, "the file is empty; expected oms: 1, info and actions");
        return None;
    }
    let mut fields = Fields::of(&root, notes)?;
    let generation = generation(&mut fields, notes);
    for key in PLATFORM {
        fields.known(key);
    }
    let rpc = fields.take(notes, &["rpc"]).is_some();
    let setting = Setting { generation, rpc, port: port(&tree) };
    let info = fields.take(notes, &["info"]);
    let info = service::info(&info.unwrap_or_else(|| root.below("info")), notes);
    let mut routes = Vec::new();
    let actions = if let Some(actions) = fields.take(notes, &["actions", "commands"]) {
        action::all(&actions, &setting, &mut routes, notes)
    } else {
        let near = walk::nearest("actions", fields.names()).map(|near| format!("; did you mean {near}?"));
        let advice = format!("missing; expected what the service can do{}", near.unwrap_or_default());
        notes.wrong(&root.below("actions"), advice);
        Vec::new()
    };
    let lifecycle = fields.take(notes, &["lifecycle"]).map(|spot| service::lifecycle(&spot, notes));
    let health = fields.take(notes, &["health"]).and_then(|spot| service::health(&spot, &setting, notes));
    let environment = fields.take(notes, &["environment"]).map(|spot| environment::variables(&spot, notes));
    let forwards = fields.take(notes, &["forwards", "forward"]);
    let forwards = forwards.map(|spot| service::forwards(&spot, &setting, &mut routes, notes));
    let metrics = fields.take(notes, &["metrics", "prometheus"]);
    let metrics = metrics.and_then(|spot| service::metrics(&spot, &setting, notes));
    fields.end_at_root(notes);
    routes::check(&routes, notes);
    Some(Service {
        file: file.to_owned(),
        generation,
        info,
        actions: actions.into_iter().map(Arc::new).collect(),
        lifecycle: lifecycle.unwrap_or_default(),
        health,
        environment: environment.unwrap_or_default(),
        forwards: forwards.unwrap_or_default(),
        metrics,
    })
}

/// What is wrong with a text that is no YAML from `place` on, and in which line.
fn unreadable(text: &str, place: Place) -> (u64, String) {
    let lines = || (1..).zip(text.lines()).skip_while(|(number, _)| *number < place.line);
    // What a tab does not continue is what ends too early for the parser.
    let is_tabbed = |line: &str| line.trim_start_matches(' ').starts_with('\t');
    if let Some((number, _)) = lines().take(2).find(|(_, line)| is_tabbed(line)) {
        return (number, "the line begins with a tab; YAML is indented with blanks".to_owned());
    }
    if let Some((number, _)) = (1..).zip(text.lines()).find(|(_, line)| line.contains('\0')) {
        return (number, "a NUL is in the line; expected YAML in UTF-8".to_owned());
    }
    let column = usize::try_from(place.column).unwrap_or(usize::MAX);
    let rest: String = lines().next().into_iter().flat_map(|(_, line)| line.chars().skip(column - 1)).collect();
    let advice = if let Some(name) = rest.strip_prefix('*').and_then(|name| name.split([' ', ',', ']', '}']).next()) {
        format!("*{name} stands for what &{name} names, which is not above it")
    } else if rest.starts_with("---") {
        "another document begins; a file of actions has one".to_owned()
    } else {
        let advice = "a text with a brace, a colon or # in it needs quotes";
        format!("cannot be read as YAML from column {} on; {advice}", place.column)
    };
    (place.line, advice)
}

/// Of which generation the file is; that it says so is required.
fn generation(fields: &mut Fields<'_>, notes: &mut Notes) -> Generation {
    let (oms, omg) = (fields.take(notes, &["oms"]), fields.take(notes, &["omg"]));
    for spot in [&oms, &omg].into_iter().flatten() {
        if !matches!(spot.scalar(), Some("1" | "1.0")) {
            notes.wrong(spot, "expected 1, the only version there is");
        }
    }
    if oms.is_none() && omg.is_none() {
        notes.wrong(&fields.at().below("oms"), "missing; expected oms: 1 (omg: 1 in files of 2018)");
    }
    if oms.is_none() && omg.is_some() { Generation::Omg } else { Generation::Oms }
}

/// Where the service's own process listens: `lifecycle.startup.port`, else the one port that the file names.
fn port(root: &Node) -> Option<u16> {
    let get = |node: &Node, path: &[&str]| -> Option<u16> {
        let mut node = node;
        for key in path {
            node = node.get(key).ok().flatten()?;
        }
        node.text().ok().flatten()?.parse().ok().filter(|port| *port != 0)
    };
    if let Some(port) = get(root, &["lifecycle", "startup", "port"]) {
        return Some(port);
    }
    let mut named: BTreeSet<u16> = get(root, &["health", "http", "port"]).into_iter().collect();
    for group in ["actions", "commands", "forwards", "forward"] {
        let members = root.get(group).ok().flatten().and_then(Node::entries).unwrap_or_default().found;
        named.extend(members.into_iter().filter_map(|(_, _, member)| get(member, &["http", "port"])));
    }
    let only = named.pop_first();
    only.filter(|_| named.is_empty())
}

/// Any bytes: a service that holds what it promises, or mistakes; for fuzzing, and to show that none panics.
#[doc(hidden)]
pub fn read_anything(bytes: &[u8]) {
    let Reading { service, mistakes, .. } = Service::read(Path::new("oms.yml"), bytes);
    assert_eq!(service.is_none(), !mistakes.is_empty());
    let Some(service) = service else { return };
    let _ = (super::list::document(&service), super::list::text(&service));
    for (number, action) in service.actions.iter().enumerate() {
        assert!(service.actions[..number].iter().all(|other| other.name != action.name), "{} twice", action.name);
        for argument in &action.arguments {
            let default = argument.default.clone();
            let again = default.clone().map(|default| argument.schema.check(default).ok());
            assert!(again.is_none() || again == Some(default), "the default of {} fits", argument.name);
        }
    }
}
