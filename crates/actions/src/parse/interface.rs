//! Parses the interface of an action: `format`, `http`, `rpc`, `events`, and their equivalents of 2018.

use http::{Method, Uri, uri::Authority};

use super::{
    argument::DeclaredArgument,
    context::FileContext,
    cursor::{Cursor, Fields, nearest},
    report::Report,
    schema::takes_files,
};
use crate::{
    action::{Endpoint, HttpCall, Interface, MediaType},
    location::Location,
    service::Generation,
    template::{Piece, Template},
};

const METHODS: [(&str, Method); 5] = [
    ("get", Method::GET),
    ("post", Method::POST),
    ("put", Method::PUT),
    ("delete", Method::DELETE),
    ("patch", Method::PATCH),
];

/// The values of `format` in the earliest files that name the form of the output, and no command.
const OUTPUT_FORMS: [&str; 2] = ["text", "json"];

/// Programs that interpret a word as a script.
const SHELLS: [&str; 7] = ["sh", "ash", "bash", "busybox", "dash", "ksh", "zsh"];

/// Parses the interface, and returns the position of the request's path with it. Arguments that are in the path without
/// declaring it get that location.
pub(super) fn read<'a>(
    name: &str,
    fields: &mut Fields<'a>,
    context: &FileContext,
    declared: &mut [DeclaredArgument<'a>],
    report: &mut Report,
) -> Option<(Interface, Option<Cursor<'a>>)> {
    // `startup` in an action is the `events` of 2018.
    let keys = ["http", "rpc", "format", "events", "startup"];
    let mut given: Vec<_> = keys.into_iter().filter_map(|key| Some((key, fields.known(key)?))).collect();
    for (key, cursor) in given.iter().skip(1) {
        let advice = format!("{key} beside {}; an action has exactly one of http, rpc, format and events", given[0].0);
        report.error(&cursor.without_value(), advice);
    }
    if given.is_empty() {
        if context.rpc {
            return Some((Interface::Rpc, None));
        }
        match context.generation {
            Generation::Omg => return Some((Interface::Command(by_name(name)), None)),
            Generation::Oms => {}
        }
        report.error(fields.at(), "no interface; expected exactly one of http, rpc, format and events");
        return None;
    }
    let (key, cursor) = given.swap_remove(0);
    match key {
        "http" => http(&cursor, context, declared, report).map(|(call, path)| (Interface::Http(call), Some(path))),
        "format" => Some((Interface::Command(command(name, &cursor, declared, report)?), None)),
        "rpc" => Some((Interface::Rpc, None)),
        _ => Some((Interface::Events, None)),
    }
}

/// The command of an action that is run by its name.
fn by_name(name: &str) -> Vec<Template> {
    vec![Template { pieces: vec![Piece::Text(name.to_owned())] }]
}

fn command(
    name: &str,
    cursor: &Cursor<'_>,
    declared: &[DeclaredArgument<'_>],
    report: &mut Report,
) -> Option<Vec<Template>> {
    let cursor = if let Some(text) = cursor.scalar() {
        if OUTPUT_FORMS.contains(&text) {
            report.warn(
                cursor,
                "an early form, for an action that is run by its name; newer files have format: {command: …}",
            );
            return Some(by_name(name));
        }
        report.warn(cursor, "an early form, taken for the command; newer files have format: {command: …}");
        cursor.clone()
    } else {
        let mut fields = Fields::of(cursor, report)?;
        let Some(cursor) = fields.take(report, &["command"]) else {
            report.error(&cursor.below("command"), "missing; expected a program and its arguments");
            return None;
        };
        fields.end(report);
        cursor
    };
    report.record_line(&cursor);
    let is_argument = |name: &str| declared.iter().any(|declared| declared.argument.name == name);
    let words = cursor.words(report)?;
    let words: Vec<_> = words.iter().map(|word| Template::parse(word, is_argument)).collect();
    if !words[0].is_plain() {
        report.error(&cursor, format!("the program is {}; no argument can name it", words[0]));
    }
    if let Some(name) = script(&words).and_then(|script| script.names().next()) {
        let advice = format!(
            "the callers' {name} becomes part of the script; pass it as a word after the script, which reads it as $1: \
             [sh, -c, 'wc -- \"$1\"', sh, '{{{name}}}']"
        );
        report.warn(&cursor, advice);
    }
    warn_of_names(&cursor, &words, declared, report);
    Some(words)
}

/// The word that a shell interprets as a script: the one after its flag `-c`.
fn script(words: &[Template]) -> Option<&Template> {
    let program = words.first()?.to_string();
    let is_shell = SHELLS.contains(&program.rsplit('/').next().unwrap_or_default());
    let flag = |word: &Template| {
        let word = word.to_string();
        word.starts_with('-') && !word.starts_with("--") && word.contains('c')
    };
    words.iter().skip_while(|word| !flag(word)).nth(1).filter(|_| is_shell)
}

/// Warns of words that look like a misspelt argument. They may be intended: `awk` uses braces itself.
fn warn_of_names(cursor: &Cursor<'_>, words: &[Template], declared: &[DeclaredArgument<'_>], report: &mut Report) {
    for text in words.iter().flat_map(|word| &word.pieces) {
        let Piece::Text(text) = text else { continue };
        for name in Template::parse(text, |_| true).names().filter(|name| text.contains(&format!("{{{name}}}"))) {
            if let Some(near) = nearest(name, declared.iter().map(|declared| declared.argument.name.as_str())) {
                let advice = format!("{{{name}}} is not an argument and is passed unchanged; did you mean {{{near}}}?");
                report.warn(&cursor.without_value(), advice);
            }
        }
    }
}

