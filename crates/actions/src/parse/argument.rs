//! A

use http::Method;

use super::{
    cursor::{Cursor, Fields, Report},
    schema,
};
use crate::{action::Argument, location::Location};

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
pub(super) struct DeclaredArgument<'a> {
    pub(super) argument: Argument,
    /// What the file says.
    pub(super) given: Option<Location>,
    /// Where it says so, or the argument.
    pub(super) cursor: Cursor<'a>,
}

/// Arguments; `variadic` stands among them, or beside them.
pub(super) fn arguments<'a>(
    cursor: &Cursor<'a>,
    variadic: &mut bool,
    report: &mut Report,
) -> Vec<DeclaredArgument<'a>> {
    let Some(fields) = Fields::of(cursor, report) else { return Vec::new() };
    let mut arguments = Vec::new();
    for (name, cursor) in fields.members() {
        if name == "variadic" && cursor.scalar().is_some() {
            *variadic = cursor.boolean(report);
            continue;
        }
        if !is_word(name) {
            report.error(
                &cursor.without_value(),
                "expected an argument's name of letters, digits and underscores (of ASCII)",
            );
        }
        arguments.extend(argument(name, &cursor, report));
    }
    arguments
}

fn argument<'a>(name: &str, cursor: &Cursor<'a>, report: &mut Report) -> Option<DeclaredArgument<'a>> {
    let mut fields = Fields::of(cursor, report)?;
    let schema = schema::required(&mut fields, report);
    let place = fields.take(report, &["in", "location"]);
    let given = place.as_ref().and_then(|cursor| cursor.choice(LOCATIONS, report));
    if given == Some(Location::Header) && NOT_THEIRS.iter().any(|field| field.eq_ignore_ascii_case(name)) {
        report.error(cursor, "this header is not the caller's to set; give the argument another name or place");
    }
    let argument = Argument {
        name: name.to_owned(),
        location: given.unwrap_or(Location::Body),
        required: fields.boolean(report, "required"),
        default: fields.take(report, &["default"]).and_then(|cursor| schema::default(&cursor, schema.as_ref(), report)),
        deprecated: fields.boolean(report, "deprecated"),
        help: fields.text(report, "help"),
        schema: schema.unwrap_or_default(),
    };
    fields.end(report);
    Some(DeclaredArgument { argument, given, cursor: place.unwrap_or_else(|| cursor.clone()) })
}

/// Finds out where the arguments are of which the file does not say it, once the method is known.
pub(super) fn settle(declared: &mut [DeclaredArgument<'_>], method: Option<&Method>, report: &mut Report) {
    let in_query = method.is_some_and(|method| matches!(*method, Method::GET | Method::DELETE));
    for DeclaredArgument { argument, given, cursor } in declared {
        argument.location = given.unwrap_or(if in_query { Location::Query } else { Location::Body });
        if argument.location == Location::Body && method == Some(&Method::GET) {
            report.error(cursor, "a GET request has no body; expected query, path or header");
        }
        // Without it there is no such path.
        argument.required |= argument.location == Location::Path && argument.default.is_none();
    }
}

pub(super) fn is_word(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
