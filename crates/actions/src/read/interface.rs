//! How an action is done: `format`, `http`, `rpc`, `events`, and what 2018 had in their place.

use http::{Method, Uri, uri::Authority};

use super::{
    Setting,
    action::{Located, media_type},
    schema::takes_files,
    walk::{Fields, Notes, Spot, nearest},
};
use crate::{Endpoint, Generation, HttpCall, Interface, Location, MediaType, Piece, Template};

const METHODS: [(&str, Method); 5] = [
    ("get", Method::GET),
    ("post", Method::POST),
    ("put", Method::PUT),
    ("delete", Method::DELETE),
    ("patch", Method::PATCH),
];

/// What takes a word for a script.
const SHELLS: [&str; 7] = ["sh", "ash", "bash", "busybox", "dash", "ksh", "zsh"];

/// Reads it, with where the path of a request stands. The arguments that stand in the path without saying so are told
/// that they do.
pub(super) fn read<'a>(
    name: &str,
    fields: &mut Fields<'a>,
    setting: &Setting,
    located: &mut [Located<'a>],
    notes: &mut Notes,
) -> Option<(Interface, Option<Spot<'a>>)> {
    // `startup` in an action is what 2018 had for events.
    let keys = ["http", "rpc", "format", "events", "startup"];
    let mut given: Vec<_> = keys.into_iter().filter_map(|key| Some((key, fields.known(key)?))).collect();
    for (key, spot) in given.iter().skip(1) {
        let advice = format!("{key} beside {}; an action has exactly one of http, rpc, format and events", given[0].0);
        notes.wrong(&spot.unquoted(), advice);
    }
    if given.is_empty() {
        if setting.rpc {
            return Some((Interface::Rpc, None));
        }
        match setting.generation {
            Generation::Omg => {
                let word = Template { pieces: vec![Piece::Text(name.to_owned())] };
                return Some((Interface::Command(vec![word]), None));
            }
            Generation::Oms => {}
        }
        notes.wrong(fields.at(), "says not how it is done; expected exactly one of http, rpc, format and events");
        return None;
    }
    let (key, spot) = given.swap_remove(0);
    match key {
        "http" => http(&spot, setting, located, notes).map(|(call, path)| (Interface::Http(call), Some(path))),
        "format" => Some((Interface::Command(command(&spot, located, notes)?), None)),
        "rpc" => Some((Interface::Rpc, None)),
        _ => Some((Interface::Events, None)),
    }
}

fn command(spot: &Spot<'_>, located: &[Located<'_>], notes: &mut Notes) -> Option<Vec<Template>> {
    let mut fields = Fields::of(spot, notes)?;
    let Some(spot) = fields.take(notes, &["command"]) else {
        notes.wrong(&spot.below("command"), "missing; expected a program and its arguments");
        return None;
    };
    fields.end(notes);
    notes.keep(&spot);
    let is_argument = |name: &str| located.iter().any(|located| located.argument.name == name);
    let words = spot.words(notes)?;
    let words: Vec<_> = words.iter().map(|word| Template::parse(word, is_argument)).collect();
    if !words[0].is_plain() {
        notes.wrong(&spot, format!("the program is {}; no argument can name it", words[0]));
    }
    if let Some(name) = script(&words).and_then(|script| script.names().next()) {
        let advice = format!(
            "what callers give as {name} becomes a part of the script; give it as a word behind that, where it is $1: \
             [sh, -c, 'wc -- \"$1\"', sh, '{{{name}}}']"
        );
        notes.warn(&spot, advice);
    }
    warn_of_names(&spot, &words, located, notes);
    Some(words)
}

/// The word that a shell takes for a script, if that is what is run: the one behind its flag `-c`.
fn script(words: &[Template]) -> Option<&Template> {
    let program = words.first()?.to_string();
    let is_shell = SHELLS.contains(&program.rsplit('/').next().unwrap_or_default());
    let flag = |word: &Template| {
        let word = word.to_string();
        word.starts_with('-') && !word.starts_with("--") && word.contains('c')
    };
    words.iter().skip_while(|word| !flag(word)).nth(1).filter(|_| is_shell)
}