fn http<'a>(
    cursor: &Cursor<'a>,
    context: &FileContext,
    declared: &mut [DeclaredArgument<'a>],
    report: &mut Report,
) -> Option<(HttpCall, Cursor<'a>)> {
    let mut fields = Fields::of(cursor, report)?;
    let method = fields.take(report, &["method"]);
    if method.is_none() {
        report.error(&cursor.below("method"), "missing; expected one of get, post, put, delete, patch");
    }
    let method = method.and_then(|cursor| {
        let text = cursor.scalar().unwrap_or_default();
        let known = METHODS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, method)| method.clone());
        known.or_else(|| cursor.choice(METHODS, report))
    });
    let port = fields.take(report, &["port"]);
    let path = fields.take(report, &["path", "endpoint"]);
    let url = fields.take(report, &["url"]);
    let content_type = fields.take(report, &["contentType"]).and_then(|cursor| media_type(&cursor, report));
    fields.end(report);
    let (endpoint, cursor) = if let Some(url) = url {
        for other in [&port, &path].into_iter().flatten() {
            report.error(&other.without_value(), "given together with url; keep one of them");
        }
        let (origin, path) = elsewhere(&url, report)?;
        let path = template(path, declared);
        (Endpoint::External { origin, path }, url)
    } else {
        let number = match &port {
            Some(cursor) => cursor.port(report),
            None => context.port,
        };
        if port.is_none() && number.is_none() {
            let advice = "missing; expected the port that the service listens on, here or in lifecycle.startup.port";
            report.error(&cursor.below("port"), advice);
        }
        let Some(path) = path else {
            report.error(&cursor.below("path"), "missing; expected a path such as /convert, or a url");
            return None;
        };
        let text = self::path(&path, report)?;
        // A missing port is reported above; parse the path all the same.
        (Endpoint::Service { port: number.unwrap_or_default(), path: template(text, declared) }, path)
    };
    let call = HttpCall { method: method?, endpoint, content_type: content_type.unwrap_or(MediaType::Json) };
    Some((call, cursor))
}

/// The path at a key; any other value is a mistake.
pub(super) fn path<'a>(cursor: &Cursor<'a>, report: &mut Report) -> Option<&'a str> {
    let text = cursor.text(report)?;
    if !text.starts_with('/') {
        report.error(cursor, "expected a path that begins with a slash");
        return None;
    }
    is_plain(text, cursor, report).then_some(text)
}

/// Whether the text can be in the first line of a request.
fn is_plain(text: &str, cursor: &Cursor<'_>, report: &mut Report) -> bool {
    if text.contains(['?', '#']) {
        report.error(cursor, "expected a path alone; declare parts of the query as arguments with in: query");
        return false;
    }
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_plain {
        report.error(cursor, "expected a path of ASCII without blanks; write other letters as %XX");
    }
    is_plain
}

