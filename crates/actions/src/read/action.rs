//! Actions and their arguments.

use http::Method;

use super::{
    Setting, interface,
    routes::Route,
    schema,
    walk::{Fields, Notes, Spot},
};
use crate::{Action, Argument, Generation, Interface, Location, MediaType, Output, Schema};

/// What an argument's `in` can be; `body` is of 2018.
const LOCATIONS: [(&str, Location); 5] = [
    ("query", Location::Query),
    ("requestBody", Location::Body),
    ("path", Location::Path),
    ("header", Location::Header),
    ("body", Location::Body),
];

/// Fields of a request that say how it is sent, which is not the caller's business.
const NOT_THEIRS: [&str; 8] = ["accept", "connection", "expect", "host", "te", "trailer", "upgrade", "authorization"];

/// An argument, with what has yet to be found out of its place in the request.
pub(super) struct Located<'a> {
    pub(super) argument: Argument,
    /// What the file says.
    pub(super) given: Option<Location>,
    /// Where it says so, or the argument.
    pub(super) spot: Spot<'a>,
}

pub(super) fn all<'a>(
    spot: &Spot<'a>,
    setting: &Setting,
    routes: &mut Vec<Route<'a>>,
    notes: &mut Notes,
) -> Vec<Action> {
    let Some(fields) = Fields::of(spot, notes) else { return Vec::new() };
    let members = fields.members();
    if members.is_empty() {
        notes.wrong(spot, "no action is in it; expected what the service can do");
    }
    let read = |(name, spot): (&str, Spot<'a>)| {
        notes.keep(&spot);
        let starts_well = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
        if !starts_well || !is_word(name) {
            let advice = "expected an action's name of letters, digits and underscores (of ASCII), without a digit at its beginning";
            notes.wrong(&spot.unquoted(), advice);
        }
        action(name, &spot, setting, routes, notes)
    };
    members.into_iter().filter_map(read).collect()
}

pub(super) fn is_word(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn action<'a>(
    name: &str,
    spot: &Spot<'a>,
    setting: &Setting,
    routes: &mut Vec<Route<'a>>,
    notes: &mut Notes,
) -> Option<Action> {
    let mut fields = Fields::of(spot, notes)?;
    let help = fields.text(notes, "help");
    let deprecated = fields.switch(notes, "deprecated");
    let mut variadic = fields.switch(notes, "variadic");
    let mut located = match fields.take(notes, &["arguments"]) {
        Some(spot) => arguments(&spot, &mut variadic, notes),
        None => Vec::new(),
    };
    let mut found = interface::read(name, &mut fields, setting, &mut located, notes);
    let method = found.as_ref().and_then(|(interface, _)| match interface {
        Interface::Http(call) => Some(call.method.clone()),
        Interface::Command(_) | Interface::Rpc | Interface::Events => None,
    });
    settle(&mut located, method.as_ref(), notes);
    if let Some((Interface::Http(call), path)) = &mut found
        && let Some(path) = path.take()
    {
        interface::check_places(&call.endpoint, &path, &located, notes);
        interface::check_body(call.content_type, &located, notes);
        interface::check_files(&call.endpoint, &located, notes);
        routes.extend(Route::of_action(name, call, path));
    }
    let output = if let Some(spot) = fields.take(notes, &["output"]) {
        output(&spot, notes)
    } else {
        if method.is_some() {
            let spot = spot.below("output");
            match setting.generation {
                // The interface page of 2018 has none.
                Generation::Omg => {
                    notes.warn(&spot, "missing, so that anything will do; better is the type of what the action gives");
                }
                Generation::Oms => {
                    notes.wrong(&spot, "missing; expected the type of what the action gives, or type: none");
                }
            }
        }
        Output { schema: Some(Schema::default()), ..Output::default() }
    };
    fields.end(notes);
    let (interface, _) = found?;
    let arguments = located.into_iter().map(|located| located.argument).collect();
    Some(Action { name: name.to_owned(), help, deprecated, interface, arguments, variadic, output })
}

/// Arguments; `variadic` stands among them, or beside them.
fn arguments<'a>(spot: &Spot<'a>, variadic: &mut bool, notes: &mut Notes) -> Vec<Located<'a>> {
    let Some(fields) = Fields::of(spot, notes) else { return Vec::new() };
    let mut arguments = Vec::new();
    for (name, spot) in fields.members() {
        if name == "variadic" && spot.scalar().is_some() {
            *variadic = spot.switch(notes);
            continue;
        }
        if !is_word(name) {
            notes.wrong(&spot.unquoted(), "expected an argument's name of letters, digits and underscores (of ASCII)");
        }
        arguments.extend(argument(name, &spot, notes));
    }
    arguments
}

fn argument<'a>(name: &str, spot: &Spot<'a>, notes: &mut Notes) -> Option<Located<'a>> {
    let mut fields = Fields::of(spot, notes)?;
    let schema = schema::required(&mut fields, notes);
    let place = fields.take(notes, &["in", "location"]);
    let given = place.as_ref().and_then(|spot| spot.choice(LOCATIONS, notes));
    if given == Some(Location::Header) && NOT_THEIRS.iter().any(|field| field.eq_ignore_ascii_case(name)) {
        notes.wrong(spot, "this header is not the caller's to set; give the argument another name or place");
    }
    let argument = Argument {
        name: name.to_owned(),
        location: given.unwrap_or(Location::Body),
        required: fields.switch(notes, "required"),
        default: fields.take(notes, &["default"]).and_then(|spot| schema::default(&spot, schema.as_ref(), notes)),
        deprecated: fields.switch(notes, "deprecated"),
        help: fields.text(notes, "help"),
        schema: schema.unwrap_or_default(),
    };
    fields.end(notes);
    Some(Located { argument, given, spot: place.unwrap_or_else(|| spot.clone()) })
}

/// Finds out where the arguments are of which the file does not say it, once the method is known.
fn settle(located: &mut [Located<'_>], method: Option<&Method>, notes: &mut Notes) {
    let in_query = method.is_some_and(|method| matches!(*method, Method::GET | Method::DELETE));
    for Located { argument, given, spot } in located {
        argument.location = given.unwrap_or(if in_query { Location::Query } else { Location::Body });
        if argument.location == Location::Body && method == Some(&Method::GET) {
            notes.wrong(spot, "a GET request has no body; expected query, path or header");
        }
        // Without it there is no such path.
        argument.required |= argument.location == Location::Path && argument.default.is_none();
    }
}

fn output(spot: &Spot<'_>, notes: &mut Notes) -> Output {
    let Some(mut fields) = Fields::of(spot, notes) else { return Output::default() };
    let help = fields.text(notes, "help");
    let content_type = fields.take(notes, &["contentType"]).and_then(|spot| media_type(&spot, notes));
    let schema = schema::output(&mut fields, notes);
    fields.end(notes);
    Output { schema, content_type, help }
}

pub(super) fn media_type(spot: &Spot<'_>, notes: &mut Notes) -> Option<MediaType> {
    spot.choice(MediaType::ALL.map(|kind| (kind.as_str(), kind)), notes)
}