/// Says what looks like an argument written wrong. It may be meant, as `awk` has braces of its own.
fn warn_of_names(spot: &Spot<'_>, words: &[Template], located: &[Located<'_>], notes: &mut Notes) {
    for text in words.iter().flat_map(|word| &word.pieces) {
        let Piece::Text(text) = text else { continue };
        for name in Template::parse(text, |_| true).names().filter(|name| text.contains(&format!("{{{name}}}"))) {
            if let Some(near) = nearest(name, located.iter().map(|located| located.argument.name.as_str())) {
                let advice = format!("{{{name}}} is no argument and stays as it is; did you mean {{{near}}}?");
                notes.warn(&spot.unquoted(), advice);
            }
        }
    }
}

fn http<'a>(
    spot: &Spot<'a>,
    setting: &Setting,
    located: &mut [Located<'a>],
    notes: &mut Notes,
) -> Option<(HttpCall, Spot<'a>)> {
    let mut fields = Fields::of(spot, notes)?;
    let method = fields.take(notes, &["method"]);
    if method.is_none() {
        notes.wrong(&spot.below("method"), "missing; expected one of get, post, put, delete, patch");
    }
    let method = method.and_then(|spot| {
        let text = spot.scalar().unwrap_or_default();
        let known = METHODS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, method)| method.clone());
        known.or_else(|| spot.choice(METHODS, notes))
    });
    let port = fields.take(notes, &["port"]);
    let path = fields.take(notes, &["path", "endpoint"]);
    let url = fields.take(notes, &["url"]);
    let content_type = fields.take(notes, &["contentType"]).and_then(|spot| media_type(&spot, notes));
    fields.end(notes);
    let (endpoint, spot) = if let Some(url) = url {
        for other in [&port, &path].into_iter().flatten() {
            notes.wrong(&other.unquoted(), "given together with url; keep one of them");
        }
        let (origin, path) = elsewhere(&url, notes)?;
        let path = template(path, located);
        (Endpoint::Elsewhere { origin, path }, url)
    } else {
        let number = match &port {
            Some(spot) => spot.port(notes),
            None => setting.port,
        };
        if port.is_none() && number.is_none() {
            let advice = "missing; expected the port that the service listens on, here or in lifecycle.startup.port";
            notes.wrong(&spot.below("port"), advice);
        }
        let Some(path) = path else {
            notes.wrong(&spot.below("path"), "missing; expected a path such as /convert, or a url");
            return None;
        };
        let text = self::path(&path, notes)?;
        // Without a number there is a mistake by now, and the path is looked at all the same.
        (Endpoint::Service { port: number.unwrap_or_default(), path: template(text, located) }, path)
    };
    let call = HttpCall { method: method?, endpoint, content_type: content_type.unwrap_or(MediaType::Json) };
    Some((call, spot))
}

/// The path that a key has, or a mistake.
pub(super) fn path<'a>(spot: &Spot<'a>, notes: &mut Notes) -> Option<&'a str> {
    let text = spot.text(notes)?;
    if !text.starts_with('/') {
        notes.wrong(spot, "expected a path that begins with a slash");
        return None;
    }
    is_plain(text, spot, notes).then_some(text)
}

/// Whether it can stand in the first line of a request.
fn is_plain(text: &str, spot: &Spot<'_>, notes: &mut Notes) -> bool {
    if text.contains(['?', '#']) {
        notes.wrong(spot, "expected a path alone; what stands in the query is an argument with in: query");
        return false;
    }
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_plain {
        notes.wrong(spot, "expected a path of ASCII without blanks; write other letters as %XX");
    }
    is_plain
}

