//! Parses a file of actions into a [`Service`], or reports all its mistakes at once.
//!
//! Both generations of the specification and their different names are accepted. The parser does not look for programs
//! or environment variables: the configuration does.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use bandog_codec::yaml::{LineColumn, MAX_DEPTH, MAX_NODES, Node, YamlError};

use crate::service::{Generation, Service};
use context::FileContext;
use cursor::{Cursor, Fields};
use report::Report;

mod action;
mod argument;
mod context;
mod cursor;
mod environment;
mod interface;
mod paths;
mod report;
mod schema;
mod service;
#[cfg(test)]
mod tests;

pub use report::Diagnostic;

/// The maximum size of a file in bytes. A larger one is refused: it is some other file.
pub const MAX_BYTES: u64 = 1024 * 1024;

/// Keys at the root that concern the platform. Other unknown keys are accepted there too.
const PLATFORM: [&str; 7] = ["auth", "fromOpenAPIVersion", "hostedExternally", "scale", "source", "system", "volumes"];

/// The outcome of parsing a file.
#[derive(Debug, Default)]
pub struct ParsedFile {
    /// The service; `None` if there is a mistake.
    pub service: Option<Service>,
    /// All mistakes, in the order of the lines.
    pub mistakes: Vec<Diagnostic>,
    /// Warnings, which do not prevent a start.
    pub warnings: Vec<Diagnostic>,
    /// Whether an action has been left out.
    pub has_left_out: bool,
    /// The lines of actions, commands and variables by their paths, for mistakes found later.
    pub lines: BTreeMap<String, u64>,
}

impl Service {
    /// Parses the bytes of `file`.
    #[must_use]
    pub fn read(file: &Path, bytes: &[u8]) -> ParsedFile {
        Self::parse(file, bytes, false)
    }

    /// Parses the bytes of `file`, and leaves out actions with a mistake, which is a warning then.
    #[must_use]
    pub fn read_leniently(file: &Path, bytes: &[u8]) -> ParsedFile {
        Self::parse(file, bytes, true)
    }

    fn parse(file: &Path, bytes: &[u8], leaves_out: bool) -> ParsedFile {
        let mut report = Report::new(leaves_out);
        let service = text(bytes, &mut report).and_then(|text| root(file, text, &mut report));
        let has_left_out = report.has_left_out();
        let (mistakes, warnings, lines) = report.finish();
        ParsedFile { service: service.filter(|_| mistakes.is_empty()), mistakes, warnings, has_left_out, lines }
    }
}

fn text<'a>(bytes: &'a [u8], report: &mut Report) -> Option<&'a str> {
    if bytes.len() as u64 > MAX_BYTES {
        report.error_at(1, "", "expected a file of at most 1 MiB");
        return None;
    }
    str::from_utf8(bytes)
        .map_err(|error| {
            let before = &bytes[..error.valid_up_to()];
            let lines = before.split(|byte| *byte == b'\n').count() as u64;
            report.error_at(lines, "", format!("expected YAML in UTF-8; byte {} of the file is not", before.len()));
        })
        .ok()
}

