//! Parses the arguments of an action, and decides their locations in the request.

use http::Method;

use super::{
    cursor::{Cursor, Fields},
    report::Report,
    schema,
};
use crate::{action::Argument, location::Location, schema::Type};

/// The values of an argument's `in`; `body` is from 2018.
const LOCATIONS: [(&str, Location); 5] = [
    ("query", Location::Query),
    ("requestBody", Location::Body),
    ("path", Location::Path),
    ("header", Location::Header),
    ("body", Location::Body),
];

/// Header fields that belong to the connection, to the body or to authentication, or that bandog sets, which callers must
/// not set.
const NOT_THEIRS: [&str; 20] = [
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-call-id",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

/// An argument whose location is decided later.
pub(super) struct DeclaredArgument<'a> {
    pub(super) argument: Argument,
    /// The location that the file declares.
    pub(super) stated: Option<Location>,
    /// The position of that declaration, or of the argument.
    pub(super) cursor: Cursor<'a>,
}

/// Parses all arguments. `variadic` may be among them or beside them.
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
        arguments.extend(argument(name, &cursor, report));
    }
    arguments
}

fn argument<'a>(name: &str, cursor: &Cursor<'a>, report: &mut Report) -> Option<DeclaredArgument<'a>> {
    let mut fields = Fields::of(cursor, report)?;
    let place = fields.take(report, &["in", "location"]);
    let stated = place.as_ref().and_then(|cursor| cursor.choice(LOCATIONS, report));
    let is_name = match stated {
        // The name of a field, which most often has a hyphen.
        Some(Location::Header) => is_word(&name.replace('-', "_")),
        Some(Location::Query | Location::Body | Location::Path) | None => is_word(name),
    };
    if !is_name {
        let advice = "expected an argument's name of letters, digits and underscores (of ASCII), with in: header also of \
                      hyphens";
        report.error(&cursor.without_value(), advice);
    }
    let schema = schema::required(&mut fields, Type::Any, report);
    if stated == Some(Location::Header) && NOT_THEIRS.iter().any(|field| field.eq_ignore_ascii_case(name)) {
        report.error(cursor, "this header is not the caller's to set; give the argument another name or place");
    }
    let argument = Argument {
        name: name.to_owned(),
        location: stated.unwrap_or(Location::Body),
        required: fields.boolean(report, "required"),
        default: fields.take(report, &["default"]).and_then(|cursor| schema::default(&cursor, schema.as_ref(), report)),
        deprecated: fields.boolean(report, "deprecated"),
        help: fields.text(report, "help"),
        schema: schema.unwrap_or_default(),
    };
    fields.end(report);
    Some(DeclaredArgument { argument, stated, cursor: place.unwrap_or_else(|| cursor.clone()) })
}

/// Decides the locations that the file leaves open, once the method is known.
pub(super) fn settle(declared: &mut [DeclaredArgument<'_>], method: Option<&Method>) {
    let in_query = method.is_some_and(|method| matches!(*method, Method::GET | Method::DELETE));
    for DeclaredArgument { argument, stated, .. } in declared {
        argument.location = stated.unwrap_or(if in_query { Location::Query } else { Location::Body });
        // The path does not exist without its arguments.
        argument.required |= argument.location == Location::Path && argument.default.is_none();
    }
}

pub(super) fn is_word(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