/// Scheme and host of a URL, and the path on it.
fn elsewhere<'a>(spot: &Spot<'a>, notes: &mut Notes) -> Option<(Uri, &'a str)> {
    let text = spot.text(notes)?;
    let lower = text.to_ascii_lowercase();
    let scheme = ["http", "https"].into_iter().find(|scheme| lower.starts_with(&format!("{scheme}://")));
    let Some(scheme) = scheme else {
        notes.wrong(spot, "expected an absolute URL with http:// or https://");
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
        notes.wrong(spot, "expected a URL with a host, without a user and without arguments in front of the path");
        return None;
    };
    if !is_plain(path, spot, notes) {
        return None;
    }
    Some((origin, if path.is_empty() { "/" } else { path }))
}

/// The path with its arguments; one that stands in it is there, unless the file says otherwise.
fn template(text: &str, located: &mut [Located<'_>]) -> Template {
    let template = Template::parse(text, |name| located.iter().any(|located| located.argument.name == name));
    for located in located {
        if located.given.is_none() && template.names().any(|name| name == located.argument.name) {
            located.given = Some(Location::Path);
        }
    }
    template
}

/// Compares what stands in a path with the arguments that say so.
pub(super) fn check_places(endpoint: &Endpoint, spot: &Spot<'_>, located: &[Located<'_>], notes: &mut Notes) {
    let (Endpoint::Service { path, .. } | Endpoint::Elsewhere { path, .. }) = endpoint;
    let mut names: Vec<&str> = path.names().collect();
    for piece in &path.pieces {
        let Piece::Text(text) = piece else { continue };
        // What nobody has declared has been left as text.
        for name in places_in(text) {
            notes.wrong(spot, format!("{name} stands in the path, but is no argument of the action"));
        }
        if text.replace("{{", "{").contains(['{', '}']) && places_in(text).is_empty() {
            notes.wrong(spot, "a brace stands alone; expected arguments in pairs of them, as in /items/{id}");
        }
    }
    for Located { argument, given, spot: at } in located {
        let count = names.iter().filter(|name| **name == argument.name).count();
        match (count, given) {
            (0, Some(Location::Path)) => {
                notes.wrong(at, format!("argument {} does not stand in the path {path}", argument.name));
            }
            (1.., Some(Location::Query | Location::Body | Location::Header)) => {
                let advice = format!("argument {} stands in the path {path}; expected in: path", argument.name);
                notes.wrong(at, advice);
            }
            (2.., _) => notes.wrong(spot, format!("argument {} stands in the path twice", argument.name)),
            _ => {}
        }
        names.retain(|name| *name != argument.name);
    }
}

/// Compares how a body is sent with the arguments that are in it.
pub(super) fn check_body(content_type: MediaType, located: &[Located<'_>], notes: &mut Notes) {
    if content_type != MediaType::Bytes {
        return;
    }
    let in_body = located.iter().filter(|located| located.argument.location == Location::Body);
    for Located { spot, .. } in in_body.skip(1) {
        let advice = "a body of application/octet-stream is one argument alone; expected another place, or another \
                      contentType";
        notes.wrong(&spot.unquoted(), advice);
    }
}

/// Compares where a request goes with the files among its arguments, of which somebody elsewhere gets the content.
pub(super) fn check_files(endpoint: &Endpoint, located: &[Located<'_>], notes: &mut Notes) {
    match endpoint {
        Endpoint::Service { .. } => return,
        Endpoint::Elsewhere { .. } => {}
    }
    for Located { argument, spot, .. } in located {
        match argument.location {
            Location::Query | Location::Path | Location::Header if takes_files(&argument.schema) => {
                let place = argument.location.in_words();
                let advice =
                    format!("a file cannot be sent in {place} to a server elsewhere; expected in: requestBody");
                notes.wrong(&spot.unquoted(), advice);
            }
            Location::Body | Location::Query | Location::Path | Location::Header => {}
        }
    }
}

/// What looks like an argument in a piece of a path: `{name}` anywhere, `:name` behind a slash.
fn places_in(text: &str) -> Vec<String> {
    let template = Template::parse(text, |_| true);
    let mut before = "";
    let mut found = Vec::new();
    for piece in &template.pieces {
        match piece {
            Piece::Text(text) => before = text,
            Piece::Place(name) => {
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