/// The origin of a URL, and its path.
fn elsewhere<'a>(cursor: &Cursor<'a>, report: &mut Report) -> Option<(Uri, &'a str)> {
    let text = cursor.text(report)?;
    let lower = text.to_ascii_lowercase();
    let scheme = ["http", "https"].into_iter().find(|scheme| lower.starts_with(&format!("{scheme}://")));
    let Some(scheme) = scheme else {
        report.error(cursor, "expected an absolute URL with http:// or https://");
        return None;
    };
    let rest = &text[scheme.len() + "://".len()..];
    let (host, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let authority = host.parse::<Authority>().ok();
    let authority = authority.filter(|authority| {
        let has_port =
            authority.as_str().len() == authority.host().len() || authority.port_u16().is_some_and(|port| port != 0);
        !authority.host().is_empty() && !host.contains(['@', '{', '}']) && has_port
    });
    let origin = authority
        .and_then(|authority| Uri::builder().scheme(scheme).authority(authority).path_and_query("/").build().ok());
    let Some(origin) = origin else {
        report.error(cursor, "expected a URL with a host, without a user and without arguments in front of the path");
        return None;
    };
    if !is_plain(path, cursor, report) {
        return None;
    }
    Some((origin, if path.is_empty() { "/" } else { path }))
}

/// The path as a template. Arguments in it get the location `path`, unless the file declares another.
fn template(text: &str, declared: &mut [DeclaredArgument<'_>]) -> Template {
    let template = Template::parse(text, |name| declared.iter().any(|declared| declared.argument.name == name));
    for declared in declared {
        if declared.stated.is_none() && template.names().any(|name| name == declared.argument.name) {
            declared.stated = Some(Location::Path);
        }
    }
    template
}

/// Compares the placeholders of a path with the arguments' locations.
pub(super) fn check_places(
    endpoint: &Endpoint,
    cursor: &Cursor<'_>,
    declared: &[DeclaredArgument<'_>],
    report: &mut Report,
) {
    let (Endpoint::Service { path, .. } | Endpoint::External { path, .. }) = endpoint;
    let mut names: Vec<&str> = path.names().collect();
    for piece in &path.pieces {
        let Piece::Text(text) = piece else { continue };
        // Undeclared placeholders have been parsed as text.
        for name in places_in(text) {
            report.error(cursor, format!("{name} is in the path, but is not an argument of the action"));
        }
        if text.replace("{{", "{").contains(['{', '}']) && places_in(text).is_empty() {
            report.error(cursor, "unpaired brace; expected arguments in pairs of braces, as in /items/{id}");
        }
    }
    for DeclaredArgument { argument, stated, cursor: at } in declared {
        let count = names.iter().filter(|name| **name == argument.name).count();
        match (count, stated) {
            (0, Some(Location::Path)) => {
                report.error(at, format!("argument {} is not in the path {path}", argument.name));
            }
            (1.., Some(Location::Query | Location::Body | Location::Header)) => {
                let advice = format!("argument {} is in the path {path}; expected in: path", argument.name);
                report.error(at, advice);
            }
            (2.., _) => report.error(cursor, format!("argument {} is in the path twice", argument.name)),
            _ => {}
        }
        names.retain(|name| *name != argument.name);
    }
}

/// Checks that a body of one value has one argument.
pub(super) fn check_body(content_type: MediaType, declared: &[DeclaredArgument<'_>], report: &mut Report) {
    if content_type != MediaType::Bytes {
        return;
    }
    let in_body = declared.iter().filter(|declared| declared.argument.location == Location::Body);
    for DeclaredArgument { cursor, .. } in in_body.skip(1) {
        let advice = "a body of application/octet-stream holds a single argument; expected another location, or another \
                      contentType";
        report.error(&cursor.without_value(), advice);
    }
}

/// Checks that files are sent in the body if the server does not share the file system.
pub(super) fn check_files(endpoint: &Endpoint, declared: &[DeclaredArgument<'_>], report: &mut Report) {
    match endpoint {
        Endpoint::Service { .. } => return,
        Endpoint::External { .. } => {}
    }
    for DeclaredArgument { argument, cursor, .. } in declared {
        match argument.location {
            Location::Query | Location::Path | Location::Header if takes_files(&argument.schema) => {
                let place = argument.location.in_words();
                let advice =
                    format!("a file cannot be sent in {place} to a server elsewhere; expected in: requestBody");
                report.error(&cursor.without_value(), advice);
            }
            Location::Body | Location::Query | Location::Path | Location::Header => {}
        }
    }
}

/// The apparent placeholders in the literal text of a path: `{name}` anywhere, `:name` after a slash.
fn places_in(text: &str) -> Vec<String> {
    let template = Template::parse(text, |_| true);
    let mut before = "";
    let mut found = Vec::new();
    for piece in &template.pieces {
        match piece {
            Piece::Text(text) => before = text,
            Piece::Placeholder(name) => {
                let braces = text.contains(&format!("{{{name}}}"));
                if braces || before.ends_with('/') {
                    found.push(name.clone());
                }
                before = "";
            }
        }
    }
    found
}

pub(super) fn media_type(cursor: &Cursor<'_>, report: &mut Report) -> Option<MediaType> {
    cursor.choice(MediaType::ALL.map(|kind| (kind.as_str(), kind)), report)
}