fn root(file: &Path, text: &str, report: &mut Report) -> Option<Service> {
    let tree = Node::parse(text)
        .map_err(|error| {
            let (line, advice) = match error {
                YamlError::NotYaml(place) => unreadable(text, place),
                YamlError::TooLarge(LineColumn { line, .. }) => (
                    line,
                    format!("the value that begins here is too large, expected fewer than {MAX_NODES} values, counting aliases in full"),
                ),
                YamlError::TooDeep(LineColumn { line, .. }) => {
                    (line, format!("the value that begins here is nested too deeply, expected at most {MAX_DEPTH} levels"))
                }
            };
            report.error_at(line, "", advice);
        })
        .ok()?;
    let root = Cursor::root(&tree);
    if root.is_null() {
        report.error(&root, "the file is empty; expected oms: 1, info and actions");
        return None;
    }
    let mut fields = Fields::of(&root, report)?;
    let generation = generation(&mut fields, report);
    for key in PLATFORM {
        fields.known(key);
    }
    let rpc = fields.take(report, &["rpc"]).is_some();
    let context = FileContext { generation, rpc, port: port(&tree) };
    let info = fields.take(report, &["info"]);
    let info = service::info(&info.unwrap_or_else(|| root.below("info")), report);
    let mut paths = Vec::new();
    let is_declared = fields.has("actions") || fields.has("commands");
    let given = fields.take(report, &["actions", "commands"]);
    let actions = match &given {
        Some(actions) => action::all(actions, &context, &mut paths, report),
        None => Vec::new(),
    };
    let near = cursor::nearest("actions", fields.names()).filter(|_| !is_declared);
    let lifecycle = fields.take(report, &["lifecycle"]).map(|cursor| service::lifecycle(&cursor, report));
    let health = fields.take(report, &["health"]).and_then(|cursor| service::health(&cursor, &context, report));
    let environment =
        fields.take(report, &["environment", "env"]).map(|cursor| environment::variables(&cursor, report));
    let forwards = fields.take(report, &["forwards", "forward", "expose"]);
    let forwards: Option<Vec<_>> = forwards.map(|cursor| service::forwards(&cursor, &context, &mut paths, report));
    let metrics = fields.take(report, &["metrics", "prometheus"]);
    let metrics = metrics.and_then(|cursor| service::metrics(&cursor, &context, report));
    // A service may have nothing but a server, some of whose paths are forwarded.
    let is_empty = actions.is_empty() && forwards.as_ref().is_none_or(Vec::is_empty);
    match near {
        Some(near) => {
            let advice = format!("missing; expected the actions of the service; did you mean {near}?");
            report.error(&root.below("actions"), advice);
        }
        None if is_empty && !report.has_mistakes() && !report.has_left_out() => {
            report.warn(
                &given.unwrap_or_else(|| root.below("actions")),
                "no actions and no forwards: there is nothing to call",
            );
        }
        None => {}
    }
    fields.end_at_root(report);
    paths::check(&paths, report);
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

/// The line of a YAML error at `place`, and advice.
fn unreadable(text: &str, place: LineColumn) -> (u64, String) {
    let lines = || (1..).zip(text.lines()).skip_while(|(number, _)| *number < place.line);
    // The parser reports the line before a tab, whose value it finds incomplete.
    let is_tabbed = |line: &str| line.trim_start_matches(' ').starts_with('\t');
    if let Some((number, _)) = lines().take(2).find(|(_, line)| is_tabbed(line)) {
        return (number, "the line begins with a tab; YAML is indented with spaces".to_owned());
    }
    if let Some((number, _)) = (1..).zip(text.lines()).find(|(_, line)| line.contains('\0')) {
        return (number, "the line contains a NUL byte; expected YAML in UTF-8".to_owned());
    }
    let column = usize::try_from(place.column).unwrap_or(usize::MAX);
    let rest: String = lines().next().into_iter().flat_map(|(_, line)| line.chars().skip(column - 1)).collect();
    let advice = if let Some(name) = rest.strip_prefix('*').and_then(|name| name.split([' ', ',', ']', '}']).next()) {
        format!("*{name} refers to &{name}, which is not defined above it")
    } else if rest.starts_with("---") {
        "a second document begins; a file of actions has one".to_owned()
    } else {
        let advice = "a string with a brace, a colon or # in it needs quotes";
        format!("cannot be read as YAML from column {} on; {advice}", place.column)
    };
    (place.line, advice)
}

/// The generation of the file, which must declare it.
fn generation(fields: &mut Fields<'_>, report: &mut Report) -> Generation {
    let (oms, omg) = (fields.take(report, &["oms"]), fields.take(report, &["omg"]));
    for cursor in [&oms, &omg].into_iter().flatten() {
        if !matches!(cursor.scalar(), Some("1" | "1.0")) {
            report.error(cursor, "expected 1, the only version there is");
        }
    }
    match (oms, omg) {
        (None, None) if fields.has("commands") => {
            // The earliest files of 2018 have no version.
            report.warn(&fields.at().below("omg"), "missing; taken for omg: 1, since there are commands");
            Generation::Omg
        }
        (None, None) => {
            report.error(&fields.at().below("oms"), "missing; expected oms: 1 (omg: 1 in files of 2018)");
            Generation::Oms
        }
        (None, Some(_)) => Generation::Omg,
        (Some(_), _) => Generation::Oms,
    }
}

/// The port of the service's own process: `lifecycle.startup.port`, else the only port that the file names.
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
    for group in ["actions", "commands", "forwards", "forward", "expose"] {
        let members = root.get(group).ok().flatten().and_then(Node::entries).unwrap_or_default().members;
        named.extend(members.into_iter().filter_map(|(_, _, member)| get(member, &["http", "port"])));
    }
    let only = named.pop_first();
    only.filter(|_| named.is_empty())
}
